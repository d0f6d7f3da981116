"""The tables that notebooks and the command line show."""

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

from courtbook.catalog import Catalog
from courtbook.checks.result import CheckResult, Status, Verdict
from courtbook.coverage import Coverage, DateState
from courtbook.gates import GOING_ON, Decision
from courtbook.report.layout import STATE_STYLE, Html, cell, percent, table

if TYPE_CHECKING:
    import pandas as pd

    from courtbook.step import Step


def _box(word: str, said: str) -> str:
    colour, sign = STATE_STYLE[word]
    box = f"border-left:8px solid {colour};padding:10px 16px;margin:0.6em 0;background:#f7f7f7"
    return (
        f'<div role="status" style="{box}">'
        f'<span style="font-size:22px;font-weight:700;color:{colour}">{sign} {word}</span>'
        f'<span style="font-size:14px;color:#222"> &nbsp; {escape(said)}</span></div>'
    )


def facts(step: "Step") -> Html:
    """Show what a step is about; behind an overridden gate that stands above everything else."""
    shown = table(list(step.facts().items()), ["", "this step"], step.title)
    if not step.degraded:
        return shown
    said = f"{step.degraded.removeprefix('DEGRADED: ')}. Nothing below may be read as GO."
    return Html(_box("DEGRADED", said) + shown.html, f"DEGRADED  {said}\n{shown.text}")


def coverage_table(read: Mapping[str, Coverage]) -> tuple[list[list[object]], list[str]]:
    """Return rows and heads of coverage: states that no date is in are left out, so that it fits a terminal."""
    counted = (DateState.COMPLETE, DateState.PARTIAL, DateState.STALE, DateState.SOURCE_GAP, DateState.UNEXPECTED)
    shown = [
        state for state in counted if state is DateState.COMPLETE or any(item.dates_in(state) for item in read.values())
    ]
    heads = ["table", "dates", "covered", "expected", "coverage", *(state.value for state in shown), "rows", "of"]
    rows: list[list[object]] = [
        [
            name,
            item.dates_with_data,
            len(item.covered),
            len(item.target),
            percent(item.ratio),
            *(len(item.dates_in(state)) for state in shown),
            item.found_rows,
            item.expected_rows,
        ]
        for name, item in read.items()
    ]
    return rows, heads


COVERAGE_KEY = (
    "dates: with any row; covered: of the expected dates, those with any row (the runbook's own metric); "
    "complete: with every row that schedule and box scores make us expect"
)


def coverage(read: Mapping[str, Coverage], caption: str = "Coverage") -> Html:
    """Show coverage: dates by the runbook's metric (any row counts), and rows by the expectation of each date."""
    shown = table(*coverage_table(read), caption)
    key = f'<p style="font-size:12px;margin-top:-0.6em">{escape(COVERAGE_KEY)}</p>'
    return Html(shown.html + key, f"{shown.text}\n{COVERAGE_KEY}")


def measured(result: CheckResult) -> tuple[str, str, str]:
    """Write value, bounds and base of a result in the unit of its check."""
    unit = result.check.unit
    fraction = unit.startswith("fraction")
    if result.value is None:
        value = "–"
    elif math.isinf(result.value):
        value = "from nothing"
    elif fraction:
        value = percent(result.value) + unit.removeprefix("fraction")
    else:
        value = f"{cell(result.value)} {unit}"
    bounds = [
        f"{sign} {f'{100 * bound:.4g} %' if fraction else f'{bound:,.5g}'}"
        for sign, bound in (("≥", result.minimum), ("≤", result.maximum))
        if bound is not None
    ]
    if result.floor is not None and result.minimum is not None:
        bounds.append(f"fails below {100 * result.floor:.4g} %")
    asked = ", ".join(bounds) + (" (overridden)" if result.overridden else "")
    if result.numerator is None or result.denominator is None:
        return value, asked, "–"
    return value, asked, f"{cell(round(result.numerator, 3))} / {cell(round(result.denominator, 3))}"


ORDER = (Status.ERROR, Status.FAIL, Status.NO_DATA, Status.WARN, Status.PASS)
CHECK_HEADS = ["", "check", "value", "asked for", "counted", "where"]


def check_rows(results: Iterable[CheckResult]) -> list[list[object]]:
    """Return one row a result, worst first."""
    return [
        [
            result.status.value,
            "\n".join(filter(None, (result.check.title, result.check.table))),
            *measured(result),
            "; ".join(filter(None, (result.detail if result.status is not Status.PASS else "", result.excuse))),
        ]
        for result in sorted(results, key=lambda result: ORDER.index(result.status))
    ]


def checks(decision: Decision) -> Html:
    """Show every check of a gate: what was found, of how much, and what was asked for. What passed is folded."""
    counts = ", ".join(
        f"{number} {status.value}" for status in ORDER if (number := sum(r.status is status for r in decision.results))
    )
    title = f"Gate {decision.gate}: {counts}"
    noted = table(
        check_rows(r for r in decision.results if r.status is not Status.PASS), CHECK_HEADS, title, empty="all is well"
    )
    passed = table(check_rows(r for r in decision.results if r.status is Status.PASS), CHECK_HEADS, "Passed")
    folded = f"<details><summary>What passed, check by check</summary>{passed.html}</details>"
    return Html(noted.html + folded, f"{noted.text}\n\n{passed.text}")


def command(result: CheckResult, params_file: str) -> str:
    """Return the command that repairs what a check found, with the params file and the dates put in."""
    text = result.check.command.replace("PARAMS", params_file)
    if not result.dates:
        return text
    first, last = min(result.dates).isoformat(), max(result.dates).isoformat()
    return text.replace("range.start=DAY", f"range.start={first}").replace("range.end=DAY", f"range.end={last}")


def troubleshooting(decision: Decision, params_file: str) -> Html:
    """Show likely causes and the command that repairs for everything that is not as it should be, blockers first."""
    rows: list[list[object]] = []
    for result in (*decision.blockers, *decision.warnings):
        said = [result.check.causes, f"{result.check.repair}\n{command(result, params_file)}"]
        known = next((row for row in rows if row[2:] == said and row[0] == result.status.value), None)
        if known is None:
            rows.append([result.status.value, result.check.id, *said])
        else:
            known[1] = f"{known[1]}, {result.check.id}"
    return table(
        rows,
        ["", "checks", "likely causes", "what to do, and the command"],
        "Troubleshooting",
        empty="nothing to repair",
    )


def frame(data: "pd.DataFrame", caption: str) -> Html:
    """Show a DataFrame as it is."""
    shown = data.astype(object)
    if "season" in shown:
        shown["season"] = [f"{year}-{(year + 1) % 100:02d}" for year in shown["season"]]
    rows = [
        [value.date() if hasattr(value, "date") else value for value in row] for row in shown.itertuples(index=False)
    ]
    return table(rows, [str(column).replace("_", " ") for column in data.columns], caption)


def banner(step: "Step") -> Html:
    """Show the verdict of a step so that it cannot be missed."""
    verdict, why = step.verdict()
    return Html(_box(verdict.value, f"{step.title}: {why}"), f"{verdict.value}  {step.title}: {why}")


def gates(decided: Sequence[Decision]) -> Html:
    """Show what several gates say, a row each."""
    rows = [[item.gate, item.verdict.value, item.words()] for item in decided]
    return table(rows, ["gate", "verdict", "why"], "Gates")


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


Statuses = Mapping[tuple[str, str], str]


def statuses(decision: Decision) -> Statuses:
    """Return the status of every check of a decision, by gate and id."""
    return {(decision.gate, result.check.id): result.status.value for result in decision.results}


def checklist_rows(catalog: Catalog, found: Statuses) -> list[list[object]]:
    """Return one row an item of the completion checklist: its state, and the checks that prove it.

    Parameters
    ----------
    found : mapping
        Statuses by gate and check id; items of other gates are left out. An item is ticked if all of its checks passed.
        It stays open for a person where no check proves it.
    """
    rows: list[list[object]] = []
    for item in (item for item in catalog.checklist if item.phase in {gate for gate, _ in found}):
        wanted = [c.id for c in catalog.checks_of(item.phase) if c.id.partition(".")[0] in item.checks]
        own = [found.get((item.phase, name), Status.ERROR.value) for name in wanted]
        worst = next((status.value for status in ORDER if status.value in own), "open")
        passed = f"{own.count(Status.PASS.value)} of {len(own)} checks: {', '.join(item.checks)}"
        rows.append([worst, item.item, passed if item.checks else "a person, with the signature", item.source])
    return rows


def checklist(step: "Step", found: Statuses) -> Html:
    """Show the completion checklist of some gates."""
    return table(checklist_rows(step.catalog, found), ["", "item", "proved by", "asked for by"], "Completion checklist")


def decision(step: "Step", gate: Decision) -> Html:
    """Show the decision of a run's last gate: how much of all checks of the run passed, why, and what is next."""
    verdict, why = step.verdict()
    found = [*{**step.recorded(), **statuses(gate)}.values()]
    share = found.count(Status.PASS.value) / len(found)
    sound = verdict is Verdict.GO and not gate.excused and share >= 0.95
    level = "high" if sound else "limited" if verdict.value in GOING_ON else "none"
    others = [f"{found.count(s.value)} {s.value}" for s in ORDER if s is not Status.PASS and s.value in found]
    told = f"{percent(share)} of the {len(found)} checks of this run passed"
    todo = command(gate.blockers[0], step.params_file) if gate.blockers else "Train the model on the feature store."
    rows = {"decision": verdict.value, "confidence": f"{level}: {', '.join([told, *others])}", "reasoning": why}
    return table([*rows.items(), ("next action", todo)], ["", "this run"], "Decision")
