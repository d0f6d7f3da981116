"""The embedded warehouse: one DuckDB file, opened only for as long as it is needed."""

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from courtbook.catalog import Table
from courtbook.errors import Reason, WarehouseError
from courtbook.warehouse.base import Query, Values, chosen_values
from courtbook.warehouse.stand_ins import StandIns
from courtbook.warehouse.statement import Statement, render, to_duckdb
from courtbook.warehouse.types import googlesql_type

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

_HOLDER = re.compile(r"Conflicting lock is held in (.+? \(PID \d+\))")


class DuckDBWarehouse:
    """A warehouse in a DuckDB file.

    Parameters
    ----------
    path : Path
        The file. It must exist unless ``create`` is set.
    memory : str
        DuckDB's memory limit, as DuckDB writes it.
    timeout : int
        Seconds that one statement may take.
    lock_wait : float
        Seconds to wait for a file that another process has open.
    """

    def __init__(
        self,
        path: Path,
        *,
        domain: str = "nba",
        memory: str = "900MB",
        timeout: int = 600,
        lock_wait: float = 0,
        create: bool = False,
    ) -> None:
        self.path = path
        self.domain = domain
        self.memory = memory
        self.timeout = timeout
        self.lock_wait = lock_wait
        self._may_create = create
        self.queries = 0
        self.listener: Callable[[Query], None] | None = None
        self.labels: Mapping[str, str] = {}
        self._fit = StandIns(domain, self._existing)
        self._numbers = count(1)
        self._file: duckdb.DuckDBPyConnection | None = None
        self._writes = False
        self._users = 0
        self._turn = threading.Condition()
        self._own = threading.local()
        self._refuse_missing()

    def _refuse_missing(self) -> None:
        # DuckDB would make an empty file, and everything would look lost.
        if not self._may_create and not self.path.is_file():
            raise WarehouseError(
                Reason.WAREHOUSE_MISSING,
                "The warehouse file does not exist.",
                where=str(self.path),
                next_action="Build it with 'courtbook prepare PARAMS', or correct warehouse.path.",
            )

    @property
    def identity(self) -> str:
        """Engine and file."""
        return f"duckdb:{self.path}"

    @property
    def locks(self) -> Path:
        """Folder of the lock files of the tables."""
        return self.path.with_name(f".{self.path.name}.locks")

    @property
    def _connection(self) -> "duckdb.DuckDBPyConnection | None":
        """The connection of the session that this thread is in."""
        return getattr(self._own, "connection", None)

    @contextmanager
    def session(self, *, write: bool = False) -> Iterator[None]:
        """Keep one connection open; nested sessions share it, and the sessions of other threads share the file."""
        if self._connection is not None:
            if write and not self._own.writes:
                raise RuntimeError("a session that reads cannot be widened to one that writes")
            yield
            return
        with self._turn:
            # The file is open for reading or for writing, for all threads: who writes waits for those who read.
            self._turn.wait_for(lambda: self._file is None or self._writes or not write)
            if self._file is None:
                self._file, self._writes = self._open_patiently(write), write
            self._users += 1
            self._own.connection, self._own.writes = self._file.cursor(), self._writes
        try:
            yield
        finally:
            self._own.connection.close()
            self._own.connection = None
            with self._turn:
                self._users -= 1
                if not self._users:
                    self._file.close()
                    self._file = None
                    self._turn.notify_all()

    def _open_patiently(self, write: bool) -> duckdb.DuckDBPyConnection:
        deadline = time.monotonic() + self.lock_wait
        while True:
            try:
                return self._open(write)
            except WarehouseError as error:
                if error.reason is not Reason.WAREHOUSE_LOCKED or time.monotonic() >= deadline:
                    raise
                time.sleep(0.05)

    def _open(self, write: bool) -> duckdb.DuckDBPyConnection:
        self._refuse_missing()
        try:
            # Order of rows costs memory when tables are written, and nothing here relies on it.
            connection = duckdb.connect(
                str(self.path),
                read_only=not write,
                config={
                    "memory_limit": self.memory,
                    "preserve_insertion_order": "false",
                    "autoinstall_known_extensions": "false",
                },
            )
            connection.execute("SET GLOBAL TimeZone = 'UTC'")  # GoogleSQL's own, wherever the machine stands
            return connection
        except duckdb.Error as error:
            message = str(error)
            if holder := _HOLDER.search(message):
                raise WarehouseError(
                    Reason.WAREHOUSE_LOCKED,
                    f"The warehouse file is in use by {holder.group(1)}.",
                    where=str(self.path),
                    next_action="Wait until that process has ended, or end it; then start again.",
                ) from error
            if isinstance(error, duckdb.ConnectionException):
                raise WarehouseError(
                    Reason.WAREHOUSE_LOCKED,
                    "The warehouse file is open in this very process.",
                    where=str(self.path),
                    next_action="Close your own connection to it, then run this again.",
                ) from error
            if isinstance(error, duckdb.ParserException | duckdb.InvalidInputException):
                raise WarehouseError(
                    Reason.BAD_PARAMETER,
                    f"DuckDB refuses the settings: {message.splitlines()[0]}",
                    where=f"warehouse.memory: {self.memory}",
                    next_action="Write it as DuckDB does, such as 900MB.",
                ) from error
            raise WarehouseError(
                Reason.WAREHOUSE_CORRUPT,
                f"The warehouse file cannot be opened: {message.splitlines()[0]}",
                where=str(self.path),
                next_action="Build it anew with 'courtbook prepare PARAMS --fresh', or restore a copy.",
            ) from error

    def _execute(
        self, statement: Statement, values: Values, into: Path | None = None
    ) -> tuple[duckdb.DuckDBPyConnection, str]:
        """Run a statement, its rows into a file if one is given; return its result and the id of its job."""
        assert self._connection is not None  # noqa: S101 - callers are inside a session
        sql, names = to_duckdb(self._fit(statement.sql))
        if into:
            place = str(into).replace("'", "''")
            sql = f"COPY ({sql}) TO '{place}' (FORMAT parquet)"
        given = chosen_values(values, names, statement.name)
        self.queries += 1
        job, started, failed = f"local-{os.getpid()}-{next(self._numbers)}", time.monotonic(), True
        try:
            with self._watched():
                result = self._connection.execute(sql, given)
            failed = False
            return result, job
        except duckdb.Error as error:
            raise self._failed(statement.name, error) from error
        finally:
            if self.listener:
                text, seconds = sha256(statement.sql.encode()).hexdigest(), round(time.monotonic() - started, 4)
                self.listener(Query(statement.name, text, job, None, seconds, failed))

    @contextmanager
    def _watched(self) -> Iterator[None]:
        """Interrupt the statement that runs inside when its time is over."""
        assert self._connection is not None  # noqa: S101 - callers are inside a session
        clock = threading.Timer(self.timeout, self._connection.interrupt)
        clock.daemon = True
        clock.start()
        try:
            yield
        finally:
            clock.cancel()

    def _failed(self, where: str, error: duckdb.Error) -> WarehouseError:
        if isinstance(error, duckdb.InterruptException):
            return WarehouseError(
                Reason.QUERY_TIMEOUT,
                f"The statement took longer than {self.timeout} s and was stopped.",
                where=f"{where} on {self.path}",
                next_action="Raise warehouse.timeout, or see what else uses this machine.",
            )
        damaged = isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.InternalException)
        return WarehouseError(
            Reason.WAREHOUSE_CORRUPT if damaged else Reason.QUERY_FAILED,
            f"{type(error).__name__}: {str(error).splitlines()[0]}",
            where=f"{where} on {self.path}",
            next_action="Build the warehouse anew with 'courtbook prepare PARAMS --fresh', or restore a copy."
            if damaged
            else "See the statement named here; run preflight to compare tables and columns with the catalog.",
        )

    def query(self, statement: Statement, values: Values | None = None) -> "pd.DataFrame":
        """Run a statement that reads."""
        with self.session():
            result, job = self._execute(statement, values or {})
            try:
                with self._watched():
                    frame = result.df()
                frame.attrs["job"] = job
                return frame
            except duckdb.Error as error:
                raise self._failed(statement.name, error) from error

    def export(self, statement: Statement, values: Values, file: Path) -> int:
        """Write the rows of a statement into a Parquet file."""
        with self.session():
            copied, _ = self._execute(statement, values, into=file)
            return int((copied.fetchone() or (0,))[0])

    @contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with self.session(write=True):
            assert self._connection is not None  # noqa: S101 - inside a session
            self._connection.execute("BEGIN")
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise

    def apply(self, statements: Iterable[tuple[Statement, Values]], *, job: str = "") -> None:
        """Run statements that write in one transaction."""
        with self._transaction():
            for statement, values in statements:
                self._execute(statement, values)

    def finished(self, job: str) -> None:
        """Return None: a statement ends with the process that sent it."""

    def cancel(self) -> None:
        """Do nothing: what was begun ends soon, and is counted."""

    def estimate(self, statements: Iterable[tuple[Statement, Values]]) -> None:
        """Return None: nothing is billed."""

    def create(self, tables: Iterable[Table]) -> None:
        """Create schemas and tables that do not exist yet."""
        with self.session(write=True):
            assert self._connection is not None  # noqa: S101 - inside a session
            wanted = list(tables)
            for dataset in sorted({table.dataset for table in wanted}):
                self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {dataset}")
            for table in wanted:
                self._execute(render(self.domain, "create_table.sql", table=table), {})
        self._fit.forget()

    def refill(self, tables: "Iterable[tuple[Table, pa.Table | Path]]", span: tuple[date, date] | None = None) -> None:
        """Replace all rows of some tables, or those between two dates, in one transaction, columns by name.

        New rows are an Arrow table or a Parquet file.
        """
        with self.session(write=True), self._transaction() as connection:
            for table, given in tables:
                where = f" WHERE {table.date_column} BETWEEN ? AND ?" if span else ""
                try:
                    # DuckDB finds new_rows by its name in this scope.
                    new_rows = connection.read_parquet(str(given)) if isinstance(given, Path) else given  # noqa: F841
                    connection.execute(f"DELETE FROM {table.full_name}{where}", span or ())  # noqa: S608 - a name of the catalog
                    connection.execute(f"INSERT INTO {table.full_name} BY NAME SELECT * FROM new_rows")  # noqa: S608
                except duckdb.Error as error:
                    raise self._failed(f"refill of {table.full_name}", error) from error

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of every table that exists, with their GoogleSQL types."""
        self.queries += 1
        return self._existing()

    def _existing(self) -> Mapping[str, Mapping[str, str]]:
        found: dict[str, dict[str, str]] = {}
        with self.session():
            assert self._connection is not None  # noqa: S101 - inside a session
            rows: list[tuple[Any, ...]] = self._connection.execute(
                "SELECT table_schema || '.' || table_name, column_name, data_type FROM information_schema.columns"
                " ORDER BY table_schema, table_name, ordinal_position"
            ).fetchall()
        for table, column, kind in rows:
            found.setdefault(table, {})[column] = googlesql_type(kind)
        return found
