"""Copies a slice of one warehouse into a local file, so that somebody can work on real rows without a network."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

from courtbook.calendar import read_span
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.errors import ParameterError
from courtbook.params import Params
from courtbook.params_warehouse import WarehouseParams
from courtbook.warehouse.base import Values, Warehouse
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement, render

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Slice:
    """Tables of a warehouse, with the columns that they have there, between two dates.

    Attributes
    ----------
    sizes : tuple of int or None
        Bytes that each table takes to read; None where reading is not billed.
    """

    source: Warehouse
    tables: tuple[Table, ...]
    dates: tuple[date, date]
    sizes: tuple[int | None, ...]

    @property
    def values(self) -> Values:
        """Parameters of the statements that read it."""
        return {"first_date": self.dates[0], "last_date": self.dates[1]}


def choose_tables(text: str) -> tuple[Table, ...]:
    """Return the tables that are named: by their names or layers, separated by commas.

    Raises
    ------
    ParameterError
        If a name is not known, or none is given.
    """
    catalog = load_catalog()
    known = {
        **{name: (table,) for name, table in catalog.tables.items()},
        **{layer.value: catalog.layer(layer) for layer in Layer},
        "all": tuple(catalog.tables.values()),
    }
    chosen: dict[str, Table] = {}
    for name in filter(None, (part.strip() for part in text.split(","))):
        if name not in known:
            raise ParameterError(
                f"There is no table and no layer '{name}'.", where="--tables", next_action=f"Known: {', '.join(known)}."
            )
        chosen |= {table.name: table for table in known[name]}
    if not chosen:
        raise ParameterError("No table is named.", where="--tables", next_action=f"Known: {', '.join(known)}.")
    return tuple(chosen.values())


def span(text: str) -> tuple[date, date]:
    """Read the first and the last date of a slice as the command line gives them.

    Raises
    ------
    ParameterError
        If they are no dates, or the first is after the last.
    """
    first, last = read_span(text, "Write YYYY-MM-DD, or FIRST..LAST.")
    if first > last:
        raise ParameterError("The first date is after the last.", where=f"--dates {text}", next_action="Swap them.")
    return first, last


def measure(source: Warehouse, tables: Iterable[Table], dates: tuple[date, date]) -> Slice:
    """Find out what a slice has for columns and what it costs to read; nothing is read yet.

    Raises
    ------
    ParameterError
        If a table does not exist there.
    WarehouseError
        If a table takes more bytes than one statement may bill.
    """
    existing = source.columns()
    found = []
    for table in tables:
        if table.full_name not in existing:
            raise ParameterError(
                "There is no such table.",
                where=f"{table.full_name} on {source.identity}",
                next_action="Leave it out of --tables.",
            )
        found.append(replace(table, columns=existing[table.full_name]))
    measured = Slice(source, tuple(found), dates, ())
    sizes = tuple(source.estimate([(_statement(table), measured.values)]) for table in found)
    return replace(measured, sizes=sizes)


def _statement(table: Table) -> Statement:
    return render(load_catalog().domain, "copy.sql", table=table, columns=list(table.columns))


def open_target(params: Params, source: Warehouse) -> DuckDBWarehouse:
    """Return the file to copy to; it need not exist.

    Raises
    ------
    ParameterError
        If the parameters do not name a file, or name the source.
    """
    chosen = params.warehouse
    if not isinstance(chosen, WarehouseParams):
        raise ParameterError(
            "Rows are copied into a DuckDB file only: nothing is ever copied into BigQuery.",
            where="--to",
            next_action="Give a params file whose warehouse.engine is duckdb.",
        )
    target = DuckDBWarehouse(Path(chosen.path), memory=chosen.memory, timeout=chosen.timeout, create=True)
    if target.identity == source.identity:
        raise ParameterError(
            "Source and target are the same file.", where=target.identity, next_action="Copy to another file."
        )
    return target


def copy(measured: Slice, target: DuckDBWarehouse, tell: Tell) -> None:
    """Copy a slice into a DuckDB file, Parquet in between: all of it or nothing; the source is only read.

    What the file held of these tables on these dates is replaced, everything else in it stays.
    """
    path = target.path
    with TemporaryDirectory(prefix="courtbook-") as folder:
        files: list[tuple[Table, Path]] = []
        for table in measured.tables:
            file = Path(folder) / f"{table.name}.parquet"
            rows = measured.source.export(_statement(table), measured.values, file)
            tell(f"read {table.full_name}: {rows:,} rows")
            files.append((table, file))
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = not path.exists()
        try:
            with target.session(write=True):
                # The others too, without rows: whatever looks at all tables would fail otherwise.
                target.create([*measured.tables, *load_catalog().tables.values()])
                target.refill(files, measured.dates)
        except BaseException:
            if fresh:
                path.unlink(missing_ok=True)
            raise
    tell(f"copied into {path}")
