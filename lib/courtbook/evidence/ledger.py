"""The ledger of a run: one event a line, each carrying the hash of the line before."""

import fcntl
import getpass
import hashlib
import json
import os
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason

Event = Mapping[str, Any]
_START = "0" * 64


def canonical_json(value: object) -> str:
    """Return JSON that is the same for the same value: sorted keys, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


class Ledger:
    """An append-only file of events.

    Parameters
    ----------
    path : Path
        ``ledger.jsonl`` of a run; made by the first event.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, kind: str, **data: object) -> None:
        """Add an event and force it to the disk; safe against another process that appends too."""
        with self.path.open("a+", encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            lines = file.read().splitlines()
            event = {
                "kind": kind,
                "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
                "host": socket.gethostname(),
                "user": _user(),
                "process": os.getpid(),
                "previous": hashlib.sha256(lines[-1].encode()).hexdigest() if lines else _START,
                "data": data,
            }
            file.write(canonical_json(event) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def events(self) -> tuple[Event, ...]:
        """Read all events and check the chain.

        Raises
        ------
        CourtbookError
            If a line was changed, removed or torn.
        """
        if not self.path.exists():
            return ()
        events: list[Event] = []
        previous = _START
        for number, line in enumerate(self.path.read_text(encoding="utf-8").splitlines(), start=1):
            try:
                event = json.loads(line)
            except json.JSONDecodeError as error:
                raise self._broken(f"line {number} is not JSON") from error
            if event["previous"] != previous:
                raise self._broken(f"line {number} does not carry the hash of the line before")
            events.append(event)
            previous = hashlib.sha256(line.encode()).hexdigest()
        return tuple(events)

    def _broken(self, what: str) -> CourtbookError:
        return CourtbookError(
            Reason.LEDGER_BROKEN,
            f"The ledger was changed or torn: {what}.",
            where=str(self.path),
            next_action="Do not trust this run; start a new one.",
        )

    def last(self, kind: str, **match: object) -> Event | None:
        """Return the data of the last event of a kind whose data agree with ``match``."""
        for event in reversed(self.events()):
            data: Event = event["data"]
            if event["kind"] == kind and all(data.get(key) == value for key, value in match.items()):
                return data
        return None
