"""Text: what the command prints, and what documents are made of. A page of text is 100 columns wide."""

import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import zip_longest
from typing import Any

from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Catalog, Check, Layer, Severity
from courtbook.checks.result import CheckResult, Status, Verdict, blocks
from courtbook.coverage import DateState
from courtbook.evidence.record import Run
from courtbook.gates import Decision
from courtbook.report.layout import cell, percent
from courtbook.report.tables import ORDER, command, measured

WIDTH = 100
# Control characters, and those that turn the direction of writing.
_UNSEEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]+")
_KEY = (
    "covered: of the expected dates, those with any row (the runbook's own metric); complete: with every row that the "
    "raw layer makes us expect; rows: of the expected rows, those that are there."
)
# What Markdown or HTML would take for markup, at the beginning of a line too, since lines are broken anywhere.
_MARKUP = re.compile(r"[\\`*\[\]<>|]|(?<!\w)_|_(?!\w)|~~|&(?=#?\w+;)|(?<!\S)(?:#{1,6}|[-+]|=+|-{2,})(?!\S)")
_NUMBERED = re.compile(r"(?<!\S)(\d{1,9})([.)])(?!\S)")


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


def recorded(record: Mapping[str, Any], gate: str) -> CheckResult:
    """Return a result as ``result.json`` holds it; of a step that did not end, only id and status are on record."""

    def words(name: str) -> str:
        return str(record.get(name, ""))

    check = Check(
        id=record["id"],
        title=words("title"),
        phase=gate,
        severity=Severity(record.get("severity", Severity.CRITICAL.value)),
        rule=words("rule"),
        source=words("source"),
        causes=words("causes"),
        repair=words("repair"),
        command=words("command"),
        table=words("table"),
        unit=words("unit"),
    )
    return CheckResult(
        check=check,
        status=Status(record["status"]),
        numerator=record.get("numerator"),
        denominator=record.get("denominator"),
        value=record.get("value"),
        minimum=record.get("minimum"),
        maximum=record.get("maximum"),
        floor=record.get("floor"),
        overridden=bool(record.get("overridden")),
        seconds=0.0,
        detail=words("detail"),
        dates=tuple(date.fromisoformat(day) for day in record.get("dates", ())),
        excuse=words("excuse"),
    )


def one_line(text: object) -> str:
    """Write something in one line, without anything that a terminal or a reader would stumble over."""
    return _writable(_UNSEEN.sub(" ", str(text)).strip())


def _writable(text: str) -> str:
    """Replace halves of characters, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def plain(text: object) -> str:
    """Write a text that others gave so that Markdown shows it as it is."""
    marked = _MARKUP.sub(lambda found: "".join(f"\\{sign}" for sign in found[0]), one_line(text))
    return _NUMBERED.sub(r"\1\\\2", marked)


def wrapped(text: str, indent: str = "", *, width: int = WIDTH) -> str:
    """Break a text between words; ``indent`` stands before every line but the first."""
    return textwrap.fill(text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def fenced(text: str) -> list[str]:
    """Return text that Markdown shows as it stands, as lines."""
    return ["```", *text.replace("```", "'''").split("\n"), "```"]


def fitted(rows: Sequence[Sequence[object]], columns: Sequence[str], *, width: int = WIDTH) -> str:
    """Lay out rows as text that is no wider than ``width``: what is too long goes on below in its column.

    Without column heads there are no lines for them.
    """
    texts = [[one_line(cell(value)) for value in row] for row in rows]
    head = [list(columns)] if any(columns) else []
    numeric = [all(isinstance(row[i], int | float) or row[i] is None for row in rows) for i in range(len(columns))]
    widths = [max((len(row[i]) for row in [*head, *texts]), default=1) for i in range(len(columns))]
    room = width - 2 * (len(columns) - 1)
    words = [max((len(word) for row in texts for word in row[i].split()), default=1) for i in range(len(columns))]
    while sum(widths) > room and max(widths) > 8:
        loose = [i for i, size in enumerate(widths) if size > max(words[i], 8)] or range(len(columns))
        widths[max(loose, key=widths.__getitem__)] -= 1
    ruled = [*head, *(["-" * size for size in widths] for _ in head), *texts]
    lines = []
    for row in ruled:
        broken = [
            textwrap.wrap(text, size, break_on_hyphens=False) or [""] for text, size in zip(row, widths, strict=True)
        ]
        for parts in zip_longest(*broken, fillvalue=""):
            aligned = zip(parts, widths, numeric, strict=True)
            line = "  ".join(part.rjust(size) if right else part.ljust(size) for part, size, right in aligned)
            lines.append(line.rstrip())
    return "\n".join(lines)


@dataclass(frozen=True)
class Gate:
    """What a gate said last. ``whole`` is False where only the status of each check is on record."""

    name: str
    verdict: str
    words: str
    when: tuple[str, ...]
    results: tuple[CheckResult, ...]
    whole: bool


def gates_of(run: Run) -> dict[str, Gate]:
    """Return the last decision of each gate by name, in the order of the decisions; also of steps that did not end."""
    kept = {(a.step, a.name, gate["gate"]): gate for a in run.attempts for gate in a.result.get("gates", ())}
    found: dict[str, Gate] = {}
    for event in run.events:
        if event["kind"] != "gate":
            continue
        data, name = event["data"], event["data"]["gate"]
        full = kept.get((data["step"], data.get("attempt"), name))
        told = full["results"] if full else [{"id": key, "status": s} for key, s in data.get("results", {}).items()]
        results = tuple(recorded(item, name) for item in told)
        words = full["words"] if full else f"{len(data['blockers'])} of {data['checks']} checks block"
        when = (
            *(found.pop(name).when if name in found else ()),
            f"{event['time'][:19]}Z {data['step']}: {data['verdict']}",
        )
        found[name] = Gate(name, data["verdict"], words, when, results, full is not None)
    return found


def calendar_of(*read: Mapping[str, Mapping[str, Any]]) -> Calendar:
    """Return the dates that recorded coverage is about, those left out on which only unexpected rows stand."""
    states = [state for tables in read for item in tables.values() for state in item["states"].items()]
    days = {date.fromisoformat(day) for name, own in states if name != DateState.UNEXPECTED.value for day in own}
    return Calendar(tuple(GameDay(day, 0, day, 0) for day in sorted(days)), 0)


def honest(run: Run, verdict: str) -> str:
    """Return a verdict of a run; behind an overridden gate nothing says GO."""
    return Verdict.DEGRADED.value if run.degraded and verdict == Verdict.GO.value else verdict


def top_lines(run: Run, title: str, verdict: str, why: str) -> list[str]:
    """Return what every document begins with."""
    chosen = run.params.get("range") or {}
    begun = [*run.data("run_started"), *run.data("step_opened")]
    warehouse = next((data["warehouse"] for data in begun if "warehouse" in data), "not on record")
    who = run.params.get("operator")
    facts = {
        "run": run.name,
        "range": f"{chosen.get('start')} to {chosen.get('end')}",
        "warehouse": warehouse,
        "operator": f"{who} (as the parameters say, unauthenticated)" if who else "nobody is named",
        "mode": "dry run: nothing is written" if run.params.get("dry_run") else "writes into the warehouse",
    }
    given = [f"gate {item['gate']} was overridden by {item['by']}: {item['reason']}" for item in run.overrides]
    lines = [f"# {title}: {honest(run, verdict)}", "", wrapped(plain(why).rstrip(".") + "."), ""]
    if given:
        lines += [wrapped(f"**DEGRADED: {plain('; '.join(given))}. Nothing here may be read as GO.**"), ""]
    return lines + [wrapped(f"- {name}: {plain(value)}", "  ") for name, value in facts.items()]


def section_lines(title: str, lines: Sequence[str], empty: str = "") -> list[str]:
    """Return a section; ``empty`` stands where there is nothing to say."""
    return ["", f"## {title}", "", *(lines or [empty])]


def document(lines: Sequence[str]) -> str:
    """Return lines as the text of a file."""
    return _writable("\n".join([*lines, ""]))


def end_coverage(run: Run, catalog: Catalog) -> dict[str, Mapping[str, Any]]:
    """Return coverage as the run read it last, by table, in the order of the catalog."""
    read, names = run.coverage(last=True), list(catalog.tables)
    return dict(sorted(read.items(), key=lambda item: names.index(item[0]) if item[0] in names else len(names)))


def coverage_lines(run: Run, catalog: Catalog, layers: Sequence[Layer]) -> list[str]:
    """Return the coverage of some layers as the run read it last, as a table."""
    others = {table.name for layer in set(Layer) - set(layers) for table in catalog.layer(layer)}
    read = {name: item for name, item in end_coverage(run, catalog).items() if name not in others}
    if not read:
        return ["It was not read in this run."]
    states = [
        state.value
        for state in DateState
        if state is DateState.COMPLETE
        or (state is not DateState.EMPTY_BY_RULE and any(item["states"].get(state.value) for item in read.values()))
    ]
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
    heads = ["table", "covered", "expected", "coverage", *states, "rows", "of"]
    return [*fenced(fitted(rows, heads)), "", wrapped(_KEY)]
