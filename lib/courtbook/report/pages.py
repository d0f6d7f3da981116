"""Text pages that a step leaves behind: results documents and the handoff."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from courtbook.coverage import Coverage
from courtbook.gates import Decision
from courtbook.report.layout import text_table
from courtbook.report.tables import COVERAGE_KEY, coverage_table, measured

if TYPE_CHECKING:
    from courtbook.step import Step


def results_page(step: "Step", decision: Decision, read: Mapping[str, Coverage]) -> str:
    """Return the results document of a validation, as Markdown."""
    facts_lines = [f"- {name}: {value}" for name, value in step.facts().items()]
    check_rows = [[item.status.value, item.check.id, *measured(item), item.check.rule] for item in decision.results]
    return "\n".join(
        [
            f"# {step.title}: {decision.verdict.value}",
            "",
            f"{decision.words()}.",
            "",
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
            "## Signature",
            "",
            f"Not signed. Operator as the parameters name him, not verified: {step.params.operator or 'nobody'}.",
            "",
        ]
    )


def handoff_page(step: "Step", read: Mapping[str, Coverage]) -> str:
    """Return the handoff page: state, what is left, next command."""
    verdict, why = step.verdict()
    left = [f"- {name}: {len(item.missing)} dates missing" for name, item in read.items() if item.missing]
    going = verdict.value == "GO"
    return "\n".join(
        [
            f"# Handoff: {verdict.value}",
            "",
            f"{why}.",
            "",
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
