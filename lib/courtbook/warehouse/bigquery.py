"""The production warehouse: BigQuery, read through pandas-gbq, written by jobs whose ids are known beforehand."""

import io
import os
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from hashlib import sha256
from itertools import chain
from pathlib import Path
from tempfile import gettempdir
from typing import TYPE_CHECKING, Any

from google.api_core import exceptions
from google.cloud import bigquery

from courtbook.catalog import Table, load_catalog
from courtbook.errors import Reason, WarehouseError
from courtbook.params_warehouse import BigQueryParams
from courtbook.warehouse.base import Query, Values, chosen_values
from courtbook.warehouse.conversion import as_duckdb, query_parameters
from courtbook.warehouse.credentials import find_credentials
from courtbook.warehouse.jobs import Jobs
from courtbook.warehouse.refusal import NETWORK, NEXT, explain
from courtbook.warehouse.stand_ins import StandIns
from courtbook.warehouse.statement import Statement, parameters_of, render

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

AT_ONCE = 8  # small requests, each of which takes some tenths of a second
_GOOGLESQL = {"INTEGER": "INT64", "FLOAT": "FLOAT64", "BOOLEAN": "BOOL"}


class BigQueryWarehouse:
    """A warehouse on BigQuery.

    Every statement is a job with an id, labels and a cap on the bytes it may bill. Nothing is opened before it is used.
    """

    def __init__(self, params: BigQueryParams, *, domain: str = "nba") -> None:
        self.params = params
        self.domain = domain
        self.queries = 0
        self.listener: Callable[[Query], None] | None = None
        self.labels: Mapping[str, str] = {}
        self._jobs = Jobs(params)
        self._stand_ins = StandIns(domain, self.columns)
        self._own = threading.local()
        self._place = re.compile(rf"(?<![\w.`])({'|'.join(sorted({t.dataset for t in self._tables}))})\.(\w+)")

    @property
    def _tables(self) -> Iterable[Table]:
        return load_catalog(self.domain).tables.values()

    @property
    def identity(self) -> str:
        """Engine, project, and whatever makes it another place than the project alone."""
        moved = [f"{name}={place}" for name, place in sorted(self.params.datasets.items())]
        at = [f"at {self.params.endpoint}"] if self.params.endpoint else []
        return " ".join([f"bigquery:{self.params.project}", *moved, *at])

    @property
    def locks(self) -> Path:
        """Folder of the lock files of the tables: they hold off whoever writes from this machine."""
        home = os.environ.get("XDG_STATE_HOME") or os.environ.get("HOME", gettempdir()) + "/.local/state"
        return Path(home) / "courtbook" / "locks" / sha256(self.identity.encode()).hexdigest()[:16]

    def session(self, *, write: bool = False) -> "nullcontext[None]":
        """Do nothing: requests need no connection that stays."""
        return nullcontext()

    # What a statement is sent with.

    def _located(self, sql: str) -> str:
        """Write what stands for missing columns, and where tables are if it is not where the catalog says."""
        moved = self.params.datasets
        return self._place.sub(lambda m: f"`{moved[m[1]]}`.{m[2]}" if m[1] in moved else m[0], self._stand_ins(sql))

    def _labels(self, table: str) -> dict[str, str]:
        given = {"tool": "courtbook", **self.labels, **({"table": table} if table else {})}
        return {name: re.sub(r"[^a-z0-9_-]", "-", value.lower())[:63] for name, value in given.items() if value}

    def _config(self, sql: str, table: str, values: Values, **more: Any) -> bigquery.QueryJobConfig:
        return bigquery.QueryJobConfig(
            query_parameters=query_parameters(chosen_values(values, parameters_of(sql), table or "a statement")),
            labels=self._labels(table),
            maximum_bytes_billed=self.params.maximum_bytes_billed,
            job_timeout_ms=self.params.timeout * 1000,
            use_legacy_sql=False,
            **more,
        )

    def _job_id(self) -> str:
        return f"courtbook-{self._labels('').get('run', 'read')}-{uuid.uuid4().hex}"

    def cancel(self) -> None:
        """Cancel every job that is waited for, in whatever thread."""
        self._jobs.cancel()

    @contextmanager
    def _explained(self, where: str) -> Iterator[None]:
        """Say in our words why Google's clients failed."""
        try:
            yield
        except (*NETWORK, TimeoutError) as error:
            raise explain(error, f"{where} on {self.identity}") from error

    @contextmanager
    def _told(self, name: str, sql: str, job_id: str) -> Iterator[Callable[[Any], None]]:
        """Count a statement, explain why it failed, and tell the listener what it has cost."""
        self.queries += 1
        started, failed = time.monotonic(), True
        seen: list[Any] = []
        try:
            with self._explained(name):
                yield seen.append
            failed = False
        except ValueError as error:  # pandas-gbq says it in words of its own
            cause = error.__cause__ or error.__context__
            if not isinstance(cause, (*NETWORK, TimeoutError)):
                raise
            raise explain(cause, f"{name} on {self.identity}") from cause
        finally:
            if self.listener:
                billed = seen[0].total_bytes_billed if seen else None
                seconds = round(time.monotonic() - started, 4)
                self.listener(Query(name, sha256(sql.encode()).hexdigest(), job_id, billed, seconds, failed))

    def _run(self, sql: str, config: bigquery.QueryJobConfig, job_id: str, seen: Callable[[Any], None]) -> Any:
        """Send a job and return its rows when it has ended."""
        job = self._jobs.begin(sql, config, job_id)
        seen(job)
        return self._jobs.follow(job)

    def _read(self, sql: str, config: bigquery.QueryJobConfig) -> Any:
        rows = self._run(sql, config, self._own.job_id, self._own.seen)
        self._own.decimals = [field.name for field in rows.schema if field.field_type.endswith("NUMERIC")]
        return rows

    def query(self, statement: Statement, values: Values | None = None) -> "pd.DataFrame":
        """Run a statement that reads."""
        import pandas_gbq

        client, job_id = self._jobs.client, self._job_id()
        client.run = self._read
        sql = self._located(statement.sql)
        config = self._config(sql, statement.table, values or {})
        with self._told(statement.name, statement.sql, job_id) as seen:
            self._own.job_id, self._own.seen = job_id, seen
            frame = pandas_gbq.read_gbq(
                sql,
                bigquery_client=client,
                configuration=config.to_api_repr(),
                progress_bar_type=None,
                use_bqstorage_api=self.params.storage_api and not self.params.endpoint,
            )
        frame = as_duckdb(frame, self._own.decimals)
        frame.attrs["job"] = job_id
        return frame

    def export(self, statement: Statement, values: Values, file: Path) -> int:
        """Write the rows of a statement into a Parquet file: they are Arrow on the way, and stay so."""
        import pyarrow.parquet as pq

        job_id = self._job_id()
        sql = self._located(statement.sql)
        with self._told(statement.name, statement.sql, job_id) as seen:
            rows = self._run(sql, self._config(sql, statement.table, values), job_id, seen)
            batches = rows.to_arrow_iterable(bqstorage_client=self._storage())
            first = next(batches, None)
            if first is None:
                first = rows.to_arrow(create_bqstorage_client=False)
            count = 0
            with pq.ParquetWriter(file, first.schema) as writer:
                for part in chain([first], batches):
                    writer.write(part)
                    count += part.num_rows
            return count

    def _storage(self) -> Any:
        """Return a client of the Storage API if it is wanted and there."""
        if self.params.endpoint or not self.params.storage_api:
            return None
        try:
            from google.cloud.bigquery_storage import BigQueryReadClient
        except ImportError:  # REST is slower, and gives the same
            return None
        return BigQueryReadClient(credentials=find_credentials(self.params))  # type: ignore[no-untyped-call]

    def apply(self, statements: Iterable[tuple[Statement, Values]], *, job: str = "") -> None:
        """Run statements that write in one transaction: one job, which is taken up again if it exists already."""
        listed = list(statements)
        values: dict[str, Any] = {}
        for _, given in listed:
            for name, value in given.items():
                if values.setdefault(name, value) != value:
                    raise ValueError(f"@{name} has two values in one transaction")
        text = "".join(f"{statement.sql.rstrip()};\n" for statement, _ in listed)
        sql = f"BEGIN TRANSACTION;\n{self._located(text)}COMMIT TRANSACTION;\n"
        client_id = job or self._job_id()
        with self._told(" + ".join(statement.name for statement, _ in listed), text, client_id) as seen:
            self._run(sql, self._config(sql, listed[0][0].table, values), client_id, seen)

    def finished(self, job: str) -> bool | None:
        """Wait for a job that somebody began earlier; return whether it succeeded, None if it never came to be."""
        with self._explained(job):
            try:
                found = self._jobs.find(job)
            except exceptions.NotFound:
                return None
            try:
                self._jobs.follow(found)
            except (*NETWORK, TimeoutError):
                if found.state != "DONE":
                    raise
                return False
        return True

    def estimate(self, statements: Iterable[tuple[Statement, Values]]) -> int:
        """Return the bytes that statements would read, by dry runs, which cost nothing.

        Raises
        ------
        WarehouseError
            If one of them is above the cap: it would be refused after others have been written.
        """

        def size(item: tuple[Statement, Values]) -> int:
            statement, values = item
            where = f"{statement.name} of {statement.table or 'no table'}"
            sql = self._located(statement.sql)
            with self._explained(f"dry run of {where}"):
                job = self._jobs.begin(
                    sql, self._config(sql, statement.table, values, dry_run=True, use_query_cache=False)
                )
            found = int(job.total_bytes_processed or 0)
            if found > self.params.maximum_bytes_billed:
                words = f"The statement would read {found:,} bytes; {self.params.maximum_bytes_billed:,} are allowed."
                raise WarehouseError(
                    Reason.OVER_CAP, words, where=f"{where} on {self.identity}", next_action=NEXT[Reason.OVER_CAP]
                )
            return found

        with ThreadPoolExecutor(AT_ONCE) as pool:
            return sum(pool.map(size, statements))

    # Tables.

    def _full_name(self, table: Table) -> str:
        place = self.params.datasets.get(table.dataset, table.dataset)
        return f"{place if '.' in place else f'{self.params.project}.{place}'}.{table.name}"

    def create(self, tables: Iterable[Table]) -> None:
        """Create datasets and tables that do not exist yet."""
        wanted = list(tables)
        for place in sorted({self._full_name(table).rpartition(".")[0] for table in wanted}):
            dataset = bigquery.Dataset(place)
            dataset.location = self.params.location
            with self._explained("datasets"):
                self._jobs.client.create_dataset(dataset, exists_ok=True, **self._jobs.patience)
        for table in wanted:
            statement, job_id = render(self.domain, "create_table.sql", table=table), self._job_id()
            with self._told(statement.name, statement.sql, job_id) as seen:
                self._run(self._located(statement.sql), self._config("", table.name, {}), job_id, seen)
        self._stand_ins.forget()

    def refill(self, tables: "Iterable[tuple[Table, pa.Table]]") -> None:
        """Replace all rows of some tables by load jobs of Parquet, one a table."""
        import pyarrow.parquet as pq

        for table, rows in tables:
            config = bigquery.LoadJobConfig(
                source_format=bigquery.SourceFormat.PARQUET,
                write_disposition=bigquery.WriteDisposition.WRITE_TRUNCATE_DATA,
                labels=self._labels(table.name),
                job_timeout_ms=self.params.timeout * 1000,
            )
            config.parquet_options = bigquery.ParquetOptions.from_api_repr({"enableListInference": True})
            file = io.BytesIO()
            pq.write_table(rows.select(list(table.columns)).cast(table.arrow_schema(zone="UTC")), file)
            job_id = self._job_id()
            with self._told(f"load of {table.full_name}", table.full_name, job_id):
                self._jobs.follow(self._jobs.load(file, self._full_name(table), config, job_id))

    def columns(self) -> Mapping[str, Mapping[str, str]]:
        """Return the columns of every table of the catalog that exists; what tables look like costs nothing to read."""

        def read(table: Table) -> dict[str, str]:
            with self._explained(table.full_name):
                try:
                    known = self._jobs.client.get_table(self._full_name(table), **self._jobs.patience)
                except exceptions.NotFound:
                    return {}  # a project that does not exist is denied, not missing
            return {field.name: _googlesql(field) for field in known.schema}

        tables = list(self._tables)
        with ThreadPoolExecutor(AT_ONCE) as pool:
            found = zip(tables, pool.map(read, tables), strict=True)
            return {table.full_name: columns for table, columns in found if columns}


def _googlesql(field: bigquery.SchemaField) -> str:
    kind = _GOOGLESQL.get(field.field_type, field.field_type)
    return f"ARRAY<{kind}>" if field.mode == "REPEATED" else kind
