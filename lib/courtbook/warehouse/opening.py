"""Opens the warehouse that the parameters name."""

from pathlib import Path

from courtbook.params import Params
from courtbook.warehouse.base import Warehouse
from courtbook.warehouse.duckdb import DuckDBWarehouse


def open_warehouse(params: Params) -> Warehouse:
    """Open the warehouse that the parameters name; nothing stays open."""
    chosen = params.warehouse
    return DuckDBWarehouse(Path(chosen.path), memory=chosen.memory, timeout=chosen.timeout, lock_wait=chosen.lock_wait)
