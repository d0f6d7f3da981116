"""What a run shows on a terminal: a line a step, and while it works one live bar."""

import sys
import time
from pathlib import Path
from types import TracebackType
from typing import Any

import typer

from courtbook.status import RunState, RunStatus, read_status


class Bar:
    """A live bar on a terminal; where the output is no terminal, lines alone."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._next = 0.0
        self._wanted = sys.stderr.isatty()

    def __enter__(self) -> "Bar":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._close()

    def _close(self) -> None:
        if self._bar is not None:
            self._bar.close()
            self._bar = None

    def tell(self, line: str) -> None:
        """Print a line above the bar."""
        self._close()
        typer.echo(line)

    def watch(self, run: Path) -> None:
        """Show how far a run is, twice a second at most."""
        if self._wanted and time.monotonic() >= self._next:
            self.show(read_status(run))
            self._next = time.monotonic() + 0.5

    def show(self, found: RunStatus) -> None:
        """Show the tables that are being written now."""
        from tqdm import tqdm

        at_work = [item for item in found.tables if item.state is RunState.RUNNING]
        if not (self._wanted and at_work):
            self._close()
            return
        names = ", ".join(item.table for item in at_work)
        total = sum(item.planned for item in at_work)
        ready = sum(item.done + item.failed + item.reported for item in at_work)
        if self._bar is None or (self._bar.total, self._bar.desc) != (total, names):
            self._close()
            self._bar = tqdm(total=total, initial=ready, desc=names, unit="date", leave=False, file=sys.stderr)
        self._bar.n = ready
        self._bar.refresh()
