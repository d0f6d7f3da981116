"""The ledger of a run: one event a line, each with its own hash and that of the event before."""

import fcntl
import getpass
import hashlib
import json
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason

Event = Mapping[str, Any]
_START = "0" * 64


def canonical_json(value: object) -> str:
    """Return JSON that is the same for the same value: sorted keys, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _digest(event: Event) -> str:
    return hashlib.sha256(canonical_json(event).encode()).hexdigest()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


@dataclass(frozen=True)
class Ledger:
    """An append-only file of events: ``ledger.jsonl`` of a run, made by the first event."""

    path: Path

    def append(self, kind: str, **data: object) -> None:
        """Add an event and force it to the disk; safe against another process that appends too."""
        with self.path.open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            events = self._read(file.read())
            event: dict[str, Any] = {
                "kind": kind,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "host": socket.gethostname(),
                "user": _user(),
                "process": os.getpid(),
                "previous": events[-1]["hash"] if events else _START,
                "data": data,
            }
            line = canonical_json({**event, "hash": _digest(event)}) + "\n"
            file.write(line.encode())
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> tuple[Event, ...]:
        """Read all events and check the chain.

        Raises
        ------
        CourtbookError
            If a line was changed, removed or torn.
        """
        return self._read(self.path.read_bytes()) if self.path.exists() else ()

    def _read(self, content: bytes) -> tuple[Event, ...]:
        events: list[Event] = []
        previous = _START
        *lines, rest = content.split(b"\n")
        if rest:
            raise self._broken("its last line has no end")
        for number, line in enumerate(lines, start=1):
            try:
                event = json.loads(line)
                stated = event.pop("hash")
                known = event["previous"] == previous and stated == _digest(event)
            except (ValueError, TypeError, AttributeError, KeyError) as error:
                raise self._broken(f"line {number} is no event") from error
            if not known:
                raise self._broken(f"line {number} is not the one that was written, or one before it is gone")
            events.append({**event, "hash": stated})
            previous = stated
        return tuple(events)

    def _broken(self, what: str) -> CourtbookError:
        what = f"The ledger was changed or torn: {what}."
        next_action = "Do not trust this run; start a new one."
        return CourtbookError(Reason.LEDGER_BROKEN, what, where=str(self.path), next_action=next_action)

    def last(self, kind: str, **match: object) -> Event | None:
        """Return the data of the last event of a kind whose data agree with ``match``."""
        found = (event["data"] for event in reversed(self.events()) if event["kind"] == kind)
        return next((data for data in found if all(data.get(key) == value for key, value in match.items())), None)
