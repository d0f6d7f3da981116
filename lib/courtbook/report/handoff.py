"""The handoff document: how a run stands, what is left, and the command with which whoever comes next goes on."""

import json
import shlex
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

from courtbook.catalog import Catalog, Layer
from courtbook.checks.result import CheckResult, Verdict, blocks
from courtbook.coverage import DateState
from courtbook.evidence.history import days_of, outcomes
from courtbook.evidence.record import INTERRUPTED, Run
from courtbook.evidence.statement import against_approval
from courtbook.gates import GOING_ON
from courtbook.params_file import project_root
from courtbook.report.pages import (
    WIDTH,
    Gate,
    calendar_of,
    coverage_lines,
    document,
    end_coverage,
    fenced,
    fitted,
    honest,
    plain,
    section_lines,
    top_lines,
    worst_first,
    wrapped,
)
from courtbook.report.tables import command, measured
from courtbook.report.work import duration

_LEFT = (DateState.MISSING, DateState.PARTIAL, DateState.STALE, DateState.SOURCE_GAP)
_MOST = 8  # failures that are spelled out; all of them stand in the results documents and in result.json


def why_of(run: Run) -> str:
    """Say why a run ended as it did: what its last attempt says."""
    if not run.attempts:
        return "no step was begun"
    last = run.attempts[-1]
    if run.verdict == INTERRUPTED and last.verdict != INTERRUPTED:
        return f"it was interrupted after {last.step}, which ended in {last.verdict}"
    return f"{last.step}: {last.why}"


def handoff(run: Run, catalog: Catalog, gates: Mapping[str, Gate]) -> str:
    """Return the handoff document of a run.

    Parameters
    ----------
    gates : mapping
        What each gate said last, by name.
    """
    blockers = [item for gate in gates.values() for item in worst_first(gate.results) if blocks(item)]
    steps = [
        [
            item.step,
            item.name,
            item.verdict,
            f"{item.started[:19]}Z",
            "" if item.seconds is None else duration(item.seconds),
        ]
        for item in run.attempts
    ]
    people = [
        run.params.get("operator") or "nobody is named",
        *dict.fromkeys(f"{a.user}@{a.host}" for a in run.attempts),
    ]
    who = f"The operator (unauthenticated, as the parameters say) and the account that ran it: {', '.join(people)}."
    tried = fenced(fitted(steps, ["step", "attempt", "verdict", "begun", "took"])) if steps else []
    return document(
        [
            *top_lines(run, "Handoff", run.verdict, why_of(run)),
            *section_lines("Steps", tried, "No step was begun."),
            *section_lines("State", coverage_lines(run, catalog, list(Layer))),
            *section_lines("What failed", _failed(run, blockers), "Nothing."),
            *section_lines("What is left", _left(run, catalog)),
            *section_lines("Next", _next(run, catalog, blockers)),
            *section_lines("Who to ask", [wrapped(plain(who))]),
        ]
    )


def _failed(run: Run, blockers: Sequence[CheckResult]) -> list[str]:
    lines = [
        f"{item.step} ended in {item.verdict}: {item.why}; see {item.folder.parent.name}/{item.name}"
        for item in run.latest
        if item.verdict not in GOING_ON
    ]
    for item in blockers[:_MOST]:
        value, asked, counted = measured(item)
        bounds = f"{value}, asked for {asked}, counted {counted}" if asked else ""
        likely = f"likely: {item.check.causes}" if item.check.causes else ""
        told = filter(None, (bounds, item.detail, likely))
        lines.append(f"{item.status.value} {item.check.id}: {'; '.join(told)}")
    lines += [f"{len(blockers) - _MOST} more checks"] if len(blockers) > _MOST else []
    calendar = calendar_of(run.coverage(last=True))
    pieces = run.data("dates")
    for table, days in days_of(outcomes(pieces), succeeded=False).items():
        said = list(
            dict.fromkeys(words for piece in pieces if piece["table"] == table for words in piece["why"].values())
        )
        lines += [f"{len(days)} dates of {table} failed: {calendar.spans(days)}: {'; '.join(said[:3])}"] if days else []
    return [wrapped(f"- {plain(line)}", "  ") for line in lines]


def _left(run: Run, catalog: Catalog) -> list[str]:
    """List dates that are not as they should be, those left out that were written since coverage was read."""
    read = end_coverage(run, catalog)
    if not read:
        return ["Coverage was not read in this run: what is left is not known."]
    done: dict[str, set[str]] = {name: set() for name in read}
    for event in run.events:
        data = event["data"]
        if event["kind"] == "coverage":
            content = json.loads((run.folder / data["file"]).read_text(encoding="utf-8"))
            done |= {name: set() for name in content["tables"]}
        elif event["kind"] == "dates":
            done[data["table"]] = (done.get(data["table"], set()) | set(data["done"])) - set(data["failed"])
    calendar, lines = calendar_of(read), []
    for name, item in read.items():
        for state in _LEFT:
            days = sorted(date.fromisoformat(day) for day in set(item["states"].get(state.value, ())) - done[name])
            lines += [f"{name}: {len(days)} dates {state.value}: {calendar.spans(days)}"] if days else []
    since = [f"{len(days)} dates of {name}" for name, days in done.items() if days]
    lines = [wrapped(f"- {plain(line)}", "  ") for line in lines] or ["Nothing in what was read."]
    noted = f"Not counted are dates that were written after coverage was read last: {', '.join(since)}."
    unread = [table.name for table in catalog.processed if table.name not in read]
    unknown = f"Not read in this run, and so not known: {', '.join(unread)}."
    return [*lines, *(["", wrapped(noted)] if since else []), *(["", wrapped(unknown)] if unread else [])]


def shown(path: Path) -> str:
    """Return a path as it is typed in the project's folder."""
    root = project_root(path)
    return str(path.relative_to(root) if path.is_relative_to(root) else path)


def _next(run: Run, catalog: Catalog, blockers: Sequence[CheckResult]) -> list[str]:
    """Say which step is next, and the commands to type."""
    params, names = shlex.quote(shown(run.folder / "params.yaml")), [step.name for step in catalog.steps]
    begun = next(iter(run.data("run_started")), None)
    reached = run.attempts[-1].step if run.attempts else names[0]
    number = names.index(reached) + 1
    following = names[number] if number < len(names) else ""
    go, verdict = Verdict.GO.value, honest(run, run.verdict)
    folder = shlex.quote(shown(run.folder))
    if verdict == go and not following:
        return _after_go(run, folder)
    if verdict == go:
        lines = [f"The next step is {following}:"]
        if begun is None:
            return [*lines, f"open {catalog.step(following).notebook} and run it from its top."]
        return [*lines, *_commands(f"courtbook run {params} --from {following} --to {names[-1]}")]
    behind = verdict == Verdict.DEGRADED.value
    lines = ["It went on behind a closed gate." if behind else f"The next step is {reached}, once more."]
    todo = []
    if blockers:
        lines.append(f"First repair what {blockers[0].check.id} found: {plain(blockers[0].check.repair)}")
        todo.append(command(blockers[0], params))
    if begun is None:
        again = [f"Then open {catalog.step(reached).notebook} and run it from its top."]
    elif run.params.get("dry_run"):
        again, todo = ["It was a dry run; this one writes:"], [f"courtbook run {params} --set dry_run=false"]
    elif behind:
        again = ["Then start a run from a params file without the override."]
    elif begun.get("repair"):
        again = [f"Then repair {begun['repair']} again; its dates stand in plan.json."]
        todo.append(f"courtbook backfill {params} --table {begun['repair']} --dates DATES")
    else:
        again = ["A run that is resumed keeps what is done and goes on with the rest."]
        todo.append(f"courtbook run --resume {folder}")
    return [wrapped(" ".join([*lines, *again])), *(_commands(*todo) if todo else [])]


def _after_go(run: Run, folder: str) -> list[str]:
    # Of the verdict only the seal is asked there, which is still to come, or is that of the run before it was resumed.
    against = [words for words in against_approval(run) if not words.startswith("the verdict is")]
    sign = f"courtbook sign {folder} --as NAME --role ROLE --key KEY --comment TEXT --meaning"
    told = "Train the model on the feature store. Who executed the run signs it, then somebody else approves it."
    if not against:
        return [wrapped(told), *_commands(f"courtbook verify {folder}", f"{sign} executed", f"{sign} approved")]
    listed = [*against[:_MOST], *([f"{len(against) - _MOST} more"] if len(against) > _MOST else [])]
    return [
        wrapped(f"{told} As it stands it can be signed but not approved:"),
        "",
        *(wrapped(f"- {plain(words)}", "  ") for words in listed),
        *_commands(f"courtbook verify {folder}", f"{sign} executed"),
    ]


def _commands(*commands: str) -> list[str]:
    return ["", *fenced("\n".join(_shell(line) for line in commands if line))]


def _shell(text: str) -> str:
    """Break a command before options, so that a shell still takes it for one; 30 columns are for an option's value."""
    lines = [""]
    for word in (shlex.quote(part) for part in shlex.split(text)):
        if word.startswith("-") and len(lines[-1]) + len(word) > WIDTH - 30:
            lines.append(f"  {word}")
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return " \\\n".join(lines)
