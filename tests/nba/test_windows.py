"""Windows end before the row's date: no future, no matter which dates are computed together, or how often."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import duckdb
import pytest
from courtbook.backfill.sql import replace_dates
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.params import Params
from courtbook.warehouse.duckdb import DuckDBWarehouse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reference import Row, differences, read_rows

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
CATALOG = load_catalog()
RAW = CATALOG.layer(Layer.RAW)
LEVELS = [table for layer in (Layer.PHASE3, Layer.PHASE4) for level in CATALOG.levels(layer) for table in level]
PHASE4 = CATALOG.layer(Layer.PHASE4)
# Rows of these say what happened on the date itself.
HAPPENED = ("team_offense_game_summary", "team_defense_game_summary", "player_game_summary")
# In the order of time: bootstrap, regular season, after trades, All-Star break, playoffs, second season.
CUTS = tuple(
    date.fromisoformat(day)
    for day in ("2023-10-31", "2023-12-15", "2024-02-12", "2024-02-22", "2024-05-05", "2024-11-25")
)
ALL_STAR, PRESEASON = (date(2024, 2, 16), date(2024, 2, 18)), date(2024, 10, 10)


def open_warehouse(params: Params) -> DuckDBWarehouse:
    return DuckDBWarehouse(Path(params.warehouse.path))


def process(params: Params, calendar: Calendar, dates: Sequence[date]) -> None:
    warehouse = open_warehouse(params)
    with warehouse.session(write=True):
        for table in LEVELS:
            replace_dates(warehouse, table, calendar, dates)


def calendar_of(params: Params, end: date | None = None) -> Calendar:
    span = params.range.model_copy(update={"end": end or params.range.end})
    return read_calendar(open_warehouse(params), params.model_copy(update={"range": span}))


@contextmanager
def connected(params: Params) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(params.warehouse.path) as connection:
        yield connection


def wrong_rows(params: Params, original: Path, dates: Iterable[date], tables: Iterable[Table]) -> dict[str, object]:
    """Return what differs from the original warehouse, by table."""
    dates, path = list(dates), Path(params.warehouse.path)
    # While a file is open, it is not read anew for each table.
    with duckdb.connect(str(path), read_only=True), duckdb.connect(str(original), read_only=True):
        found = {
            table.name: differences(table, read_rows(path, table, dates), read_rows(original, table, dates))
            for table in tables
        }
    return {name: {column: lines[:2] for column, lines in wrong.items()} for name, wrong in found.items() if wrong}


def forget_processed(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    for table in LEVELS:
        connection.execute(f"DELETE FROM {table.full_name} WHERE {table.date_column} >= $day", {"day": day})


def test_later_dates_change_nothing(copy_warehouse: Callable[[], Params], league_warehouse: Path) -> None:
    params = copy_warehouse()
    for day in reversed(CUTS):
        with connected(params) as connection:
            forget_processed(connection, day)
            for table in RAW:
                connection.execute(f"DELETE FROM {table.full_name} WHERE game_date > $day", {"day": day})
        process(params, calendar_of(params, day), [day])
        assert not wrong_rows(params, league_warehouse, [day], LEVELS), day


def test_results_of_the_date_change_no_history(copy_warehouse: Callable[[], Params], league_warehouse: Path) -> None:
    """Everything but the three tables of what happened stays as it was, whatever the date's box scores say."""
    params = copy_warehouse()
    history = [table for table in LEVELS if table.name not in HAPPENED]
    for day in reversed(CUTS):
        with connected(params) as connection:
            forget_processed(connection, day)
            _spoil_results(connection, day)
        process(params, calendar_of(params), [day])
        assert not wrong_rows(params, league_warehouse, [day], history), day
        spoiled = wrong_rows(params, league_warehouse, [day], [CATALOG.tables[name] for name in HAPPENED])
        assert set(spoiled) == set(HAPPENED)


def _spoil_results(connection: duckdb.DuckDBPyConnection, day: date) -> None:
    """Change every number of the results of a date and later, and who won."""
    for table in RAW:
        if table.name in ("odds_api_game_lines", "odds_api_player_points_props", "nbac_injury_report"):
            connection.execute(f"DELETE FROM {table.full_name} WHERE game_date > $day", {"day": day})
            continue
        numbers = [name for name, kind in table.columns.items() if kind == "INT64" and name not in
                   ("season_year", "game_status", "home_team_score", "away_team_score")]  # fmt: skip
        if table.name == "nbac_schedule":
            changes = ["home_team_score = away_team_score + 30", "away_team_score = home_team_score + 30"]
        else:
            changes = [f"{name} = 3 * {name} + 7" for name in numbers]
        if table.name in ("nbac_gamebook_player_stats", "bdl_player_boxscores"):
            changes.append("minutes = '1' || minutes")
        if table.name == "nbac_team_boxscore":
            changes.append("minutes = '290:00'")
        connection.execute(f"UPDATE {table.full_name} SET {', '.join(changes)} WHERE game_date >= $day", {"day": day})


def test_zones_of_the_date_change_no_history(copy_warehouse: Callable[[], Params], league_warehouse: Path) -> None:
    """Also the mere presence of play-by-play on the date says nothing about the rows of the date."""
    params = copy_warehouse()
    day = CUTS[3]
    with connected(params) as connection:
        forget_processed(connection, day)
        connection.execute("DELETE FROM nba_raw.player_shot_zones WHERE game_date >= $day", {"day": day})
        connection.execute("DELETE FROM nba_raw.nbac_team_boxscore WHERE game_date >= $day", {"day": day})
    process(params, calendar_of(params), [day])
    history = [table for table in LEVELS if table.name not in HAPPENED]
    assert not wrong_rows(params, league_warehouse, [day], history)


def test_any_dates_together_give_the_same_rows(copy_warehouse: Callable[[], Params], league_warehouse: Path) -> None:
    params = copy_warehouse()
    calendar = calendar_of(params)

    @settings(max_examples=6, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(st.sets(st.sampled_from(calendar.dates()), min_size=1, max_size=12))
    def check(dates: set[date]) -> None:
        process(params, calendar, sorted(dates))
        assert not wrong_rows(params, league_warehouse, dates, LEVELS)

    check()


def test_twice_gives_the_same_rows_and_touches_no_other(
    copy_warehouse: Callable[[], Params], league_warehouse: Path
) -> None:
    params = copy_warehouse()
    calendar = calendar_of(params)
    before = _counts(params)
    for _ in range(2):
        process(params, calendar, CUTS)
    assert not wrong_rows(params, league_warehouse, CUTS, LEVELS)
    assert _counts(params) == before


def _counts(params: Params) -> list[tuple[object, ...]]:
    with connected(params) as connection:
        return [
            row
            for table in LEVELS
            for row in connection.execute(
                f"SELECT '{table.name}', {table.date_column}, count(*) FROM {table.full_name} GROUP BY ALL ORDER BY ALL"
            ).fetchall()
        ]


def test_phase4_is_empty_in_the_first_14_days(league_warehouse: Path, warehouse_params: Params) -> None:
    calendar = calendar_of(warehouse_params)
    bootstrap = [item.day for item in calendar.days if (item.day - item.season_start).days < 14]
    assert len(bootstrap) > 20 and {day.year for day in bootstrap} == {2023, 2024}
    # A season is long enough for each table to have rows on the day that follows.
    first = {table.name: 10**6 for table in PHASE4}
    starts = {item.day: item.season_start for item in calendar.days}
    for table in PHASE4:
        days = {row[table.date_column] for row in read_rows(league_warehouse, table)}
        assert not days & set(bootstrap), table.name
        first[table.name] = min((day - starts[day]).days for day in days)
    assert first["player_composite_factors"] == first["ml_feature_store_v2"] == first["player_daily_cache"] == 15
    assert 15 <= first["player_shot_zone_analysis"] < first["team_defense_zone_analysis"]


def test_bootstrap_and_uncounted_dates_stay_empty_when_asked_for(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    calendar = calendar_of(params)
    bootstrap = [day for day in calendar.dates() if day not in set(calendar.dates(after_bootstrap=True))]
    process(params, calendar, [*bootstrap, *ALL_STAR, PRESEASON])
    with connected(params) as connection:
        schedule = connection.execute(
            "SELECT DISTINCT game_date FROM nba_raw.nbac_schedule WHERE is_all_star AND game_status = 3 ORDER BY ALL"
        ).fetchall()
        box = connection.execute(
            "SELECT count(*) FROM nba_raw.nbac_team_boxscore WHERE game_date IN (SELECT unnest($days))",
            {"days": list(ALL_STAR)},
        ).fetchall()
    # The games are there to be taken for real ones.
    assert schedule == [(day,) for day in ALL_STAR] and box == [(4,)]
    path = Path(params.warehouse.path)
    for table in LEVELS:
        assert not read_rows(path, table, [*ALL_STAR, PRESEASON]), table.name
    for table in PHASE4:
        assert not read_rows(path, table, bootstrap), table.name


def test_all_star_teams_never_occur(league_warehouse: Path) -> None:
    teams = {"RKS", "SPH", "EST", "WST"}
    for table in LEVELS:
        rows: list[Row] = read_rows(league_warehouse, table, None if "team" in table.name else ALL_STAR)
        for column in ("team_abbr", "opponent_team_abbr", "defending_team_abbr"):
            assert not teams & {row.get(column) for row in rows}, table.name
        assert not [row for row in rows if row[table.date_column] in ALL_STAR], table.name
