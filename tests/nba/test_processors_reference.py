"""Every column of the ten processed tables against an independent computation."""

from datetime import date
from pathlib import Path

import pyarrow as pa
import pytest
from courtbook.catalog import load_catalog
from reference import Reference, differences, read_rows

# One process computes the reference for all of them.
pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("reference")]
DATES = tuple(
    date.fromisoformat(day)
    for day in (
        "2023-10-24",  # first day of the season
        "2023-11-06",  # last date of the bootstrap
        "2023-11-08",  # first dates after it
        "2023-11-24",
        "2023-12-15",
        "2024-01-20",
        "2024-02-12",  # after the trades
        "2024-02-22",  # first day after the All-Star break
        "2024-03-15",
        "2024-04-14",  # last day, all teams
        "2024-04-17",  # play-in
        "2024-05-05",  # playoffs
        "2024-10-22",  # second season
        "2024-11-05",
        "2024-11-25",
        "2024-12-17",  # Cup final
        "2024-12-28",
    )
)
TABLES = {table.name: table for table in load_catalog().processed}


@pytest.fixture(scope="module")
def reference(league_tables: dict[str, pa.Table]) -> Reference:
    return Reference(league_tables)


@pytest.mark.parametrize("name", TABLES)
def test_table_equals_reference(name: str, reference: Reference, league_warehouse: Path) -> None:
    expected = [row for day in DATES if day in reference.season_of for row in reference.rows(name, day)]
    found = read_rows(league_warehouse, TABLES[name], DATES)
    wrong = differences(TABLES[name], found, expected)
    assert not wrong, {column: (len(lines), lines[:3]) for column, lines in wrong.items()}
    assert expected


@pytest.mark.parametrize("name", ["team_offense_game_summary", "team_defense_game_summary", "player_game_summary"])
def test_what_happened_equals_reference_on_all_dates(name: str, reference: Reference, league_warehouse: Path) -> None:
    expected = [row for day in reference.season_of for row in reference.rows(name, day)]
    wrong = differences(TABLES[name], read_rows(league_warehouse, TABLES[name]), expected)
    assert not wrong, {column: (len(lines), lines[:3]) for column, lines in wrong.items()}
