"""The processes of a job: whether any of them still lives, and how to end them all."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from courtbook.backfill.locks import is_held

_PROC = Path("/proc")  # where there is none, the lock alone tells who lives


def _stat(pid: int) -> tuple[str, int, int, str] | None:
    """Return state, group, session and birth of a process."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    return fields[0], int(fields[2]), int(fields[3]), f"{boot} {fields[19]}"


def born(pid: int) -> str:
    """Return what tells a process from a later one with the same number; empty where the system does not say."""
    found = _stat(pid)
    return found[3] if found else ""


@dataclass(frozen=True)
class Group:
    """A job: its leader's group and session, and whoever inherited its lock, even in a session of its own."""

    pid: int
    born: str
    lock: Path

    def lives(self) -> bool:
        """Tell whether any process of the job lives; one that is dead and not yet reaped does not."""
        with suppress(OSError):  # not to be read: then its processes tell
            if is_held(self.lock):
                return True
        return bool(self._members())

    def _members(self) -> list[int]:
        leader = _stat(self.pid)
        if leader and leader[3] != self.born:
            return []  # the number belongs to a stranger by now, so nobody of its group is left
        stats = {int(item.name): _stat(int(item.name)) for item in _PROC.glob("[0-9]*")}
        return [pid for pid, stat in stats.items() if stat and stat[0] not in "ZX" and self.pid in stat[1:3]]

    def _send(self, number: signal.Signals) -> None:
        holders = set()
        for item in _PROC.glob("[0-9]*/fd/*"):
            with suppress(OSError):
                if os.readlink(item) == str(self.lock):  # noqa: PTH115 - a Path of each would take long
                    holders.add(int(item.parts[2]))
        # The leader first, or it might start the next one.
        for pid in sorted({*self._members(), *holders} - {os.getpid()}):
            with suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)

    def stop(self, grace: float) -> bool:
        """Ask all processes to end, kill those that live after ``grace`` seconds, and tell whether all are gone."""
        try:
            self._send(signal.SIGTERM)
            self._wait(grace)
        finally:  # also if somebody loses patience
            self._wait(10, send=signal.SIGKILL)
        return not self.lives()

    def _wait(self, seconds: float, send: signal.Signals | None = None) -> None:
        until = time.monotonic() + seconds
        while self.lives() and time.monotonic() < until:
            if send:
                self._send(send)
            time.sleep(0.05)
