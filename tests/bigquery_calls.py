"""What tests of BigQuery as a warehouse share: what they ask of it, and a DuckDB file that answers in its place."""

import threading
from collections.abc import Callable, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from bigquery_answers import Answer, Request
from bigquery_server import BigQueryServer
from courtbook.catalog import Layer, Table
from courtbook.params_warehouse import BigQueryParams
from courtbook.warehouse.bigquery import BigQueryWarehouse
from courtbook.warehouse.statement import Statement, to_duckdb
from courtbook.warehouse.types import googlesql_type

DAY = date(2024, 11, 5)
READ = Statement("read.sql", "SELECT n FROM d.t WHERE day = @day", "t")
DELETE = Statement("delete.sql", "DELETE FROM d.t WHERE day IN UNNEST(@dates)", "t")
INSERT = Statement("insert.sql", "INSERT INTO d.t (day, n) SELECT day, 1 FROM d.raw WHERE day IN UNNEST(@dates)", "t")
VALUES: Mapping[str, Any] = {"day": DAY, "dates": [DAY]}
WRITES = [(DELETE, VALUES), (INSERT, VALUES)]
TABLE = Table(
    "things", "somewhere", Layer.RAW, "day", ("day", "name"),
    {"day": "DATE", "name": "STRING", "at": "TIMESTAMP", "parts": "ARRAY<FLOAT64>"},
)  # fmt: skip
ROWS = pa.table({"name": ["a"], "parts": [[1.5]], "at": [datetime(2024, 1, 1)], "day": [DAY], "more": [1]})
Open = Callable[..., BigQueryWarehouse]


def opener(server: BigQueryServer) -> Open:
    """Return a function that opens a warehouse on the server, given parameters that differ."""

    def make(**more: Any) -> BigQueryWarehouse:
        some = {"project": "test-project", "endpoint": server.url, "anonymous": True, "patience": 0.2, "timeout": 20}
        made = BigQueryWarehouse(BigQueryParams.model_validate({"engine": "bigquery", **some, **more}))
        made.labels = {"run": "20260102T030405Z-Über", "step": "30_phase4_backfill"}
        return made

    return make


def calls(warehouse: BigQueryWarehouse) -> dict[str, Callable[[], Any]]:
    """Everything that can be asked of a warehouse."""
    return {
        "query": lambda: warehouse.query(READ, VALUES),
        "apply": lambda: warehouse.apply(WRITES),
        "estimate": lambda: warehouse.estimate(WRITES),
        "create": lambda: warehouse.create([TABLE]),
        "refill": lambda: warehouse.refill([(TABLE, ROWS)]),
    }


def until(server: BigQueryServer, method: str, path: str) -> None:
    """Wait until a request was made."""
    for _ in range(1000):
        if server.sent(method, path):
            return
        threading.Event().wait(0.01)
    raise AssertionError("the request did not come")


def replay(path: Path) -> Callable[[Request], Answer]:
    """Answer with what DuckDB finds: types and rows as BigQuery sends them."""

    def value(parameter: Any) -> Any:
        given = parameter["parameterValue"]
        kind = parameter["parameterType"].get("arrayType", parameter["parameterType"])["type"]
        convert = {"DATE": date.fromisoformat, "INT64": int, "FLOAT64": float}.get(kind, str)
        items = given.get("arrayValues")
        return convert(given["value"]) if items is None else [convert(item["value"]) for item in items]

    def answer(request: Request) -> Answer:
        config = request.configuration["query"]
        values = {item["name"]: value(item) for item in config.get("queryParameters", [])}
        sql, names = to_duckdb(config["query"])
        with duckdb.connect(str(path), read_only=True) as connection:
            connection.execute("SET TimeZone = 'UTC'")
            found = connection.sql(sql, params={name: values[name] for name in names})
            kinds = {name: googlesql_type(str(kind)) for name, kind in zip(found.columns, found.types, strict=True)}
            schema = {name: kind.replace("HUGEINT", "INT64") for name, kind in kinds.items()}
            rows = [tuple(row.values()) for row in found.to_arrow_table().to_pylist()]
        return Answer(schema, rows, bytes=0)

    return answer
