"""Two runs side by side, from what they put on record: what differs, what is the same, and what cannot be told."""

import json
from collections.abc import Mapping
from datetime import date
from typing import Any

from courtbook.checks.result import CheckResult
from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.record import Run
from courtbook.report.difference import NOT_RECORDED, Comparison, Difference, Part, Values, compare_values
from courtbook.report.page import render
from courtbook.report.pages import calendar_of, fitted, gates_of, wrapped
from courtbook.report.tables import ORDER, measured
from courtbook.report.work import duration

Recorded = Mapping[str, Any]
SLOWER = 1.5  # times as long as the other run


def compare(a: Run, b: Run) -> Comparison:
    """Compare two runs."""
    parts = (
        compare_values("Verdict", _verdict(a), _verdict(b)),
        compare_values("Steps", _steps(a), _steps(b), absent="not run"),
        _checks(a, b),
        _coverage(a, b),
        compare_values("Backfill", _work(a), _work(b), absent="nothing written"),
        _times(a, b),
        compare_values("Parameters", dict(_flat(a.params)), dict(_flat(b.params)), absent="not set"),
        _code(a, b),
        compare_values("Versions", _versions(a), _versions(b)),
        compare_values(
            "Packages", _fact(a, "environment", "packages"), _fact(b, "environment", "packages"), absent="not there"
        ),
        compare_values("Warehouse", {"warehouse": _warehouse(a)}, {"warehouse": _warehouse(b)}),
        compare_values("Tables before", _tables(a, "before"), _tables(b, "before")),
        compare_values("Tables after", _tables(a, "after"), _tables(b, "after")),
    )
    return Comparison(f"{a.name} ({a.verdict})", f"{b.name} ({b.verdict})", parts)


def _fact(run: Run, *names: str) -> Any:
    """Return a fact of the manifest that sealed a run, None where it is not on record."""
    found: Any = run.seal.evidence if run.seal else None
    for name in names:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _verdict(run: Run) -> Values:
    overridden = [f"{item['gate']} by {item['by']}: {item['reason']}" for item in run.overrides]
    return {
        "verdict": run.verdict,
        "sealed": "yes" if run.seal else "no",
        "overridden gates": "; ".join(overridden) or "none",
        "accepted by name": "; ".join(f"{name}: {excuse}" for name, excuse in run.excuses) or "nothing",
    }


def _steps(run: Run) -> Values:
    tried = [item.step for item in run.attempts]
    return {
        item.step: item.verdict + (f", {tried.count(item.step)} attempts" if tried.count(item.step) > 1 else "")
        for item in run.latest
    }


def _times(a: Run, b: Run) -> Part:
    """Compare the last attempts at each step, and the whole runs; times that look the same are the same."""
    sides = [{**{item.step: item.seconds for item in run.latest}, "whole run": run.seconds} for run in (a, b)]
    told = [{key: None if value is None else duration(value) for key, value in side.items()} for side in sides]

    def note(what: str) -> str:
        before, after = (side.get(what) for side in sides)
        if not before or not after:
            return ""
        ratio = after / before
        mark = "SLOWER, " if ratio > SLOWER else "faster, " if ratio < 1 / SLOWER else ""
        return f"{mark}{ratio:.2f} times"

    return compare_values("Time", told[0], told[1], absent="not run", note=note)


def _work(run: Run) -> Values:
    return {
        item.table: f"{item.done:,} dates, {item.failed:,} failed, {item.rows:,} rows, "
        + (f"{item.done / item.seconds:,.1f} dates/s, " if item.seconds else "")
        + f"by {', '.join(item.executors)}"
        for item in run.work
    }


def _flat(value: object, key: str = "") -> list[tuple[str, str]]:
    """Return parameters by dotted key; what is empty counts as not set."""
    if isinstance(value, Mapping):
        return [pair for name, item in value.items() for pair in _flat(item, f"{key}.{name}" if key else str(name))]
    if value is None:
        return []
    return [(key, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))]


def _code(a: Run, b: Run) -> Part:
    part = compare_values("Code", _sources(a), _sources(b), absent="not run")
    dirty = [_fact(run, "environment", "git_clean") is False for run in (a, b)]
    same = _fact(a, "environment", "git_commit") == _fact(b, "environment", "git_commit")
    if not all(dirty) or not same:
        return part
    unknown = (*part.unknown, "the code, since both runs had changes that were not committed")
    return Part(part.title, part.differences, part.same, unknown)


def _sources(run: Run) -> Values:
    """Return commit, lock file and source notebooks, these from the ledger too, since a run may not be sealed."""
    begun = {data["notebook"]: data["source"] for data in run.data("attempt_started") if "source" in data}
    sources: Recorded = begun or _fact(run, "sources") or {}
    clean = {True: "none", False: "yes", None: None}[_fact(run, "environment", "git_clean")]
    return {
        "commit": _fact(run, "environment", "git_commit"),
        "uncommitted changes": clean,
        "lock file": _fact(run, "environment", "lock"),
        **{name: item.get("sha256") if isinstance(item, Mapping) else str(item) for name, item in sources.items()},
    }


def _versions(run: Run) -> Values:
    return {name: _fact(run, "environment", name) for name in ("python", "platform")}


def _warehouse(run: Run) -> str | None:
    begun = [*run.data("run_started"), *run.data("step_opened")]
    found = next((data["warehouse"] for data in begun if "warehouse" in data), _fact(run, "warehouse"))
    return None if found is None else str(found)


def _tables(run: Run, when: str) -> Values | None:
    found = _fact(run, "tables", when)
    if found is None:
        return None
    return {name: _content(item) for name, item in found.items()}


def _content(item: Recorded) -> str | None:
    if "rows" not in item or "digest" not in item:
        return None
    return "no such table" if item["rows"] is None else f"{item['rows']:,} rows, {item['digest']}"


def _checks(a: Run, b: Run) -> Part:
    """Compare gates, and each check of those that both runs decided."""
    decided = [gates_of(run) for run in (a, b)]
    sides = [
        {item.check.id: (item, gate.whole) for gate in own.values() if gate.name in other for item in gate.results}
        for own, other in (decided, decided[::-1])
    ]
    told = [
        {f"gate {gate.name}": f"{gate.verdict}, {len(gate.results)} checks" for gate in g.values()} for g in decided
    ]
    for texts, side in zip(told, sides, strict=True):
        texts |= {name: _told(*found) for name, found in side.items()}
    for name in set(sides[0]) & set(sides[1]):
        if told[0][name] == told[1][name]:  # numbers that differ must not look the same
            exact = [_exact(side[name][0]) for side in sides]
            for texts, own, other in zip(told, exact, exact[::-1], strict=True):
                texts[name] += "".join(f", {mine}" for mine, its in zip(own, other, strict=True) if mine != its)

    def note(what: str) -> str:
        if what not in sides[0] or what not in sides[1]:
            return ""
        before, after = (ORDER.index(side[what][0].status) for side in sides)
        return "WORSE" if after < before else "better" if after > before else ""

    def rank(item: Difference) -> tuple[bool, bool, bool]:
        return item.what in sides[0] or item.what in sides[1], item.note != "WORSE", not item.note

    part = compare_values("Checks", told[0], told[1], absent="not run", note=note)
    return Part(part.title, tuple(sorted(part.differences, key=rank)), part.same, part.unknown)


def _told(item: CheckResult, whole: bool) -> str:
    if not whole:
        return f"{item.status.value}, value {NOT_RECORDED}"
    value, asked, _ = measured(item)
    found = "" if item.value is None else f" {value}"
    return f"{item.status.value}{found} ({asked})" + (", accepted" if item.excuse else "")


def _exact(item: CheckResult) -> tuple[float | None, ...]:
    return item.value, item.minimum, item.floor, item.maximum


def _read(run: Run) -> Mapping[str, Recorded] | None:
    """Return coverage at the end of a run by table, None where it is not on record."""
    if any("file" not in data for data in run.data("coverage")):
        return None
    try:
        return run.coverage(last=True) or None
    except (OSError, ValueError, LookupError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"The coverage that this run recorded cannot be read: {error}.",
            where=str(run.folder),
            next_action="See what 'courtbook verify' says of the run.",
        ) from error


def _coverage(a: Run, b: Run) -> Part:
    """Compare the figures of each table, and name the dates whose state is not the same."""
    left, right = _read(a), _read(b)
    told = [None if read is None else {name: _figures(item) for name, item in read.items()} for read in (left, right)]
    part = compare_values("Coverage at the end", told[0], told[1], absent="not read")
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
    return Part(part.title, (*part.differences, *found), part.same, part.unknown)


def _figures(item: Recorded) -> str:
    return (
        f"{item['covered']:,} of {item['expected']:,} dates, {item['found_rows']:,} of {item['expected_rows']:,} rows"
    )


def diff_text(found: Comparison) -> str:
    """Return a comparison for a terminal: only what differs, then in one line each what is the same or not known."""
    lines = [f"A  {found.a}", f"B  {found.b}", "", found.words]
    for part in found.differing:
        noted = any(item.note for item in part.differences)
        rows = [[item.what, item.a, item.b, item.note][: 3 + noted] for item in part.differences]
        lines += ["", fitted(rows, [part.title, "A", "B", ""][: 3 + noted])]
    lines += ["", wrapped(f"the same: {found.same}", "  ")]
    lines += [wrapped(f"{NOT_RECORDED}, so it cannot be told: {found.unknown}", "  ")] if found.unknown else []
    return "\n".join(lines)


def diff_page(found: Comparison) -> str:
    """Return a comparison as a page that needs nothing but a browser."""
    return render("diff.html.j2", found=found, missing=NOT_RECORDED)
