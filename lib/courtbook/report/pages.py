"""What pages and documents say of a run: gates and their checks, coverage, parameters."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from textwrap import indent
from typing import Any

from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Catalog, Check, Severity
from courtbook.checks.result import CheckResult, Status, Verdict, blocks
from courtbook.coverage import DateState
from courtbook.evidence.record import Run
from courtbook.gates import Decision
from courtbook.report.layout import percent
from courtbook.report.tables import ORDER, command, measured
from courtbook.report.text import WIDTH, fenced, fitted, listed, one_line, plain, wrapped

COVERAGE_KEY = (
    "covered: of the expected dates, those with any row (the runbook's own metric); complete: with every row that the "
    "raw layer makes us expect; rows: of the expected rows, those that are there."
)


def audit_text(decision: Decision, params_file: str) -> str:
    """Return a decision for a terminal: what is not as it should be, what it probably means, and what repairs it."""
    lines = [f"{decision.gate:<10} {decision.verdict.value}  {decision.words()}"]
    repairs: dict[str, list[str]] = {}
    for result in worst_first(decision.results):
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


def worst_first(results: Iterable[CheckResult]) -> list[CheckResult]:
    """Return results by status, worst first, otherwise in their order."""
    return sorted(results, key=lambda result: ORDER.index(result.status))


def _recorded(record: Mapping[str, Any], gate: str) -> CheckResult:
    """Return a result as ``result.json`` holds it."""
    texts = ("id", "title", "rule", "source", "causes", "repair", "command", "table", "unit")
    numbers = ("numerator", "denominator", "value", "minimum", "maximum", "floor")
    found = {name: record[name] for name in (*numbers, "overridden", "seconds", "detail", "excuse")}
    return CheckResult(
        check=Check(phase=gate, severity=Severity(record["severity"]), **{name: record[name] for name in texts}),
        status=Status(record["status"]),
        dates=tuple(date.fromisoformat(day) for day in record["dates"]),
        **found,
    )


@dataclass(frozen=True)
class Gate:
    """What a gate said last, and when it said what; without results where the step did not come to its end."""

    name: str
    verdict: str
    words: str
    when: tuple[str, ...]
    results: tuple[CheckResult, ...]


def gates_of(run: Run) -> dict[str, Gate]:
    """Return the last decision of each gate by name, in the order of the decisions; also of steps that did not end."""
    kept = {(a.step, a.name, gate["gate"]): gate for a in run.attempts for gate in a.result.get("gates", ())}
    found: dict[str, Gate] = {}
    for event in run.events:
        if event["kind"] == "gate":
            data, name = event["data"], event["data"]["gate"]
            before = found.pop(name).when if name in found else ()
            when = (*before, f"{event['time'][:19]}Z {data['step']}: {data['verdict']}")
            cut_off = f"the step did not come to its end; what blocks: {', '.join(data['blockers']) or 'nothing'}"
            full = kept.get((data["step"], data.get("attempt"), name), {"words": cut_off, "results": ()})
            results = tuple(_recorded(item, name) for item in full["results"])
            found[name] = Gate(name, data["verdict"], full["words"], when, results)
    return found


def blockers_of(gates: Mapping[str, Gate]) -> list[CheckResult]:
    """Return what stands in the way of GO, worst first."""
    return worst_first(item for gate in gates.values() for item in gate.results if blocks(item))


def calendar_of(*read: Mapping[str, Mapping[str, Any]]) -> Calendar:
    """Return the dates that recorded coverage is about, those left out on which only unexpected rows stand."""
    states = [state for tables in read for item in tables.values() for state in item["states"].items()]
    days = {date.fromisoformat(day) for name, own in states if name != DateState.UNEXPECTED.value for day in own}
    return Calendar(tuple(GameDay(day, 0, day, 0) for day in sorted(days)), 0)


def honest(run: Run, verdict: str) -> str:
    """Return a verdict of a run; behind an overridden gate nothing says GO."""
    return Verdict.DEGRADED.value if run.degraded and verdict == Verdict.GO.value else verdict


def document(
    run: Run,
    title: str,
    verdict: str,
    why: str,
    *,
    sections: Mapping[str, Sequence[str]],
    about: Sequence[str] = (),
) -> str:
    """Return a document: title, what every document says of the run, what it says ``about`` itself, then sections."""
    chosen, who = run.params.get("range") or {}, run.params.get("operator")
    facts = {
        "run": run.name,
        "range": f"{chosen.get('start')} to {chosen.get('end')}",
        "warehouse": warehouse_of(run) or "not on record",
        "operator": f"{who} (as the parameters say, unauthenticated)" if who else "nobody is named",
        "mode": "dry run: nothing is written" if run.params.get("dry_run") else "writes into the warehouse",
    }
    given = [f"gate {item['gate']} was overridden by {item['by']}: {item['reason']}" for item in run.overrides]
    lines = [f"# {title}: {honest(run, verdict)}", "", wrapped(plain(why).rstrip(".") + "."), ""]
    if given:
        lines += [wrapped(f"**DEGRADED: {plain('; '.join(given))}. Nothing here may be read as GO.**"), ""]
    lines += listed([*(f"{name}: {value}" for name, value in facts.items()), *about])
    for name, own in sections.items():
        lines += ["", f"## {name}", "", *own]
    return "\n".join([*lines, ""])


def check_lines(results: Sequence[CheckResult]) -> list[str]:
    """List checks, worst first; those that share status, rule and bounds stand together."""
    lines: list[str] = []
    for (_, asked, rule), found in groupby(
        worst_first(results), key=lambda item: (item.status, measured(item)[1], item.check.rule)
    ):
        group = list(found)
        rows = [[item.status.value, item.check.id, *measured(item)[::2]] for item in group]
        noted = [(item.check.id, text) for item in group for text in (item.detail, item.excuse) if text]
        lines += [wrapped(one_line(f"asked for {asked}: {rule}"), "           ")] if rule else []
        lines.append(indent(fitted(rows, ["", "", "", ""], width=WIDTH - 2), "  "))
        lines += [f"    {wrapped(one_line(f'{name}: {text}'), ' ' * 6, width=WIDTH - 4)}" for name, text in noted]
    return fenced("\n".join(lines))


def coverage_rows(read: Mapping[str, Mapping[str, Any]]) -> tuple[list[list[object]], list[str]]:
    """Return rows and heads of recorded coverage; a state that no date is in has no column."""
    always, never = DateState.COMPLETE, DateState.EMPTY_BY_RULE
    occurring = {state for item in read.values() for state, days in item["states"].items() if days}
    states = [s.value for s in DateState if s is always or (s is not never and s.value in occurring)]
    rows = [
        [
            name,
            item["covered"],
            item["expected"],
            percent(item["covered"] / item["expected"] if item["expected"] else None),
            *(len(item["states"].get(state, ())) for state in states),
            item["found_rows"],
            item["expected_rows"],
        ]
        for name, item in read.items()
    ]
    return rows, ["table", "covered", "expected", "coverage", *states, "rows", "of"]


def coverage_of(run: Run, catalog: Catalog, *, last: bool = True) -> dict[str, Mapping[str, Any]]:
    """Return coverage as the run read it first or last, by table, in the order of the catalog."""
    read = run.coverage(last=last)
    return {name: read[name] for name in (*catalog.tables, *read) if name in read}


def coverage_lines(read: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return coverage as a table with its key."""
    if not read:
        return ["It was not read in this run."]
    return [*fenced(fitted(*coverage_rows(read))), "", wrapped(COVERAGE_KEY)]


def warehouse_of(run: Run) -> str | None:
    """Return the identity of the warehouse that a run was against; None where it never came to open it."""
    begun = [*run.data("run_started"), *run.data("step_opened")]
    return next((str(data["warehouse"]) for data in begun if "warehouse" in data), None)
