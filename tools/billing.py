"""What BigQuery bills for a statement: the logical bytes of the columns that it names, in the partitions it reads."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import duckdb
import pandas as pd
import sqlglot
from courtbook.catalog import Table, load_catalog
from sqlglot import exp
from sqlglot.optimizer.pushdown_projections import pushdown_projections
from sqlglot.optimizer.qualify import qualify
from sqlglot.optimizer.scope import traverse_scope

MIB, GIB, TIB = 2**20, 2**30, 2**40
LEAST = 10 * MIB  # of each table that a query names; all is rounded up to whole MiB
DOLLARS_A_TIB = 6.25
FIXED = {"INT64": 8, "FLOAT64": 8, "DATE": 8, "TIMESTAMP": 8, "BOOL": 1}
TABLES = {table.full_name: table for table in load_catalog().tables.values()}
SCHEMA: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
for _table in TABLES.values():
    SCHEMA[_table.dataset][_table.name] = dict(_table.columns)


@dataclass(frozen=True)
class Scan:
    """One place of a statement that reads a table: its columns, and the parameters between which its dates lie.

    Without a window the whole table is read; a window of ``none`` holds only dates that are still to come.
    """

    table: str
    columns: frozenset[str]
    window: tuple[str, ...]


@lru_cache(maxsize=1024)
def scans(sql: str) -> tuple[Scan, ...]:
    """Find what a statement reads. Columns that a query only passes on and nobody uses are not read."""
    tree = sqlglot.parse_one(sql, read="bigquery")
    if isinstance(tree, exp.Insert):
        tree = tree.expression
    if isinstance(tree, exp.Delete):
        tree = exp.select("1").from_(tree.this).where(tree.args["where"].this)
    tree = qualify(tree, schema=SCHEMA, dialect="bigquery", quote_identifiers=False, validate_qualify_columns=False)
    return tuple(_found(pushdown_projections(tree)))


def _found(tree: exp.Expression) -> Iterator[Scan]:
    for scope in traverse_scope(tree):
        for alias, source in scope.sources.items():
            if isinstance(source, exp.Table):
                table = TABLES[f"{source.db}.{source.name}"]
                columns = frozenset(column.name for column in scope.columns if column.table == alias)
                # UNNEST of a column is a scope of its own, inside the query that reads the table.
                query = scope.expression.parent_select if scope.is_udtf else scope.expression
                yield Scan(table.full_name, columns, _window(query, alias, table))


def _window(select: exp.Expression, alias: str, table: Table) -> tuple[str, ...]:
    def dated(node: exp.Expression | None) -> bool:
        return isinstance(node, exp.Column) and (node.table, node.name) == (alias, table.date_column)

    for between in select.find_all(exp.Between):
        if dated(between.this):
            return between.args["low"].name, between.args["high"].name
    for later in select.find_all(exp.GT):
        if dated(later.this) and later.find(exp.CurrentDate):
            return ("none",)
    return ()


class Sizes:
    """The logical bytes of each column of each table, by date.

    Parameters
    ----------
    frames : mapping
        By full name of the table: a row a date, in order, and a column a column, and ``rows``.
    """

    def __init__(self, frames: Mapping[str, pd.DataFrame]) -> None:
        self.frames = frames

    @classmethod
    def read(cls, connection: duckdb.DuckDBPyConnection) -> "Sizes":
        """Count the bytes of a warehouse, value by value."""
        return cls({name: _read(connection, table) for name, table in TABLES.items()})

    def of(self, table: str, columns: Iterable[str] = (), window: tuple[date, date] | None = None) -> int:
        """Return the bytes of some columns, by default all, between two dates."""
        frame = self.frames[table]
        frame = frame.loc[window[0] : window[1]] if window else frame
        return int(frame[list(columns) or [column for column in frame if column != "rows"]].to_numpy().sum())

    def read_by(self, sql: str, values: Mapping[str, Any], held: Iterable[date] = ()) -> dict[str, int]:
        """Return the bytes that a statement processes, by table.

        A table that is clustered, as all are, counts once for each filter on its dates.

        Parameters
        ----------
        held : iterable of date
            Dates with rows that the statement deletes: such partitions count with all of their columns.
        """
        named: dict[tuple[str, tuple[str, ...]], set[str]] = defaultdict(set)
        for scan in scans(sql):
            named[scan.table, scan.window] |= scan.columns
        found: dict[str, int] = defaultdict(int)
        for (table, names), columns in named.items():
            window = (values[names[0]], values[names[1]]) if len(names) == 2 else None
            found[table] += self.of(table, columns, window) if columns and names != ("none",) else 0
            found[table] += sum(self.of(table, window=(day, day)) for day in held)
        return dict(found)


def _read(connection: duckdb.DuckDBPyConnection, table: Table) -> pd.DataFrame:
    parts = ", ".join(f"SUM({_size(column, kind)}) AS {column}" for column, kind in table.columns.items())
    sql = f"SELECT {table.date_column} AS day, COUNT(*) AS rows, {parts} FROM {table.full_name} GROUP BY 1 ORDER BY 1"  # noqa: S608 - names of the catalog
    frame = connection.execute(sql).df()
    frame["day"] = pd.to_datetime(frame["day"]).dt.date
    return frame.set_index("day").fillna(0).astype("int64")


def _size(column: str, kind: str) -> str:
    """Return an expression of DuckDB for the bytes of a value; NULL takes none."""
    if kind in FIXED:
        return f"IF({column} IS NULL, 0, {FIXED[kind]})"
    if kind == "ARRAY<STRING>":
        return f"COALESCE(LIST_SUM([2 + STRLEN(x) FOR x IN {column} IF x IS NOT NULL]), 0)"
    if kind.startswith("ARRAY<"):
        return f"{FIXED[kind[6:-1]]} * LIST_COUNT({column})"
    return f"COALESCE(2 + STRLEN({column}), 0)"


def billed(bytes_read: Mapping[str, int], factor: float = 1) -> int:
    """Return what is billed for the bytes that a query processes of each table, with ``factor`` times the rows."""
    return sum(max(LEAST, -(-int(size * factor) // MIB) * MIB) for size in bytes_read.values())


def dollars(size: float) -> float:
    """Return the list price of bytes, on demand."""
    return size / TIB * DOLLARS_A_TIB
