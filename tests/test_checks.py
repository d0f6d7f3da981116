"""Checks over a sound league, and which of them turn red over damaged data."""

from collections.abc import Callable, Iterable
from datetime import date
from pathlib import Path

import duckdb
import pytest
from courtbook.calendar import read_calendar
from courtbook.catalog import Check, Severity, load_catalog
from courtbook.checks.result import CheckResult, Status, blocks
from courtbook.checks.runner import run_check, run_checks
from courtbook.checks.scope import Scope
from courtbook.params import Params
from courtbook.warehouse.duckdb import DuckDBWarehouse

CATALOG = load_catalog()
CHECKS = {check.id: check for check in CATALOG.checks}
GATES = ("preflight", "phase3", "phase4", "ml")
PGS = "nba_analytics.player_game_summary"
OFFENSE = "nba_analytics.team_offense_game_summary"
DEFENSE = "nba_analytics.team_defense_game_summary"
TEAMS = "nba_analytics.upcoming_team_game_context"
PLAYERS = "nba_analytics.upcoming_player_game_context"
CACHE = "nba_precompute.player_daily_cache"
FACTORS = "nba_precompute.player_composite_factors"
ZONES = "nba_precompute.player_shot_zone_analysis"
TEAM_ZONES = "nba_precompute.team_defense_zone_analysis"
STORE = "nba_predictions.ml_feature_store_v2"
SCHEDULE = "nba_raw.nbac_schedule"
GAMEBOOK = "nba_raw.nbac_gamebook_player_stats"
BDL = "nba_raw.bdl_player_boxscores"
TEAM_BOX = "nba_raw.nbac_team_boxscore"
DAY = "DATE '2024-03-05'"
# Measures that find fault with an empty table; all others have nothing to measure there.
MISSED = ("coverage", "rows", "gaps", "weeks")


def edit(params: Params, *statements: str) -> None:
    with duckdb.connect(params.warehouse.path) as connection:
        for statement in statements:
            connection.execute(statement)


def scope_of(params: Params, declared: Iterable[Check] = ()) -> Scope:
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    return Scope(CATALOG, warehouse, read_calendar(warehouse, params), params, declared=declared)


def results(params: Params, checks: Iterable[Check] = CATALOG.checks) -> dict[str, CheckResult]:
    wanted = tuple(checks)
    return {result.check.id: result for result in run_checks(scope_of(params, wanted), wanted)}


def within(params: Params, start: date, end: date) -> Params:
    return params.model_copy(update={"range": params.range.model_copy(update={"start": start, "end": end})})


def spring(params: Params) -> Params:
    """Return parameters for some weeks around the All-Star days, of which ``DAY`` is one."""
    return within(params, date(2024, 2, 15), date(2024, 3, 15))


def autumn(params: Params) -> Params:
    """Return parameters for the bootstrap of a season and a week beyond."""
    return within(params, date(2024, 10, 22), date(2024, 11, 12))


@pytest.fixture(scope="module")
def sound(league_warehouse: Path, warehouse_params: Params) -> dict[str, CheckResult]:
    """The results of all checks over the league as it was built."""
    return results(warehouse_params)


@pytest.fixture(scope="module")
def sound_weeks(league_warehouse: Path, warehouse_params: Params) -> dict[str, dict[str, CheckResult]]:
    """The results of all checks over some weeks of it."""
    return {"spring": results(spring(warehouse_params)), "autumn": results(autumn(warehouse_params))}


@pytest.mark.parametrize("gate", GATES)
def test_a_sound_league_passes(sound: dict[str, CheckResult], gate: str) -> None:
    found = {name: item for name, item in sound.items() if item.check.phase == gate}
    assert found
    # The league begins with the range, so there is no time before to compare with.
    assert {
        name: item.status
        for name, item in found.items()
        if item.status is not Status.PASS and item.check.measure != "regression"
    } == {}


def test_a_sound_month_passes_everything(sound_weeks: dict[str, dict[str, CheckResult]]) -> None:
    assert {name for name, item in sound_weeks["spring"].items() if item.status is not Status.PASS} == set()


def test_every_result_shows_what_was_counted_and_asked_for(
    sound_weeks: dict[str, dict[str, CheckResult]],
) -> None:
    without_sql = {"tables", "columns", "types", "processors", "bootstrap"}
    for name, found in sound_weeks["spring"].items():
        record = found.record()
        assert record["id"] == name
        assert record["numerator"] is not None
        assert record["denominator"]
        assert record["value"] is not None
        assert (record["minimum"], record["maximum"]) != (None, None)
        assert record["overridden"] is False
        assert record["excuse"] == ""
        assert all(record[key] for key in ("rule", "source", "causes", "repair", "command"))
        assert bool(record["sql"]) == bool(record["job"]) == (CHECKS[name].measure not in without_sql)
        assert "{{" not in record["sql"]


def some(table: str, percent: int) -> str:
    """Return a condition that holds for about so many percent of the rows of a table, spread over all dates."""
    columns = CATALOG.tables[table.partition(".")[2]].columns
    names = [name for name in ("game_id", "cache_date", "analysis_date", "player_lookup") if name in columns]
    return f"HASH({', '.join(names)}) % 100 < {percent}"


def dates(column: str = "game_date") -> str:
    """Return a condition that holds for three dates of a month."""
    return f"DAYOFMONTH({column}) < 4"


def one(table: str) -> str:
    """Return a condition that holds for one row of a table, on ``DAY``."""
    declared = CATALOG.tables[table.partition(".")[2]]
    day, entity = declared.date_column, declared.entity_column or "player_lookup"
    return f"{day} = {DAY} AND {entity} = (SELECT MIN({entity}) FROM {table} WHERE {day} = {DAY})"


def null(table: str, column: str, percent: int, since: str = "DATE '2023-01-01'") -> str:
    day = CATALOG.tables[table.partition(".")[2]].date_column
    return f"UPDATE {table} SET {column} = NULL WHERE {day} >= {since} AND {some(table, percent)}"


def again(table: str, where: str, change: str = "") -> str:
    """Return a statement that inserts rows of a table once more, with a change."""
    replaced = f" REPLACE ({change})" if change else ""
    return f"INSERT INTO {table} BY NAME SELECT *{replaced} FROM {table} WHERE {where}"


def later(table: str) -> str:
    return f"UPDATE {table} SET processed_at = processed_at + INTERVAL 1 DAY WHERE {one(table)}"


def feature(position: int, number: str, where: str) -> str:
    """Return a statement that gives a feature, counted from zero, another value."""
    rest = f"features[1:{position}], [{number}], features[{position + 2}:]"
    return f"UPDATE {STORE} SET features = LIST_CONCAT({rest}) WHERE {where}"


def leaked(table: str, column: str, value: str, source: str, games: int) -> str:
    """Return a statement that gives a column a mean over the last games, that of the row's own date among them."""
    declared, read = CATALOG.tables[table.partition(".")[2]], CATALOG.tables[source.partition(".")[2]]
    return (
        f"UPDATE {table} AS c SET {column} = m.value FROM (SELECT game_date, {read.entity_column} AS entity, {value}"
        f" AS value FROM {source} WHERE {'paint_attempts IS NOT NULL' if table == ZONES else 'TRUE'} WINDOW w AS"
        f" (PARTITION BY entity, season_year ORDER BY game_date ROWS BETWEEN {games - 1} PRECEDING AND CURRENT ROW)"
        f") AS m WHERE m.game_date = c.{declared.date_column} AND m.entity = c.{declared.entity_column}"
    )


SINCE = "DATE '2024-02-15'"
FLIPPED = "SPLIT_PART(game_id, '_', 1) || '_' || SPLIT_PART(game_id, '_', 3) || '_' || SPLIT_PART(game_id, '_', 2)"
PAINT = "100 * SUM(paint_attempts) OVER w / SUM(paint_attempts + mid_range_attempts + three_pt_attempts) OVER w"
# What is done to a copy of the league, and what must turn red over it.
INJECTED: dict[str, tuple[list[str], dict[str, str]]] = {
    # preflight
    "raw table gone": (
        ["DROP TABLE nba_raw.player_shot_zones"],
        {"tables_exist": "FAIL", "columns_exist": "FAIL", "raw_duplicates.player_shot_zones": "NO_DATA"},
    ),
    "raw column gone": (["ALTER TABLE nba_raw.nbac_injury_report DROP COLUMN team"], {"columns_exist": "FAIL"}),
    "numbers as text": ([f"ALTER TABLE {GAMEBOOK} ALTER COLUMN points TYPE VARCHAR"], {"column_types": "FAIL"}),
    "raw games lost": ([f"DELETE FROM {table} WHERE {dates()}" for table in (GAMEBOOK, BDL)], {"raw_games": "FAIL"}),
    "a game twice": ([again(SCHEDULE, f"game_date = {DAY} LIMIT 1")], {"raw_duplicates.nbac_schedule": "FAIL"}),
    "a raw player twice": ([again(GAMEBOOK, one(GAMEBOOK))], {"raw_duplicates.nbac_gamebook_player_stats": "FAIL"}),
    "a raw team twice": (
        [again(TEAM_BOX, f"game_date = {DAY} LIMIT 1")], {"raw_duplicates.nbac_team_boxscore": "FAIL"}
    ),
    "second source twice": ([again(BDL, one(BDL))], {"raw_duplicates.bdl_player_boxscores": "FAIL"}),
    "a raw key of NULL": (
        [f"UPDATE nba_raw.player_shot_zones SET player_lookup = NULL WHERE {one('nba_raw.player_shot_zones')}"],
        {"raw_duplicates.player_shot_zones": "FAIL"},
    ),
    "thirty players of a team": (
        [again(GAMEBOOK, f"game_date = {DAY}", "player_lookup || 'x' AS player_lookup")],
        {"raw_sizes.nbac_gamebook_player_stats": "FAIL"},
    ),
    "a game on two dates": (
        [f"UPDATE {BDL} SET game_date = DATE '2024-03-06' WHERE {one(BDL)}"],
        {"raw_sizes.bdl_player_boxscores": "FAIL"},
    ),
    "a schedule that is behind": (
        ["UPDATE nba_raw.nbac_schedule SET game_status = 1 WHERE game_date >= DATE '2024-03-12'"],
        {"unplayed": "FAIL", "raw_uncounted": "FAIL"},
    ),
    "a row without a date": (
        [f"INSERT INTO {PGS} BY NAME SELECT * REPLACE (NULL AS game_date) FROM {PGS} LIMIT 1"],
        {"misdated": "FAIL"},
    ),
    "a row of the next century": (
        [f"INSERT INTO {STORE} BY NAME SELECT * REPLACE (DATE '2124-03-05' AS game_date) FROM {STORE} LIMIT 1"],
        {"misdated": "FAIL"},
    ),
    "values that are not the box score's": (
        [f"UPDATE {PGS} SET assists = assists + 1 WHERE {one(PGS)}"],
        {"values.player_game_summary": "FAIL"},
    ),
    "home and away swapped in a team row": (
        [f"UPDATE {OFFENSE} SET home_game = NOT home_game WHERE {one(OFFENSE)}"],
        {"values.team_offense_game_summary": "FAIL"},
    ),
    # rows and dates
    "dates emptied": (
        [f"DELETE FROM {TEAMS} WHERE {dates()}"],
        {"coverage.upcoming_team_game_context": "FAIL", "rows.upcoming_team_game_context": "FAIL"},
    ),
    "one row left on three dates": (
        [
            f"DELETE FROM {TEAMS} WHERE {dates()} AND team_abbr NOT IN"
            f" (SELECT MIN(c.team_abbr) FROM {TEAMS} AS c WHERE c.game_date = upcoming_team_game_context.game_date)"
        ],
        {"rows.upcoming_team_game_context": "FAIL", "partial.upcoming_team_game_context": "FAIL"},
    ),
    "one row gone": ([f"DELETE FROM {TEAMS} WHERE {one(TEAMS)}"], {"partial.upcoming_team_game_context": "FAIL"}),
    "some rows of every date": (
        [f"DELETE FROM {PGS} WHERE {some(PGS, 15)}"],
        {"rows.player_game_summary": "FAIL", "gaps.player_game_summary": "FAIL", "records": "FAIL"},
    ),
    "a week thinned out": (
        [f"DELETE FROM {ZONES} WHERE analysis_date BETWEEN {DAY} AND {DAY} + INTERVAL 6 DAY AND {some(ZONES, 30)}"],
        {"weeks.player_shot_zone_analysis": "FAIL", "partial.player_shot_zone_analysis": "FAIL"},
    ),
    "a quarter of phase 4 lost": (
        [f"DELETE FROM {FACTORS} WHERE {some(FACTORS, 25)}"],
        {"gaps.player_composite_factors": "FAIL", "weeks.player_composite_factors": "FAIL"},
    ),
    "a date thinned out": (
        [f"DELETE FROM {CACHE} WHERE cache_date = {DAY} AND {some(CACHE, 60)}"],
        {"players_per_game.player_daily_cache": "WARN", "partial.player_daily_cache": "FAIL"},
    ),
    "two percent of the store lost": ([f"DELETE FROM {STORE} WHERE {some(STORE, 2)}"], {"store_rows": "FAIL"}),
    "duplicates": (
        [again(PGS, one(PGS))], {"duplicates.player_game_summary": "FAIL", "partial.player_game_summary": "FAIL"}
    ),
    "duplicates of a phase 4 table": ([again(STORE, one(STORE))], {"duplicates.ml_feature_store_v2": "FAIL"}),
    "NULL in a key": (
        [f"UPDATE {CACHE} SET player_lookup = NULL WHERE {one(CACHE)}"], {"null_keys.player_daily_cache": "FAIL"}
    ),
    "a player whom nobody knows": (
        [again(PGS, one(PGS), "'nobody' AS player_lookup")], {"foreign.player_game_summary": "FAIL"}
    ),
    "All-Star rows": (
        [again(OFFENSE, one(OFFENSE), "DATE '2024-02-18' AS game_date, '20240218_E_W' AS game_id")],
        {"unexpected.team_offense_game_summary": "WARN"},
    ),
    "rows in the bootstrap": (
        [again(CACHE, one(CACHE), "DATE '2024-10-27' AS cache_date")], {"in_bootstrap.player_daily_cache": "FAIL"}
    ),
    "last day of the bootstrap": (
        [again(STORE, one(STORE), "DATE '2024-11-04' AS game_date")], {"in_bootstrap.ml_feature_store_v2": "FAIL"}
    ),
    "team rows written later": (
        [later(OFFENSE)], {"stale.player_game_summary": "FAIL", "stale.upcoming_player_game_context": "FAIL"}
    ),
    "zones written later": (
        [later(ZONES)], {"stale.player_daily_cache": "FAIL", "stale.player_composite_factors": "FAIL"}
    ),
    "HOME_AWAY game ids": (
        [f"UPDATE {OFFENSE} SET game_id = {FLIPPED} WHERE {some(OFFENSE, 10)}"],
        {"games.team_offense_game_summary": "FAIL", "orphans.player_game_summary": "FAIL"},
    ),
    "games of a phase 4 table": (
        [f"UPDATE {STORE} SET game_id = {FLIPPED} WHERE {some(SCHEDULE, 25)}"], {"games.ml_feature_store_v2": "FAIL"}
    ),
    "team row gone": ([f"DELETE FROM {OFFENSE} WHERE {one(OFFENSE)}"], {"orphans.player_game_summary": "FAIL"}),
    "a date emptied": (
        [f"DELETE FROM {TEAMS} WHERE game_date = {DAY}"],
        {"missing.upcoming_team_game_context": "WARN", "orphans.player_composite_factors": "FAIL"},
    ),
    "third team of a game": (
        [again(DEFENSE, some(DEFENSE, 5), "'XX' || defending_team_abbr AS defending_team_abbr")],
        {"rows_per_game.team_defense_game_summary": "FAIL", "foreign.team_defense_game_summary": "FAIL"},
    ),
    # columns
    "minutes NULL": ([null(PGS, "minutes_played", 8)], {"minutes_played": "FAIL", "minutes_by_month": "FAIL"}),
    "minutes NULL of late": ([null(PGS, "minutes_played", 12, SINCE)], {"minutes_regression": "FAIL"}),
    "usage NULL": ([null(PGS, "usage_rate", 6)], {"usage_rate": "FAIL", "usage_where_played": "FAIL"}),
    "usage NULL of late": (
        [null(PGS, "usage_rate", 12, SINCE)], {"usage_regression": "FAIL", "usage_by_month": "FAIL"}
    ),
    "shot zones NULL of late": ([null(PGS, "paint_attempts", 12, SINCE)], {"shot_zones_regression": "FAIL"}),
    "assisted makes NULL of late": ([null(PGS, "assisted_fg_makes", 8, SINCE)], {"assisted_regression": "WARN"}),
    "quality lower of late": (
        [f"UPDATE {PGS} SET quality_score = 85 WHERE game_date >= {SINCE}"], {"quality_regression": "WARN"}
    ),
    "team quality lower of late": (
        [f"UPDATE {OFFENSE} SET quality_score = 80 WHERE game_date >= {SINCE}"], {"team_quality_regression": "FAIL"}
    ),
    "points NULL": ([null(PGS, "points", 1)], {"points": "FAIL", "player_sums": "FAIL"}),
    "shots NULL": ([null(PGS, "fg_attempts", 2)], {"fg_attempts": "FAIL"}),
    "threes NULL": ([null(PGS, "three_pt_attempts", 2)], {"three_pt_attempts": "FAIL"}),
    "assists NULL": ([null(PGS, "assists", 2)], {"assists": "FAIL"}),
    "rebounds NULL": ([null(PGS, "offensive_rebounds", 2)], {"rebounds": "WARN"}),
    "steals NULL": ([null(PGS, "steals", 8)], {"columns_filled.player_game_summary": "WARN"}),
    "no shot zones": (
        [f"UPDATE {PGS} SET paint_attempts = NULL, mid_range_attempts = NULL, assisted_fg_makes = NULL"],
        {"shot_zones": "WARN", "mid_range": "WARN", "assisted_makes": "WARN"},
    ),
    "no betting lines": (
        [f"UPDATE {PLAYERS} SET current_points_line = NULL", f"UPDATE {TEAMS} SET game_spread = NULL"],
        {"prop_lines": "WARN", "spreads": "WARN"},
    ),
    "form NULL": ([null(CACHE, "points_avg_last_10", 8)], {"columns_filled.player_daily_cache": "FAIL"}),
    "pace score NULL": ([null(FACTORS, "pace_score", 8)], {"columns_filled.player_composite_factors": "FAIL"}),
    "mismatch NULL": (
        [f"UPDATE {FACTORS} SET shot_zone_mismatch_score = NULL"],
        {"mismatch_score": "WARN", "wrong_order.player_composite_factors": "FAIL"},
    ),
    "low quality": ([f"UPDATE {TEAMS} SET quality_score = 40"], {"quality.upcoming_team_game_context": "FAIL"}),
    "infinite quality": (
        [f"UPDATE {PGS} SET quality_score = 'Infinity'::DOUBLE WHERE {one(PGS)}"],
        {"quality.player_game_summary": "ERROR"},
    ),
    "players not ready": (
        [f"UPDATE {PGS} SET is_production_ready = FALSE WHERE {some(PGS, 8)}"],
        {"production_ready.player_game_summary": "FAIL"},
    ),
    "teams not ready": (
        [f"UPDATE {OFFENSE} SET is_production_ready = FALSE WHERE {some(OFFENSE, 30)}"],
        {"production_ready.team_offense_game_summary": "FAIL"},
    ),
    "blocking issue": (
        [f"UPDATE {DEFENSE} SET quality_issues = ['thin', 'placeholder_created'] WHERE {one(DEFENSE)}"],
        {"blocking_issues.team_defense_game_summary": "FAIL"},
    ),
    # values
    "impossible minutes": ([f"UPDATE {PGS} SET minutes_played = 71 WHERE {one(PGS)}"], {"minutes_range": "FAIL"}),
    "usage in fractions of a thousand": ([f"UPDATE {PGS} SET usage_rate = 10 * usage_rate"], {"usage_range": "FAIL"}),
    "usage that overflows": (
        [f"UPDATE {PGS} SET usage_rate = 1329.8, minutes_played = 20 WHERE {one(PGS)}"], {"usage_outliers": "FAIL"}
    ),
    "101 points": (
        [f"UPDATE {PGS} SET points = 101 WHERE {one(PGS)}"], {"points_range": "FAIL", "top_scorers": "FAIL"}
    ),
    "a score that nobody made": ([f"UPDATE {PGS} SET points = 80 WHERE {one(PGS)}"], {"top_scorers": "FAIL"}),
    "wrong pace": ([f"UPDATE {OFFENSE} SET pace = 2 * pace WHERE {some(OFFENSE, 5)}"], {"pace_range": "FAIL"}),
    "wrong ratings": (
        [f"UPDATE {DEFENSE} SET defensive_rating = 1.12 WHERE {some(DEFENSE, 5)}"], {"rating_range": "FAIL"}
    ),
    "team points off": (
        [f"UPDATE {OFFENSE} SET points_scored = points_scored + 3 WHERE {some(OFFENSE, 10)}"], {"player_sums": "FAIL"}
    ),
    "a factor out of range": (
        [f"UPDATE {FACTORS} SET usage_spike_score = 3.5 WHERE {one(FACTORS)}"], {"factor_ranges": "FAIL"}
    ),
    "zone rates of 101 percent": (
        [f"UPDATE {ZONES} SET mid_range_rate_last_10 = mid_range_rate_last_10 + 1 WHERE {one(ZONES)}"],
        {"zone_ranges": "FAIL"},
    ),
    # order and windows
    "cache before zones": (
        [f"UPDATE {CACHE} SET shot_zone_data_available = FALSE WHERE {one(CACHE)}"],
        {"wrong_order.player_daily_cache": "FAIL"},
    ),
    "cache with older zones": (
        [f"UPDATE {CACHE} SET paint_rate_last_10 = paint_rate_last_10 + 1 WHERE {one(CACHE)}"],
        {"wrong_order.player_daily_cache": "FAIL"},
    ),
    "factors before zones": (
        [f"UPDATE {FACTORS} SET shot_zone_mismatch_score = 0 WHERE game_date = {DAY}"],
        {"wrong_order.player_composite_factors": "FAIL", "wrong_order.ml_feature_store_v2": "FAIL"},
    ),
    "store before factors": (
        [feature(5, "50.0", f"game_date = {DAY}")], {"wrong_order.ml_feature_store_v2": "FAIL"}
    ),
    "form that knows its game": (
        [leaked(CACHE, "points_avg_last_10", "AVG(points) OVER w", PGS, 10)], {"leakage.player_daily_cache": "FAIL"}
    ),
    "defence that knows its game": (
        [leaked(TEAM_ZONES, "opponent_points_per_game", "AVG(points_allowed) OVER w", DEFENSE, 15)],
        {"leakage.team_defense_zone_analysis": "FAIL"},
    ),
    "zones that know their game": (
        [leaked(ZONES, "paint_rate_last_10", PAINT, PGS, 10)], {"leakage.player_shot_zone_analysis": "FAIL"}
    ),
    # features
    "constant feature": ([feature(4, "5.0", "TRUE")], {"feature_constant": "FAIL"}),
    "NaN feature": ([feature(4, "'NaN'::DOUBLE", one(STORE))], {"feature_numbers": "FAIL"}),
    "infinite feature": ([feature(24, "'-Infinity'::DOUBLE", one(STORE))], {"feature_numbers": "FAIL"}),
    "NULL feature": ([feature(0, "NULL", one(STORE))], {"feature_numbers": "FAIL"}),
    "24 features": ([f"UPDATE {STORE} SET features = features[1:24] WHERE {one(STORE)}"], {"feature_arrays": "FAIL"}),
    "no features": (
        [f"UPDATE {STORE} SET features = NULL WHERE {one(STORE)}"],
        {"feature_arrays": "FAIL", "feature_numbers": "FAIL"},
    ),
    "features renamed": (
        [f"UPDATE {STORE} SET feature_names = LIST_REVERSE(feature_names) WHERE {one(STORE)}"],
        {"feature_names": "FAIL"},
    ),
    "feature out of range": ([feature(15, "7.0", one(STORE))], {"feature_ranges": "FAIL"}),
    "many defaults": (
        [f"UPDATE {STORE} SET default_features = feature_names[1:5] WHERE {some(STORE, 99)}"],
        {"feature_defaults": "WARN"},
    ),
    "one default in most rows": (
        [f"UPDATE {STORE} SET default_features = feature_names[14:14] WHERE {some(STORE, 60)}"],
        {"feature_default_share": "WARN"},
    ),
    "form off by twenty points": (
        [f"UPDATE {CACHE} SET points_avg_last_10 = points_avg_last_10 + 20"], {"baseline_error": "WARN"}
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", INJECTED)
def test_damage_turns_the_right_checks_red(
    copy_warehouse: Callable[[], Params], sound_weeks: dict[str, dict[str, CheckResult]], damage: str
) -> None:
    statements, expected = INJECTED[damage]
    params = copy_warehouse()
    edit(params, *statements)
    params, before = (
        (autumn(params), sound_weeks["autumn"]) if "bootstrap" in damage else (spring(params), sound_weeks["spring"])
    )
    phases = {CHECKS[name].phase for name in expected}
    changed = {
        name: found.status.value
        for name, found in results(params, [check for check in CATALOG.checks if check.phase in phases]).items()
        if found.status is not before[name].status
    }
    assert expected.items() <= changed.items()
    # Damage to one table may show in checks that compare it with others, but not everywhere.
    assert len(changed) <= len(expected) + 4, changed


def test_every_check_is_turned_red_by_something() -> None:
    reddened = {name for _, expected in INJECTED.values() for name in expected}
    kinds = {name.partition(".")[0] for name in reddened} | {"processors_ready", "bootstrap"}
    assert {name.partition(".")[0] for name in CHECKS} - kinds == set()
    # A statement of its own for a table needs damage of its own.
    own = {check.id for check in CATALOG.checks if check.sql.endswith(f"/{check.table}")}
    assert own - reddened == set()


def test_one_date_emptied_passes_but_is_named(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"DELETE FROM {PGS} WHERE game_date = {DAY}")
    found = results(params, [CHECKS["coverage.player_game_summary"]])["coverage.player_game_summary"]
    assert found.status is Status.PASS
    assert found.numerator == (found.denominator or 0) - 1
    assert found.record()["dates"] == ["2024-03-05"]


@pytest.mark.parametrize("table", [table.full_name for table in CATALOG.processed])
def test_an_empty_table_passes_nothing(copy_warehouse: Callable[[], Params], table: str) -> None:
    params = spring(copy_warehouse())
    edit(params, f"DELETE FROM {table}")
    own = [check for check in CATALOG.checks if check.table == table.partition(".")[2]]
    found = results(params, own)
    assert found
    for item in found.values():
        failed = item.check.measure in MISSED or item.check.sql == "games"
        assert item.status is (Status.FAIL if failed else Status.NO_DATA), item.check.id
        assert blocks(item) == (item.check.severity is Severity.CRITICAL)


@pytest.mark.parametrize("table", [table.full_name for table in CATALOG.processed])
def test_a_missing_table_is_an_error_never_a_pass(copy_warehouse: Callable[[], Params], table: str) -> None:
    params = spring(copy_warehouse())
    edit(params, f"DROP TABLE {table}")
    name = table.partition(".")[2]
    found = results(params, [check for check in CATALOG.checks if check.table in ("", name)])
    own = [item for item in found.values() if item.check.table == name]
    assert own
    assert {item.status for item in own} == {Status.ERROR}
    assert all(item.detail for item in own)
    assert found["tables_exist"].status is Status.FAIL
    assert table in found["tables_exist"].detail
    assert found["columns_exist"].status is Status.FAIL
    assert found["column_types"].status is Status.PASS


@pytest.mark.parametrize("table", ["nbac_schedule", "nbac_gamebook_player_stats", "player_shot_zones"])
def test_preflight_names_a_missing_raw_table(copy_warehouse: Callable[[], Params], table: str) -> None:
    params = copy_warehouse()
    before = scope_of(params)
    edit(params, f"DROP TABLE nba_raw.{table}")
    found = {item.check.id: item for item in run_checks(before, CATALOG.checks_of("preflight"))}
    assert found["tables_exist"].status is Status.FAIL
    assert f"nba_raw.{table}" in found["tables_exist"].detail
    expected = Status.PASS if table == "player_shot_zones" else Status.ERROR
    assert found["raw_games"].status is expected


def test_checks_look_at_the_range_only(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, "UPDATE nba_analytics.player_game_summary SET minutes_played = 99 WHERE game_date = DATE '2024-03-05'")
    for end, expected in ((date(2024, 3, 4), Status.PASS), (date(2024, 3, 5), Status.FAIL)):
        found = run_check(scope_of(within(params, date(2024, 3, 1), end)), CHECKS["minutes_range"])
        assert found.status is expected
