"""How a run is doing: read from its folder alone, at any time, by any process."""

import socket
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

import yaml

from courtbook.backfill.locks import is_held
from courtbook.backfill.process import Group, born
from courtbook.checks.result import Verdict
from courtbook.errors import ParameterError
from courtbook.evidence.bundle import run_lock
from courtbook.evidence.ledger import Event, Ledger, ledger_files
from courtbook.gates import GOING_ON

SILENT = 3600.0  # seconds without anything new after which what runs counts as hung


class RunState(Enum):
    """What a run, or the work on one table of it, is doing."""

    WAITING = "waiting"
    RUNNING = "running"
    COMPLETE = "complete"
    FAILED = "failed"
    HELD_BACK = "held back"
    HUNG = "hung"
    INTERRUPTED = "interrupted"


@dataclass
class TableStatus:
    """The work on one table.

    Attributes
    ----------
    reported : int
        Dates that the log of a running job says are done; they count as done when their rows were counted.
    rate : float or None
        Dates a minute, measured since this attempt began the table.
    eta : float or None
        Seconds that are left at this rate.
    job : mapping
        Process id, log, and seconds of silence of the operator's job that runs; empty if none does.
    """

    table: str
    layer: str
    state: RunState = RunState.WAITING
    executor: str = "sql"
    planned: int = 0
    done: int = 0
    failed: int = 0
    reported: int = 0
    rate: float | None = None
    eta: float | None = None
    job: Mapping[str, Any] = field(default_factory=dict)
    last_lines: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()

    @property
    def left(self) -> int:
        """Dates that are neither done nor failed."""
        return max(self.planned - self.done - self.failed, 0)


@dataclass(frozen=True)
class RunStatus:
    """How a run is doing."""

    run: str
    state: RunState
    step: str
    words: str
    verdict: str
    updated: str
    tables: tuple[TableStatus, ...]

    def record(self) -> dict[str, Any]:
        """Return the status as the command prints it."""
        content = {**asdict(self), "state": self.state.value}
        content["tables"] = [{**asdict(item), "state": item.state.value, "left": item.left} for item in self.tables]
        return content


def find_run(runs: Path, name: str = "") -> Path:
    """Find a run by its name or path; without a name, the one that was written last."""
    if name:
        found = [folder for folder in (runs / name, Path(name)) if (folder / "ledger.jsonl").is_file()]
    else:
        found = sorted((file.parent for file in runs.glob("*/ledger.jsonl")), key=_touched, reverse=True)
    if not found:
        raise ParameterError(
            "There is no such run." if name else "There is no run yet.",
            where=name or str(runs),
            next_action="Name a folder of runs/, or start a run.",
        )
    return found[0].resolve()


def _touched(run: Path) -> float:
    return ledger_files(run)[-1].stat().st_mtime


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(event["time"]).timestamp()


def _state(run: Path, events: tuple[Event, ...]) -> tuple[RunState, str, str]:
    """Return state and verdict of a run, and what there is to say."""
    marks = [event for event in events if event["kind"] in ("run_started", "run_resumed", "run_ended")]
    if is_held(run_lock(run)):
        quiet = time.time() - max(file.stat().st_mtime for file in run.rglob("*") if file.is_file())
        hung = quiet > SILENT
        return (RunState.HUNG if hung else RunState.RUNNING), "", f"nothing new for {quiet:.0f} s" if hung else ""
    if marks and marks[-1]["kind"] == "run_ended":
        verdict = marks[-1]["data"]["verdict"]
        interrupted = verdict == Verdict.INTERRUPTED.value
        ended = RunState.COMPLETE if verdict in GOING_ON else RunState.INTERRUPTED if interrupted else RunState.FAILED
        return ended, verdict, ""
    if marks:
        return RunState.INTERRUPTED, "", "its process is gone; 'courtbook run --resume' goes on with it"
    # Notebooks that a person runs one by one.
    steps = [event for event in events if event["kind"] in ("step_opened", "step_concluded")]
    if steps and steps[-1]["kind"] == "step_concluded":
        verdict = steps[-1]["data"]["verdict"]
        return (RunState.COMPLETE if verdict in GOING_ON else RunState.FAILED), verdict, ""
    last = steps[-1] if steps else None
    alive = last is not None and last["host"] == socket.gethostname() and born(last["process"]) == last["data"]["born"]
    return (RunState.RUNNING if alive else RunState.INTERRUPTED), "", "opened by a person"


class _Tally:
    """Adds up events of a run, table by table."""

    def __init__(self) -> None:
        self.found: dict[str, TableStatus] = {}
        self.jobs: dict[str, Event] = {}
        self._done: dict[str, set[str]] = {}
        self._failed: dict[str, set[str]] = {}
        self._began: dict[str, tuple[float, int]] = {}  # when, and how many dates were done by then

    def take(self, event: Event) -> None:
        """Take note of one event."""
        if event["kind"] == "plan":
            self._plan(event["data"])
        elif item := self.found.get(event["data"].get("table", "")):
            handle = getattr(self, f"_{event['kind']}", None)
            if handle is not None:
                handle(item, event)

    def _plan(self, data: Mapping[str, Any]) -> None:
        for name, count, kind in data["tables"]:
            frozen = self.found.get(name) if data["resumes"] else None
            kept = self._done[name] if frozen else set()
            self._done[name], self._failed[name] = kept, set()
            state = RunState.WAITING if count else RunState.COMPLETE
            planned = frozen.planned if frozen else count  # some of what was done may have to be done again
            self.found[name] = TableStatus(name, data["layer"], state, kind, planned, len(kept))

    def _table_started(self, item: TableStatus, event: Event) -> None:
        item.state = RunState.RUNNING
        self._began[item.table] = (_seconds(event), item.done)

    def _dates(self, item: TableStatus, event: Event) -> None:
        data, name = event["data"], item.table
        self._done[name] = (self._done[name] | set(data["done"])) - set(data["failed"])
        self._failed[name] = (self._failed[name] | set(data["failed"])) - set(data["done"])
        item.done, item.failed = len(self._done[name]), len(self._failed[name])
        item.errors += tuple(f"{day}: {words}" for day, words in data["why"].items())
        began, before = self._began.get(name, (_seconds(event), 0))
        spent = _seconds(event) - began
        item.rate = 60 * (item.done - before) / spent if spent > 0 else None

    def _table_failed(self, item: TableStatus, event: Event) -> None:
        item.state = RunState.FAILED
        item.errors += (event["data"]["error"],)

    def _table_unsound(self, item: TableStatus, event: Event) -> None:
        item.state = RunState.FAILED
        item.errors += (event["data"]["words"],)

    def _table_held_back(self, item: TableStatus, event: Event) -> None:
        item.state = RunState.HELD_BACK

    def _table_ended(self, item: TableStatus, event: Event) -> None:
        if item.state is RunState.RUNNING:
            item.state = RunState.FAILED if item.failed else RunState.WAITING if item.left else RunState.COMPLETE

    def _retried(self, item: TableStatus, event: Event) -> None:
        item.errors += (f"tried again: {event['data']['error']}",)

    def _job_started(self, item: TableStatus, event: Event) -> None:
        self.jobs[item.table] = event

    def _job_ended(self, item: TableStatus, event: Event) -> None:
        self.jobs.pop(item.table, None)
        item.errors += tuple(event["data"]["errors"])


def _tables(run: Path, events: tuple[Event, ...], *, live: bool) -> tuple[TableStatus, ...]:
    tally = _Tally()
    for event in events:
        tally.take(event)
    for item in tally.found.values():
        if item.table in tally.jobs:
            _look_at_job(run, item, tally.jobs[item.table])
        if item.state is RunState.RUNNING and not live and not item.job:
            item.state = RunState.INTERRUPTED
        if item.rate and item.state is RunState.RUNNING:
            item.eta = 60 * max(item.left - item.reported, 0) / item.rate
        item.errors = item.errors[-5:]
    return tuple(tally.found.values())


def _look_at_job(run: Path, item: TableStatus, started: Event) -> None:
    """Read from the log of a job how far it is, and whether it is alive."""
    from courtbook.backfill.joblog import Said, read_log

    data, log = started["data"], Path(started["data"]["log"])
    if not log.is_file() or not Group(data["pid"], data["created"], Path(data["alive"])).lives():
        return
    told = read_log(log)
    silent = time.time() - log.stat().st_mtime
    item.job = {"pid": data["pid"], "log": str(log), "silent": round(silent, 1)}
    item.reported = len(told.dates(Said.DONE))
    item.last_lines = tuple(told.last)[-5:]
    item.errors += tuple(told.errors)
    spent = time.time() - _seconds(started)
    if item.reported and spent > 0:
        item.rate = 60 * item.reported / spent
    given = yaml.safe_load((run / "params.yaml").read_text(encoding="utf-8"))["executors"][item.table]
    if silent > given["silent"] or spent > given["limit"]:
        item.state = RunState.HUNG


def read_status(run: Path, ledger: Ledger | None = None) -> RunStatus:
    """Read how a run is doing; nothing is written, and no warehouse is needed."""
    events = (ledger or Ledger(run / "ledger.jsonl")).events()
    state, verdict, words = _state(run, events)
    tables = _tables(run, events, live=state in (RunState.RUNNING, RunState.HUNG))
    if state is RunState.RUNNING and any(item.state is RunState.HUNG for item in tables):
        state = RunState.HUNG
    if not words and state is RunState.INTERRUPTED and any(item.job for item in tables):
        words = "a job of it runs on"
    steps = [event["data"]["step"] for event in events if event["kind"] in ("attempt_started", "step_opened")]
    updated = events[-1]["time"] if events else datetime.now(UTC).isoformat(timespec="seconds")
    return RunStatus(run.name, state, steps[-1] if steps else "", words, verdict, updated, tables)


Show = Callable[[RunStatus], Any]


class Live:
    """Something in a notebook that shows a run's status and is brought up to date in its place."""

    def __init__(self, show: Show, read: Callable[[], RunStatus]) -> None:
        self._show, self._read = show, read
        self._turn = threading.Lock()
        self._handle: Any = None
        self._next = 0.0

    def tick(self, *, last: bool = False) -> None:
        """Bring it up to date, at most once a second unless it is the last time."""
        from IPython import get_ipython
        from IPython.display import display

        with self._turn:
            if not last and time.monotonic() < self._next:
                return
            shown = self._show(self._read())
            self._next = time.monotonic() + 1.0
            if get_ipython() is None:
                return  # on a terminal the show is all
            if self._handle is None:
                self._handle = display(shown, display_id=True)  # type: ignore[no-untyped-call]
            else:
                self._handle.update(shown)
