"""Locks between processes: one holder, gone with its last process, and named to whoever is refused."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest
from courtbook.backfill.locks import hold, is_held
from courtbook.errors import CourtbookError, ExitCode, Reason

HOLD = """
import subprocess, sys
from pathlib import Path
from courtbook.backfill.locks import hold
from courtbook.errors import Reason
with hold(Path(sys.argv[1]), {"run": "20240305-first"}, "x", Reason.TABLE_HELD) as descriptor:
    child = ""
    if sys.argv[2] == "child":
        sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
        child = subprocess.Popen(sleeper, pass_fds=[descriptor], stdout=subprocess.DEVNULL).pid
    elif sys.argv[2] == "stranger":
        child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], stdout=subprocess.DEVNULL).pid
    print("held", child, flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A lock file in a folder that does not exist yet."""
    return tmp_path / "locks" / "table.lock"


Started = tuple["subprocess.Popen[str]", int]
Start = Callable[[str], Started]


@pytest.fixture
def start(path: Path) -> Iterator[Start]:
    """A function that starts a process that holds the lock, alone or with a child; returns both."""
    made: list[subprocess.Popen[str]] = []
    children: list[int] = []

    def begin(kind: str) -> Started:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, str(path), kind], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        made.append(process)
        assert process.stdout is not None
        words = process.stdout.readline().split()
        assert words[0] == "held"
        children.extend(int(word) for word in words[1:])
        return process, children[-1] if words[1:] else 0

    yield begin
    for process in made:
        process.kill()
        process.communicate()
    for child in children:
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)


def take(path: Path, run: str = "second") -> AbstractContextManager[int]:
    return hold(path, {"run": run}, "The table x", Reason.TABLE_HELD)


def is_free(path: Path) -> bool:
    """Wait until nobody holds the lock any more: a killed process needs a moment to be gone."""
    end = time.monotonic() + 10
    while is_held(path) and time.monotonic() < end:
        time.sleep(0.01)
    return not is_held(path)


def test_a_lock_that_another_process_holds_is_refused_and_its_holder_named(path: Path, start: Start) -> None:
    assert not is_held(path)
    process, _ = start("alone")
    assert is_held(path)
    with pytest.raises(CourtbookError, match="The table x is held by") as refused, take(path):
        pass
    assert (refused.value.reason, refused.value.exit_code) == (Reason.TABLE_HELD, ExitCode.REFUSED)
    assert refused.value.where == str(path)
    for word in ("run 20240305-first", f"process {process.pid}", f"host {socket.gethostname()}", "since 20"):
        assert word in refused.value.what
    assert process.communicate("")[0] == ""
    assert not is_held(path)
    with take(path):
        assert json.loads(path.read_text())["run"] == "second"


def test_a_killed_holder_leaves_no_lock_behind(path: Path, start: Start) -> None:
    process, _ = start("alone")
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert is_free(path)
    with take(path):
        assert is_held(path)


def test_a_job_that_inherited_the_lock_keeps_it_when_its_parent_is_killed(path: Path, start: Start) -> None:
    process, child = start("child")
    process.kill()
    process.wait()
    assert is_held(path)
    with pytest.raises(CourtbookError, match="20240305-first"), take(path):
        pass
    os.kill(child, signal.SIGKILL)
    assert is_free(path)


def test_a_process_that_was_not_given_the_lock_does_not_keep_it(path: Path, start: Start) -> None:
    process, _ = start("stranger")
    process.kill()
    process.wait()
    assert is_free(path)


def test_an_error_inside_lets_go_of_the_lock(path: Path) -> None:
    with pytest.raises(ZeroDivisionError), take(path):
        raise ZeroDivisionError
    assert not is_held(path)


def test_one_process_does_not_get_a_lock_twice(path: Path) -> None:
    with take(path, "first"):
        assert is_held(path)
        with pytest.raises(CourtbookError, match=f"run first, process {os.getpid()}"), take(path):
            pass
        assert is_held(path)
    assert not is_held(path)


def test_whoever_only_looks_does_not_get_in_the_way(path: Path) -> None:
    with take(path):
        pass
    looking = threading.Event()
    looking.set()

    def look() -> None:
        while looking.is_set():
            is_held(path)

    watchers = [threading.Thread(target=look) for _ in range(2)]
    for watcher in watchers:
        watcher.start()
    try:
        for _ in range(50):
            with take(path):
                assert is_held(path)
    finally:
        looking.clear()
        for watcher in watchers:
            watcher.join()


@pytest.mark.parametrize("left", ["", "no JSON", '{"run": "long gone", "process": 1}', "x" * 9000])
def test_what_an_earlier_holder_left_in_the_file_does_not_matter(path: Path, left: str) -> None:
    path.parent.mkdir()
    path.write_text(left)
    assert not is_held(path)
    with take(path, "this one"):
        assert json.loads(path.read_text())["run"] == "this one"
        with pytest.raises(CourtbookError, match="held by run this one"), take(path):
            pass


def test_a_holder_that_left_no_name_is_said_to_have_left_none(path: Path) -> None:
    with take(path):
        path.write_text("")
        with pytest.raises(CourtbookError, match="somebody who left no name"), take(path):
            pass
