"""The whole validation over tables as the operator has them: other columns, more columns, scaled numbers."""

import json
import re
import shutil
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from courtbook.audit import run_audit
from courtbook.backfill.sql import replace_dates
from courtbook.calendar import read_calendar
from courtbook.catalog import Check, Layer, load_catalog
from courtbook.checks.result import CheckResult, Status
from courtbook.checks.runner import run_checks
from courtbook.checks.scope import Scope
from courtbook.coverage import read_all
from courtbook.errors import NoGo, ParameterError
from courtbook.fingerprint import read_fingerprints
from courtbook.params import CommandParams, Params, RangeParams
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import render
from production_shape import DecimalRows, build_production, production_tables, run_cells

CATALOG = load_catalog()
GATES = ("preflight", "phase3", "phase4", "ml")
NOTEBOOKS = ("00_preflight", "20_phase3_validation", "40_phase4_validation", "50_ml_readiness")
WEEKS = RangeParams(start=date(2024, 2, 23), end=date(2024, 3, 12))
STORE = "nba_predictions.ml_feature_store_v2"
PGS = "nba_analytics.player_game_summary"
TD = "nba_analytics.team_defense_game_summary"
UPGC = "nba_analytics.upcoming_player_game_context"
# What nothing stands for: the table of summed shots, and the list of features that a default fills.
UNKNOWN = {
    "raw_duplicates.player_shot_zones": "nba_raw.player_shot_zones",
    "feature_defaults": f"{STORE}.default_features",
    "feature_default_share": f"{STORE}.default_features",
}
OFF_COVERAGE = ("coverage", "rows", "partial", "missing", "gaps", "weeks", "stale", "unexpected", "foreign")


def edit(path: Path, *statements: str) -> None:
    with duckdb.connect(str(path)) as connection:
        for statement in statements:
            connection.execute(statement)


def params_of(path: Path, params: Params, *, own_jobs: bool = True) -> Params:
    """Return parameters over one of the files; ``own_jobs``: the operator's programs fill all tables."""
    job = CommandParams(kind="command", argv=("true",))
    return params.model_copy(
        update={
            "warehouse": params.warehouse.model_copy(update={"path": str(path)}),
            "range": WEEKS,
            "executors": {table.name: job for table in CATALOG.processed} if own_jobs else {},
        }
    )


def results(params: Params, checks: Iterable[Check] = CATALOG.checks) -> dict[str, CheckResult]:
    warehouse, declared = DuckDBWarehouse(Path(params.warehouse.path)), tuple(checks)
    scope = Scope(CATALOG, warehouse, read_calendar(warehouse, params), params, declared=declared)
    return {result.check.id: result for result in run_checks(scope, declared)}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory, league_warehouse: Path) -> dict[str, Path]:
    """Their tables: filled, with the raw layer only, and all empty. Tests only read them."""
    folder = tmp_path_factory.mktemp("production")
    made = {name: folder / f"{name}.duckdb" for name in ("filled", "raw", "empty")}
    build_production(made["filled"], league_warehouse)
    build_production(made["empty"])
    shutil.copyfile(made["filled"], made["raw"])
    edit(made["raw"], *(f"DELETE FROM {table.full_name}" for table in CATALOG.processed))
    return made


@pytest.fixture
def theirs(files: dict[str, Path], warehouse_params: Params, tmp_path: Path) -> Callable[..., Params]:
    """A function that copies the filled file, changes the copy and returns parameters over it."""

    def copy(*statements: str, own_jobs: bool = True) -> Params:
        shutil.copyfile(files["filled"], tmp_path / "theirs.duckdb")
        edit(tmp_path / "theirs.duckdb", *statements)
        return params_of(tmp_path / "theirs.duckdb", warehouse_params, own_jobs=own_jobs)

    return copy


@pytest.fixture
def decimals(monkeypatch: pytest.MonkeyPatch) -> None:
    """Scaled numbers come as Decimal, as from BigQuery's clients."""
    execute = DuckDBWarehouse._execute

    def run(self: DuckDBWarehouse, *given: Any, **more: Any) -> tuple[Any, str]:
        result, job = execute(self, *given, **more)
        return DecimalRows(result), job

    monkeypatch.setattr(DuckDBWarehouse, "_execute", run)


def test_the_tables_are_those_of_the_catalog_and_it_knows_every_difference() -> None:
    listed = production_tables()
    for name, entry in listed.items():
        assert entry.get("documented", entry["listed"]) == entry["listed"], name
        assert {entry["partition"], *entry.get("cluster", "").split()} <= entry["columns"].keys(), name
    for table in CATALOG.tables.values():
        entry = listed.get(table.full_name, {"columns": {}})
        same = {
            column
            for column, kind in table.columns.items()
            if (found := entry["columns"].get(column, "").rstrip("!").partition("(")[0]) == kind
            or (kind == "FLOAT64" and found in ("NUMERIC", "INT64"))
        }
        assert table.columns.keys() - same == table.otherwise.keys(), table.name
        assert table.date_column == entry.get("partition", table.date_column) or table.name == "nbac_injury_report"


@pytest.mark.parametrize("as_decimal", [False, True], ids=["numbers", "decimals"])
def test_checks_judge_the_same_rows_alike(
    files: dict[str, Path],
    league_warehouse: Path,
    warehouse_params: Params,
    as_decimal: bool,
    request: pytest.FixtureRequest,
) -> None:
    ours = results(params_of(league_warehouse, warehouse_params))
    if as_decimal:
        request.getfixturevalue("decimals")
    found = results(params_of(files["filled"], warehouse_params))
    assert {item.status for item in ours.values()} == {Status.PASS}
    assert {name for name, item in found.items() if item.status is not Status.PASS} == UNKNOWN.keys()
    for name, lacking in UNKNOWN.items():
        assert found[name].status is Status.NO_DATA
        assert found[name].detail.startswith(f"the warehouse has no {lacking}; see columns_exist")
    (ids,) = duckdb.connect(str(files["filled"]), read_only=True).execute(
        "SELECT BOOL_AND(REGEXP_FULL_MATCH(game_id, '00[0-9]{8}')) FROM nba_analytics.upcoming_team_game_context"
    ).fetchone()  # fmt: skip
    assert ids, "the league's own ids, with which nothing may be joined"


def test_what_is_lacking_is_named_and_what_stands_for_it_is_no_fault(theirs: Callable[..., Params]) -> None:
    found = results(theirs(), CATALOG.checks_of("preflight"))
    for name in ("tables_exist", "columns_exist"):
        assert found[name].status is Status.PASS
        assert "nba_raw.player_shot_zones" in found[name].detail
    for table in CATALOG.tables.values():
        for column in table.otherwise:
            assert f"{table.full_name}.{column}" in found["columns_exist"].detail or column == "missing_data_fields"
    filled = results(theirs(), [check for check in CATALOG.checks if check.id == "columns_filled.player_daily_cache"])
    assert filled["columns_filled.player_daily_cache"].detail == "not there: season_year, team_abbr"


def test_the_built_in_processors_need_all_columns(theirs: Callable[..., Params]) -> None:
    found = results(theirs(own_jobs=False), CATALOG.checks_of("preflight"))
    failed = {name for name, item in found.items() if item.status is Status.FAIL}
    assert failed == {"tables_exist", "columns_exist", "column_types"}
    assert found["tables_exist"].detail == "absent: nba_raw.player_shot_zones"
    assert "absent: " in found["columns_exist"].detail
    assert f"{STORE}.default_features" in found["columns_exist"].detail
    assert "missing_data_fields is STRING, not ARRAY<STRING>" in found["column_types"].detail


BOTH = (
    f"DELETE FROM {PGS} WHERE game_date = DATE '2024-03-05'",
    f"DELETE FROM {UPGC} WHERE game_date = DATE '2024-03-07' AND player_lookup < 'm'",
    "DELETE FROM nba_analytics.upcoming_team_game_context WHERE game_date = DATE '2024-03-01'",
    "DELETE FROM nba_precompute.player_daily_cache WHERE cache_date = DATE '2024-03-08'",
    "INSERT INTO nba_precompute.team_defense_zone_analysis"
    " SELECT * FROM nba_precompute.team_defense_zone_analysis WHERE analysis_date = DATE '2024-03-02'",
    f"UPDATE {PGS} SET opponent_team_abbr = team_abbr WHERE game_date = DATE '2024-03-03'",
    f"UPDATE {PGS} SET team_abbr = 'XXX' WHERE game_date = DATE '2024-03-04' AND player_lookup < 'c'",
    "UPDATE nba_analytics.team_offense_game_summary SET processed_at = processed_at + INTERVAL 1 HOUR"
    " WHERE game_date = DATE '2024-02-23' AND team_abbr < 'H'",
    f"UPDATE {TD} SET quality_issues = ['placeholder_created'] WHERE defending_team_abbr < 'H'",
)


def test_damage_is_found_alike(
    copy_warehouse: Callable[[], Params], theirs: Callable[..., Params], warehouse_params: Params
) -> None:
    ours = params_of(Path(copy_warehouse().warehouse.path), warehouse_params)
    older = f"UPDATE {STORE} SET %s = %s - INTERVAL 2 HOUR WHERE game_date = DATE '2024-03-11'"
    edit(
        Path(ours.warehouse.path),
        *BOTH,
        older.replace("%s", "processed_at"),
        f"UPDATE {TD} SET is_production_ready = FALSE WHERE defending_team_abbr < 'H'",
    )
    other = theirs(*BOTH, older.replace("%s", "updated_at"))
    before, after = results(ours), results(other)
    statuses = {name: item.status for name, item in before.items() if name not in UNKNOWN}
    assert {name: after[name].status for name in statuses} == statuses
    for name, item in before.items():
        if item.check.measure in OFF_COVERAGE:
            assert (after[name].numerator, after[name].denominator) == (item.numerator, item.denominator), name
    failed = {name for name, status in statuses.items() if status is Status.FAIL}
    assert failed >= {
        "stale.player_daily_cache", "stale.ml_feature_store_v2", "orphans.player_daily_cache",
        "values.player_game_summary", "production_ready.team_defense_game_summary",
    }  # fmt: skip
    frames = [
        read_all(warehouse, CATALOG.processed, read_calendar(warehouse, ours))
        for warehouse in (DuckDBWarehouse(Path(item.warehouse.path)) for item in (ours, other))
    ]
    for name, read in frames[0].items():
        pd.testing.assert_frame_equal(read.frame, frames[1][name].frame)


def test_a_column_that_somebody_added_counts_rather_than_the_rule_for_it(theirs: Callable[..., Params]) -> None:
    params = theirs(f"ALTER TABLE {PGS} ADD COLUMN is_production_ready BOOLEAN DEFAULT FALSE")
    checks = [check for check in CATALOG.checks if check.id.startswith("production_ready")]
    statuses = {name.partition(".")[2]: item.status for name, item in results(params, checks).items()}
    assert statuses.pop("player_game_summary") is Status.FAIL
    assert set(statuses.values()) == {Status.PASS}


@pytest.mark.parametrize(
    ("change", "named", "told"),
    [
        (f"ALTER TABLE {STORE} DROP COLUMN updated_at", f"{STORE}.processed_at", "coverage.ml_feature_store_v2"),
        (f"ALTER TABLE {PGS} DROP COLUMN usage_rate", f"{PGS}.usage_rate", "usage_rate"),
        (f"ALTER TABLE {PGS} DROP COLUMN quality_score", f"{PGS}.quality_score", "quality.player_game_summary"),
        (f"DROP TABLE {PGS}", PGS, "values.player_game_summary"),
    ],
)
def test_what_has_to_be_there_and_is_not_is_an_error_that_names_it(
    theirs: Callable[..., Params], change: str, named: str, told: str
) -> None:
    found = results(theirs(change), [check for check in CATALOG.checks if check.id in ("columns_exist", told)])
    assert found["columns_exist"].status is Status.FAIL
    assert re.search(rf"absent: (?:\S+, )*{named}", found["columns_exist"].detail)
    assert found[told].status is Status.ERROR
    assert found[told].detail == f"the warehouse has no {named}; see columns_exist in preflight"


@pytest.mark.usefixtures("decimals")
@pytest.mark.parametrize(
    ("file", "verdicts", "statuses"),
    [
        ("filled", ["GO", "GO", "GO", "GO"], {"PASS", "NO_DATA"}),
        ("raw", ["GO", "NO-GO", "NO-GO", "NO-GO"], {"PASS", "NO_DATA", "FAIL"}),
    ],
)
def test_every_step_ends_in_a_verdict(
    files: dict[str, Path],
    warehouse_params: Params,
    tmp_path: Path,
    file: str,
    verdicts: list[str],
    statuses: set[str],
) -> None:
    params = params_of(files[file], warehouse_params).model_copy(update={"source": None})
    (tmp_path / "production.yaml").write_text(params.to_yaml())
    found, seen = [], {}
    for name in NOTEBOOKS:
        with suppress(NoGo):
            run_cells(name, params_file=str(tmp_path / "production.yaml"), run_dir=str(tmp_path / "run"))
        result = json.loads((tmp_path / "run" / name / "attempt-1" / "result.json").read_text())
        found.append(result["verdict"])
        seen |= {item["id"]: item for gate in result["gates"] for item in gate["results"]}
    assert found == verdicts
    assert seen.keys() == {check.id for check in CATALOG.checks}
    assert {item["status"] for item in seen.values()} == statuses
    passed = {name for name, item in seen.items() if item["status"] == "PASS"}
    assert file == "filled" or passed <= {check.id for check in CATALOG.checks_of("preflight")}
    for item in seen.values():
        assert "Error" not in item["detail"]
        assert item["status"] != "FAIL" or item["dates"] or item["numerator"] == 0


def test_an_empty_schedule_is_told_before_anything_else(files: dict[str, Path], warehouse_params: Params) -> None:
    with pytest.raises(ParameterError, match=r"No game that counts was played .* load the schedule"):
        run_audit(params_of(files["empty"], warehouse_params), GATES)


def test_columns_of_others_change_nothing_that_is_written(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse().model_copy(update={"range": WEEKS})
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    calendar = read_calendar(warehouse, params)
    days = calendar.dates()[-2:]
    before = read_fingerprints(warehouse, CATALOG.processed, *days)
    for table in CATALOG.processed:
        theirs = production_tables()[table.full_name]["columns"]
        more = {column: "BIGINT" if "INT" in kind else "VARCHAR" for column, kind in theirs.items()}
        added = [f"ADD COLUMN {column} {kind}" for column, kind in more.items() if column not in table.columns]
        edit(warehouse.path, *(f"ALTER TABLE {table.full_name} {addition}" for addition in added))
    for level in (*CATALOG.levels(Layer.PHASE3), *CATALOG.levels(Layer.PHASE4)):
        for table in level:
            replace_dates(warehouse, table, calendar, days)
    assert read_fingerprints(warehouse, CATALOG.processed, *days) == before


@pytest.mark.thorough
@pytest.mark.xdist_group("googlesql")
def test_what_is_asked_of_their_tables_is_googlesql_and_reads_no_whole_table(
    files: dict[str, Path], warehouse_params: Params, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judge.google import Google

    params, warehouse = params_of(files["filled"], warehouse_params), DuckDBWarehouse(files["filled"])
    asked, fit = {}, warehouse._fit
    monkeypatch.setattr(warehouse, "_fit", lambda sql: asked.setdefault(sql, fit(sql)))
    run_checks(
        Scope(CATALOG, warehouse, read_calendar(warehouse, params), params, declared=CATALOG.checks), CATALOG.checks
    )
    google = Google()
    theirs = google.register(columns={name: entry["columns"] for name, entry in production_tables().items()})
    changed = [sql for sql, fitted in asked.items() if fitted != sql]
    assert len(changed) > 30
    for fitted in asked.values():
        assert google.analyze(fitted, theirs).unpruned == set()
    with pytest.raises(Exception, match="is_play_in"):
        google.analyze(changed[0], theirs)
    for view in ("usage_bins", "baseline_by_season", "features", "layers_by_month"):
        drawn = google.analyze(fit(render("nba", f"views/{view}.sql").sql), theirs).columns
        assert "NUMERIC" not in dict(drawn).values(), "plots take no Decimal"
