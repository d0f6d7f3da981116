"""The ledger of a run: one event a line, each with its own hash and that of the event before."""

import fcntl
import getpass
import hashlib
import json
import os
import socket
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from io import FileIO
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.series import next_free, series

Event = Mapping[str, Any]
LEDGER, MANIFEST = "ledger.jsonl", "manifest.json"
_START = "0" * 64


def canonical_json(value: object) -> str:
    """Return JSON that is the same for the same value: sorted keys, no blanks."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest_of(value: object) -> str:
    """Return the SHA-256 of a value as canonical JSON."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def ledger_files(run: Path) -> tuple[Path, ...]:
    """Return the files of a run's ledger, oldest first: ``ledger.jsonl``, ``ledger-2.jsonl``, ..."""
    return series(run, LEDGER) or (run / LEDGER,)


def manifest_files(run: Path) -> tuple[Path, ...]:
    """Return the manifests of a run, oldest first: ``manifest.json``, ``manifest-2.json``, ..."""
    return series(run, MANIFEST)


class Ledger:
    """An append-only file of events: ``ledger.jsonl`` of a run, made by the first event.

    A file that a manifest has sealed is never written to again: what comes after it goes into another one,
    ``ledger-2.jsonl`` and so on, whose first event carries the hash of the last one before it.

    What was read once is not read again: each call reads and verifies only what has come since. Safe for threads, and
    for other processes that append too.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: list[Event] = []
        self._part = 0  # the file that was read last, and how much of it
        self._size = 0
        self._turn = threading.RLock()

    def append(self, kind: str, **data: object) -> None:
        """Add an event and force it to the disk, the whole line or nothing.

        What a writer that died left of a line is cut off, and that is put on record too.
        """
        run = self.path.parent
        with self._turn, self.path.open("a+b", buffering=0) as first:
            fcntl.flock(first, fcntl.LOCK_EX)  # of all files: whoever adds one holds the first
            files = ledger_files(run)
            if len(files) == len(manifest_files(run)):
                files = (*files, next_free(run, LEDGER))
            with files[-1].open("a+b", buffering=0) as file:
                if torn := self._catch_up():
                    os.ftruncate(file.fileno(), self._size)
                    self._write(file, "torn_line", {"bytes": len(torn), "sha256": hashlib.sha256(torn).hexdigest()})
                self._write(file, kind, data)

    def _write(self, file: FileIO, kind: str, data: Mapping[str, object]) -> None:
        event: dict[str, Any] = {
            "kind": kind,
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "host": socket.gethostname(),
            "user": _user(),
            "process": os.getpid(),
            "previous": self._known[-1]["hash"] if self._known else _START,
            "data": data,
        }
        line = (canonical_json({**event, "hash": digest_of(event)}) + "\n").encode()
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError as error:
            os.ftruncate(file.fileno(), self._size)
            raise CourtbookError(
                Reason.DISK_FULL,
                f"The ledger cannot be written: {error.strerror}. The event '{kind}' is not on record.",
                where=str(self.path),
                next_action="Make room on the disk, then go on with 'courtbook run --resume RUN'.",
            ) from error
        self._catch_up()

    def events(self) -> tuple[Event, ...]:
        """Read all events and check the chain.

        Raises
        ------
        CourtbookError
            If a line was changed or removed.
        """
        with self._turn:
            if self.path.exists():
                with self.path.open("rb", buffering=0) as first:
                    fcntl.flock(first, fcntl.LOCK_SH)
                    self._catch_up()
            return tuple(self._known)

    def _catch_up(self) -> bytes:
        """Read and verify what has come since; return what stands behind the last whole line."""
        files, rest = ledger_files(self.path.parent), b""
        for part in range(self._part, len(files)):
            if rest:
                raise self._broken(f"{files[part - 1].name} ends in the middle of a line")
            if part > self._part:
                self._part, self._size = part, 0
            rest = self._read(files[part])
        return rest

    def _read(self, path: Path) -> bytes:
        with path.open("rb") as file:
            if file.seek(0, os.SEEK_END) < self._size:
                raise self._broken("it is shorter than it was")
            file.seek(self._size)
            *lines, rest = file.read().split(b"\n")
        for line in lines:
            number = len(self._known) + 1
            previous = self._known[-1]["hash"] if self._known else _START
            try:
                event = json.loads(line)
                stated = event.pop("hash")
                known = event["previous"] == previous and stated == digest_of(event)
            except (ValueError, TypeError, AttributeError, KeyError) as error:
                raise self._broken(f"line {number} is no event") from error
            if not known:
                raise self._broken(f"line {number} is not the one that was written, or one before it is gone")
            self._known.append({**event, "hash": stated})
            self._size += len(line) + 1
        return rest

    def _broken(self, what: str) -> CourtbookError:
        what = f"The ledger was changed: {what}."
        next_action = "Do not trust this run; start a new one."
        return CourtbookError(Reason.LEDGER_BROKEN, what, where=str(self.path), next_action=next_action)

    def data(self, kind: str) -> list[Event]:
        """Return the data of all events of a kind, oldest first."""
        return [event["data"] for event in self.events() if event["kind"] == kind]

    def last(self, kind: str, **match: object) -> Event | None:
        """Return the data of the last event of a kind whose data agree with ``match``."""
        found = reversed(self.data(kind))
        return next((data for data in found if all(data.get(key) == value for key, value in match.items())), None)
