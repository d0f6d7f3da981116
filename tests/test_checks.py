"""Checks: what they measure, what a result means, and which of them turn red over damaged data."""

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.calendar import read_calendar
from courtbook.catalog import Check, Severity, load_catalog
from courtbook.checks import runner
from courtbook.checks.result import CheckResult, Status, Verdict, blocks, judge, verdict
from courtbook.checks.runner import Scope, run_check, run_checks
from courtbook.coverage import Coverage, read_coverage
from courtbook.errors import WarehouseError
from courtbook.params import Params, ThresholdParams
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement
from hypothesis import given
from hypothesis import strategies as st

CATALOG = load_catalog()
CHECKS = {check.id: check for check in CATALOG.checks}
GATES = ("preflight", "phase3", "phase4", "ml")
PGS = "nba_analytics.player_game_summary"
OFFENSE = "nba_analytics.team_offense_game_summary"
DEFENSE = "nba_analytics.team_defense_game_summary"
CONTEXT = "nba_analytics.upcoming_team_game_context"
CACHE = "nba_precompute.player_daily_cache"
FACTORS = "nba_precompute.player_composite_factors"
STORE = "nba_predictions.ml_feature_store_v2"
DAY = "DATE '2024-03-05'"


def edit(params: Params, *statements: str) -> None:
    with duckdb.connect(params.warehouse.path) as connection:
        for statement in statements:
            connection.execute(statement)


def scope_of(
    params: Params, checks: Iterable[Check] = (), thresholds: Mapping[str, ThresholdParams] | None = None
) -> Scope:
    """Return a scope with the coverage that some checks ask for."""
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    calendar = read_calendar(warehouse, params)
    read: dict[str, Coverage] = {}
    with warehouse.session():
        for name in {check.table for check in checks if check.measure in ("coverage", "rows", "unexpected")}:
            with suppress(WarehouseError, KeyError, ValueError):  # a table that was dropped or has no expectation
                read[name] = read_coverage(warehouse, CATALOG.tables[name], calendar)
    return Scope(CATALOG, warehouse, calendar, read, thresholds or {})


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


def not_passed(found: Mapping[str, CheckResult]) -> dict[str, str]:
    return {name: result.status.value for name, result in found.items() if result.status is not Status.PASS}


@pytest.fixture(scope="module")
def sound(league_warehouse: Path, warehouse_params: Params) -> dict[str, CheckResult]:
    """The results of all checks over the league as it was built."""
    return results(warehouse_params)


@pytest.fixture(scope="module")
def sound_weeks(league_warehouse: Path, warehouse_params: Params) -> dict[str, dict[str, CheckResult]]:
    """The results of all checks over some weeks of it."""
    return {"spring": results(spring(warehouse_params)), "autumn": results(autumn(warehouse_params))}


def check(severity: Severity = Severity.CRITICAL, **fields: Any) -> Check:
    given_fields = {
        "id": "a_check",
        "title": "A check",
        "phase": "phase3",
        "severity": severity,
        "rule": "a / b",
        "source": "here",
        "repair": "Repair it.",
        **fields,
    }
    return Check(**given_fields)


def result(name: str, status: Status) -> CheckResult:
    return CheckResult(check(id=name), status, 1.0, 1.0, 1.0, None, None, overridden=False, seconds=0.0)


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING


@pytest.mark.parametrize(
    ("severity", "value", "minimum", "maximum", "expected"),
    [
        (CRITICAL, 0.95, 0.95, None, Status.PASS),
        (CRITICAL, 0.9499999, 0.95, None, Status.FAIL),
        (WARNING, 0.9499999, 0.95, None, Status.WARN),
        (CRITICAL, 0.0, None, 0.0, Status.PASS),
        (CRITICAL, 1.0, None, 0.0, Status.FAIL),
        (WARNING, 1.0, None, 0.0, Status.WARN),
        (CRITICAL, 2.0, 1.99, 2.01, Status.PASS),
        (CRITICAL, 1.98, 1.99, 2.01, Status.FAIL),
        (CRITICAL, 2.02, 1.99, 2.01, Status.FAIL),
        (CRITICAL, 5.0, None, None, Status.PASS),
        (CRITICAL, None, 0.95, None, Status.NO_DATA),
        (WARNING, None, None, 0.0, Status.NO_DATA),
        (CRITICAL, None, None, None, Status.NO_DATA),
        (CRITICAL, float("nan"), None, 0.0, Status.NO_DATA),
        (CRITICAL, float("nan"), None, None, Status.NO_DATA),
        (CRITICAL, float("inf"), 0.95, 1.0, Status.FAIL),
        (CRITICAL, -1.0, None, 0.0, Status.PASS),
        (CRITICAL, 0.5, float("nan"), None, Status.FAIL),
        (CRITICAL, 0.5, None, float("nan"), Status.FAIL),
    ],
)
def test_judge(
    severity: Severity, value: float | None, minimum: float | None, maximum: float | None, expected: Status
) -> None:
    assert judge(check(severity), value, minimum=minimum, maximum=maximum) is expected


@pytest.mark.parametrize(
    ("status", "stands_in_the_way"),
    [(Status.PASS, False), (Status.WARN, False), (Status.FAIL, True), (Status.NO_DATA, True), (Status.ERROR, True)],
)
def test_what_blocks(status: Status, stands_in_the_way: bool) -> None:
    assert blocks(result("a", status)) is stands_in_the_way


@pytest.mark.parametrize(
    ("declared", "statuses", "expected"),
    [
        (["a"], {"a": Status.PASS}, Verdict.GO),
        (["a", "b"], {"a": Status.PASS, "b": Status.WARN}, Verdict.GO),
        (["a", "b"], {"b": Status.PASS, "a": Status.FAIL}, Verdict.NO_GO),
        (["a", "b"], {"a": Status.PASS, "b": Status.NO_DATA}, Verdict.NO_GO),
        (["a", "b"], {"a": Status.PASS, "b": Status.ERROR}, Verdict.NO_GO),
        (["a", "b"], {"a": Status.PASS}, Verdict.INTERRUPTED),
        (["a", "b"], {"a": Status.FAIL}, Verdict.INTERRUPTED),
        (["a"], {"a": Status.PASS, "b": Status.PASS}, Verdict.INTERRUPTED),
        (["a"], {"b": Status.PASS}, Verdict.INTERRUPTED),
        (["a", "a"], {"a": Status.PASS}, Verdict.INTERRUPTED),
        (["a"], {}, Verdict.INTERRUPTED),
        ([], {}, Verdict.INTERRUPTED),
        ([], {"a": Status.PASS}, Verdict.INTERRUPTED),
    ],
)
def test_verdict(declared: list[str], statuses: dict[str, Status], expected: Verdict) -> None:
    assert verdict(declared, [result(name, status) for name, status in statuses.items()]) is expected


def test_a_check_that_reported_twice_is_no_go_ahead() -> None:
    twice = [result("a", Status.PASS), result("a", Status.PASS)]
    assert verdict(["a"], twice) is Verdict.INTERRUPTED


STATUSES = st.dictionaries(st.sampled_from("abcdefgh"), st.sampled_from(Status), min_size=1)
RANK = {Verdict.GO: 0, Verdict.NO_GO: 1, Verdict.INTERRUPTED: 1}


@given(STATUSES, st.sampled_from([Status.FAIL, Status.NO_DATA, Status.ERROR]), st.data())
def test_nothing_bad_ever_improves_a_verdict(statuses: dict[str, Status], bad: Status, data: st.DataObject) -> None:
    found = [result(name, status) for name, status in statuses.items()]
    before = verdict(statuses, found)
    assert (before is Verdict.GO) == (not any(blocks(item) for item in found))

    worse = verdict([*statuses, "z"], [*found, result("z", bad)])
    assert worse is Verdict.NO_GO
    assert RANK[worse] >= RANK[before]

    name = data.draw(st.sampled_from(sorted(statuses)))
    replaced = [result(name, bad) if item.check.id == name else item for item in found]
    assert verdict(statuses, replaced) is Verdict.NO_GO

    assert verdict(statuses, [item for item in found if item.check.id != name]) is Verdict.INTERRUPTED
    assert verdict(statuses, data.draw(st.permutations(found))) is before


@pytest.mark.parametrize("gate", GATES)
def test_a_sound_league_passes(sound: dict[str, CheckResult], gate: str) -> None:
    found = {check.id: sound[check.id] for check in CATALOG.checks_of(gate)}
    assert found
    assert {name for name, status in not_passed(found).items() if status != "WARN"} == set()


def test_every_result_shows_what_was_counted_and_asked_for(sound: dict[str, CheckResult]) -> None:
    for name, found in sound.items():
        record = found.record()
        assert record["id"] == name
        assert record["numerator"] is not None
        assert record["denominator"]
        assert record["value"] is not None
        assert record["rule"]
        assert record["repair"]
        assert (record["minimum"], record["maximum"]) != (None, None)
        assert record["overridden"] is False
        assert bool(record["sql"]) == (CHECKS[name].measure in ("ratio", "count"))
        assert "{{" not in record["sql"]


def share(table: str, percent: int) -> str:
    """Return a condition that holds for about so many percent of the rows of a table, spread over all dates."""
    key = "game_id, player_lookup" if table in (PGS, FACTORS, STORE) else "game_id"
    return f"HASH({key}) % 100 < {percent}"


def dates(table: str, percent: int, column: str = "game_date") -> str:
    """Return a condition that holds for about so many percent of the dates of a table."""
    return f"DAYOFMONTH({column}) % 100 < {percent} / 3"


SET_FEATURE = "UPDATE {} SET features = LIST_CONCAT(features[1:{}], [{}], features[{}:]) WHERE {}"
NAMED = "usage_rate", "minutes_played"
INJECTED: dict[str, tuple[list[str], dict[str, str]]] = {
    "NULL minutes": (
        [f"UPDATE {PGS} SET minutes_played = NULL WHERE {share(PGS, 5)}"],
        {"minutes_played": "FAIL"},
    ),
    "usage NULL": (
        [f"UPDATE {PGS} SET usage_rate = NULL WHERE {share(PGS, 10)}"],
        {"usage_rate": "FAIL", "usage_where_played": "FAIL"},
    ),
    "duplicates": (
        [f"INSERT INTO {PGS} SELECT * FROM {PGS} WHERE game_date = {DAY} LIMIT 1"],
        {"duplicates.player_game_summary": "FAIL"},
    ),
    "duplicates of a phase 4 table": (
        [f"INSERT INTO {STORE} SELECT * FROM {STORE} WHERE game_date = {DAY} LIMIT 1"],
        {"duplicates.ml_feature_store_v2": "FAIL"},
    ),
    "rows in the bootstrap": (
        [f"INSERT INTO {CACHE} BY NAME SELECT * REPLACE (DATE '2024-10-27' AS cache_date) FROM {CACHE} LIMIT 1"],
        {"in_bootstrap.player_daily_cache": "FAIL"},
    ),
    "last day of the bootstrap": (
        [f"INSERT INTO {STORE} BY NAME SELECT * REPLACE (DATE '2024-11-04' AS game_date) FROM {STORE} LIMIT 1"],
        {"in_bootstrap.ml_feature_store_v2": "FAIL"},
    ),
    "HOME_AWAY game ids": (
        [
            f"UPDATE {OFFENSE} SET game_id = SPLIT_PART(game_id, '_', 1) || '_' || SPLIT_PART(game_id, '_', 3) || '_'"
            f" || SPLIT_PART(game_id, '_', 2) WHERE {share(OFFENSE, 10)}"
        ],
        {"games.team_offense_game_summary": "FAIL", "player_without_team": "FAIL"},
    ),
    "dates emptied": (
        [f"DELETE FROM {CONTEXT} WHERE {dates(CONTEXT, 12)}"],
        {"coverage.upcoming_team_game_context": "FAIL", "rows.upcoming_team_game_context": "FAIL"},
    ),
    "one row left on many dates": (
        [
            f"DELETE FROM {CONTEXT} WHERE {dates(CONTEXT, 12)} AND team_abbr NOT IN"
            f" (SELECT MIN(c.team_abbr) FROM {CONTEXT} AS c WHERE c.game_date = upcoming_team_game_context.game_date)"
        ],
        {"rows.upcoming_team_game_context": "FAIL"},
    ),
    "dates of a phase 4 table emptied": (
        [f"DELETE FROM {CACHE} WHERE {dates(CACHE, 12, 'cache_date')}"],
        {"coverage.player_daily_cache": "FAIL", "rows.player_daily_cache": "FAIL"},
    ),
    "two percent of the store lost": (
        [f"DELETE FROM {STORE} WHERE {share(STORE, 2)}"],
        {"store_rows": "FAIL"},
    ),
    "constant feature": (
        [SET_FEATURE.format(STORE, 4, "5.0", 6, "TRUE")],
        {"feature_constant": "FAIL"},
    ),
    "NaN feature": (
        [SET_FEATURE.format(STORE, 4, "'NaN'::DOUBLE", 6, f"game_date = {DAY}")],
        {"feature_numbers": "FAIL"},
    ),
    "infinite feature": (
        [SET_FEATURE.format(STORE, 24, "'-Infinity'::DOUBLE", 26, f"game_date = {DAY}")],
        {"feature_numbers": "FAIL"},
    ),
    "NULL feature": (
        [SET_FEATURE.format(STORE, 0, "NULL", 2, f"game_date = {DAY}")],
        {"feature_numbers": "FAIL"},
    ),
    "24 features": (
        [f"UPDATE {STORE} SET features = features[1:24] WHERE game_date = {DAY}"],
        {"feature_arrays": "FAIL", "feature_numbers": "FAIL"},
    ),
    "no features": (
        [f"UPDATE {STORE} SET features = NULL WHERE game_date = {DAY}"],
        {"feature_arrays": "FAIL", "feature_numbers": "FAIL"},
    ),
    "features renamed": (
        [f"UPDATE {STORE} SET feature_names = LIST_REVERSE(feature_names) WHERE game_date = {DAY}"],
        {"feature_names": "FAIL"},
    ),
    "many defaults": (
        [f"UPDATE {STORE} SET default_features = feature_names[1:5] WHERE {share(STORE, 99)}"],
        {"feature_defaults": "WARN"},
    ),
    "form off by twenty points": (
        [f"UPDATE {CACHE} SET points_avg_last_10 = points_avg_last_10 + 20"],
        {"baseline_error": "WARN"},
    ),
    "NULL in a key": (
        [f"UPDATE {PGS} SET player_lookup = NULL WHERE game_date = {DAY} AND player_lookup IN"
         f" (SELECT MIN(player_lookup) FROM {PGS} WHERE game_date = {DAY})"],
        {"null_keys.player_game_summary": "FAIL"},
    ),
    "low quality": (
        [f"UPDATE {CONTEXT} SET quality_score = 40"],
        {"quality.upcoming_team_game_context": "FAIL"},
    ),
    "not ready for production": (
        [f"UPDATE {PGS} SET is_production_ready = FALSE WHERE {share(PGS, 8)}"],
        {"production_ready.player_game_summary": "FAIL"},
    ),
    "blocking issue": (
        [f"UPDATE {DEFENSE} SET quality_issues = ['placeholder_created'] WHERE game_date = {DAY}"],
        {"blocking_issues.team_defense_game_summary": "FAIL"},
    ),
    "impossible minutes": (
        [f"UPDATE {PGS} SET minutes_played = 71 WHERE game_date = {DAY} AND starter_flag IS NULL AND points > 30"],
        {"minutes_range": "FAIL"},
    ),
    "usage in fractions of a thousand": (
        [f"UPDATE {PGS} SET usage_rate = 10 * usage_rate"],
        {"usage_range": "FAIL"},
    ),
    "wrong pace": (
        [f"UPDATE {OFFENSE} SET pace = 2 * pace WHERE {share(OFFENSE, 5)}"],
        {"pace_range": "FAIL"},
    ),
    "wrong ratings": (
        [f"UPDATE {DEFENSE} SET defensive_rating = 1.12 WHERE {share(DEFENSE, 5)}"],
        {"rating_range": "FAIL"},
    ),
    "third team of a game": (
        [
            f"INSERT INTO {DEFENSE} BY NAME SELECT * REPLACE ('XX' || defending_team_abbr AS defending_team_abbr)"
            f" FROM {DEFENSE} WHERE {share(DEFENSE, 5)}"
        ],
        {"rows_per_game.team_defense_game_summary": "FAIL"},
    ),
    "team points off": (
        [f"UPDATE {OFFENSE} SET points_scored = points_scored + 3 WHERE {share(OFFENSE, 10)}"],
        {"player_sums": "FAIL"},
    ),
    "team row gone": (
        [f"DELETE FROM {OFFENSE} WHERE game_date = {DAY} AND home_game"],
        {"player_without_team": "FAIL"},
    ),
    "form NULL": (
        [f"UPDATE {CACHE} SET points_avg_last_10 = NULL WHERE HASH(player_lookup, cache_date) % 100 < 8"],
        {"cache_form": "FAIL"},
    ),
    "pace score NULL": (
        [f"UPDATE {FACTORS} SET pace_score = NULL WHERE {share(FACTORS, 8)}"],
        {"pace_score": "FAIL"},
    ),
    "mismatch NULL": (
        [f"UPDATE {FACTORS} SET shot_zone_mismatch_score = NULL"],
        {"mismatch_score": "WARN"},
    ),
    "no shot zones": (
        [f"UPDATE {PGS} SET paint_attempts = NULL"],
        {"shot_zones": "WARN"},
    ),
    "All-Star rows": (
        [f"INSERT INTO {OFFENSE} BY NAME SELECT * REPLACE (DATE '2024-02-18' AS game_date, '20240218_E_W' AS game_id)"
         f" FROM {OFFENSE} WHERE game_id = (SELECT MIN(game_id) FROM {OFFENSE})"],
        {"unexpected.team_offense_game_summary": "WARN"},
    ),
    "raw games lost": (
        [
            f"DELETE FROM nba_raw.nbac_gamebook_player_stats WHERE {dates(PGS, 12)}",
            f"DELETE FROM nba_raw.bdl_player_boxscores WHERE {dates(PGS, 12)}",
        ],
        {"raw_games": "FAIL"},
    ),
}  # fmt: skip


@pytest.mark.parametrize("damage", INJECTED)
def test_damage_turns_the_right_checks_red(
    copy_warehouse: Callable[[], Params], sound_weeks: dict[str, dict[str, CheckResult]], damage: str
) -> None:
    statements, expected = INJECTED[damage]
    params = copy_warehouse()
    edit(params, *statements)
    params, sound = (
        (autumn(params), sound_weeks["autumn"]) if "bootstrap" in damage else (spring(params), sound_weeks["spring"])
    )
    phases = {CHECKS[name].phase for name in expected}
    changed = {
        name: found.status.value
        for name, found in results(params, [check for check in CATALOG.checks if check.phase in phases]).items()
        if found.status is not sound[name].status
    }
    assert expected.items() <= changed.items()
    # Damage to one table may show in checks that compare it with others, but not everywhere.
    assert len(changed) <= len(expected) + 4, changed


def test_every_check_is_turned_red_by_something() -> None:
    reddened = {name for _, expected in INJECTED.values() for name in expected}
    kinds = {name.partition(".")[0] for name in reddened} | {"tables_exist", "columns_exist", "processors_ready"}
    assert {name.partition(".")[0] for name in CHECKS} - kinds == set()


def test_one_date_emptied_passes_but_is_named(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"DELETE FROM {PGS} WHERE game_date = {DAY}")
    found = results(params, [CHECKS["coverage.player_game_summary"]])["coverage.player_game_summary"]
    assert found.status is Status.PASS
    assert found.numerator == found.denominator - 1
    assert "2024-03-05" in found.detail


@pytest.mark.parametrize("table", [table.full_name for table in CATALOG.processed])
def test_an_empty_table_passes_nothing(copy_warehouse: Callable[[], Params], table: str) -> None:
    params = spring(copy_warehouse())
    edit(params, f"DELETE FROM {table}")
    name = table.partition(".")[2]
    own = [check for check in CATALOG.checks if check.table == name and check.measure != "unexpected"]
    found = results(params, own)
    assert found
    for item in found.values():
        expected = Status.FAIL if item.check.measure in ("coverage", "rows") or item.check.sql == "games" else None
        assert item.status is (expected or Status.NO_DATA), item.check.id
        assert blocks(item)


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


@pytest.mark.parametrize("table", ["nbac_schedule", "nbac_gamebook_player_stats", "player_shot_zones"])
def test_preflight_names_a_missing_raw_table(copy_warehouse: Callable[[], Params], table: str) -> None:
    params = copy_warehouse()
    scope = scope_of(params)
    edit(params, f"DROP TABLE nba_raw.{table}")
    found = {item.check.id: item for item in run_checks(scope, CATALOG.checks_of("preflight"))}
    assert found["tables_exist"].status is Status.FAIL
    assert f"nba_raw.{table}" in found["tables_exist"].detail
    expected = Status.PASS if table == "player_shot_zones" else Status.ERROR
    assert found["raw_games"].status is expected


def test_a_missing_column_is_named_and_what_needs_it_is_an_error(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse())
    edit(params, f"ALTER TABLE {PGS} DROP COLUMN usage_rate")
    found = results(params)
    assert found["columns_exist"].status is Status.FAIL
    assert "nba_analytics.player_game_summary.usage_rate" in found["columns_exist"].detail
    assert {name for name, item in found.items() if item.status is Status.ERROR} == {
        "usage_rate",
        "usage_range",
        "usage_where_played",
    }


@pytest.mark.parametrize(
    "broken",
    [
        check(sql="no_such_file", table="player_game_summary"),
        check(sql="filled", table="player_game_summary"),
        check(sql="filled", table="player_game_summary", names={"column": "no_such_column"}),
        check(sql="filled", table="no_such_table", names={"column": "x"}),
        check(sql="filled", table="player_game_summary", names={"column": ")) FROM"}),
        check(sql="outside", table="player_game_summary", names={"column": "points"}),
        check(sql="feature_names", table="ml_feature_store_v2", values={"names": object()}),
        check(measure="coverage", table="nbac_schedule"),
        check(measure="rows", table="no_such_table"),
        check(measure="guess"),
    ],
    ids=[
        "no SQL file",
        "no column name",
        "no such column",
        "no such table",
        "no valid SQL",
        "parameter missing",
        "parameter of a wrong type",
        "no coverage",
        "no coverage of no table",
        "no such measure",
    ],
)
def test_a_broken_check_is_an_error(league_warehouse: Path, warehouse_params: Params, broken: Check) -> None:
    found = run_check(scope_of(warehouse_params), broken)
    assert found.status is Status.ERROR
    assert found.value is None
    assert found.detail


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1 AS numerator, 1 AS denominator FROM nba_raw.nbac_schedule WHERE FALSE",
        "SELECT 'many' AS numerator, 1 AS denominator",
        "SELECT 1 AS something",
        "SELECT FROM WHERE",
        "SELECT ERROR('no') AS numerator, 1 AS denominator",
    ],
)
@pytest.mark.parametrize("measure", ["ratio", "count"])
def test_a_statement_that_answers_nothing_useful_is_an_error(
    league_warehouse: Path, warehouse_params: Params, monkeypatch: pytest.MonkeyPatch, sql: str, measure: str
) -> None:
    scope = scope_of(warehouse_params)
    monkeypatch.setattr(runner, "render", lambda *_, **__: Statement("t.sql", sql))
    found = run_check(scope, check(measure=measure, maximum=0))
    assert found.status is Status.ERROR
    assert found.detail


@pytest.mark.parametrize(
    ("numerator", "denominator", "measure", "expected"),
    [
        ("SUM(CAST(NULL AS INT64))", "COUNT(*)", "ratio", Status.NO_DATA),
        ("0", "0", "ratio", Status.NO_DATA),
        ("0", "0", "count", Status.NO_DATA),
        ("SUM(CAST(NULL AS INT64))", "0", "count", Status.NO_DATA),
        ("CAST(NULL AS FLOAT64)", "CAST(NULL AS FLOAT64)", "count", Status.NO_DATA),
        ("CAST(NULL AS FLOAT64)", "5", "count", Status.NO_DATA),
        ("0", "SUM(CAST(NULL AS INT64))", "count", Status.NO_DATA),
        ("0", "5", "count", Status.PASS),
        ("1", "5", "count", Status.FAIL),
        ("0", "5", "ratio", Status.PASS),
        ("CAST('NaN' AS FLOAT64)", "5", "count", Status.NO_DATA),
    ],
)
def test_no_rows_are_no_data(
    league_warehouse: Path,
    warehouse_params: Params,
    monkeypatch: pytest.MonkeyPatch,
    numerator: str,
    denominator: str,
    measure: str,
    expected: Status,
) -> None:
    sql = f"SELECT {numerator} AS numerator, {denominator} AS denominator"
    scope = scope_of(warehouse_params)
    monkeypatch.setattr(runner, "render", lambda *_, **__: Statement("t.sql", sql))
    assert run_check(scope, check(measure=measure, maximum=0)).status is expected


def test_a_processor_that_cannot_be_translated_is_no_pass(
    league_warehouse: Path, warehouse_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    scope = scope_of(warehouse_params)
    monkeypatch.setattr(runner, "render", lambda *_, **__: Statement("insert.sql", "INSERT INTO ((("))
    assert run_check(scope, CHECKS["processors_ready"]).status is Status.ERROR


@pytest.mark.parametrize("name", ["usage_rate", "duplicates.player_game_summary", "quality.upcoming_team_game_context"])
def test_an_override_changes_the_outcome_and_is_marked(
    league_warehouse: Path, warehouse_params: Params, name: str
) -> None:
    declared = CHECKS[name]
    bounds = {"minimum": 101.0} if declared.minimum is not None else {"maximum": -1.0}
    strict = run_check(scope_of(warehouse_params, (), {name: ThresholdParams(**bounds)}), declared)
    plain = run_check(scope_of(warehouse_params), declared)
    assert (plain.status, plain.overridden) == (Status.PASS, False)
    assert (strict.status, strict.overridden) == (Status.FAIL, True)
    assert strict.value == plain.value
    assert strict.record()["overridden"] is True
    assert (strict.minimum or strict.maximum) in bounds.values()


def test_a_looser_threshold_lets_pass_and_says_so(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"UPDATE {PGS} SET usage_rate = NULL WHERE {share(PGS, 10)}")
    scope = scope_of(params, (), {"usage_rate": ThresholdParams(minimum=0.8)})
    found = {item.check.id: item for item in run_checks(scope, [CHECKS["usage_rate"], CHECKS["usage_where_played"]])}
    assert (found["usage_rate"].status, found["usage_rate"].overridden) == (Status.PASS, True)
    assert found["usage_rate"].minimum == 0.8
    assert (found["usage_where_played"].status, found["usage_where_played"].overridden) == (Status.FAIL, False)


def test_an_override_of_one_bound_keeps_the_other(league_warehouse: Path, warehouse_params: Params) -> None:
    name = "rows_per_game.team_offense_game_summary"
    found = run_check(scope_of(warehouse_params, (), {name: ThresholdParams(maximum=1.995)}), CHECKS[name])
    assert (found.minimum, found.maximum) == (1.99, 1.995)
    assert found.status is Status.FAIL


def test_checks_look_at_the_range_only(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"UPDATE {PGS} SET minutes_played = 99 WHERE game_date = DATE '2024-03-05'")
    for end, expected in ((date(2024, 3, 4), Status.PASS), (date(2024, 3, 5), Status.FAIL)):
        found = run_check(scope_of(within(params, date(2024, 3, 1), end)), CHECKS["minutes_range"])
        assert found.status is expected
