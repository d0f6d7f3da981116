"""Tables for notebooks: plain HTML that reads well in JupyterLab, in exported pages and on paper."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from html import escape
from typing import TYPE_CHECKING, Any

from courtbook.backfill.runner import BackfillReport
from courtbook.checks.result import CheckResult, Status
from courtbook.coverage import Coverage, DateState
from courtbook.gates import Decision
from courtbook.plan import Plan

if TYPE_CHECKING:
    import pandas as pd

    from courtbook.catalog import Table
    from courtbook.step import Step

# Text colours with a contrast of at least 4.5 : 1 on white; each state has a sign too, for those who see no colours.
STATE_STYLE: dict[str, tuple[str, str]] = {
    "GO": ("#1a6b3a", "✓"),
    "PASS": ("#1a6b3a", "✓"),
    "WARN": ("#8a5a00", "!"),
    "FAIL": ("#a3241c", "✗"),
    "NO-GO": ("#a3241c", "✗"),
    "NO_DATA": ("#a3241c", "∅"),
    "ERROR": ("#a3241c", "⚠"),
    "INTERRUPTED": ("#a3241c", "…"),
}
_TABLE = "border-collapse:collapse;margin:0.4em 0 1em;font-size:13px;text-align:left"
_CELL = "padding:4px 10px;border-bottom:1px solid #ddd;text-align:{align};vertical-align:top;white-space:{wrap}"


@dataclass(frozen=True)
class Html:
    """Something that a notebook shows: HTML, and the same as text for terminals."""

    html: str
    text: str

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def _cell(value: object) -> str:
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"
    return str(value)


def table(rows: Sequence[Sequence[object]], columns: Sequence[str], caption: str) -> Html:
    """Lay out rows under column heads; numbers to the right, states in colour with a sign."""
    if not rows:
        return Html(f"<p><em>{escape(caption)}: nothing.</em></p>", f"{caption}: nothing.")
    numeric = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    head = "".join(
        f'<th scope="col" style="{_CELL.format(align="right" if right else "left", wrap="nowrap")};'
        f'border-bottom:2px solid #555">{escape(name)}</th>'
        for name, right in zip(columns, numeric, strict=True)
    )
    body = []
    for row in rows:
        cells = []
        for value, right in zip(row, numeric, strict=True):
            text = _cell(value)
            colour, sign = STATE_STYLE.get(text, ("", ""))
            style = _CELL.format(align="right" if right else "left", wrap="nowrap" if len(text) < 40 else "normal")
            cells.append(
                f'<td style="{style};color:{colour};font-weight:600">{sign} {escape(text)}</td>'
                if sign
                else f'<td style="{style}">{escape(text)}</td>'
            )
        body.append(f"<tr>{''.join(cells)}</tr>")
    html = (
        f'<div style="overflow-x:auto"><table style="{_TABLE}">'
        f'<caption style="text-align:left;font-weight:600;padding:4px 10px">{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table></div>"
    )
    return Html(html, text_table(rows, columns, caption))


def text_table(rows: Sequence[Sequence[object]], columns: Sequence[str], caption: str = "") -> str:
    """Lay out the same rows for a terminal."""
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max(len(column), *(len(row[i]) for row in cells)) for i, column in enumerate(columns)]
    numeric = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    lines = [
        "  ".join(text.rjust(width) if right else text.ljust(width) for text, width, right in zip(row, widths, numeric, strict=True)).rstrip()
        for row in ([list(columns), ["-" * width for width in widths], *cells])
    ]
    return "\n".join([caption, *lines] if caption else lines)


def spans(days: Iterable[date], game_dates: Sequence[date]) -> str:
    """Write dates as ranges of consecutive game dates."""
    position = {day: number for number, day in enumerate(game_dates)}
    ranges: list[list[date]] = []
    for day in sorted(days):
        if ranges and position.get(day, -1) == position.get(ranges[-1][1], -2) + 1:
            ranges[-1][1] = day
        else:
            ranges.append([day, day])
    return ", ".join(f"{first}" if first == last else f"{first} .. {last}" for first, last in ranges)


def facts(step: "Step") -> Html:
    """Show what a step is about."""
    return table(list(step.facts().items()), ["", "this step"], step.title)


def percent(value: float | None) -> str:
    """Write a fraction as percent; 100.0 % only if it is all."""
    if value is None:
        return "–"
    text = f"{100 * value:.1f}"
    return f"{'99.9' if text == '100.0' and value < 1 else text} %"


COVERAGE_COLUMNS = (
    "table", "dates with data", "covered", "expected", "coverage", "complete", "partial", "unexpected", "rows found", "rows expected",
)  # fmt: skip


def coverage_rows(coverage: Mapping[str, Coverage]) -> list[list[object]]:
    """Return one row a table, as notebooks and the command line show it."""
    return [
        [
            name,
            item.dates_with_data,
            len(item.covered),
            len(item.target),
            percent(item.ratio),
            *(len(item.dates_in(state)) for state in (DateState.COMPLETE, DateState.PARTIAL, DateState.UNEXPECTED)),
            item.found_rows,
            item.expected_rows,
        ]
        for name, item in coverage.items()
    ]


def coverage(read: Mapping[str, Coverage], caption: str = "Coverage") -> Html:
    """Show coverage: dates by the runbook's metric (any row counts), and rows by the expectation of each date."""
    return table(coverage_rows(read), COVERAGE_COLUMNS, f"{caption} (covered = any row on an expected date)")


def plan(planned: Plan, step: "Step") -> Html:
    """Show which dates of which table will be written, in which order and why."""
    game_dates = step.calendar.dates()
    rows = []
    for task in planned.tasks:
        reasons = sorted(set(task.dates.values()))
        counts = ", ".join(f"{list(task.dates.values()).count(reason)} {reason}" for reason in reasons)
        rows.append([task.level + 1, task.table.name, len(task.dates), counts or "complete", spans(task.dates, game_dates)])
    return table(rows, ["level", "table", "dates", "why", "which"], f"Plan: {planned.table_dates:,} table-dates")


def backfill(report: BackfillReport) -> Html:
    """Show what a backfill wrote."""
    names = list(dict.fromkeys(batch.table for batch in report.batches)) + report.held_back
    rows = []
    for name in names:
        own = [batch for batch in report.batches if batch.table == name]
        rows.append(
            [
                name,
                sum(len(batch.done) for batch in own),
                sum(len(batch.failed) for batch in own),
                sum(batch.rows for batch in own),
                round(sum(batch.seconds for batch in own), 1),
                "held back" if name in report.held_back else "",
            ]
        )
    return table(rows, ["table", "dates done", "failed", "rows", "seconds", ""], "Written, read back and counted")


def _value(result: CheckResult) -> str:
    if result.value is None:
        return "–"
    return percent(result.value) if result.check.unit == "fraction" else f"{_cell(result.value)} {result.check.unit}"


def _base(result: CheckResult) -> str:
    if result.numerator is None or result.denominator is None:
        return "–"
    return f"{_cell(round(result.numerator, 1))} / {_cell(round(result.denominator, 1))}"


def checks(decision: Decision) -> Html:
    """Show every check of a gate: what was found, of how much, and what was asked for."""
    order = [Status.ERROR, Status.FAIL, Status.NO_DATA, Status.WARN, Status.PASS]
    found = sorted(decision.results, key=lambda result: order.index(result.status))
    rows = [
        [
            result.status.value,
            result.check.title,
            result.check.table,
            _value(result),
            result.threshold,
            _base(result),
            result.detail if result.status is not Status.PASS else "",
        ]
        for result in found
    ]
    counts = ", ".join(
        f"{number} {status.value}" for status in order if (number := sum(r.status is status for r in found))
    )
    return table(
        rows, ["", "check", "table", "value", "asked for", "counted", "where"], f"Gate {decision.gate}: {counts}"
    )


def frame(data: "pd.DataFrame", caption: str) -> Html:
    """Show a DataFrame as it is."""
    rows = [
        [value.date() if hasattr(value, "date") else value for value in row]
        for row in data.astype(object).itertuples(index=False)
    ]
    return table(rows, [str(column).replace("_", " ") for column in data.columns], caption)


def banner(step: "Step") -> Html:
    """Show the verdict of a step so that it cannot be missed."""
    verdict, why = step.verdict()
    colour, sign = STATE_STYLE[verdict.value]
    html = (
        f'<div role="status" style="border-left:8px solid {colour};padding:10px 16px;margin:0.6em 0;background:#f7f7f7">'
        f'<span style="font-size:22px;font-weight:700;color:{colour}">{sign} {verdict.value}</span>'
        f'<span style="font-size:14px;color:#222"> &nbsp; {escape(step.title)}: {escape(why)}</span></div>'
    )
    return Html(html, f"{verdict.value}  {step.title}: {why}")


def history(steps: Sequence[Mapping[str, Any]]) -> Html:
    """Show the verdicts of the steps of a run."""
    rows = [[item["step"], item["attempt"], item["verdict"], item["why"]] for item in steps]
    return table(rows, ["step", "attempt", "verdict", "why"], "Steps of this run")


def baseline(before: tuple[str, Mapping[str, Any]] | None, now: Mapping[str, Coverage]) -> Html:
    """Show covered dates now and in the run before."""
    if before is None:
        return Html(
            "<p>There is no earlier run of these parameters. The numbers above become the baseline.</p>",
            "There is no earlier run of these parameters. The numbers above become the baseline.",
        )
    name, recorded = before
    rows = []
    for table_name, item in now.items():
        covered, expected = recorded.get(table_name, (None, None))
        change = None if covered is None else len(item.covered) - covered
        rows.append([table_name, covered, expected, len(item.covered), len(item.target), change])
    columns = ["table", "covered then", "expected then", "covered now", "expected now", "change"]
    return table(rows, columns, f"Against {name}")


def spot_check(step: "Step") -> Html:
    """Show the rows of the games that the parameters name."""
    wanted = list(step.params.spot_check_games)
    if not wanted:
        return Html("<p>No games are named in spot_check_games.</p>", "No games are named in spot_check_games.")
    return frame(step.query("spot_check", games=wanted), f"Games {', '.join(wanted)}")


CHECKLIST: tuple[tuple[str, str], ...] = (
    ("dates covered to 95 %", "coverage"),
    ("expected rows there", "rows"),
    ("keys unique", "duplicates"),
    ("keys filled", "null_keys"),
    ("mean quality 75 or more", "quality"),
    ("no blocking issue", "blocking_issues"),
)


def checklist_rows(decision: Decision, wanted: Iterable["Table"]) -> list[list[object]]:
    """Return one row a table, one column an item; an item without a result stays open."""
    status = {result.check.id: result.status.value for result in decision.results}
    return [[item.name, *(status.get(f"{check}.{item.name}", "open") for _, check in CHECKLIST)] for item in wanted]


def checklist(decision: Decision, wanted: Iterable["Table"]) -> Html:
    """Show the completion checklist of all tables."""
    return table(checklist_rows(decision, wanted), ["table", *(item for item, _ in CHECKLIST)], "Completion checklist")


def results_page(step: "Step", decision: Decision, read: Mapping[str, Coverage]) -> str:
    """Return the results document of a validation, as Markdown."""
    facts_lines = [f"- {name}: {value}" for name, value in step.facts().items()]
    check_rows = [
        [r.status.value, r.check.id, _value(r), r.threshold, _base(r), r.check.rule] for r in decision.results
    ]
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
            text_table(coverage_rows(read), COVERAGE_COLUMNS),
            "```",
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
            text_table(coverage_rows(read), COVERAGE_COLUMNS),
            "```",
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
