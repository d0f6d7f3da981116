"""What every warehouse can do."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from courtbook.catalog import Table
from courtbook.errors import Reason, WarehouseError
from courtbook.warehouse.statement import Statement

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

Value = str | int | float | bool | date | datetime | Sequence[date] | Sequence[str]
Values = Mapping[str, Value]


@dataclass(frozen=True)
class Query:
    """One statement that was run, for the record.

    Attributes
    ----------
    sha256 : str
        Digest of its GoogleSQL.
    job : str
        The id by which the warehouse knows it.
    bytes : int or None
        What was billed; None where nothing is billed.
    failed : bool
        Whether the warehouse refused it.
    """

    name: str
    sha256: str
    job: str
    bytes: int | None
    seconds: float
    failed: bool


def chosen_values(values: Values, names: Iterable[str], where: str) -> dict[str, Value]:
    """Return the values of the parameters that a statement uses, by name.

    Raises
    ------
    WarehouseError
        If one was not given.
    """
    wanted = sorted(names)
    if missing := [name for name in wanted if name not in values]:
        raise WarehouseError(
            Reason.QUERY_FAILED,
            f"The statement needs the parameters {missing}, which were not given.",
            where=where,
            next_action="This is a defect of courtbook: report it with this line.",
        )
    return {name: values[name] for name in wanted}


class Warehouse(Protocol):
    """A warehouse that takes GoogleSQL with named parameters."""

    queries: int  # statements that were run so far
    listener: Callable[[Query], None] | None  # told of every statement
    labels: Mapping[str, str]  # what jobs are marked with: run and step

    @property
    def identity(self) -> str:
        """Engine and place, as the record names it."""
        ...

    @property
    def locks(self) -> Path:
        """Folder of the lock files of the tables: the same for whoever writes this warehouse from this machine."""
        ...

    def session(self, *, write: bool = False) -> AbstractContextManager[None]:
        """Keep one connection for several calls; the file is free again when it ends."""
        ...

    def query(self, statement: Statement, values: Values | None = None) -> "pd.DataFrame":
        """Run a statement that reads and return its rows; ``attrs["job"]`` names the query."""
        ...

    def export(self, statement: Statement, values: Values, file: Path) -> int:
        """Write the rows of a statement that reads into a Parquet file, a part at a time; return how many they are."""
        ...

    def apply(self, statements: Iterable[tuple[Statement, Values]], *, job: str = "") -> None:
        """Run statements that write in one transaction: all of them or none.

        Parameters
        ----------
        job : str
            Id to run under. Where jobs outlive the process that sent them, one that has this id is taken up again.
        """
        ...

    def finished(self, job: str) -> bool | None:
        """Wait for the job of an earlier process; return whether it succeeded, None if no such job came to be."""
        ...

    def cancel(self) -> None:
        """Cancel every statement that runs, in whatever thread, where it would go on without us."""
        ...

    def estimate(self, statements: Iterable[tuple[Statement, Values]]) -> int | None:
        """Return the bytes that statements would read; None where none are billed."""
        ...

    def create(self, tables: Iterable[Table]) -> None:
        """Create datasets and tables that do not exist yet."""
        ...

    def refill(self, tables: "Iterable[tuple[Table, pa.Table]]") -> None:
        """Replace all rows of some tables in one transaction, columns by name."""
        ...

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of every table that exists with their GoogleSQL types, by ``dataset.table``."""
        ...
