"""What the parameters may accept by name: waived warnings and incomplete tables, never a failure."""

from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.calendar import read_calendar
from courtbook.catalog import load_catalog
from courtbook.checks import runner
from courtbook.checks.result import CheckResult, Status, Verdict, blocks
from courtbook.checks.runner import refuse_unknown_names, run_checks
from courtbook.checks.scope import Scope
from courtbook.errors import ExitCode, ParameterError
from courtbook.gates import Decision, decide
from courtbook.params import AcceptParams, Params, ThresholdParams, WaiverParams
from courtbook.warehouse.duckdb import DuckDBWarehouse
from pydantic import ValidationError

CATALOG = load_catalog()
CHECKS = {check.id: check for check in CATALOG.checks}
PGS = "nba_analytics.player_game_summary"
TEAMS, PLAYERS = "upcoming_team_game_context", "upcoming_player_game_context"
STORE = "nba_predictions.ml_feature_store_v2"
GAMES = "games.ml_feature_store_v2"
FOREVER, LONG_AGO = date(9999, 12, 31), date(2024, 1, 31)


def edit(params: Params, *statements: str) -> None:
    with duckdb.connect(params.warehouse.path) as connection:
        for statement in statements:
            connection.execute(statement)


def spring(params: Params, **more: Any) -> Params:
    """Return parameters for some weeks in the middle of a season: 24 game dates."""
    days = params.range.model_copy(update={"start": date(2024, 2, 15), "end": date(2024, 3, 15)})
    return params.model_copy(update={"range": days, **more})


def waived(*names: str, until: date = FOREVER) -> dict[str, WaiverParams]:
    return {name: WaiverParams(by="Ann", reason="known since May", until=until) for name in names}


def accepted(*names: str, minimum: float = 0.5) -> dict[str, AcceptParams]:
    return {
        name: AcceptParams(minimum=minimum, fallback_confirmed=True, by="Ann", reason="the jobs fill in")
        for name in names
    }


def scope_of(params: Params) -> Scope:
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    return Scope(CATALOG, warehouse, read_calendar(warehouse, params), params, declared=CATALOG.checks)


def results(params: Params, names: Iterable[str]) -> dict[str, CheckResult]:
    return {result.check.id: result for result in run_checks(scope_of(params), [CHECKS[name] for name in names])}


def decided(params: Params, gate: str) -> Decision:
    declared = CATALOG.checks_of(gate)
    return decide(gate, declared, run_checks(scope_of(params), declared))


def thin_out(games: int) -> str:
    """Return a statement that takes so many games of the spring from the feature store."""
    return (
        f"DELETE FROM {STORE} WHERE game_id IN (SELECT DISTINCT game_id FROM {STORE}"
        f" WHERE game_date BETWEEN DATE '2024-02-15' AND DATE '2024-03-15' ORDER BY HASH(game_id) LIMIT {games})"
    )


def test_a_waiver_takes_a_warning_off_the_list_and_says_who_did(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse())
    edit(params, f"UPDATE {PGS} SET paint_attempts = NULL")
    plain = decided(params, "phase3")
    assert {item.check.id for item in plain.warnings} >= {"shot_zones"}
    assert plain.excused == ()
    decision = decided(params.model_copy(update={"waivers": waived("shot_zones")}), "phase3")
    assert decision.verdict is plain.verdict is Verdict.GO
    assert {item.check.id for item in decision.warnings} == {item.check.id for item in plain.warnings} - {"shot_zones"}
    assert [(item.check.id, item.status) for item in decision.excused] == [("shot_zones", Status.WARN)]
    assert decision.record()["excused"] == {"shot_zones": "waived by Ann until 9999-12-31: known since May"}


def test_a_waiver_covers_a_warning_check_without_data(league_warehouse: Path, warehouse_params: Params) -> None:
    # The league begins with the range, so there is nothing to compare with.
    params = warehouse_params.model_copy(update={"waivers": waived("usage_regression")})
    found = results(params, ["usage_regression", "minutes_regression"])
    assert {item.status for item in found.values()} == {Status.NO_DATA}
    assert found["usage_regression"].excuse
    assert not found["minutes_regression"].excuse


def test_a_waiver_opens_a_gate_in_the_marginal_band_but_not_below_it(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse(), waivers=waived(GAMES))
    # In spring all games lie outside the bootstrap: 99.4 % are asked for, and 90.4 % are marginal.
    for games, status in ((8, Status.WARN), (20, Status.FAIL)):
        edit(params, thin_out(games))
        plain = results(params.model_copy(update={"waivers": {}}), [GAMES])[GAMES]
        found = results(params, [GAMES])[GAMES]
        assert (plain.status, found.status) == (status, status)
        assert blocks(plain)
        assert blocks(found) == (status is Status.FAIL)
        assert bool(found.excuse) == (status is Status.WARN)
        wanted = decide("phase4", [CHECKS[GAMES]], [plain]), decide("phase4", [CHECKS[GAMES]], [found])
        assert [decision.verdict for decision in wanted] == (
            [Verdict.MARGINAL, Verdict.GO] if status is Status.WARN else [Verdict.NO_GO, Verdict.NO_GO]
        )


@pytest.mark.parametrize(
    ("name", "damage", "status"),
    [
        ("usage_rate", f"UPDATE {PGS} SET usage_rate = NULL", Status.FAIL),
        ("usage_regression", f"UPDATE {PGS} SET usage_rate = NULL WHERE game_date >= DATE '2024-02-15'", Status.FAIL),
        ("usage_rate", f"DELETE FROM {PGS}", Status.NO_DATA),
        ("usage_rate", f"ALTER TABLE {PGS} DROP COLUMN usage_rate", Status.ERROR),
        ("shot_zones", f"ALTER TABLE {PGS} DROP COLUMN paint_attempts", Status.ERROR),
        ("usage_rate", "", Status.PASS),
    ],
    ids=["failure", "failure of a warning check", "critical without data", "error", "error of a warning check", "pass"],
)
def test_a_waiver_never_covers_anything_else(
    copy_warehouse: Callable[[], Params], name: str, damage: str, status: Status
) -> None:
    params = spring(copy_warehouse(), waivers=waived(name))
    edit(params, *([damage] if damage else []))
    found = results(params, [name])[name]
    assert found.status is status
    assert found.excuse == ""
    assert blocks(found) == (status is not Status.PASS)


def test_a_waiver_that_ended_is_named_and_does_not_count(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse(), waivers=waived(GAMES, "shot_zones", until=LONG_AGO))
    edit(params, thin_out(8), f"UPDATE {PGS} SET paint_attempts = NULL")
    found = results(params, [GAMES, "shot_zones"])
    assert [item.status for item in found.values()] == [Status.WARN, Status.WARN]
    assert all("the waiver of Ann ended on 2024-01-31" in item.detail for item in found.values())
    assert all(item.excuse == "" for item in found.values())
    assert blocks(found[GAMES])


@pytest.mark.parametrize(("days", "counts"), [(-1, True), (0, True), (1, False)])
def test_a_waiver_counts_on_its_last_day(
    warehouse_params: Params, league_warehouse: Path, days: int, counts: bool
) -> None:
    until = date(2026, 5, 31)
    params = spring(warehouse_params, waivers=waived("shot_zones", until=until))
    warned = CheckResult(
        CHECKS["shot_zones"], Status.WARN, 1.0, 9.0, 0.1, 0.4, None, overridden=False, seconds=0.0, detail="few"
    )
    found = runner._excuse(scope_of(params), warned, until + timedelta(days=days))
    assert bool(found.excuse) == counts
    assert found.detail.startswith("few")
    assert ("ended" in found.detail) == (not counts)


@pytest.mark.parametrize(
    ("change", "where", "said"),
    [
        ({"thresholds": {"usage_rat": ThresholdParams(minimum=0.5)}}, "thresholds.usage_rat", "mean 'usage_rate'?"),
        ({"waivers": waived("shot_zone")}, "waivers.shot_zone", "mean 'shot_zones'?"),
        ({"waivers": waived("coverage.player_daily_cach")}, "waivers.coverage.player_daily_cach",
         "mean 'coverage.player_daily_cache'?"),
        ({"waivers": waived("coverage")}, "waivers.coverage", "There is no check of this name"),
        ({"waivers": waived("zzz")}, "waivers.zzz", "There is no check of this name."),
        ({"accept": accepted("upcoming_team_context")}, "accept.upcoming_team_context", f"mean '{TEAMS}'?"),
        ({"accept": accepted("player_game_summary")}, "accept.player_game_summary", "no table with a fallback"),
        ({"accept": accepted("player_daily_cache")}, "accept.player_daily_cache", "no table with a fallback"),
        ({"accept": accepted("nbac_schedule")}, "accept.nbac_schedule", "no table with a fallback"),
    ],
)  # fmt: skip
def test_names_that_do_not_exist_are_refused_with_the_one_that_was_meant(
    warehouse_params: Params, change: dict[str, Any], where: str, said: str
) -> None:
    with pytest.raises(ParameterError) as caught:
        refuse_unknown_names(warehouse_params.model_copy(update=change), CATALOG)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.where == where
    assert said in caught.value.what
    if where.startswith("accept"):
        assert f"{TEAMS}, {PLAYERS}" in caught.value.next_action


def test_names_that_exist_are_not_refused(warehouse_params: Params) -> None:
    change = {
        "thresholds": {name: ThresholdParams(minimum=0.5) for name in CHECKS},
        "waivers": waived(*CHECKS),
        "accept": accepted(TEAMS, PLAYERS),
    }
    refuse_unknown_names(warehouse_params.model_copy(update=change), CATALOG)


COMPLETENESS = ("coverage", "rows", "partial", "gaps")


@pytest.mark.parametrize("name", [TEAMS, PLAYERS])
def test_an_accepted_table_may_lack_half_of_its_dates(copy_warehouse: Callable[[], Params], name: str) -> None:
    params = spring(copy_warehouse())
    table = CATALOG.tables[name]
    days = "(DATE '2024-02-22', DATE '2024-02-23')"
    edit(
        params,
        f"DELETE FROM {table.full_name} WHERE game_date >= DATE '2024-03-05'",
        f"DELETE FROM {table.full_name} WHERE game_date IN {days} AND HASH({table.entity_column}) % 2 = 0",
    )
    own = [f"{kind}.{name}" for kind in COMPLETENESS]
    assert {item.status for item in results(params, own).values()} == {Status.FAIL}
    params = params.model_copy(update={"accept": accepted(name)})
    found = results(params, own)
    assert {item.status for item in found.values()} == {Status.WARN}
    assert not any(blocks(item) for item in found.values())
    assert {item.excuse for item in found.values()} == {
        "accepted by Ann: the jobs fill in (option A, fallback confirmed)"
    }
    assert found[f"coverage.{name}"].record()["dates"][0] == "2024-03-05"
    decision = decided(params, "phase3")
    assert decision.verdict is Verdict.GO
    assert {item.check.id for item in decision.excused} == set(own)


@pytest.mark.parametrize(("since", "minimum"), [("2024-02-29", 0.5), ("2024-03-05", 0.6)])
def test_below_its_minimum_a_table_is_not_accepted(
    copy_warehouse: Callable[[], Params], since: str, minimum: float
) -> None:
    params = spring(copy_warehouse(), accept=accepted(TEAMS, minimum=minimum))
    edit(params, f"DELETE FROM {CATALOG.tables[TEAMS].full_name} WHERE game_date >= DATE '{since}'")
    found = results(params, [f"{kind}.{TEAMS}" for kind in ("coverage", "rows", "gaps")])
    covered = {"2024-02-29": 33.3, "2024-03-05": 54.2}[since]
    for item in found.values():
        assert item.status is Status.FAIL
        assert item.excuse == ""
        assert f"not accepted: {covered} % of the dates, option A asks for {100 * minimum:g} %" in item.detail
        assert blocks(item)


def test_accepting_a_table_says_nothing_about_its_rows_or_about_other_tables(
    copy_warehouse: Callable[[], Params],
) -> None:
    params = spring(copy_warehouse(), accept=accepted(TEAMS))
    players = CATALOG.tables[PLAYERS].full_name
    edit(
        params,
        f"UPDATE {CATALOG.tables[TEAMS].full_name} SET quality_score = 40",
        f"DELETE FROM {players} WHERE game_date >= DATE '2024-03-05'",
    )
    found = results(params, [f"quality.{TEAMS}", f"coverage.{TEAMS}", f"coverage.{PLAYERS}"])
    assert [item.status for item in found.values()] == [Status.FAIL, Status.PASS, Status.FAIL]
    assert not any(item.excuse for item in found.values())


def test_a_table_that_is_not_there_cannot_be_accepted(copy_warehouse: Callable[[], Params]) -> None:
    params = spring(copy_warehouse(), accept=accepted(TEAMS), waivers=waived(f"coverage.{TEAMS}"))
    edit(params, f"DROP TABLE {CATALOG.tables[TEAMS].full_name}")
    for item in results(params, [f"{kind}.{TEAMS}" for kind in COMPLETENESS]).values():
        assert (item.status, item.excuse) == (Status.ERROR, "")


@pytest.mark.parametrize("name", ["usage_rate", "duplicates.player_game_summary", f"quality.{TEAMS}"])
def test_another_threshold_changes_the_outcome_and_is_marked(
    league_warehouse: Path, warehouse_params: Params, name: str
) -> None:
    bounds = {"minimum": 101.0} if CHECKS[name].minimum is not None else {"maximum": -1.0}
    params = spring(warehouse_params)
    plain = results(params, [name])[name]
    strict = results(params.model_copy(update={"thresholds": {name: ThresholdParams(**bounds)}}), [name])[name]
    assert (plain.status, plain.overridden) == (Status.PASS, False)
    assert (strict.status, strict.overridden) == (Status.FAIL, True)
    assert strict.value == plain.value
    assert (strict.minimum or strict.maximum) in bounds.values()


def test_a_looser_threshold_lets_its_own_check_pass_and_the_decision_says_so(
    copy_warehouse: Callable[[], Params],
) -> None:
    loose = {name: ThresholdParams(minimum=0.8) for name in ("usage_rate", "usage_by_month")}
    params = spring(copy_warehouse(), thresholds=loose)
    edit(params, f"UPDATE {PGS} SET usage_rate = NULL WHERE HASH(game_id, player_lookup) % 100 < 12")
    phase3, ml = decided(params, "phase3"), decided(params, "ml")
    assert phase3.verdict is Verdict.GO
    assert phase3.record()["thresholds"] == ["usage_rate", "usage_by_month"]
    assert ml.record()["blockers"] == ["usage_where_played"]
    assert ml.record()["thresholds"] == []


ACCEPT: dict[str, Any] = {"fallback_confirmed": True, "by": "Ann", "reason": "the jobs fill in"}
WAIVER: dict[str, Any] = {"by": "Ann", "reason": "known", "until": date(2026, 5, 31)}


@pytest.mark.parametrize(
    ("model", "given"),
    [
        (AcceptParams, ACCEPT | {"fallback_confirmed": False}),
        (AcceptParams, ACCEPT | {"fallback_confirmed": "true"}),
        (AcceptParams, ACCEPT | {"fallback_confirmed": 1}),
        (AcceptParams, {name: value for name, value in ACCEPT.items() if name != "fallback_confirmed"}),
        (AcceptParams, ACCEPT | {"minimum": 0.49}),
        (AcceptParams, ACCEPT | {"minimum": 1.01}),
        (AcceptParams, ACCEPT | {"minimum": float("nan")}),
        (AcceptParams, ACCEPT | {"by": " "}),
        (AcceptParams, ACCEPT | {"reason": ""}),
        (WaiverParams, WAIVER | {"by": ""}),
        (WaiverParams, WAIVER | {"reason": "\t"}),
        (WaiverParams, WAIVER | {"until": "for ever"}),
        (WaiverParams, {name: value for name, value in WAIVER.items() if name != "until"}),
    ],
    ids=str,
)
def test_nothing_is_accepted_without_a_name_a_reason_and_an_end(model: Any, given: dict[str, Any]) -> None:
    AcceptParams.model_validate(ACCEPT)
    WaiverParams.model_validate(WAIVER)
    with pytest.raises(ValidationError):
        model.model_validate(given)
