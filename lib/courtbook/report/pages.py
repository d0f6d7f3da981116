"""Text: what the command prints, and the pages that a step leaves behind."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from courtbook.checks.result import Status, blocks
from courtbook.coverage import Coverage, DateState
from courtbook.gates import Decision
from courtbook.report.layout import text_table
from courtbook.report.tables import COVERAGE_KEY, ORDER, checklist_rows, command, coverage_table, measured, statuses

if TYPE_CHECKING:
    from courtbook.step import Step


def audit_text(decision: Decision, params_file: str) -> str:
    """Return a decision for a terminal: what is not as it should be, what it probably means, and what repairs it."""
    lines = [f"{decision.gate:<10} {decision.verdict.value}  {decision.words()}"]
    repairs: dict[str, list[str]] = {}
    for result in sorted(decision.results, key=lambda item: ORDER.index(item.status)):
        if result.status is Status.PASS:
            continue
        value, asked, counted = measured(result)
        found = f": {value} ({counted})" if result.value is not None else ""
        lines.append(f"  {result.status.value:<8} {result.check.id}{found}, asked for {asked}")
        lines += [f"           {text}" for text in (result.detail, result.excuse) if text]
        if blocks(result):
            likely = f"  likely  {result.check.causes}\n  repair  {command(result, params_file)}"
            repairs.setdefault(likely, []).append(result.check.id)
    for likely, names in repairs.items():
        lines += ["", f"  {', '.join(names)}", likely]
    return "\n".join(lines)


def results_page(step: "Step", decision: Decision, read: Mapping[str, Coverage]) -> str:
    """Return the results document of a validation, as Markdown."""
    facts_lines = [f"- {name}: {value}" for name, value in step.facts().items()]
    check_rows = [[item.status.value, item.check.id, *measured(item), item.check.rule] for item in decision.results]
    accepted = [f"- {item.check.id}: {item.excuse}" for item in decision.excused]
    changed = [f"- {item.check.id}: {measured(item)[1]}" for item in decision.results if item.overridden]
    boxes = checklist_rows(step.catalog, statuses(decision))
    return "\n".join(
        [
            f"# {step.title}: {decision.verdict.value}",
            "",
            f"{decision.words()}.",
            "",
            *([f"**{step.degraded}. Nothing here may be read as GO.**", ""] if step.degraded else []),
            *facts_lines,
            "",
            "## Coverage",
            "",
            "```",
            text_table(*coverage_table(read)),
            "```",
            f"{COVERAGE_KEY}.",
            "",
            "## Checks",
            "",
            "```",
            text_table(check_rows, ["", "check", "value", "asked for", "counted", "rule"]),
            "```",
            "",
            "## Completion checklist",
            "",
            "```",
            text_table(boxes, ["", "item", "proved by", "asked for by"]),
            "```",
            "",
            "## Accepted by name",
            "",
            *(accepted or ["Nothing."]),
            "",
            "## Thresholds that the parameters changed",
            "",
            *(changed or ["None."]),
            "",
            "## Signature",
            "",
            f"Not signed. Operator as the parameters name him, not verified: {step.params.operator or 'nobody'}.",
            "",
        ]
    )


def handoff_page(step: "Step", read: Mapping[str, Coverage]) -> str:
    """Return the handoff page: state, what is left, next command."""
    verdict, why = step.verdict()
    left = [
        f"- {name}: {len(dates)} dates {state.value}: {step.calendar.spans(dates)}"
        for name, item in read.items()
        for state in (DateState.MISSING, DateState.PARTIAL, DateState.STALE)
        if (dates := item.dates_in(state))
    ]
    going = verdict.value == "GO"
    return "\n".join(
        [
            f"# Handoff: {verdict.value}",
            "",
            f"{why}.",
            "",
            *([f"**{step.degraded}. Nothing here may be read as GO.**", ""] if step.degraded else []),
            *(f"- {name}: {value}" for name, value in step.facts().items()),
            "",
            "## State",
            "",
            "```",
            text_table(*coverage_table(read)),
            "```",
            f"{COVERAGE_KEY}.",
            "",
            "## What is left",
            "",
            *(left or ["Nothing in this range."]),
            "",
            "## Next command",
            "",
            "Train the model on nba_predictions.ml_feature_store_v2."
            if going
            else "`courtbook run PARAMS` with the same parameters: it plans only what is missing.",
            "",
        ]
    )
