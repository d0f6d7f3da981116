"""Slices of one warehouse in a file of one's own: all of it, only it, and nothing taken from the source."""

from collections.abc import Iterable
from datetime import date
from hashlib import sha256
from pathlib import Path

import duckdb
import pytest
from courtbook.catalog import load_catalog
from courtbook.errors import ParameterError, Reason, WarehouseError
from courtbook.transfer import choose_tables, span
from courtbook.warehouse.duckdb import DuckDBWarehouse
from small_run import Small

pytestmark = pytest.mark.slow
DATES = "2024-11-01..2024-11-30"
PGS = "nba_analytics.player_game_summary"


@pytest.fixture
def source(prepared: dict[str, Small]) -> Small:
    return prepared["complete"]


@pytest.fixture
def target(tmp_path: Path) -> Small:
    return Small.make(tmp_path)


def copied(source: Small, target: Small, tables: str, dates: str = DATES, code: int = 0) -> str:
    done = source.here("copy", "--from", source.params, "--to", target.params, "--tables", tables, "--dates", dates)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_a_slice_holds_the_same_rows_and_no_others(source: Small, target: Small) -> None:
    before = sha256(source.warehouse.read_bytes()).hexdigest()
    said = copied(source, target, "all")
    assert sha256(source.warehouse.read_bytes()).hexdigest() == before, "the source is only read"
    assert "reading costs nothing" in said
    first, last = span(DATES)
    with duckdb.connect(str(target.warehouse)) as connection:
        connection.execute(f"ATTACH '{source.warehouse}' AS source (READ_ONLY)")
        for table in load_catalog().tables.values():
            where = f"WHERE {table.date_column} BETWEEN DATE '{first}' AND DATE '{last}'"
            wanted = f"SELECT * FROM source.{table.full_name} {where}"
            mine = f"SELECT * FROM {table.full_name}"
            (rows,) = connection.execute(f"SELECT COUNT(*) FROM ({wanted})").fetchone() or (0,)
            both = f"(({wanted} EXCEPT ALL {mine}) UNION ALL ({mine} EXCEPT ALL {wanted}))"
            assert connection.execute(f"SELECT COUNT(*) FROM {both}").fetchone() == (0,), table.name
            assert f"read {table.full_name}: {rows:,} rows" in said
    done = target.here("coverage", target.params, "--set", "range.start=2024-11-15", "--set", "range.end=2024-11-30")
    assert done.returncode == 0, done.stderr


def test_what_the_file_held_outside_the_slice_stays(source: Small, target: Small) -> None:
    copied(source, target, "player_game_summary", "2024-10-22..2024-11-10")
    target.edit(f"UPDATE {PGS} SET points = 999")
    copied(source, target, "player_game_summary", "2024-11-05..2024-11-20")
    found = target.rows(f"SELECT game_date, MAX(points) = 999 FROM {PGS} GROUP BY 1")
    assert {day for day, marked in found if marked} == {day for day, _ in found if day < date(2024, 11, 5)}
    assert max(day for day, _ in found) == date(2024, 11, 20)


def test_columns_that_only_the_source_has_are_copied_too(prepared: dict[str, Small], tmp_path: Path) -> None:
    for name in ("theirs", "mine"):
        (tmp_path / name).mkdir()
    theirs = Small.make(tmp_path / "theirs", warehouse=prepared["complete"].warehouse)
    theirs.edit(f"ALTER TABLE {PGS} ADD COLUMN clutch DECIMAL(5,1)", f"UPDATE {PGS} SET clutch = 1.5")
    mine = Small.make(tmp_path / "mine")
    copied(theirs, mine, "player_game_summary")
    assert mine.rows(f"SELECT DISTINCT clutch = 1.5 FROM {PGS}") == [(True,)]


def test_a_copy_that_fails_leaves_nothing_behind(source: Small, target: Small) -> None:
    said = copied(source, target, "nowhere", code=2)
    assert "no table and no layer 'nowhere'" in said
    assert "player_game_summary" in said
    copied(source, target, "phase3")
    before = target.rows(f"SELECT COUNT(*) FROM {PGS}")
    target.edit(f"ALTER TABLE {PGS} DROP COLUMN points")
    said = copied(source, target, "team_offense_game_summary,player_game_summary", "2024-11-01..2024-12-10", code=3)
    assert "copy of" in said or "refill of" in said
    assert target.rows(f"SELECT COUNT(*) FROM {PGS}") == before
    assert target.rows("SELECT MAX(game_date) FROM nba_analytics.team_offense_game_summary") == [(date(2024, 11, 30),)]


def test_a_fresh_file_is_whole_or_not_there(source: Small, target: Small, monkeypatch: pytest.MonkeyPatch) -> None:
    def refill(self: DuckDBWarehouse, files: Iterable[object], span: object) -> None:
        raise WarehouseError(Reason.DISK_FULL, "No room.", where=str(self.path), next_action="Make room.")

    monkeypatch.setattr(DuckDBWarehouse, "refill", refill)
    assert "No room." in copied(source, target, "phase3", code=3)
    assert list(target.folder.glob("small.duckdb*")) == []


def test_source_and_target_must_differ(source: Small) -> None:
    assert "the same file" in copied(source, source, "phase3", code=2)


def test_nothing_is_copied_into_bigquery(source: Small, tmp_path: Path) -> None:
    remote = tmp_path / "remote.yaml"
    remote.write_text(
        "name: r\nwarehouse: {engine: bigquery, project: some-project}\nrange: {start: 2024-11-01, end: 2024-11-02}\n"
    )
    done = source.here("copy", "--from", source.params, "--to", str(remote), "--tables", "raw", "--dates", DATES)
    assert done.returncode == 2
    assert "nothing is ever copied into BigQuery" in done.stderr
    assert done.stdout == "", "nobody is shown a cost, or asked, for what is refused"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("2024-11-30..2024-11-01", "after the last"),
        ("yesterday", "no range of dates"),
        ("2024-11-01..", "no range"),
        ("", "no range of dates"),
    ],
)
def test_dates_are_two_dates_in_order(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words):
        span(text)


def test_tables_are_named_by_name_or_layer() -> None:
    catalog = load_catalog()
    assert choose_tables("all") == tuple(catalog.tables.values())
    assert [t.name for t in choose_tables("raw, player_daily_cache,nbac_schedule")] == [
        *(t.name for t in catalog.tables.values() if t.layer.value == "raw"),
        "player_daily_cache",
    ]
    with pytest.raises(ParameterError, match="No table is named"):
        choose_tables(" , ")
