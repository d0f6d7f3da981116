"""Two runs side by side, from what they put on record: what differs, what is the same, and what cannot be told."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

from courtbook.checks.result import CheckResult
from courtbook.evidence.record import Run
from courtbook.report.difference import NOT_RECORDED, Comparison, Difference, Part, Values, compare_values
from courtbook.report.page import flat, render
from courtbook.report.pages import calendar_of, gates_of, warehouse_of
from courtbook.report.tables import ORDER, measured
from courtbook.report.text import fitted, wrapped
from courtbook.report.work import duration

SLOWER = 1.5  # times as long as the other run


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs."""
    parts = (
        compare_values("Verdict", _verdict(a), _verdict(b), absent="not decided"),
        compare_values("Steps", _steps(a), _steps(b), absent="not run"),
        _checks(a, b),
        _coverage(a, b),
        compare_values("Backfill", _work(a), _work(b), absent="nothing written"),
        _times(a, b),
        compare_values("Parameters", dict(flat(a.params)), dict(flat(b.params)), absent="not set"),
        compare_values("Code", _sources(a), _sources(b), absent="not run"),
        compare_values("Packages", *(_fact(run, "environment", "packages") for run in (a, b)), absent="not there"),
        compare_values("Warehouse", {"warehouse": warehouse_of(a)}, {"warehouse": warehouse_of(b)}),
        compare_values("Tables before", _tables(a, "before"), _tables(b, "before")),
        compare_values("Tables after", _tables(a, "after"), _tables(b, "after")),
    )
    return Comparison(f"{a.name} ({a.verdict})", f"{b.name} ({b.verdict})", parts)


def _fact(run: Run, *names: str) -> Any:
    """Return a fact of the manifest that sealed a run, None where it is not on record."""
    found: Any = run.seal.evidence if run.seal else None
    for name in names:
        found = (found or {}).get(name)
    return found


def _verdict(run: Run) -> Values:
    overridden = [f"{item['gate']} by {item['by']}: {item['reason']}" for item in run.overrides]
    return {
        "verdict": run.verdict,
        "sealed": "yes" if run.seal else "no",
        "overridden gates": "; ".join(overridden) or "none",
        "accepted by name": "; ".join(f"{name}: {excuse}" for name, excuse in run.excuses) or "nothing",
        **{f"gate {gate.name}": f"{gate.verdict}, {len(gate.results)} checks" for gate in gates_of(run).values()},
    }


def _steps(run: Run) -> Values:
    return {item.step: f"{item.verdict} in {item.name}" for item in run.latest}


def _times(a: Run, b: Run) -> Part:
    """Compare the last attempts at each step, and the whole runs; times that look the same are the same."""
    sides = [{**{item.step: item.seconds for item in run.latest}, "whole run": run.seconds} for run in (a, b)]
    told = ({key: None if value is None else duration(value) for key, value in side.items()} for side in sides)

    def note(what: str) -> str:
        before, after = (side.get(what) for side in sides)
        if not before or not after:
            return ""
        return f"{'SLOWER, ' if after / before > SLOWER else ''}{after / before:.2f} times"

    return compare_values("Time", *told, absent="not run", note=note)


def _work(run: Run) -> Values:
    return {
        item.table: f"{item.done:,} dates, {item.failed:,} failed, {item.rows:,} rows, "
        f"{item.done / max(item.seconds, 0.001):,.1f} dates/s, by {', '.join(item.executors)}"
        for item in run.work
    }


def _sources(run: Run) -> Values:
    """Return commit, versions and source notebooks, these from the ledger, since a run may not be sealed."""
    clean = {True: "none", False: f"yes, and which is {NOT_RECORDED}"}
    return {
        "commit": _fact(run, "environment", "git_commit"),
        "uncommitted changes": clean.get(_fact(run, "environment", "git_clean")),
        **{name: _fact(run, "environment", name) for name in ("python", "platform")},
        "lock file": _fact(run, "environment", "lock"),
        **{data["notebook"]: data["source"]["sha256"] for data in run.data("attempt_started")},
    }


def _tables(run: Run, when: str) -> Values | None:
    found = _fact(run, "tables", when)
    if found is None:
        return None
    return {
        name: "no such table" if item["rows"] is None else f"{item['rows']:,} rows, {item['digest']}"
        for name, item in found.items()
    }


def _checks(a: Run, b: Run) -> Part:
    """Compare each check of those gates that both runs decided."""
    decided = [gates_of(run) for run in (a, b)]
    sides = [
        {item.check.id: item for name, gate in own.items() if name in other for item in gate.results}
        for own, other in (decided, decided[::-1])
    ]

    def note(what: str) -> str:
        before, after = (ORDER.index(side[what].status) if what in side else None for side in sides)
        if before is None or after is None or before == after:
            return ""
        return "WORSE" if after < before else "better"

    told = ({name: _told(item) for name, item in side.items()} for side in sides)
    part = compare_values("Checks", *told, absent="not run", note=note)
    worst_first = sorted(part.differences, key=lambda item: ("WORSE", "better", "").index(item.note))
    return replace(part, differences=tuple(worst_first))


def _told(item: CheckResult) -> str:
    """Write a result with its value to ten digits: numbers that differ must not look the same."""
    unit = item.check.unit.replace("fraction", "%")
    found = "" if item.value is None else f" {item.value * (100 if '%' in unit else 1):,.10g} {unit}"
    return f"{item.status.value}{found} ({measured(item)[1]})" + (", accepted" if item.excuse else "")


def _rows(item: Mapping[str, Any]) -> str:
    return f"{item['found_rows']:,} of {item['expected_rows']:,} rows"


def _coverage(a: Run, b: Run) -> Part:
    """Compare the rows of each table, and name the dates whose state is not the same."""
    left, right = (run.coverage(last=True) or None for run in (a, b))
    told = (None if read is None else {name: _rows(item) for name, item in read.items()} for read in (left, right))
    part = compare_values("Coverage at the end", *told, absent="not read")
    if left is None or right is None:
        return part
    calendar, found = calendar_of(left, right), []
    for name in (name for name in left if name in right):
        states = [
            {day: state for state, days in read[name]["states"].items() for day in days} for read in (left, right)
        ]
        groups: dict[tuple[str, str], list[date]] = {}
        for day in sorted({*states[0], *states[1]}):
            pair = (states[0].get(day, "not in the range"), states[1].get(day, "not in the range"))
            if pair[0] != pair[1]:
                groups.setdefault(pair, []).append(date.fromisoformat(day))
        found += [
            Difference(f"{name}: {len(days)} dates", *pair, calendar.spans(days)) for pair, days in groups.items()
        ]
    return replace(part, differences=(*part.differences, *found))


def diff_text(found: Comparison) -> str:
    """Return a comparison for a terminal: only what differs, then in one line each what is the same or not known."""
    lines = [f"A  {found.a}", f"B  {found.b}", "", found.words]
    for part in found.differing:
        rows = [[item.what, item.a, item.b, item.note] for item in part.differences]
        lines += ["", fitted(rows, [part.title, "A", "B", "note"])]
    lines += ["", wrapped(f"the same: {found.same}", "  ")]
    lines += [wrapped(f"{NOT_RECORDED}, so it cannot be told: {found.unknown}", "  ")] if found.unknown else []
    return "\n".join(lines)


def diff_page(found: Comparison) -> str:
    """Return a comparison as a page that needs nothing but a browser."""
    return render("diff.html.j2", found=found, missing=NOT_RECORDED)
