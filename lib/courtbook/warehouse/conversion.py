"""What goes to BigQuery and comes back, in the types that the embedded warehouse takes and gives."""

from collections.abc import Collection
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
from google.cloud import bigquery

from courtbook.warehouse.base import Values

_KINDS: tuple[tuple[type, str], ...] = (  # the first that fits: True is an int, a datetime is a date
    (bool, "BOOL"),
    (int, "INT64"),
    (float, "FLOAT64"),
    (str, "STRING"),
    (datetime, "TIMESTAMP"),
    (date, "DATE"),
)


def _kind(value: object) -> str:
    return next(name for kind, name in _KINDS if isinstance(value, kind))


def _parameter(name: str, value: Any) -> Any:
    if isinstance(value, list | tuple):
        kind = _kind(value[0]) if value else "STRING"
        return bigquery.ArrayQueryParameter(name, kind, list(value))
    if isinstance(value, datetime) and value.tzinfo is None:
        value = value.replace(tzinfo=UTC)  # as everywhere
    return bigquery.ScalarQueryParameter(name, _kind(value), value)


def query_parameters(values: Values) -> list[Any]:
    """Return values as parameters of a query."""
    return [_parameter(name, value) for name, value in values.items()]


def as_duckdb(frame: pd.DataFrame, decimals: Collection[str]) -> pd.DataFrame:
    """Return a frame of pandas-gbq with the column types of DuckDB's frames.

    Dates and times are ``datetime64[us]``, decimal numbers floats; integers stay integers where there are NULLs.

    Parameters
    ----------
    decimals : collection of str
        Columns of decimal numbers, which come as objects.
    """
    floats = {name: pd.to_numeric(frame[name]).astype("float64") for name in decimals}
    columns = {name: floats[name] if name in floats else _column(frame[name]) for name in frame.columns}
    return pd.DataFrame(columns, columns=frame.columns)


def _column(column: "pd.Series[Any]") -> "pd.Series[Any]":
    kind = str(column.dtype)
    if kind == "dbdate":
        return column.astype("datetime64[us]")
    if kind.startswith("datetime64"):
        return column.astype("datetime64[us, UTC]" if "UTC" in kind else "datetime64[us]")
    if kind == "Int64":
        return column if column.hasnans else column.astype("int64")
    if kind == "boolean":
        return column if column.hasnans else column.astype(bool)
    return column
