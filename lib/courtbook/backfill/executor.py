"""What fills dates: the contract between the runner of a plan and whoever makes the rows."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, Protocol

from courtbook.calendar import Calendar
from courtbook.catalog import Table

# A piece of work: some dates of one table.
Dates = Sequence[date]


@dataclass(frozen=True)
class Context:
    """What an executor gets to know about the run that it works for.

    Attributes
    ----------
    folder : Path
        Folder of the step's attempt; files that belong to the evidence go there.
    record : callable
        Puts an event on record at once: ``record(kind, **data)``. Safe to call from any thread.
    history : callable
        Returns the data of the run's events of a kind, oldest first, those of earlier attempts included.
    check_stop : callable
        Raises :class:`~courtbook.errors.Interrupted` once the run was asked to stop; cheap, to be asked often.
    held : tuple of int
        File descriptors of the locks on the table. A job inherits them, so that nobody else writes while it lives.
    """

    folder: Path
    record: Callable[..., None]
    history: Callable[[str], Sequence[Mapping[str, Any]]]
    check_stop: Callable[[], None]
    held: tuple[int, ...] = ()


class Executor(Protocol):
    """Makes the rows of one table appear, some dates at a time. It is never believed: the runner counts the rows."""

    @property
    def kind(self) -> str:
        """The word for it in params files and on record: sql, command or http."""
        ...

    def pieces(self, dates: Dates, calendar: Calendar) -> tuple[tuple[date, ...], ...]:
        """Cut dates into pieces of work, oldest first; after each the runner reads the rows back."""
        ...

    def adopt(self, table: Table, context: Context) -> tuple[date, ...]:
        """Wait for work that an earlier, dead process of this run began; return its dates, none if there is none."""
        ...

    def execute(self, table: Table, dates: Dates, context: Context) -> Mapping[date, str]:
        """Do one piece of work and return what is said about dates that failed, in words.

        Raises
        ------
        CourtbookError
            If it could not be done at all. Of built-in SQL the runner tries again where the reason is transient; jobs
            are not repeated, and calls were repeated by their executor.
        """
        ...
