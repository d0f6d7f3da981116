"""What a run left behind, as one object, read from its folder alone."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.history import outcomes
from courtbook.evidence.ledger import Event, Ledger
from courtbook.evidence.manifest import Manifest, Seal, read_manifests

INTERRUPTED = "INTERRUPTED"


@dataclass(frozen=True)
class Finding:
    """Something in a run that does not hold: where, and what."""

    where: str
    what: str


@dataclass(frozen=True)
class Attempt:
    """One attempt at a step.

    Attributes
    ----------
    verdict, why : str
        What the ledger says of it; INTERRUPTED where it has no end on record.
    result : mapping
        Content of ``result.json``; empty where the attempt came to no conclusion.
    """

    step: str
    name: str
    folder: Path
    started: str
    ended: str
    verdict: str
    why: str
    seconds: float | None
    host: str
    user: str
    result: Mapping[str, Any] = field(default_factory=dict)

    @property
    def notebook(self) -> Path:
        """The executed notebook."""
        return self.folder / f"{self.folder.parent.name}.ipynb"


@dataclass(frozen=True)
class TableWork:
    """What was backfilled of one table, over all attempts: dates, rows, and seconds of work."""

    table: str
    executors: tuple[str, ...]
    done: int
    failed: int
    rows: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """A run as its folder tells it. Nothing is verified here but the chain of the ledger."""

    folder: Path
    params: Mapping[str, Any]
    events: tuple[Event, ...]
    manifests: tuple[Manifest, ...]
    attempts: tuple[Attempt, ...]

    @property
    def name(self) -> str:
        """The run's id."""
        return self.folder.name

    @property
    def seal(self) -> Manifest | None:
        """The manifest that sealed the run when it ended last, None while it is not sealed."""
        return next((item for item in reversed(self.manifests) if item.kind is Seal.RUN), None)

    @property
    def ended(self) -> Event | None:
        """The event with which the run ended; None if it was begun or resumed since, or never ended."""
        last = next(
            (e for e in reversed(self.events) if e["kind"] in ("run_started", "run_resumed", "run_ended")), None
        )
        return last if last is not None and last["kind"] == "run_ended" else None

    @property
    def verdict(self) -> str:
        """The verdict of the run."""
        return str(self.ended["data"]["verdict"]) if self.ended else INTERRUPTED

    @property
    def degraded(self) -> bool:
        """Whether a gate was overridden in this run."""
        return bool(self.overrides)

    @property
    def seconds(self) -> float:
        """Time from the first to the last event about steps, signatures not counted."""
        times = [datetime.fromisoformat(e["time"]) for e in self.events if e["kind"] not in ("signed", "sealed")]
        return (times[-1] - times[0]).total_seconds() if times else 0.0

    @property
    def latest(self) -> tuple[Attempt, ...]:
        """The last attempt at each step, in the order of the steps."""
        return tuple({item.step: item for item in self.attempts}.values())

    def data(self, kind: str) -> list[Event]:
        """Return the data of all events of a kind, oldest first."""
        return [event["data"] for event in self.events if event["kind"] == kind]

    @cached_property
    def gates(self) -> tuple[Mapping[str, Any], ...]:
        """What each gate said last, with the results of its checks, in the order in which they were decided."""
        found: dict[str, Mapping[str, Any]] = {}
        for attempt in self.latest:
            for gate in attempt.result.get("gates", ()):
                found.pop(gate["gate"], None)
                found[gate["gate"]] = {**gate, "step": attempt.step}
        return tuple(found.values())

    @property
    def checks(self) -> tuple[Mapping[str, Any], ...]:
        """The last result of every check, with the name of its gate as ``gate``."""
        return tuple({**check, "gate": gate["gate"]} for gate in self.gates for check in gate["results"])

    @property
    def overrides(self) -> tuple[Mapping[str, str], ...]:
        """Gates that were overridden: ``gate``, ``by``, ``reason``."""
        given = [data["override"] for data in self.data("gate") if data["override"]]
        return tuple({item["gate"]: item for item in given}.values())

    @property
    def excuses(self) -> tuple[tuple[str, str], ...]:
        """Checks that were accepted by name: id, and by whom, until when and why."""
        return tuple((item["id"], item["excuse"]) for item in self.checks if item["excuse"])

    @cached_property
    def work(self) -> tuple[TableWork, ...]:
        """What was backfilled, table by table, in the order of work."""
        own: dict[str, list[Event]] = {}
        for data in self.data("dates"):
            own.setdefault(data["table"], []).append(data)
        found, last = [], outcomes(self.data("dates"))
        for table, pieces in own.items():
            done = sum(last[table].values())
            rows, seconds = sum(p["rows"] for p in pieces), sum(p["seconds"] for p in pieces)
            executors = tuple(dict.fromkeys(p["executor"] for p in pieces))
            found.append(TableWork(table, executors, done, len(last[table]) - done, rows, round(seconds, 3)))
        return tuple(found)

    def coverage(self, *, last: bool) -> Mapping[str, Mapping[str, Any]]:
        """Return the coverage of each table as it was read first, or last, in this run.

        Returns
        -------
        mapping
            By table: ``covered`` and ``expected`` (numbers of dates by the runbook's metric), ``expected_rows``,
            ``found_rows``, and ``states`` (dates by state). Empty where the run never came to read it.
        """
        found: dict[str, Mapping[str, Any]] = {}
        for data in self.data("coverage"):
            content = _read_json(self.folder / data["file"])
            found = {**found, **content["tables"]} if last else {**content["tables"], **found}
        return found


def _read_json(path: Path) -> Mapping[str, Any]:
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"This cannot be read: {error}.",
            where=str(path),
            next_action="See what 'courtbook verify' says of the run, or take another copy.",
        ) from error


def _attempts(run: Path, events: tuple[Event, ...]) -> tuple[Attempt, ...]:
    began = [e for e in events if e["kind"] == "attempt_started"] or [e for e in events if e["kind"] == "step_opened"]
    ends = {(e["data"]["step"], e["data"]["attempt"]): e for e in events if e["kind"] == "attempt_ended"}
    said = {(e["data"]["step"], e["data"]["attempt"]): e for e in events if e["kind"] == "step_concluded"}
    found = []
    for event in began:
        step, name = key = event["data"]["step"], event["data"]["attempt"]
        end = ends.get(key) or said.get(key)
        folder = next(run.glob(f"[0-9]*_{step}/{name}"), run / step / name)
        told = end["data"] if end else {}
        spent = None
        if end:
            moments = [datetime.fromisoformat(item["time"]) for item in (event, end)]
            spent = (moments[1] - moments[0]).total_seconds()
        found.append(
            Attempt(
                step,
                name,
                folder,
                event["time"],
                end["time"] if end else "",
                told.get("verdict", INTERRUPTED),
                told.get("why", "" if end else "it has no end on record"),
                spent,
                event["host"],
                event["user"],
                _read_json(folder / "result.json") if (folder / "result.json").is_file() else {},
            )
        )
    return tuple(found)


def read_run(folder: Path) -> Run:
    """Read what a run left behind.

    Raises
    ------
    CourtbookError
        If the ledger was changed, or a file that it rests on cannot be read.
    """
    events = Ledger(folder / "ledger.jsonl").events()
    try:
        params = yaml.safe_load((folder / "params.yaml").read_text(encoding="utf-8"))
        return Run(folder, dict(params), events, read_manifests(folder), _attempts(folder, events))
    except (OSError, ValueError, TypeError, yaml.YAMLError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"The run cannot be read: {error}.",
            where=str(folder),
            next_action="See what 'courtbook verify' says of it, or take another copy.",
        ) from error
