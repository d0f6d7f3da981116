"""Building a warehouse: complete or not at all, and what the incident takes away."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import load_catalog
from courtbook.errors import CourtbookError, ParameterError, WarehouseError
from courtbook.nba import prepare as module
from courtbook.nba.prepare import LOST, LOST_SINGLY, build, lost_dates, prepare
from courtbook.nba.schedule import season_facts
from courtbook.params import FolderSource, Params, RangeParams
from courtbook.params_warehouse import WarehouseParams
from courtbook.warehouse.duckdb import DuckDBWarehouse

FIRST, LAST = date(2021, 10, 19), date(2026, 1, 3)
PLAYERS = "upcoming_player_game_context"


def quiet(_: str) -> None:
    """Tell nobody."""


@pytest.fixture(scope="module")
def full() -> Calendar:
    """The calendar of the incident, from the facts about the real seasons."""
    days = []
    for year, facts in season_facts().items():
        played = dict([*facts.regular, *facts.play_in, *facts.playoffs])
        if facts.cup_final:
            played[facts.cup_final] = played.get(facts.cup_final, 0) + 1
        days += [GameDay(day, year, facts.opening, games) for day, games in played.items() if FIRST <= day <= LAST]
    return Calendar(tuple(sorted(days, key=lambda item: item.day)), 14)


@pytest.fixture
def params(tmp_path: Path) -> Params:
    """Parameters of a warehouse that does not exist yet."""
    return Params(
        name="try",
        warehouse=WarehouseParams(path=str(tmp_path / "made" / "w.duckdb")),
        range=RangeParams(start=date(2024, 10, 22), end=date(2024, 12, 31)),
    )


def test_the_calendar_is_that_of_the_incident(full: Calendar) -> None:
    assert len(full.dates()) == 918
    assert len(full.dates(after_bootstrap=True)) == 848


@pytest.mark.parametrize(
    ("table", "of_target", "of_bootstrap"),
    [
        ("team_defense_game_summary", 72, 0),
        ("upcoming_player_game_context", 402, 15),
        ("upcoming_team_game_context", 352, 17),
    ],
)
def test_the_incident_takes_exactly_the_dates_on_record(
    full: Calendar, table: str, of_target: int, of_bootstrap: int
) -> None:
    lost = lost_dates(full)
    assert set(lost) == set(LOST)
    target = set(full.dates(after_bootstrap=True))
    dates = lost[table]
    assert list(dates) == sorted(set(dates))
    assert set(dates) <= set(full.dates())
    assert len([day for day in dates if day in target]) == of_target
    assert len([day for day in dates if day not in target]) == of_bootstrap


def test_dates_lost_singly_are_among_those_lost_and_are_game_dates(full: Calendar) -> None:
    assert set(LOST_SINGLY) <= set(full.dates(after_bootstrap=True))
    lost = lost_dates(full)
    assert set(LOST_SINGLY) <= set(lost[PLAYERS])


def test_apart_from_those_the_latest_dates_are_lost(full: Calendar) -> None:
    target = full.dates(after_bootstrap=True)
    lost = lost_dates(full)
    assert tuple(lost["team_defense_game_summary"]) == target[-72:]
    rest = [day for day in lost[PLAYERS] if day in set(target) and day not in set(LOST_SINGLY)]
    expected = [day for day in target if day not in set(LOST_SINGLY)][-len(rest) :]
    assert rest == expected


def test_a_shorter_calendar_loses_in_proportion(full: Calendar) -> None:
    short = Calendar(full.days[-459:], 14)
    target = short.dates(after_bootstrap=True)
    for table, dates in lost_dates(short).items():
        wanted = LOST[table][0] * len(target) / 848
        assert len(set(dates) & set(target)) == pytest.approx(wanted, abs=1)
        assert set(dates) <= set(short.dates())


def test_a_calendar_without_bootstrap_dates_loses_none_of_them() -> None:
    opening = date(2024, 10, 22)
    days = tuple(GameDay(opening + timedelta(days=n), 2024, opening, 5) for n in range(20, 60))
    for dates in lost_dates(Calendar(days, 14)).values():
        assert set(dates) <= {item.day for item in days}


def test_without_a_source_there_is_nothing_to_build_from(params: Params) -> None:
    with pytest.raises(ParameterError, match="declares no source") as caught:
        prepare(params, fresh=False, tell=quiet)
    assert caught.value.where == "source"
    assert not Path(params.warehouse.path).parent.exists()


def test_an_existing_warehouse_is_left_alone(params: Params, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(params.warehouse.path)
    path.parent.mkdir()
    path.write_bytes(b"as it was")
    monkeypatch.setattr(module, "load_raw", lambda *_: pytest.fail("read a source"))
    assert prepare(params, fresh=False, tell=quiet) is False
    assert path.read_bytes() == b"as it was"


def failing_refill(_: DuckDBWarehouse, tables: object) -> None:
    raise RuntimeError("no space left")


BREAKAGES: dict[str, Callable[[pytest.MonkeyPatch], None]] = {
    "reading the source": lambda patch: patch.setattr(module, "load_raw", failing_refill),
    "creating tables": lambda patch: patch.setattr(DuckDBWarehouse, "create", failing_refill),
    "filling raw tables": lambda patch: patch.setattr(DuckDBWarehouse, "refill", failing_refill),
    "running processors": lambda patch: patch.setattr(module, "replace_dates", lambda *_: failing_refill(*_[:2])),
}


@pytest.mark.parametrize("exists", [False, True], ids=["new", "fresh over an old one"])
@pytest.mark.parametrize("stage", BREAKAGES)
def test_a_build_that_fails_leaves_no_file_and_no_trace(
    params: Params,
    warehouse_params: Params,
    league_tables: dict[str, pa.Table],
    monkeypatch: pytest.MonkeyPatch,
    stage: str,
    exists: bool,
) -> None:
    path = Path(params.warehouse.path)
    path.parent.mkdir()
    if exists:
        path.write_bytes(b"as it was")
    params = params.model_copy(update={"source": warehouse_params.source})
    monkeypatch.setattr(module, "load_raw", lambda *_: league_tables)
    BREAKAGES[stage](monkeypatch)
    with pytest.raises((RuntimeError, CourtbookError)):
        prepare(params, fresh=True, tell=quiet)
    assert [(item.name, item.read_bytes()) for item in path.parent.iterdir()] == (
        [("w.duckdb", b"as it was")] if exists else []
    )


def test_bad_rows_leave_nothing(params: Params, league_tables: dict[str, pa.Table]) -> None:
    path = Path(params.warehouse.path)
    bad = {**league_tables, "nbac_schedule": league_tables["nbac_schedule"].rename_columns(
        ["no_such_column", *league_tables["nbac_schedule"].column_names[1:]]
    )}  # fmt: skip
    with pytest.raises(WarehouseError, match="refill of nba_raw"):
        build(path, params, bad, quiet)
    assert list(path.parent.iterdir()) == []


def test_a_build_has_all_tables_and_replaces_an_old_file_with_its_log(
    params: Params, league_tables: dict[str, pa.Table]
) -> None:
    path = Path(params.warehouse.path)
    path.parent.mkdir()
    path.write_bytes(b"old")
    path.with_name("w.duckdb.wal").write_bytes(b"log of the old one")
    told: list[str] = []
    build(path, params.model_copy(update={"source": FolderSource(kind="folder", path="x")}), league_tables, told.append)
    assert [item.name for item in path.parent.iterdir()] == ["w.duckdb"]
    assert str(path) in told[-1]
    columns = DuckDBWarehouse(path).columns()
    assert columns == {table.full_name: dict(table.columns) for table in load_catalog().tables.values()}


def test_a_folder_that_does_not_exist_is_an_error(params: Params, tmp_path: Path) -> None:
    source = FolderSource(kind="folder", path=str(tmp_path / "absent"))
    with pytest.raises(CourtbookError, match="absent"):
        prepare(params.model_copy(update={"source": source}), fresh=False, tell=quiet)
    assert not Path(params.warehouse.path).exists()
