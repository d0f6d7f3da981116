"""What went wrong in a run, worst first, and what to do about it: read from what the run left behind."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from shlex import quote
from typing import Any

from courtbook.checks.result import CheckResult, blocks
from courtbook.evidence.record import INTERRUPTED, Attempt, Run
from courtbook.gates import GOING_ON
from courtbook.report.pages import Gate
from courtbook.report.tables import ORDER, command, measured

Row = Sequence[object]
_LINES, _BYTES = 20, 4000  # of a log, which the archive holds whole


@dataclass(frozen=True)
class Group:
    """Checks that did not pass and share cause and repair. ``blocking``: whether they stand in the way of GO."""

    blocking: bool
    results: tuple[CheckResult, ...]
    causes: str
    repair: str
    command: str

    @property
    def rows(self) -> list[Row]:
        """A row for each check."""
        return check_rows(self.results)


@dataclass(frozen=True)
class Trouble:
    """What failed first in a run.

    Attributes
    ----------
    commands : tuple of str
        What to type now, in this order.
    groups, more : tuple of Group, int
        The first of what stands in the way, and how many more such groups there are.
    left : tuple of str
        What else the step did not bring to an end: cells, tables, dates.
    log : str
        The last lines of the log of a step that has no verdict of its own.
    """

    title: str
    why: str
    commands: tuple[str, ...]
    groups: tuple[Group, ...] = ()
    more: int = 0
    left: tuple[str, ...] = ()
    log: str = ""


def find_trouble(run: Run, gates: Mapping[str, Gate], params_file: str) -> Trouble | None:
    """Return what failed first and what to do now; None where every step went on."""
    attempt = next((item for item in run.latest if item.verdict not in GOING_ON), None)
    resume = f"courtbook run --resume {quote(run.name)}"
    if attempt is None:
        if run.latest and run.ended:
            return None
        return Trouble("it was cut off", "the run has no end on record", (resume,))
    own = [gate for gate in gates.values() if gate.verdict not in GOING_ON]
    blocking = [result for gate in own for result in gate.results if blocks(result)]
    groups = grouped(blocking, params_file)
    commands = [groups[0].command] if groups and groups[0].command else []
    begun = next(iter(run.data("run_started")), {})
    if attempt.result.get("dry_run") and not groups:
        commands.append(f"courtbook run {quote(params_file)} --set dry_run=false")
    elif not begun.get("repair"):
        commands.append(resume)
    cut_off = attempt.verdict == INTERRUPTED
    return Trouble(
        f"{attempt.step} ended in {attempt.verdict}",
        attempt.why,
        tuple(dict.fromkeys(commands)),
        tuple(groups[:3]),
        len(groups) - 3,
        (
            *(words for item in attempt.result.get("backfills", ()) for words in _unfinished(item)),
            *(_cells(run, attempt) if cut_off else ()),
        ),
        _tail(attempt) if cut_off else "",
    )


def _unfinished(report: Mapping[str, Any]) -> Iterator[str]:
    if report["failed"]:
        yield f"{report['failed']} table-dates were written and do not hold what they ought to"
    yield from (f"{name} was held back: a table that it reads is not sound" for name in report["held_back"])
    yield from (f"{name} is not sound: {words}" for name, words in report["unsound"].items())
    yield from (f"{name}: {words}" for name, words in report["errors"].items())


def _tail(attempt: Attempt) -> str:
    log = attempt.folder / "log.txt"
    if not log.is_file():
        return ""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - _BYTES))
        text = file.read().decode("utf-8", errors="replace")
    return "\n".join(text.strip().splitlines()[-_LINES:])


def _cells(run: Run, attempt: Attempt) -> list[str]:
    """Say which cells of an attempt did not come to their end."""
    ends = [
        data for data in run.data("attempt_ended") if (data["step"], data["attempt"]) == (attempt.step, attempt.name)
    ]
    states: dict[str, list[str]] = {}
    for name, state, *_ in ends[-1].get("cells", ()) if ends else ():
        states.setdefault(state, []).append(name)
    return [f"cells {state}: {', '.join(names)}" for state, names in states.items() if state != "done"]


def grouped(results: Iterable[CheckResult], params_file: str) -> list[Group]:
    """Return what did not pass, worst first; checks with one cause and one repair stand together."""
    found: dict[tuple[bool, str, str, str], list[CheckResult]] = {}
    for item in sorted(results, key=lambda item: (not blocks(item), ORDER.index(item.status))):
        key = (blocks(item), item.check.causes, item.check.repair, command(item, params_file))
        found.setdefault(key, []).append(item)
    return [Group(key[0], tuple(own), *key[1:]) for key, own in found.items()]


def check_rows(results: Iterable[CheckResult]) -> list[Row]:
    """Return a row for each result."""
    return [
        [
            item.status.value,
            [item.check.id, item.check.title],
            *measured(item),
            "; ".join(filter(None, (item.detail, item.excuse and f"accepted: {item.excuse}"))),
        ]
        for item in results
    ]
