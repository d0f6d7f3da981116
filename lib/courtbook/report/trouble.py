"""What went wrong in a run and what to do next: read from what the run left behind."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from courtbook.catalog import Catalog
from courtbook.checks.result import CheckResult, Verdict
from courtbook.evidence.history import days_of, outcomes
from courtbook.evidence.record import INTERRUPTED, Attempt, Run
from courtbook.evidence.statement import against_approval
from courtbook.gates import GOING_ON
from courtbook.params_file import project_root
from courtbook.report.pages import calendar_of, honest
from courtbook.report.tables import command


@dataclass(frozen=True)
class Next:
    """What to do next: in words, what to type, and what stands against an approval if it is to be signed."""

    words: str
    commands: tuple[str, ...] = ()
    against: tuple[str, ...] = ()


def why_of(run: Run) -> str:
    """Say why a run ended as it did: what its last attempt says."""
    if not run.attempts:
        return "no step was begun"
    last = run.attempts[-1]
    if run.verdict == INTERRUPTED and last.verdict != INTERRUPTED:
        return f"it was interrupted after {last.step}, which ended in {last.verdict}"
    return f"{last.step}: {last.why}"


def what_failed(run: Run) -> list[str]:
    """Say what failed in a run, what failed first on top; nothing where every step went on to the end."""
    failed = [item for item in run.latest if item.verdict not in GOING_ON]
    lines = [words for item in failed for words in _failed(run, item)]
    if not failed and run.verdict not in GOING_ON:
        lines.append(why_of(run))
    calendar, pieces = calendar_of(run.coverage(last=True)), run.data("dates")
    for table, days in days_of(outcomes(pieces), succeeded=False).items():
        why = {piece["why"].get(str(day)): None for piece in pieces if piece["table"] == table for day in sorted(days)}
        said = "; ".join([words for words in why if words][:3]) or "without a reason"
        lines += [f"{len(days)} dates of {table} failed: {calendar.spans(days)}: {said}"] if days else []
    return lines


def _failed(run: Run, attempt: Attempt) -> Iterator[str]:
    """Say how an attempt ended, and what it did not bring to an end: tables and cells."""
    place = f"{attempt.folder.parent.name}/{attempt.name}"
    yield f"{attempt.step} ended in {attempt.verdict}: {attempt.why}; see {place}"
    for report in attempt.result.get("backfills", ()):
        yield from (f"{name} was held back: a table that it reads is not sound" for name in report["held_back"])
        yield from (f"{name} is not sound: {words}" for name, words in report["unsound"].items())
        yield from (f"{name}: {words}" for name, words in report["errors"].items())
    for end in run.data("attempt_ended"):
        if attempt.verdict == INTERRUPTED and (end["step"], end["attempt"]) == (attempt.step, attempt.name):
            cells: Mapping[str, str] = {name: state for name, state, *_ in end["cells"]}
            yield from (f"cell {state}: {name}" for name, state in cells.items() if state != "done")


def shown(path: Path) -> str:
    """Return a path as it is typed in the project's folder, for a shell."""
    root = project_root(path)
    return shlex.quote(str(path.relative_to(root) if path.is_relative_to(root) else path))


def what_next(run: Run, catalog: Catalog, blockers: Sequence[CheckResult]) -> Next:
    """Say which step is next and what to type.

    Parameters
    ----------
    blockers : sequence of CheckResult
        What stands in the way of GO, worst first.
    """
    folder, params = shown(run.folder), shown(run.folder / "params.yaml")
    names = [step.name for step in catalog.steps]
    reached = run.attempts[-1].step if run.attempts else names[0]
    following = names[names.index(reached) + 1 :]
    verdict = honest(run, run.verdict)
    ahead = verdict == Verdict.GO.value
    if ahead and not following:
        return _after_go(run, folder)
    begun = next(iter(run.data("run_started")), None)  # None where a person opened the notebooks
    step = following[0] if ahead else reached
    words, commands = [f"The next step is {step}{'' if ahead else ', once more'}."], []
    first = next((item for item in blockers if item.check.command), None)
    if first is not None and not ahead:
        words.append(f"First repair what {first.check.id} found: {first.check.repair}")
        commands.append(command(first, params))
    if begun is None:
        words.append(f"Then open {catalog.step(step).notebook} and run it from its top.")
    elif ahead:
        commands.append(f"courtbook run {params} --from {step} --to {names[-1]}")
    elif run.params.get("dry_run"):
        words, commands = ["It was a dry run; this one writes:"], [f"courtbook run {params} --set dry_run=false"]
    elif verdict == Verdict.DEGRADED.value:
        words.append("It went on behind a closed gate: start a run from a params file without the override.")
    elif begun.get("repair"):
        words.append(f"Then repair {begun['repair']} again; its dates stand in plan.json.")
        commands.append(f"courtbook backfill {params} --table {begun['repair']} --dates DATES")
    else:
        words.append("A run that is resumed keeps what is done and goes on with the rest.")
        commands.append(f"courtbook run --resume {folder}")
    return Next(" ".join(words), tuple(commands))


def _after_go(run: Run, folder: str) -> Next:
    # Of the verdict only the seal is asked there, which is still to come, or is that of the run before it was resumed.
    against = tuple(words for words in against_approval(run) if not words.startswith("the verdict is"))
    sign = f"courtbook sign {folder} --as NAME --role ROLE --key KEY --comment TEXT --meaning"
    words = "Train the model on the feature store. Who executed the run signs it, then somebody else approves it."
    commands = (f"courtbook verify {folder}", f"{sign} executed")
    if against:
        return Next(f"{words} As it stands it can be signed but not approved:", commands, against)
    return Next(words, (*commands, f"{sign} approved"))
