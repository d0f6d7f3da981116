"""A small synthetic league and a warehouse that holds it, shared by all tests."""

import shutil
import time
from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from courtbook.nba.league import make_league
from courtbook.nba.prepare import build
from courtbook.params import LeagueSource, Params, RangeParams
from courtbook.params_warehouse import WarehouseParams
from small_run import ROOT, Small

if TYPE_CHECKING:
    from bigquery_calls import Open
    from bigquery_server import BigQueryServer

SEED, SEASONS = 7, (2023, 2024)
FIRST_DAY, LAST_DAY = date(2023, 10, 24), date(2024, 12, 31)
JUDGED, BEGUN = ROOT / "test-artifacts" / "judge.txt", time.time()


# Files that take long, the longest first: begun in this order, after all others, they leave no worker idle at the end.
LONG = (
    *("wire", "resume", "judge", "chain", "killed", "survival", "notebooks", "staleness"),
    *("real", "demo", "command", "repair", "windows"),
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put fast files first; the workers of xdist keep this order (--no-loadscope-reorder)."""
    place = {f"test_{name}": number for number, name in enumerate(LONG, start=1)}
    items.sort(key=lambda item: place.get(item.path.stem, 0))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the judge found, where it sat: its list is in the file."""
    if JUDGED.exists() and JUDGED.stat().st_mtime >= BEGUN:
        terminalreporter.write_line(f"{JUDGED.relative_to(ROOT)}: {JUDGED.read_text().splitlines()[-1]}")


@pytest.fixture(scope="session")
def league_tables() -> dict[str, pa.Table]:
    """The raw tables of a season with playoffs and the first ten weeks of the next one."""
    return make_league(SEED, seasons=SEASONS, end=LAST_DAY)


@pytest.fixture(scope="session")
def warehouse_params(tmp_path_factory: pytest.TempPathFactory) -> Params:
    """Parameters whose warehouse is the file of ``league_warehouse`` and whose range is all of it."""
    return Params(
        name="league",
        warehouse=WarehouseParams(path=str(tmp_path_factory.mktemp("league") / "league.duckdb")),
        source=LeagueSource(kind="league", seed=SEED, seasons=SEASONS, state="complete"),
        range=RangeParams(start=FIRST_DAY, end=LAST_DAY),
        dry_run=False,
    )


@pytest.fixture(scope="session")
def league_warehouse(league_tables: dict[str, pa.Table], warehouse_params: Params) -> Path:
    """A DuckDB file with the league's raw tables and all ten processed ones. Tests only read it."""
    path = Path(warehouse_params.warehouse.path)
    build(path, warehouse_params, league_tables, lambda _: None)
    return path


@pytest.fixture
def copy_warehouse(league_warehouse: Path, warehouse_params: Params, tmp_path: Path) -> Callable[[], Params]:
    """A function that copies the warehouse and returns parameters with the path of the copy, free to change."""
    made: list[Path] = []

    def copy() -> Params:
        made.append(tmp_path / f"copy{len(made)}.duckdb")
        shutil.copyfile(league_warehouse, made[-1])
        warehouse = warehouse_params.warehouse.model_copy(update={"path": str(made[-1])})
        return warehouse_params.model_copy(update={"warehouse": warehouse})

    return copy


@pytest.fixture(scope="session")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Small]:
    """Small projects by state: nothing is missing, and the incident's. Tests only read them, or copy the warehouse."""
    made = {}
    for state in ("complete", "incident"):
        made[state] = Small.make(tmp_path_factory.mktemp(state), state=state)
        done = made[state].here("prepare", made[state].params)
        assert done.returncode == 0, done.stderr
    return made


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator["BigQueryServer"]:
    """A BigQuery on loopback that answers as recorded."""
    from bigquery_server import BigQueryServer

    with BigQueryServer() as running:
        monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", running.url)  # and taken back: the warehouse sets it for all
        yield running


@pytest.fixture
def connect(server: "BigQueryServer") -> "Open":
    """A function that returns a warehouse on that BigQuery, given parameters that differ."""
    from bigquery_calls import opener  # Google's clients take long to import, and few tests need them

    return opener(server)
