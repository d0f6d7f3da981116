"""The conversion of checked sheets to the raw tables of the catalog."""

from importlib import resources

import duckdb
import pyarrow as pa

from courtbook.catalog import Layer, load_catalog

_SQL = resources.files("courtbook.nba") / "real_data"


def load_sql(name: str) -> str:
    """Return a statement of the folder ``real_data``."""
    return (_SQL / name).read_text(encoding="utf-8")


def has_source(table: str) -> bool:
    """Say whether a raw table is made from the files of the layout."""
    return (_SQL / "raw" / f"{table}.sql").is_file()


def convert(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Return the raw tables by name; a table without a source is empty."""
    con.execute(load_sql("convert.sql"))
    return {table.name: _converted(con, table.name, table.arrow_schema()) for table in load_catalog().layer(Layer.RAW)}


def _converted(con: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> pa.Table:
    if not has_source(name):
        return schema.empty_table()
    return con.sql(load_sql(f"raw/{name}.sql")).to_arrow_table().select(schema.names).cast(schema)
