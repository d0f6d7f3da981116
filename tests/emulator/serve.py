"""Serve local-bigquery on a socket that is open already: ``python serve.py FD FOLDER``, with a Python of its own."""

import os
import signal
import sys
import threading
from collections import deque
from importlib.resources import files
from pathlib import Path
from types import SimpleNamespace

import duckdb
import uvicorn
from sqlglot import exp

EXTENSIONS = ("icu", "ducklake")


def link_extensions(home: Path) -> None:
    """Put DuckDB's extensions where it looks for them, which is in its home."""
    (platform,) = duckdb.sql("PRAGMA platform").fetchone()
    place = home / ".duckdb" / "extensions" / f"v{duckdb.__version__}" / platform
    place.mkdir(parents=True, exist_ok=True)
    for name in EXTENSIONS:
        (file,) = files(f"duckdb_extension_{name}").glob(f"extensions/*/{name}.duckdb_extension")
        (place / file.name).symlink_to(file)


def leave_out() -> None:
    """Do without JavaScript, which needs a browser's engine, and geography, which needs DuckDB's largest extension."""
    sys.modules["py_mini_racer"] = SimpleNamespace(JSEvalException=Exception, MiniRacer=None)
    from local_bigquery.engine import database

    database.FUNCTIONS[:] = [path for path in database.FUNCTIONS if path.stem != "geography"]


def mend_division() -> None:
    """Keep the brackets of a call: SQLGlot writes DIV(a + b, c) as a + b // c."""
    from local_bigquery.sql.dialect import BigQueryDialect

    def parse(operands: list[exp.Expression]) -> exp.Expression:
        this, expression = map(exp.paren, operands)
        return exp.paren(exp.IntDiv(this=this, expression=expression))

    BigQueryDialect.Parser.FUNCTIONS["DIV"] = parse


def store_in_a_file() -> None:
    """Keep tables in a file of DuckDB's own: in a lake, which remembers all that tables ever were, all takes longer."""
    from local_bigquery.engine import database
    from local_bigquery.settings import settings

    def attach(connection: duckdb.DuckDBPyConnection, project: str) -> None:
        file, name = settings.data_dir / f"{project}.duckdb", database.quote(project)
        connection.execute(f"ATTACH IF NOT EXISTS '{file}' AS {name}; SET threads = 1")
        database._attached.add(project)

    database._attach, database.projects = attach, lambda: sorted(database._attached)


def ask_less() -> None:
    """Remember what DuckDB has said of its tables, and drop old results: it lists all of them whenever one is named."""
    from local_bigquery.catalog import tables
    from local_bigquery.engine import database

    fetch, write, known, results = database.fetch, tables.write, {}, deque()

    def fetch_once(sql: str, params: list | None = None) -> list[tuple]:
        asked = (sql, *(params or ()))
        if asked not in known:
            rows = fetch(sql, params)
            # Here no table is dropped or given other columns; one that is not there may come yet.
            if not params or ("duckdb_columns" not in sql and not (rows and "duckdb_tables" in sql)):
                return rows
            known[asked] = rows
        return known[asked]

    def write_and_drop(cur: object, query: str, params: object, table: tuple[str, ...], *more, **named) -> bool:
        is_new = write(cur, query, params, table, *more, **named)
        if table[1] == tables.RESULTS:
            results.append(table)
            if len(results) > 20:
                tables.delete(*results.popleft())
        return is_new

    database.fetch, tables.write = fetch_once, write_and_drop


def end_with_parent() -> None:
    """End when the pipe from whoever started this closes, however that one ended."""
    sys.stdin.read()
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    folder = Path(sys.argv[2])
    link_extensions(folder)
    leave_out()
    mend_division()
    store_in_a_file()
    ask_less()
    from local_bigquery.settings import settings

    settings.data_dir = folder / "data"
    threading.Thread(target=end_with_parent, daemon=True).start()
    uvicorn.run("local_bigquery:app", fd=int(sys.argv[1]))
