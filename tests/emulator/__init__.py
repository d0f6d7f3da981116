"""A BigQuery for tests: local-bigquery on loopback, in an environment and a process of its own."""

import os
import socket
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

import pytest

from emulator.environment import WANTED, build


@dataclass(frozen=True)
class Emulator:
    """An emulator that answers.

    Attributes
    ----------
    process : Popen
        Its process; it also ends by itself when whoever started it is gone.
    log : Path
        Its output, with a line a request.
    """

    url: str
    project: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdin
        self.process.stdin.close()


def start_emulator(folder: Path, log: Path) -> Emulator:
    """Start an emulator whose tables, home and temporary files are in a folder.

    Where Python 3.13 is missing the test is skipped; in CI it fails.
    """
    python = build()
    if python is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(WANTED)
    log.parent.mkdir(exist_ok=True)
    serve = str(Path(__file__).with_name("serve.py"))
    # The socket is open before the process is there: nobody takes its port, and what is asked early waits.
    with socket.create_server(("127.0.0.1", 0)) as server, log.open("wb") as output:
        fd, url = server.fileno(), f"http://127.0.0.1:{server.getsockname()[1]}"
        process = subprocess.Popen(
            [python, serve, str(fd), str(folder)],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "HOME": str(folder), "TZ": "UTC"},
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=subprocess.STDOUT,
            pass_fds=[fd],
        )
    emulator = Emulator(url, "local", process, log)
    try:
        urllib.request.urlopen(f"{url}/bigquery/v2/projects", timeout=60).close()
    except OSError as error:
        emulator.stop()
        raise AssertionError(f"the emulator does not answer ({error}):\n{log.read_text()}") from error
    return emulator
