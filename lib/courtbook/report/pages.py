"""Text pages that a step leaves behind: results documents and the handoff."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from courtbook.coverage import Coverage, DateState
from courtbook.gates import Decision
from courtbook.report.layout import text_table
from courtbook.report.tables import COVERAGE_KEY, checklist_rows, coverage_table, measured, statuses

if TYPE_CHECKING:
    from courtbook.step import Step


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
