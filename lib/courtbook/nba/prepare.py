"""Builds the warehouse that a params file declares; a file complete or not at all."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pyarrow as pa

from courtbook.backfill.sql import replace_dates
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Catalog, Layer, load_catalog
from courtbook.errors import ParameterError
from courtbook.nba.names import read_yaml
from courtbook.params import FolderSource, LeagueSource, Params, RangeParams
from courtbook.params_warehouse import BigQueryParams, WarehouseParams
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.opening import open_warehouse
from courtbook.warehouse.statement import render

_INCIDENT = read_yaml("incident.yaml")
_ALL_STAR = _INCIDENT["all_star"]
LOST: dict[str, tuple[int, int]] = _INCIDENT["lost"]
LOST_SINGLY: list[date] = _INCIDENT["lost_singly"]["dates"]

Tell = Callable[[str], None]


def prepare(params: Params, *, fresh: bool, tell: Tell) -> bool:
    """Build the warehouse of a params file: a file, or tables on BigQuery where there are none.

    Parameters
    ----------
    fresh : bool
        Build it anew even if it exists.
    tell : callable
        Takes one line a stage.

    Returns
    -------
    bool
        Whether something was built.
    """
    path = None if isinstance(params.warehouse, BigQueryParams) else Path(params.warehouse.path)
    if path is None and fresh:
        raise ParameterError(
            "A warehouse on BigQuery is never built anew over another one.",
            where="--fresh",
            next_action="Drop its datasets yourself, or name a project or datasets that hold no tables.",
        )
    exists = path.exists() if path else bool(open_warehouse(params).columns())
    if exists and not fresh:
        return False
    if params.source is None:
        raise ParameterError(
            "The params file declares no source to build the warehouse from.",
            where="source",
            next_action="Add a source (kind: league or folder), or name a warehouse that exists.",
        )
    raw = load_raw(params.source, tell)
    if path:
        build(path, params, raw, tell)
    else:
        _populate(open_warehouse(params), params, raw, tell)
    return True


def load_raw(source: LeagueSource | FolderSource, tell: Tell) -> dict[str, pa.Table]:
    """Make or read the raw tables of a source."""
    started, gaps = time.monotonic(), []
    if isinstance(source, LeagueSource):
        from courtbook.nba.league import make_league

        name = f"synthetic league, seed {source.seed}"
        tables = make_league(source.seed, seasons=source.seasons, end=source.end)
    else:
        from courtbook.nba.load import read_folder

        data = read_folder(Path(source.path))
        name, tables = source.path, data.tables
        for gap in data.gaps:
            examples = f", such as {', '.join(gap.examples[:3])}" if gap.examples else ""
            gaps.append(f"  gap: {gap.count:,} {gap.words}{examples}")
    rows = sum(table.num_rows for table in tables.values())
    for line in (f"{name}: {rows:,} raw rows in {time.monotonic() - started:.1f} s", *gaps):
        tell(line)
    return tables


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Give a file beside ``path`` that takes its place when it is whole, and goes away if it never is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(path)
        path.with_name(path.name + ".wal").unlink(missing_ok=True)
    finally:
        for left in (unfinished, unfinished.with_name(unfinished.name + ".wal")):
            left.unlink(missing_ok=True)


def load_folder(folder: Path, path: Path, *, tell: Tell) -> None:
    """Fill the raw tables of a warehouse file from a folder of real data, replacing what they held.

    Processed tables of an existing file stay as they are. The files are checked before the warehouse is touched.
    """
    raw = load_raw(FolderSource(kind="folder", path=str(folder)), tell)
    if path.exists():
        _refill(DuckDBWarehouse(path), raw)
    else:
        with _beside(path) as new:
            _refill(DuckDBWarehouse(new, create=True), raw)
    tell(f"loaded into {path}: {', '.join(f'{name} {rows.num_rows:,}' for name, rows in raw.items())}")


def _refill(warehouse: Warehouse, raw: dict[str, pa.Table]) -> None:
    catalog = load_catalog()
    with warehouse.session(write=True):
        warehouse.create(catalog.tables.values())
        warehouse.refill((catalog.tables[name], rows) for name, rows in raw.items())


def build(path: Path, params: Params, raw: dict[str, pa.Table], tell: Tell) -> None:
    """Build a warehouse beside its place and move it there when it is whole."""
    assert isinstance(params.warehouse, WarehouseParams)  # noqa: S101 - a file is built for an embedded warehouse
    with _beside(path) as new:
        _populate(DuckDBWarehouse(new, memory=params.warehouse.memory, create=True), params, raw, tell, str(path))


def _populate(warehouse: Warehouse, params: Params, raw: dict[str, pa.Table], tell: Tell, name: str = "") -> None:
    started, source = time.monotonic(), params.source
    with warehouse.session(write=True):
        _refill(warehouse, raw)
        if isinstance(source, LeagueSource) and source.state != "raw":
            # What the warehouse holds must not depend on the range of the run that happened to build it.
            whole = RangeParams(start=date(min(source.seasons), 7, 1), end=source.end)
            _fill(warehouse, params.model_copy(update={"range": whole}), source.state == "incident", tell)
    tell(f"built {name or warehouse.identity} in {time.monotonic() - started:.1f} s")


def _fill(warehouse: Warehouse, params: Params, incident: bool, tell: Tell) -> None:
    catalog, calendar = load_catalog(), read_calendar(warehouse, params)
    levels = catalog.levels(Layer.PHASE3) + (() if incident else catalog.levels(Layer.PHASE4))
    for table in (table for level in levels for table in level):
        started = time.monotonic()
        replace_dates(warehouse, table, calendar, calendar.dates())
        tell(f"  {table.name} in {time.monotonic() - started:.1f} s")
    if incident:
        _add_all_star(warehouse, catalog, params)
        for name, dates in lost_dates(calendar).items():
            values = calendar.values(dates)
            warehouse.apply([(render(catalog.domain, "delete_dates.sql", table=catalog.tables[name]), values)])
            tell(f"  taken away from {name}: {len(dates)} dates")


def _add_all_star(warehouse: Warehouse, catalog: Catalog, params: Params) -> None:
    # The platform's team jobs did not ask what kind of game it was. For a moment, neither does the schedule.
    asked = {"first_date": params.range.start, "last_date": params.range.end, "last_season": _ALL_STAR["last_season"]}
    days = warehouse.query(render(catalog.domain, "incident/all_star_dates.sql"), asked)["day"]
    dates = [day.date() for day in days]
    if not dates:
        return
    marking = render(catalog.domain, "incident/count_all_star.sql")
    window = {"first_date": dates[0], "last_date": dates[-1], "dates": dates}
    warehouse.apply([(marking, {**window, "counts": True})])
    counted = read_calendar(warehouse, params)
    for name in _ALL_STAR["tables"]:
        replace_dates(warehouse, catalog.tables[name], counted, dates)
    warehouse.apply([(marking, {**window, "counts": False})])


def lost_dates(calendar: Calendar) -> dict[str, Sequence[date]]:
    """Choose the dates that the incident took from each table: those lost singly, then the latest.

    The numbers are those of the incident, in proportion where the calendar is shorter than the incident's.
    """
    target = calendar.dates(after_bootstrap=True)
    bootstrap = sorted(calendar.bootstrap())
    target_then, bootstrap_then = _INCIDENT["dates"]
    lost: dict[str, Sequence[date]] = {}
    for name, (of_target, of_bootstrap) in LOST.items():
        singly = [day for day in LOST_SINGLY if day in target and name == _INCIDENT["lost_singly"]["table"]]
        latest = [day for day in reversed(target) if day not in singly]
        wanted = round(of_target * len(target) / target_then)
        early = round(of_bootstrap * len(bootstrap) / bootstrap_then)
        lost[name] = sorted([*singly, *latest][:wanted] + bootstrap[len(bootstrap) - early :])
    return lost
