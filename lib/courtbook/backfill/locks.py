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
from typing import TextIO

from courtbook.errors import CourtbookError, Reason

_TRIES, _BETWEEN = 6, 0.1  # whoever looks whether a lock is held has it for a moment himself; a real holder keeps it


@contextmanager
def hold(path: Path, holder: Mapping[str, str], what: str, reason: Reason) -> Iterator[int]:
    """Hold a lock for as long as the context lasts; yield its file descriptor.

    The system lets go of the lock when the last process that has the descriptor ends, however it ends: a job that
    inherited it keeps it. ``holder`` says who asks, for whoever is refused meanwhile.

    Raises
    ------
    CourtbookError
        With ``reason``, if somebody else holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as file:
        for left in reversed(range(_TRIES)):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if not left:
                    hint = "Wait until that has ended ('courtbook status' shows it), or end it; then start again."
                    held = f"{what} is held by {_named(file)}."
                    raise CourtbookError(reason, held, where=str(path), next_action=hint) from error
                time.sleep(_BETWEEN)
        since = datetime.now(UTC).isoformat(timespec="seconds")
        file.truncate(0)
        json.dump({**holder, "process": os.getpid(), "host": socket.gethostname(), "since": since}, file)
        file.flush()
        yield file.fileno()


def _named(file: TextIO) -> str:
    file.seek(0)
    try:
        return ", ".join(f"{name} {value}" for name, value in json.loads(file.read(4096)).items())
    except ValueError:
        return "somebody who left no name"


def is_held(path: Path) -> bool:
    """Tell whether somebody holds a lock."""
    try:
        with suppress(FileNotFoundError), path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False
