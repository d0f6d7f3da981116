"""Measures what a run costs: bytes by arithmetic, times on this machine; ``--write`` puts both into docs/scale.md."""

import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import chdir, contextmanager, redirect_stdout
from datetime import date
from pathlib import Path
from typing import Any
from unittest.mock import patch

import duckdb
from billing import TABLES, Sizes
from courtbook.archive import read_tables
from courtbook.audit import run_audit
from courtbook.backfill.sql import SqlExecutor, replace_dates
from courtbook.calendar import read_calendar
from courtbook.catalog import Layer, load_catalog
from courtbook.coverage import read_all
from courtbook.nba.league import make_league
from courtbook.nba.prepare import prepare
from courtbook.params import Params
from courtbook.params_file import load_params
from courtbook.transfer import choose_tables
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement, render, to_duckdb
from document import between
from scale import (
    LAST,
    Sent,
    limits_table,
    runs_table,
    services_table,
    sizes_table,
    statements_table,
    times_table,
)

ROOT = Path(__file__).resolve().parents[1]
PAGE, DEMO = ROOT / "docs" / "scale.md", ROOT / "params" / "demo.yaml"
# Leagues, with the memory limit that they are measured with, and how often.
MEASURED = {1: ("900MB", 2), 10: ("900MB", 2), 30: ("4GB", 1)}


@contextmanager
def recorded(into: list[Sent], step: Callable[[], str]) -> Iterator[None]:
    """Note every statement that is run meanwhile, by whatever warehouse."""
    run = DuckDBWarehouse._execute

    def execute(self: DuckDBWarehouse, statement: Statement, values: Mapping[str, Any]) -> Any:
        held: tuple[date, ...] = ()
        if statement.name == "delete_dates.sql":
            column = next(t for t in TABLES.values() if t.name == statement.table).date_column
            sql, names = to_duckdb(statement.sql.replace("DELETE", f"SELECT DISTINCT {column}", 1))
            assert self._connection is not None  # noqa: S101 - it writes
            rows = self._connection.execute(sql, {name: values[name] for name in names}).fetchall()
            held = tuple(row[0] for row in rows)
        into.append(Sent(step(), statement, dict(values), held))
        return run(self, statement, values)

    with patch.object(DuckDBWarehouse, "_execute", execute):
        yield


def run_chain(params: Path, overrides: Mapping[str, Any], runs: Path) -> list[Sent]:
    """Run the cells of all notebooks in this process, fingerprints before and after, and return what was sent."""
    sent: list[Sent] = []
    now = "run"
    with chdir(ROOT), recorded(sent, lambda: now), Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
        whole = load_params(params, overrides=overrides)
        read_tables(whole)
        read_calendar(DuckDBWarehouse(Path(whole.warehouse.path)), whole)
        for step in load_catalog().steps:
            now = step.name
            notebook = json.loads((ROOT / "notebooks" / f"{step.notebook}.ipynb").read_text(encoding="utf-8"))
            names: dict[str, Any] = {}
            for cell in notebook["cells"]:
                if cell["cell_type"] == "code":
                    exec("".join(cell["source"]), names)  # noqa: S102 - our own notebooks
                    if "parameters" in cell["metadata"].get("tags", ()):
                        names |= {"params_file": str(params), "run_dir": str(runs), "overrides": dict(overrides)}
        now = "run"
        read_tables(whole)
    return sent


def grown(path: Path, params: Params, leagues: int) -> None:
    """Make a warehouse that holds the raw tables of so many leagues, each with its own teams, players and games."""
    catalog, raw = load_catalog(), make_league(params.source.seed)
    warehouse = DuckDBWarehouse(path, memory=params.warehouse.memory, create=True)
    warehouse.create(catalog.tables.values())
    warehouse.refill((catalog.tables[name], rows) for name, rows in raw.items())
    own = (
        "player_lookup",
        "team",
        "team_abbr",
        "home_team_abbr",
        "away_team_abbr",
        "home_team_tricode",
        "away_team_tricode",
    )
    with duckdb.connect(str(path), config={"memory_limit": params.warehouse.memory}) as connection:
        for item in catalog.layer(Layer.RAW):
            changed = [f"{name} || 'x' || n AS {name}" for name in own if name in item.columns]
            changed += [
                f"regexp_replace({name}, '(_[A-Z]+|^[0-9]+$)', '\\1x' || n, 'g') AS {name}"
                for name in ("game_id", "nba_game_id")
                if name in item.columns
            ]
            copies = f"{item.full_name} AS t, range(1, {leagues}) AS copies(n)"
            connection.execute(f"INSERT INTO {item.full_name} SELECT t.* REPLACE ({', '.join(changed)}) FROM {copies}")  # noqa: S608 - names of the catalog


def measure(leagues: int) -> dict[str, Any]:
    """Fill the ten tables of so many leagues, judge them, and return the seconds that each part took."""
    memory, _ = MEASURED[leagues]
    took: dict[str, tuple[float, float]] = {}

    def timed(name: str, work: Callable[[], Any]) -> Any:
        started, cpu = time.monotonic(), time.process_time()
        found = work()
        took[name] = (time.process_time() - cpu, time.monotonic() - started)
        return found

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "leagues.duckdb"
        params = load_params(DEMO, overrides={"warehouse.path": str(path), "warehouse.memory": memory})
        grown(path, params, leagues)
        catalog, warehouse = load_catalog(), DuckDBWarehouse(path, memory=memory)
        calendar = read_calendar(warehouse, params)
        pieces = SqlExecutor(warehouse, calendar, catalog, params.backfill.dates_per_batch).pieces(
            calendar.dates(), calendar
        )
        for item in (
            item for layer in (Layer.PHASE3, Layer.PHASE4) for level in catalog.levels(layer) for item in level
        ):
            timed(item.name, lambda item=item: [replace_dates(warehouse, item, calendar, days) for days in pieces])
        coverage = timed("coverage", lambda: read_all(warehouse, catalog.processed, calendar))
        audit = timed("checks", lambda: run_audit(params, catalog.phases))
        timed("fingerprints", lambda: read_tables(params))
        results = [result for decision in audit.decisions for result in decision.results]
        with duckdb.connect(str(path), read_only=True) as connection:
            rows = sum(len(connection.table(name)) for name in TABLES)
        return {
            "took": took,
            "limit": memory,
            "rows": rows,
            "found": sum(item.found_rows for item in coverage.values()),
            "expected": sum(item.expected_rows for item in coverage.values()),
            "statuses": dict(Counter(result.status.value for result in results)),
            "file": path.stat().st_size,
            "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        }


def everything(folder: Path) -> tuple[Sizes, dict[str, list[Sent]]]:
    """Repair the incident, write its last dates anew, then everything; return sizes, and what each run sent."""
    path = folder / "demo.duckdb"
    where = {"warehouse.path": str(path)}
    prepare(load_params(DEMO, overrides=where), fresh=True, tell=print)
    runs = {"incident": run_chain(DEMO, where, folder / "incident")}
    with duckdb.connect(str(path), read_only=True) as connection:
        sizes = Sizes.read(connection)
    newest = sorted(sizes.frames["nba_analytics.player_game_summary"].index)[-LAST]
    anew = {**where, "backfill.mode": "all"}
    runs["last"] = run_chain(DEMO, {**anew, "range.start": newest.isoformat()}, folder / "last")
    runs["all"] = run_chain(DEMO, anew, folder / "all")
    whole = load_params(DEMO, overrides=where).range
    runs["copy"] = [
        Sent("copy", render("nba", "copy.sql", table=item, columns=list(item.columns)),
             {"first_date": whole.start, "last_date": whole.end}, ())
        for item in choose_tables("all")
    ]  # fmt: skip
    return sizes, runs


def processor() -> str:
    """Return the name of this machine's processor."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    return next(
        (line.partition(": ")[2].strip() for line in lines if line.startswith("model name")), platform.machine()
    )


def write(folder: Path) -> None:
    """Measure and write the tables; measurements that a folder holds already are not repeated."""
    folder.mkdir(parents=True, exist_ok=True)
    found: dict[int, list[Any]] = {}
    for leagues, (_, times) in MEASURED.items():
        for number in range(times):
            file = folder / f"{leagues}-{number}.json"
            if not file.exists():
                print(f"measuring {leagues} leagues")  # noqa: T201 - a tool's log
                command = [sys.executable, __file__, str(leagues)]
                file.write_bytes(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)  # noqa: S603
            found.setdefault(leagues, []).append(json.loads(file.read_text()))
    with tempfile.TemporaryDirectory() as place:
        sizes, runs = everything(Path(place))
    dates = len(sizes.frames["nba_precompute.player_composite_factors"])
    versions = f"Python {platform.python_version()}, DuckDB {duckdb.__version__}"
    made = {
        "sizes": sizes_table(sizes), "statements": statements_table(sizes, runs), "runs": runs_table(sizes, runs),
        "limits": limits_table(sizes, runs), "times": times_table(found), "service": services_table(dates),
        "machine": f"Measured with {os.cpu_count()} cores ({processor()}), {versions}, on {date.today()}.",
    }  # fmt: skip
    text = PAGE.read_text(encoding="utf-8")
    for name, content in made.items():
        text = between(text, name, content)
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1] == "--write":
        write(Path(sys.argv[2]))
    else:
        print(json.dumps(measure(int(sys.argv[1]))))  # noqa: T201 - for the process that asked
