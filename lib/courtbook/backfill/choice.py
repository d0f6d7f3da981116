"""Chooses who fills a table: as the parameters say, or else the built-in SQL."""

from pathlib import Path

from courtbook.backfill.executor import Executor
from courtbook.backfill.sql import SqlExecutor
from courtbook.calendar import Calendar
from courtbook.catalog import Catalog, Table
from courtbook.params import CommandParams, Params
from courtbook.warehouse.base import Warehouse


def kind_of(table: str, params: Params) -> str:
    """Return the kind of executor that fills a table."""
    return params.executors[table].kind if table in params.executors else "sql"


def choose_executor(
    table: Table, params: Params, warehouse: Warehouse, calendar: Calendar, catalog: Catalog
) -> Executor:
    """Return the executor that fills a table."""
    chosen, backfill = params.executors.get(table.name), params.backfill
    if chosen is None:
        return SqlExecutor(warehouse, calendar, catalog, backfill.dates_per_batch)
    if isinstance(chosen, CommandParams):
        from courtbook.backfill.command import CommandExecutor

        return CommandExecutor(table, chosen, Path.cwd())
    from courtbook.backfill.http import HttpExecutor

    return HttpExecutor(table, chosen, backfill.retries, backfill.retry_wait, Path.cwd())
