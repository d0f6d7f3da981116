"""What checks count: whatever is asked of a table, in as few statements as can be, and what becomes of broken ones."""

import json
from collections.abc import Callable, Iterable, Mapping
from datetime import date, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.calendar import Calendar, GameDay, read_calendar
from courtbook.catalog import Check, Severity, load_catalog
from courtbook.checks import measures, scope
from courtbook.checks.result import CheckResult, Status
from courtbook.checks.runner import run_check, run_checks
from courtbook.checks.scope import Scope, profiled
from courtbook.params import Params, ThresholdParams
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement

CATALOG = load_catalog()
CHECKS = {check.id: check for check in CATALOG.checks}
PGS = "nba_analytics.player_game_summary"
ZONES = "nba_precompute.player_shot_zone_analysis"
STORE = "nba_predictions.ml_feature_store_v2"
SINCE = date(2024, 2, 15)
OFF_COVERAGE = {
    "coverage", "rows", "partial", "missing", "stale", "gaps", "weeks", "unexpected", "foreign", "in bootstrap",
    "per game",
}  # fmt: skip


def edit(params: Params, *statements: str) -> None:
    with duckdb.connect(params.warehouse.path) as connection:
        for statement in statements:
            connection.execute(statement)


def within(params: Params, start: date, end: date) -> Params:
    return params.model_copy(update={"range": params.range.model_copy(update={"start": start, "end": end})})


def spring(params: Params) -> Params:
    """Return parameters for some weeks in the middle of a season."""
    return within(params, SINCE, date(2024, 3, 15))


def scope_of(
    params: Params,
    declared: Iterable[Check] = (),
    recorded: Mapping[str, float] | None = None,
    calendar: Calendar | None = None,
) -> Scope:
    warehouse = DuckDBWarehouse(Path(params.warehouse.path), timeout=params.warehouse.timeout)
    days = calendar or read_calendar(warehouse, params)
    return Scope(CATALOG, warehouse, days, params, declared=declared, recorded=recorded)


def results(params: Params, names: Iterable[str] = CHECKS) -> dict[str, CheckResult]:
    wanted = [CHECKS[name] for name in names]
    return {result.check.id: result for result in run_checks(scope_of(params, wanted), wanted)}


def made(**fields: Any) -> Check:
    given_fields = {
        "id": "a_check",
        "title": "A check",
        "phase": "phase3",
        "severity": Severity.CRITICAL,
        "rule": "a / b",
        "source": "here",
        "causes": "something",
        "repair": "Repair it.",
        "command": "courtbook run PARAMS",
        **fields,
    }
    return Check(**given_fields)


def test_all_checks_take_few_statements_and_those_of_a_table_share_theirs(
    league_warehouse: Path, warehouse_params: Params
) -> None:
    looking = scope_of(spring(warehouse_params), CATALOG.checks)
    before = looking.warehouse.queries
    found = run_checks(looking, CATALOG.checks)
    assert len(found) > 180
    assert looking.warehouse.queries - before <= 65
    for shares in (lambda item: profiled(item.check), lambda item: item.check.measure in OFF_COVERAGE):
        sharing = sorted((item for item in found if shares(item)), key=lambda item: item.check.table)
        for table, group in groupby(sharing, key=lambda item: item.check.table):
            members = list(group)
            assert len({item.job for item in members}) == 1, table
            # Each shows a statement that a person can run alone.
            assert all(item.job and table in item.sql for item in members)
    assert len({item.job for item in found if item.job}) > 30


def test_a_check_that_runs_alone_asks_for_nothing_else(league_warehouse: Path, warehouse_params: Params) -> None:
    looking = scope_of(spring(warehouse_params), [CHECKS["usage_rate"]])
    before = looking.warehouse.queries
    alone = run_check(looking, CHECKS["usage_rate"])
    assert looking.warehouse.queries - before == 1
    assert "minutes_played" not in alone.sql
    together = results(spring(warehouse_params))["usage_rate"]
    assert (alone.status, alone.value) == (together.status, together.value)


@pytest.mark.parametrize(
    ("table", "column", "needed_by"),
    [
        (
            PGS,
            "usage_rate",
            {"usage_rate", "usage_by_month", "usage_range", "usage_outliers", "usage_regression", "usage_where_played",
             "columns_filled.player_game_summary"},
        ),
        (
            PGS,
            "paint_attempts",
            {"shot_zones", "shot_zones_regression", "columns_filled.player_game_summary",
             "leakage.player_shot_zone_analysis",
             "stale.player_shot_zone_analysis"},  # it looks back at games that have zones
        ),
    ],
    ids=lambda item: item if isinstance(item, str) else "",
)  # fmt: skip
def test_a_column_that_is_gone_costs_only_what_needs_it(
    copy_warehouse: Callable[[], Params], table: str, column: str, needed_by: set[str]
) -> None:
    params = spring(copy_warehouse())
    edit(params, f"ALTER TABLE {table} DROP COLUMN {column}")
    found = results(params)
    assert {name for name, item in found.items() if item.status is Status.ERROR} == needed_by
    assert all(column in found[name].detail for name in needed_by)
    assert {name for name, item in found.items() if item.status is Status.FAIL} == {"columns_exist"}
    assert f"{table}.{column}" in found["columns_exist"].detail


def test_an_input_that_is_gone_leaves_nothing_to_say_about_age_but_about_the_rest(
    copy_warehouse: Callable[[], Params],
) -> None:
    params = spring(copy_warehouse())
    edit(params, f"DROP TABLE {ZONES}")
    kinds = ("coverage", "rows", "partial", "gaps", "foreign", "stale")
    found = results(params, [f"{kind}.player_daily_cache" for kind in kinds])
    statuses = {name.partition(".")[0]: item.status for name, item in found.items()}
    assert statuses == dict.fromkeys(kinds, Status.PASS) | {"stale": Status.ERROR}


SLOW = (
    "(SELECT SUM(MOD(a * b, 7)) FROM UNNEST(GENERATE_ARRAY(1, 1000000)) AS a"
    " CROSS JOIN UNNEST(GENERATE_ARRAY(1, 1000000)) AS b)"
)


def test_a_statement_over_its_time_is_not_tried_again_for_each_check(
    league_warehouse: Path, warehouse_params: Params
) -> None:
    patient = spring(warehouse_params)
    params = patient.model_copy(update={"warehouse": patient.warehouse.model_copy(update={"timeout": 1})})
    declared = [
        made(table="player_game_summary", id="slow", numerator=SLOW),
        *(CHECKS[name] for name in ("usage_rate", "minutes_played", "points", "columns_filled.player_game_summary")),
    ]
    looking = scope_of(params, declared)
    before = looking.warehouse.queries
    found = run_checks(looking, [*declared, CHECKS["quality.team_offense_game_summary"]])
    assert looking.warehouse.queries - before == 3, "one for the columns that there are"
    assert [item.status for item in found] == [Status.ERROR] * 5 + [Status.PASS]
    assert all("took longer than 1 s" in item.detail for item in found[:5])


def test_usage_lost_on_some_date_is_seen_though_the_whole_range_passes(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, f"UPDATE {PGS} SET usage_rate = NULL WHERE game_date >= DATE '2024-12-23'")
    found = results(params, ["usage_rate", "usage_by_month", "minutes_by_month"])
    assert found["usage_rate"].status is Status.PASS
    assert found["usage_by_month"].status is Status.FAIL
    assert found["usage_by_month"].detail == "worst in 2024-12"
    assert found["minutes_by_month"].status is Status.PASS
    assert (found["usage_by_month"].denominator or 0) < (found["usage_rate"].denominator or 0) / 5


def test_columns_that_are_too_empty_are_named_with_their_share(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse())
    edit(
        params,
        f"UPDATE {PGS} SET steals = NULL WHERE HASH(game_id, player_lookup) % 4 = 0",
        f"UPDATE {PGS} SET blocks = NULL",
        f"UPDATE {PGS} SET paint_makes = NULL",  # may be empty: the sources need not have it
    )
    found = results(params, ["columns_filled.player_game_summary"])["columns_filled.player_game_summary"]
    assert found.status is Status.WARN
    words, _, blocks = found.detail.partition(" %, ")
    name, _, percent = words.removeprefix("too empty: ").partition(" ")
    assert (name, blocks) == ("steals", "blocks 0.0 %")
    assert 70 < float(percent) < 80
    assert found.numerator == (found.denominator or 0) - 2


BEFORE = f"game_date < DATE '{SINCE}'"
NOW = f"game_date >= DATE '{SINCE}'"


def lost(where: str, percent: int) -> str:
    return f"UPDATE {PGS} SET usage_rate = NULL WHERE {where} AND HASH(game_id, player_lookup) % 100 < {percent}"


@pytest.mark.parametrize(
    ("statements", "status", "words"),
    [
        ([], Status.PASS, "OK against the 90 days before"),
        ([lost(NOW, 3)], Status.PASS, "OK against the 90 days before"),
        ([lost(NOW, 8)], Status.WARN, "DEGRADATION against the 90 days before"),
        ([lost(NOW, 14)], Status.FAIL, "REGRESSION against the 90 days before"),
        ([lost(NOW, 100)], Status.FAIL, "REGRESSION against the 90 days before"),
        ([lost(BEFORE, 8)], Status.PASS, "IMPROVEMENT against the 90 days before"),
        ([lost("TRUE", 14)], Status.PASS, "OK against the 90 days before"),
        ([lost("TRUE", 100)], Status.PASS, "OK against the 90 days before"),
        ([f"DELETE FROM {PGS} WHERE {NOW}"], Status.NO_DATA, "0 game dates in the range, 10 are needed"),
        (
            [f"DELETE FROM {PGS} WHERE {BEFORE}"],
            Status.NO_DATA,
            "no baseline: the 90 days before (0 game dates, 10 are needed)",
        ),
        (
            [f"DELETE FROM {PGS} WHERE {BEFORE} AND game_date <> DATE '2024-02-12'"],
            Status.NO_DATA,
            "no baseline: the 90 days before (1 game dates, 10 are needed)",
        ),
    ],
    ids=["same", "hardly less", "less", "much less", "nothing left", "more", "less all the time", "nothing ever",
         "no rows now", "no rows before", "few dates before"],
)  # fmt: skip
def test_regressions_compare_with_the_time_before(
    copy_warehouse: Callable[[], Params], statements: list[str], status: Status, words: str
) -> None:
    params = spring(copy_warehouse())
    edit(params, *statements)
    found = results(params, ["usage_rate", "usage_regression"])["usage_regression"]
    assert found.status is status
    assert found.detail == words


def test_something_after_nothing_is_an_improvement_that_can_be_recorded(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse())
    edit(params, lost(BEFORE, 100))
    found = results(params, ["usage_regression"])["usage_regression"]
    assert found.status is Status.PASS
    assert found.detail == "IMPROVEMENT against the 90 days before"
    record = json.loads(json.dumps(found.record(), allow_nan=False))
    assert (record["value"], record["denominator"]) == (None, 0.0)


@pytest.mark.parametrize(
    ("start", "dates"), [(date(2024, 10, 22), 0), (date(2024, 10, 29), 7), (date(2024, 11, 6), None)]
)
def test_a_season_has_nothing_to_compare_with_until_ten_dates_were_played(
    league_warehouse: Path, warehouse_params: Params, start: date, dates: int | None
) -> None:
    found = results(within(warehouse_params, start, date(2024, 12, 31)), ["usage_rate", "usage_regression"])
    assert found["usage_rate"].status is Status.PASS
    regression = found["usage_regression"]
    if dates is None:
        assert (regression.status, regression.detail) == (Status.PASS, "OK against the 90 days before")
    else:
        assert regression.status is Status.NO_DATA
        assert f"({dates} game dates, 10 are needed)" in regression.detail


@pytest.mark.parametrize(
    ("recorded", "status", "words"),
    [
        ({"usage_rate": 1.0}, Status.PASS, "OK against the named run"),
        ({"usage_rate": 1.07}, Status.WARN, "DEGRADATION against the named run"),
        ({"usage_rate": 1.2}, Status.FAIL, "REGRESSION against the named run"),
        ({"usage_rate": 0.5}, Status.PASS, "IMPROVEMENT against the named run"),
        ({"minutes_played": 1.0}, Status.NO_DATA, "no baseline: the named run"),
    ],
)
def test_regressions_compare_with_the_run_that_is_named(
    league_warehouse: Path, warehouse_params: Params, recorded: dict[str, float], status: Status, words: str
) -> None:
    declared = [CHECKS["usage_rate"], CHECKS["usage_regression"]]
    looking = scope_of(spring(warehouse_params), declared, recorded)
    found = run_checks(looking, declared)[1]
    assert (found.status, found.detail) == (status, words)
    assert found.denominator == recorded.get("usage_rate")


def test_a_week_that_layer_three_lacks_too_is_no_fault_of_layer_four(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse())
    week = "BETWEEN DATE '2024-03-04' AND DATE '2024-03-10'"
    edit(params, f"DELETE FROM {ZONES} WHERE analysis_date {week}")
    names = ["weeks.player_shot_zone_analysis", "gaps.player_shot_zone_analysis"]
    found = results(params, names)
    assert (found[names[0]].status, found[names[0]].value) == (Status.FAIL, 0.0)
    assert found[names[0]].detail == "worst week 2024-03-04 to 2024-03-10, against player_game_summary"
    assert found[names[1]].numerator == 7
    edit(params, f"DELETE FROM {PGS} WHERE game_date {week}")
    assert results(params, names)[names[0]].status is Status.PASS


def test_rows_in_the_bootstrap_have_a_check_of_their_own(copy_warehouse: Callable[[], Params]) -> None:
    params = within(copy_warehouse(), date(2024, 10, 22), date(2024, 11, 12))
    row = f"INSERT INTO {STORE} BY NAME SELECT * REPLACE (DATE '{{}}' AS game_date) FROM {STORE} LIMIT 1"
    edit(params, row.format("2024-10-25"), row.format("2024-11-05"))  # 5 November: election day, no game
    found = results(params, ["in_bootstrap.ml_feature_store_v2", "unexpected.ml_feature_store_v2"])
    assert [(item.numerator, item.record()["dates"]) for item in found.values()] == [
        (1, ["2024-10-25"]),
        (1, ["2024-11-05"]),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("ALTER COLUMN points TYPE DOUBLE", ""),
        ("ALTER COLUMN points TYPE DECIMAL(10, 2)", ""),
        ("ALTER COLUMN usage_rate TYPE INTEGER", ""),
        ("ADD COLUMN of_their_own VARCHAR", ""),
        ("ALTER COLUMN processed_at TYPE TIMESTAMP", "processed_at is DATETIME, not TIMESTAMP"),
        ("ALTER COLUMN points TYPE VARCHAR", "points is STRING, not INT64"),
        ("ALTER COLUMN game_date TYPE TIMESTAMP", "game_date is DATETIME, not DATE"),
        ("ALTER COLUMN is_production_ready TYPE INTEGER", "is_production_ready is INT64, not BOOL"),
        ("ALTER COLUMN quality_issues TYPE VARCHAR", "quality_issues is STRING, not ARRAY<STRING>"),
    ],
)
def test_a_type_counts_as_another_only_where_nothing_is_lost(
    copy_warehouse: Callable[[], Params], change: str, said: str
) -> None:
    params = spring(copy_warehouse())
    edit(params, f"ALTER TABLE {PGS} {change}")
    found = results(params, ["column_types", "columns_exist"])
    assert found["columns_exist"].status is Status.PASS
    assert found["column_types"].status is (Status.FAIL if said else Status.PASS)
    assert found["column_types"].detail.removeprefix(f"{PGS}.").startswith(said)


def played(games: int, in_bootstrap: int = 0) -> Calendar:
    """Return a calendar of so many games, so many of them in the first two weeks."""
    opening = SINCE - timedelta(days=20)
    days = [GameDay(opening + timedelta(days=1), 2023, opening, in_bootstrap)] if in_bootstrap else []
    return Calendar((*days, GameDay(SINCE, 2023, opening, games - in_bootstrap)), 14)


GAMES, STORE_GAMES = "games.team_offense_game_summary", "games.ml_feature_store_v2"


@pytest.mark.parametrize(
    ("name", "calendar", "minimum", "floor"),
    [
        (GAMES, played(5795), 5600, None),
        (GAMES, played(5795, 500), 5600, None),
        (GAMES, played(11590), 11200, None),
        (GAMES, played(100), 5600 / 57.95, None),
        ("records", played(1879), 35000, None),
        ("records", played(1), 35000 / 1879, None),
        (STORE_GAMES, played(10000, 1151), 0.88, 0.8),
        (STORE_GAMES, played(10000), 0.88 / 0.8849, 0.8 / 0.8849),
        (STORE_GAMES, played(10000, 10000), 0, 0),
        ("usage_rate", played(5795), 0.95, None),
        ("rows_per_game.team_offense_game_summary", played(1), 1.99, None),
    ],
)
def test_bounds_of_a_documents_own_range_are_kept_there_and_scaled_elsewhere(
    league_warehouse: Path,
    warehouse_params: Params,
    name: str,
    calendar: Calendar,
    minimum: float,
    floor: float | None,
) -> None:
    found = run_check(scope_of(spring(warehouse_params), calendar=calendar), CHECKS[name])
    assert found.minimum == pytest.approx(minimum, rel=1e-12)
    assert found.floor == (None if floor is None else pytest.approx(floor, rel=1e-12))
    assert found.overridden is False
    if minimum in (5600, 35000):
        assert found.minimum == minimum


@pytest.mark.parametrize(
    ("name", "given", "minimum", "floor", "maximum"),
    [
        (GAMES, {"minimum": 50}, 50, None, None),
        (STORE_GAMES, {"minimum": 0.95}, 0.95, 0.8 / 0.8849, None),
        (STORE_GAMES, {"minimum": 0.9}, 0.9, 0.9, None),
        (STORE_GAMES, {"minimum": 0.3}, 0.3, 0.3, None),
        (STORE_GAMES, {"maximum": 0.5}, 0.88 / 0.8849, 0.8 / 0.8849, 0.5),
        ("usage_regression", {"minimum": 0.8}, 0.8, 0.8, None),
        ("rows_per_game.team_offense_game_summary", {"maximum": 1.995}, 1.99, None, 1.995),
    ],
)
def test_a_threshold_of_the_parameters_is_taken_as_it_is_and_marked(
    league_warehouse: Path,
    warehouse_params: Params,
    name: str,
    given: dict[str, float],
    minimum: float,
    floor: float | None,
    maximum: float | None,
) -> None:
    params = spring(warehouse_params).model_copy(update={"thresholds": {name: ThresholdParams(**given)}})
    found = run_check(scope_of(params), CHECKS[name])
    assert found.minimum == pytest.approx(minimum)
    assert found.floor == (None if floor is None else pytest.approx(floor))
    assert found.maximum == maximum
    assert found.overridden is True
    assert found.record()["overridden"] is True


@pytest.mark.parametrize(
    "broken",
    [
        made(table="player_game_summary"),
        made(sql="no_such_file", table="player_game_summary"),
        made(sql="games"),
        made(sql="games", table="no_such_table"),
        made(numerator="COUNT(no_such_column)", table="player_game_summary"),
        made(numerator="COUNT(*)", table="no_such_table"),
        made(numerator=")) FROM", table="player_game_summary"),
        made(numerator="@nothing", table="player_game_summary"),
        made(numerator="MAX(team_abbr)", table="player_game_summary"),
        made(measure="worst month", table="player_game_summary"),
        made(measure="columns filled", table="no_such_table"),
        made(measure="coverage", table="nbac_schedule"),
        made(measure="rows", table="no_such_table"),
        made(measure="weeks", table="player_daily_cache"),
        made(measure="gaps", table="player_daily_cache"),
        made(measure="regression", of="no_such_check", table="player_game_summary"),
        made(measure="guess"),
    ],
    ids=[
        "nothing to count",
        "no SQL file",
        "no table",
        "no such table",
        "no such column",
        "numerator over no such table",
        "no valid SQL",
        "parameter missing",
        "text for a number",
        "no numerator",
        "columns of no table",
        "no coverage",
        "no coverage of no table",
        "weeks against nothing",
        "gaps without a share",
        "regression of nothing",
        "no such measure",
    ],
)
def test_a_broken_check_is_an_error(league_warehouse: Path, warehouse_params: Params, broken: Check) -> None:
    found = run_check(scope_of(spring(warehouse_params), [broken]), broken)
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
        "SELECT CAST('Infinity' AS FLOAT64) AS numerator, 1 AS denominator",
    ],
)
@pytest.mark.parametrize("measure", ["ratio", "count"])
def test_a_statement_that_answers_nothing_useful_is_an_error(
    league_warehouse: Path, warehouse_params: Params, monkeypatch: pytest.MonkeyPatch, sql: str, measure: str
) -> None:
    looking = scope_of(spring(warehouse_params))
    monkeypatch.setattr(measures, "render", lambda *_, **__: Statement("t.sql", sql))
    found = run_check(looking, made(measure=measure, sql="t", minimum=0))
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
@pytest.mark.parametrize("place", ["statement", "profile"])
def test_no_rows_are_no_data(
    league_warehouse: Path,
    warehouse_params: Params,
    monkeypatch: pytest.MonkeyPatch,
    numerator: str,
    denominator: str,
    measure: str,
    expected: Status,
    place: str,
) -> None:
    looking = scope_of(spring(warehouse_params))
    if place == "statement":
        sql = f"SELECT {numerator} AS numerator, {denominator} AS denominator"
        monkeypatch.setattr(measures, "render", lambda *_, **__: Statement("t.sql", sql))
        asked = made(measure=measure, maximum=0, sql="t")
    else:
        sql = f"SELECT DATE '2024-03-01' AS month, {numerator} AS numerator_0, {denominator} AS denominator_0"
        monkeypatch.setattr(scope, "render", lambda *_, **__: Statement("t.sql", sql))
        asked = made(measure=measure, maximum=0, table="player_game_summary", numerator=numerator)
    assert run_check(looking, asked).status is expected


def test_a_processor_that_cannot_be_translated_is_no_pass(
    league_warehouse: Path, warehouse_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    looking = scope_of(warehouse_params)
    monkeypatch.setattr(measures, "render", lambda *_, **__: Statement("insert.sql", "INSERT INTO ((("))
    assert run_check(looking, CHECKS["processors_ready"]).status is Status.ERROR


@pytest.mark.parametrize("crash", [ZeroDivisionError, RuntimeError, MemoryError, AssertionError])
def test_a_measure_that_crashes_is_an_error_and_the_others_still_report(
    league_warehouse: Path, warehouse_params: Params, monkeypatch: pytest.MonkeyPatch, crash: type[Exception]
) -> None:
    def broken(*_: object) -> measures.Measured:
        raise crash("it broke")

    monkeypatch.setitem(measures.MEASURES, "tables", broken)
    wanted = [CHECKS["tables_exist"], CHECKS["columns_exist"]]
    found = [item.status for item in run_checks(scope_of(warehouse_params, wanted), wanted)]
    assert found == [Status.ERROR, Status.PASS]


def test_another_bootstrap_is_seen_unless_its_threshold_is_changed_by_name(
    league_warehouse: Path, warehouse_params: Params
) -> None:
    longer = warehouse_params.model_copy(update={"bootstrap_days": 60})
    check = CHECKS["bootstrap"]
    assert run_check(scope_of(longer, [check]), check).status is Status.FAIL
    named = longer.model_copy(update={"thresholds": {"bootstrap": ThresholdParams(maximum=60)}})
    allowed = run_check(scope_of(named, [check]), check)
    assert (allowed.status, allowed.overridden) == (Status.PASS, True)
