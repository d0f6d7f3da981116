"""Opens the warehouse that the parameters name."""

from pathlib import Path

from courtbook.params import Params
from courtbook.params_warehouse import BigQueryParams
from courtbook.warehouse.base import Warehouse


def open_warehouse(params: Params) -> Warehouse:
    """Open the warehouse that the parameters name; nothing stays open."""
    chosen = params.warehouse
    if isinstance(chosen, BigQueryParams):
        from courtbook.warehouse.bigquery import BigQueryWarehouse

        return BigQueryWarehouse(chosen)
    from courtbook.warehouse.duckdb import DuckDBWarehouse

    return DuckDBWarehouse(Path(chosen.path), memory=chosen.memory, timeout=chosen.timeout, lock_wait=chosen.lock_wait)
