"""Locks on tables: two runs never write the same one."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from courtbook.errors import CourtbookError, Reason


@contextmanager
def hold(path: Path, holder: Mapping[str, str], what: str, reason: Reason) -> Iterator[int]:
    """Hold a lock for as long as the context lasts; yield its file descriptor.

    The system lets go of the lock when the last process that has the descriptor ends, however it ends: a job that
    inherited it keeps it.

    Parameters
    ----------
    holder : mapping
        Who asks, for whoever is refused meanwhile.

    Raises
    ------
    CourtbookError
        With ``reason``, if somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        try:
            _take(descriptor)
        except BlockingIOError as error:
            raise CourtbookError(
                reason,
                f"{what} is held by {_named(descriptor)}.",
                where=str(path),
                next_action="Wait until that has ended ('courtbook status' shows it), or end it; then start again.",
            ) from error
        about = {
            **holder,
            "process": os.getpid(),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, json.dumps(about).encode(), 0)
        yield descriptor
    finally:
        os.close(descriptor)


def _take(descriptor: int) -> None:
    # Whoever looks whether a lock is held has it for a moment himself; a real holder keeps it.
    for _ in range(5):
        with suppress(BlockingIOError):
            return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        time.sleep(0.1)
    return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _named(descriptor: int) -> str:
    try:
        about = json.loads(os.pread(descriptor, 4096, 0))
        return ", ".join(f"{name} {value}" for name, value in about.items())
    except ValueError:
        return "somebody who left no name"


def is_held(path: Path) -> bool:
    """Tell whether somebody holds a lock."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False
