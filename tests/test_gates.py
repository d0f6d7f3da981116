"""Gates: what a decision says, and that nothing is written while one is closed."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.backfill.runner import BackfillReport, Batch
from courtbook.catalog import Check, Layer, Severity
from courtbook.checks.result import CheckResult, Status, Verdict
from courtbook.errors import CourtbookError, ExitCode, GateClosed, NoGo, ParameterError, Reason
from courtbook.evidence.ledger import Ledger
from courtbook.gates import Decision, add_up, decide, require_go
from courtbook.params import OverrideParams, Params
from courtbook.plan import Plan
from courtbook.step import Step

PGS = "nba_analytics.player_game_summary"
TEAMS = "nba_analytics.upcoming_team_game_context"
CACHE = "nba_precompute.player_daily_cache"
LOST = date(2024, 3, 12)


def check(name: str, table: str = "", severity: Severity = Severity.CRITICAL) -> Check:
    return Check(
        name, name.title(), "phase3", severity, "a / b", "here", "something", "Repair it.", "courtbook", table=table
    )


def result(
    name: str, status: Status, table: str = "", severity: Severity = Severity.CRITICAL, excuse: str = ""
) -> CheckResult:
    return CheckResult(
        check(name, table, severity), status, 1.0, 2.0, 0.5, None, None, overridden=False, seconds=0.0, excuse=excuse
    )


def decided(
    *results: CheckResult, more: tuple[str, ...] = (), gate: str = "phase3", override: OverrideParams | None = None
) -> Decision:
    return decide(gate, [*(item.check for item in results), *(check(name) for name in more)], results, override)


PASS, WARN, FAIL, NO_DATA, ERROR = Status.PASS, Status.WARN, Status.FAIL, Status.NO_DATA, Status.ERROR
MILD = Severity.WARNING
ANN = OverrideParams(gate="phase3", by="Ann", reason="the season starts tomorrow")
# One decision of each kind.
GO = decided(result("a", PASS, "t"))
MARGINAL = decided(result("a", PASS), result("b", WARN, "t"))
NO_GO = decided(result("a", FAIL, "t"), result("b", FAIL, "u"))
SILENT = decided(result("a", PASS), more=("b",))


@pytest.mark.parametrize(
    ("decision", "verdict", "words", "tables"),
    [
        (decided(result("a", PASS), result("b", PASS)), Verdict.GO, "all 2 critical checks of 2 passed", ()),
        (
            decided(result("a", PASS, "t"), result("b", WARN, "t", MILD), result("c", NO_DATA, "t", MILD)),
            Verdict.GO,
            "all 1 critical checks of 3 passed, 1 with a warning, 1 without data",
            (),
        ),
        (
            decided(result("a", WARN, "t", excuse="waived"), result("b", WARN, "t", MILD)),
            Verdict.GO,
            "all critical checks of 2 passed, 1 with a warning, 1 accepted by name",
            (),
        ),
        (MARGINAL, Verdict.MARGINAL, "1 of 2 checks block in t", ("t",)),
        (
            decided(result("a", FAIL, "t"), result("b", NO_DATA, "u"), result("c", ERROR, "t"), result("d", PASS, "v")),
            Verdict.NO_GO,
            "3 of 4 checks block in t, u",
            ("t", "u"),
        ),
        (decided(result("a", FAIL), result("b", WARN, "t", MILD)), Verdict.NO_GO, "1 of 2 checks block: a", ()),
        (
            decided(result("a", FAIL, "t"), override=ANN),
            Verdict.DEGRADED,
            "1 of 1 checks block in t; DEGRADED: overridden by Ann: the season starts tomorrow",
            ("t",),
        ),
        (SILENT, Verdict.INTERRUPTED, "not every declared check has reported", ()),
        (decided(), Verdict.INTERRUPTED, "not every declared check has reported", ()),
    ],
    ids=["all pass", "warnings", "a waiver", "marginal", "blocked", "blocked without a table", "overridden",
         "one is silent", "nothing declared"],
)  # fmt: skip
def test_a_decision_in_words(decision: Decision, verdict: Verdict, words: str, tables: tuple[str, ...]) -> None:
    assert decision.verdict is verdict
    assert decision.words() == words
    assert decision.tables == tables


def test_a_decision_is_recorded_with_what_blocks_and_what_was_accepted() -> None:
    decision = decided(
        result("a", FAIL, "t"),
        result("b", WARN, "u", MILD),
        result("c", PASS),
        result("d", WARN, excuse="waived by Ann"),
        CheckResult(check("e"), PASS, 1.0, 1.0, 1.0, 0.5, None, overridden=True, seconds=0.0),
        override=ANN,
    )
    assert decision.record() == {
        "gate": "phase3",
        "verdict": "DEGRADED",
        "checks": 5,
        "blockers": ["a"],
        "warnings": ["b"],
        "excused": {"d": "waived by Ann"},
        "thresholds": ["e"],
        "tables": ["t"],
        "override": {"gate": "phase3", "by": "Ann", "reason": "the season starts tomorrow"},
    }
    assert GO.record()["override"] is None


@pytest.mark.parametrize(
    ("results", "gate", "expected"),
    [
        ([result("a", FAIL)], "phase3", Verdict.DEGRADED),
        ([result("a", ERROR), result("b", NO_DATA)], "phase3", Verdict.DEGRADED),
        ([result("a", WARN)], "phase3", Verdict.DEGRADED),
        ([result("a", PASS)], "phase3", Verdict.GO),
        ([result("a", WARN, severity=MILD)], "phase3", Verdict.GO),
        ([result("a", FAIL)], "phase4", Verdict.NO_GO),
        ([result("a", FAIL)], "preflight", Verdict.NO_GO),
        ([result("a", WARN)], "ml", Verdict.MARGINAL),
        ([], "phase3", Verdict.INTERRUPTED),
    ],
)
def test_an_override_counts_for_its_own_gate_and_only_where_that_says_no(
    results: list[CheckResult], gate: str, expected: Verdict
) -> None:
    decision = decided(*results, gate=gate, override=ANN)
    assert decision.verdict is expected
    assert (decision.override is ANN) == (expected is Verdict.DEGRADED)
    assert (decision.record()["override"] is not None) == (expected is Verdict.DEGRADED)


@pytest.mark.parametrize("status", [PASS, FAIL])
def test_an_override_does_not_stand_in_for_a_check_that_did_not_report(status: Status) -> None:
    assert decided(result("a", status), more=("b",), override=ANN).verdict is Verdict.INTERRUPTED


@pytest.mark.parametrize("decision", [GO, decided(result("a", FAIL, "t"), override=ANN)], ids=["GO", "DEGRADED"])
def test_go_and_an_overridden_gate_let_pass(decision: Decision) -> None:
    require_go("phase3", decision.record())


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (None, "was not decided in this run"),
        (NO_GO, r"closed \(NO-GO\): t, u"),
        (decided(result("a", FAIL)), r"closed \(NO-GO\): a"),
        (MARGINAL, r"closed \(MARGINAL\): t"),
        (SILENT, r"closed \(INTERRUPTED\)"),
    ],
)
def test_everything_else_refuses(decision: Decision | None, said: str) -> None:
    with pytest.raises(GateClosed, match=said) as caught:
        require_go("phase3", None if decision is None else decision.record())
    assert caught.value.reason is Reason.NO_GATE
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.where == "gate phase3"


DEGRADED = "DEGRADED: gate phase3 was overridden by Ann: the season starts tomorrow"
OVERRIDDEN = decided(result("a", FAIL, "t"), override=ANN)
TASKS = Plan(Layer.PHASE3, ())
DONE = (TASKS, BackfillReport([Batch("t", (LOST,), (), 2, 0.1)]))
FAILED = (TASKS, BackfillReport([Batch("t", (), (LOST,), 1, 0.1)], held_back=["u"]))
EARLIER = {name: {"step": name.lower(), "verdict": name} for name in ("GO", "DEGRADED", "MARGINAL", "NO-GO")}


@pytest.mark.parametrize(
    ("decisions", "backfills", "reviewed", "degraded", "expected", "why"),
    [
        ([GO], [], [], "", Verdict.GO, "phase3: all 1 critical checks of 1 passed"),
        ([GO, MARGINAL], [], [], "", Verdict.MARGINAL, "phase3: 1 of 2 checks block in t"),
        ([MARGINAL, NO_GO], [], [], "", Verdict.NO_GO, "2 of 2 checks block in t, u"),
        ([SILENT], [], [], "", Verdict.NO_GO, "not every declared check has reported"),
        ([OVERRIDDEN], [], [], DEGRADED, Verdict.DEGRADED, "DEGRADED: overridden by Ann: the season starts tomorrow"),
        ([OVERRIDDEN], [], [], "", Verdict.DEGRADED, "DEGRADED: overridden by Ann: the season starts tomorrow"),
        ([GO], [], [], DEGRADED, Verdict.DEGRADED, DEGRADED),
        ([GO, NO_GO], [], [], DEGRADED, Verdict.NO_GO, "2 of 2 checks block in t, u"),
        ([MARGINAL], [], [], DEGRADED, Verdict.MARGINAL, "1 of 2 checks block in t"),
        ([GO], [DONE], [], "", Verdict.GO, "1 table-dates written and counted"),
        ([GO], [DONE, FAILED], [], "", Verdict.NO_GO, "1 table-dates failed, held back: u"),
        ([OVERRIDDEN], [FAILED], [], DEGRADED, Verdict.NO_GO, "1 table-dates failed, held back: u"),
        ([], [], [EARLIER["GO"]], "", Verdict.GO, "1 steps ended in GO"),
        ([], [], [EARLIER["GO"], EARLIER["DEGRADED"]], DEGRADED, Verdict.DEGRADED, DEGRADED),
        ([], [], [EARLIER["GO"], EARLIER["MARGINAL"]], "", Verdict.NO_GO, "without GO: marginal"),
        ([GO], [], [EARLIER["NO-GO"]], DEGRADED, Verdict.NO_GO, "without GO: no-go"),
        ([], [], [], "", Verdict.NO_GO, "nothing was checked"),
        ([], [], [], DEGRADED, Verdict.NO_GO, "nothing was checked"),
    ],
)
def test_a_step_adds_up_what_it_found(
    decisions: list[Decision],
    backfills: list[tuple[Plan, BackfillReport]],
    reviewed: list[dict[str, str]],
    degraded: str,
    expected: Verdict,
    why: str,
) -> None:
    said, words = add_up(decisions, backfills, reviewed, dry_run=False, degraded=degraded)
    assert said is expected
    assert why in words


@dataclass
class Project:
    """A project's folder with a params file and a warehouse of its own."""

    folder: Path
    warehouse: Path

    def open(self, step: str, run: str = "run", **overrides: Any) -> Step:
        file = self.folder / "params" / "try.yaml"
        return Step.open(step, params_file=str(file), run_dir=str(self.folder / "runs" / run), overrides=overrides)

    def edit(self, *statements: str) -> None:
        with duckdb.connect(str(self.warehouse)) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, table: str, column: str) -> int:
        with duckdb.connect(str(self.warehouse), read_only=True) as connection:
            found = connection.execute(f"SELECT COUNT(*) FROM {table} WHERE {column} = DATE '{LOST}'").fetchone()
        assert found is not None
        return int(found[0])


@pytest.fixture
def project(copy_warehouse: Callable[[], Params], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project whose cache lacks one date."""
    monkeypatch.delenv("COURTBOOK_ATTEMPT", raising=False)
    params = copy_warehouse()
    days = params.range.model_copy(update={"start": date(2024, 3, 1), "end": date(2024, 3, 20)})
    params = params.model_copy(update={"name": "try", "range": days, "source": None})
    for name in ("notebooks", "params"):
        (tmp_path / name).mkdir()
    (tmp_path / "params" / "try.yaml").write_text(params.to_yaml(), encoding="utf-8")
    made = Project(tmp_path, Path(params.warehouse.path))
    made.edit(f"DELETE FROM {CACHE} WHERE cache_date = DATE '{LOST}'")
    return made


def test_a_write_without_a_decision_is_refused(project: Project) -> None:
    step = project.open("phase4_backfill")
    plan = step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4))
    assert plan.table_dates == 1
    with pytest.raises(GateClosed, match="not decided in this run"):
        step.backfill(plan)
    assert project.rows(CACHE, "cache_date") == 0
    assert step.ledger.last("dates") is None
    assert step.verdict()[0] is Verdict.NO_GO


def test_a_write_behind_a_closed_gate_is_refused_and_names_the_tables(project: Project) -> None:
    project.edit(f"UPDATE {PGS} SET usage_rate = NULL")
    step = project.open("phase4_backfill")
    decision = step.check("phase3")
    assert decision.verdict is Verdict.NO_GO
    with pytest.raises(GateClosed, match=r"closed \(NO-GO\): player_game_summary"):
        step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
    assert project.rows(CACHE, "cache_date") == 0
    with pytest.raises(NoGo) as caught:
        step.stop_unless_go(decision)
    assert caught.value.exit_code is ExitCode.NO_GO


def test_a_write_behind_an_open_gate_happens_and_is_on_record(project: Project) -> None:
    step = project.open("phase4_backfill")
    decision = step.check("phase3")
    step.stop_unless_go(decision)
    report = step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
    assert report.succeeded
    assert project.rows(CACHE, "cache_date") > 100
    recorded = step.ledger.last("dates")
    assert recorded is not None
    assert (recorded["done"], recorded["failed"]) == ([LOST.isoformat()], [])
    assert recorded["rows"] == project.rows(CACHE, "cache_date")
    assert step.verdict()[0] is Verdict.GO
    step.conclude()


def test_the_last_decision_counts(project: Project) -> None:
    step = project.open("phase4_backfill")
    step.check("phase3")
    project.edit(f"UPDATE {PGS} SET minutes_played = NULL")
    step.check("phase3")
    with pytest.raises(GateClosed):
        step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
    assert project.rows(CACHE, "cache_date") == 0


def test_neither_another_gate_nor_another_run_opens_the_gate(project: Project) -> None:
    assert project.open("phase3_validation", run="other").check("phase3").verdict is Verdict.GO
    step = project.open("phase4_backfill")
    assert step.check("preflight").verdict is Verdict.GO
    with pytest.raises(GateClosed):
        step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
    assert project.rows(CACHE, "cache_date") == 0


def test_a_changed_ledger_opens_nothing(project: Project) -> None:
    project.edit(f"UPDATE {PGS} SET usage_rate = NULL")
    step = project.open("phase4_backfill")
    step.check("phase3")
    plan = step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4))
    text = step.ledger.path.read_text(encoding="utf-8")
    for forged in ('"verdict":"GO"', '"verdict":"GO"   '):  # shorter than it was, and as long as it was
        step.ledger.path.write_text(text.replace('"verdict":"NO-GO"', forged), encoding="utf-8")
        with pytest.raises(CourtbookError, match=r"was changed|closed"):  # an open ledger relies on what it has read
            step.backfill(plan)
        with pytest.raises(CourtbookError, match=r"was changed: line \d+ is not the one that was written") as caught:
            Ledger(step.ledger.path).last("gate", gate="phase3")
        assert caught.value.reason is Reason.LEDGER_BROKEN
        with pytest.raises(CourtbookError, match="was changed"):
            project.open("phase4_backfill")
    assert project.rows(CACHE, "cache_date") == 0


def test_a_dry_run_writes_nothing_even_behind_an_open_gate(project: Project) -> None:
    step = project.open("phase4_backfill", dry_run=True)
    step.check("phase3")
    report = step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
    assert not report.succeeded
    assert project.rows(CACHE, "cache_date") == 0
    verdict, why = step.verdict()
    assert verdict is Verdict.NO_GO
    assert "1 table-dates are planned and not written" in why


def test_a_dry_run_with_nothing_to_do_is_go(project: Project) -> None:
    step = project.open("phase3_backfill", dry_run=True)
    step.check("preflight")
    step.backfill(step.plan(Layer.PHASE3, step.coverage(Layer.PHASE3)))
    assert step.verdict()[0] is Verdict.GO


def test_a_step_that_only_looks_cannot_write(project: Project) -> None:
    step = project.open("phase4_validation")
    with pytest.raises(ParameterError, match="does not write"):
        step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
    assert project.rows(CACHE, "cache_date") == 0


def test_a_step_that_did_nothing_is_no_go(project: Project) -> None:
    step = project.open("preflight")
    with pytest.raises(NoGo, match="nothing was checked"):
        step.conclude()
    assert Ledger(step.run / "ledger.jsonl").last("step_concluded", verdict="NO-GO") is not None


def test_wrong_parameters_leave_no_run_behind(project: Project) -> None:
    for overrides in ({"dry_runn": True}, {"range.end": "2024-02-01"}, {"warehouse.path": "absent.duckdb"}):
        with pytest.raises(Exception, match=r"dry_run|lies after|does not exist"):
            project.open("preflight", **overrides)
    assert not (project.folder / "runs").exists()


def test_a_threshold_for_a_check_that_does_not_exist_is_refused(project: Project) -> None:
    with pytest.raises(ParameterError, match="usage_rate"):
        project.open("phase3_validation", thresholds={"usage_rat": {"minimum": 0.5}})


def test_sign_off_needs_go_of_every_earlier_step(project: Project) -> None:
    project.open("preflight").check("preflight")
    step = project.open("sign_off")
    reviewed = {item["step"]: item["verdict"] for item in step.review()}
    assert set(reviewed.values()) == {"INTERRUPTED"}
    assert len(reviewed) == 6
    assert step.verdict()[0] is Verdict.NO_GO


OVERRIDE = {"gate": "phase3", "by": "Ann", "reason": "the season starts tomorrow"}


def test_a_write_behind_an_overridden_gate_happens_and_says_so(project: Project) -> None:
    project.edit(f"UPDATE {TEAMS} SET quality_score = 40")
    step = project.open("phase4_backfill", override=OVERRIDE)
    assert step.degraded == ""
    decision = step.check("phase3")
    assert decision.verdict is Verdict.DEGRADED
    assert step.degraded == DEGRADED
    step.stop_unless_go(decision)
    assert step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4))).succeeded
    assert project.rows(CACHE, "cache_date") > 100
    verdict, why = step.verdict()
    assert verdict is Verdict.DEGRADED
    assert "checks block in upcoming_team_game_context; DEGRADED: overridden by Ann" in why
    step.conclude()
    recorded = json.loads((step.attempt / "result.json").read_text(encoding="utf-8"))
    assert recorded["verdict"] == "DEGRADED"
    assert recorded["gates"][0]["override"] == OVERRIDE
    assert recorded["gates"][0]["blockers"] == ["quality.upcoming_team_game_context"]


def test_everything_after_an_override_is_degraded_down_to_the_sign_off(project: Project) -> None:
    project.edit(f"UPDATE {TEAMS} SET quality_score = 40")
    verdicts = {}
    for name, gate, layer in (
        ("preflight", "preflight", None),
        ("phase3_backfill", "preflight", Layer.PHASE3),
        ("phase3_validation", "phase3", None),
        ("phase4_backfill", "phase3", Layer.PHASE4),
        ("phase4_validation", "phase4", None),
        ("ml_readiness", "ml", None),
    ):
        step = project.open(name, override=OVERRIDE, **{"backfill.mode": "stale"})
        step.stop_unless_go(step.check(gate))
        if layer:
            step.backfill(step.plan(layer, step.coverage(layer)))
        step.conclude()
        verdicts[name] = step.verdict()[0].value
    assert verdicts == {
        "preflight": "GO",
        "phase3_backfill": "GO",
        "phase3_validation": "DEGRADED",
        "phase4_backfill": "DEGRADED",
        "phase4_validation": "DEGRADED",
        "ml_readiness": "DEGRADED",
    }
    step = project.open("sign_off")  # no matter whether the override still stands in the parameters
    assert {item["step"]: item["verdict"] for item in step.review()} == verdicts
    verdict, why = step.verdict()
    assert verdict is Verdict.DEGRADED
    assert why.endswith(DEGRADED)
    assert project.open("sign_off", run="other").degraded == ""


@pytest.mark.parametrize("damage", ["", f"UPDATE {PGS} SET usage_rate = NULL"], ids=["not needed", "another gate"])
def test_an_override_that_is_not_needed_or_not_meant_changes_nothing(project: Project, damage: str) -> None:
    project.edit(*([damage] if damage else []))
    given = OVERRIDE | ({"gate": "phase4"} if damage else {})
    step = project.open("phase3_validation", override=given)
    assert step.check("phase3").verdict is (Verdict.NO_GO if damage else Verdict.GO)
    assert step.degraded == ""
    assert step.verdict()[0] is (Verdict.NO_GO if damage else Verdict.GO)


def test_a_step_behind_a_marginal_gate_stops_and_says_so(project: Project) -> None:
    step = project.open("phase4_validation")
    decision = decide("phase4", [check("a", "t")], [result("a", WARN, "t")])
    step.decisions.append(decision)
    with pytest.raises(NoGo, match="MARGINAL: phase4: 1 of 1 checks block in t") as caught:
        step.stop_unless_go(decision)
    assert caught.value.exit_code is ExitCode.NO_GO
    assert step.ledger.last("step_concluded", verdict="MARGINAL") is not None


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"waivers": {"shot_zone": {"by": "Ann", "reason": "x", "until": "2099-01-01"}}}, "mean 'shot_zones'"),
        (
            {"accept": {"player_game_summary": {"fallback_confirmed": True, "by": "A", "reason": "x"}}},
            "with a fallback",
        ),
        ({"override": OVERRIDE | {"gate": "preflight"}}, "override.gate"),
        ({"baseline": "runs/no_such_run"}, "recorded no check"),
    ],
    ids=["waiver", "acceptance", "override", "baseline"],
)
def test_what_is_accepted_by_name_must_exist(project: Project, overrides: dict[str, Any], said: str) -> None:
    with pytest.raises(CourtbookError, match=said):
        project.open("phase3_validation", **overrides).check("phase3")


def test_a_named_run_is_what_regressions_compare_with(project: Project) -> None:
    first = project.open("phase3_validation", run="first")
    first.check("phase3")
    first.conclude()
    project.edit(f"UPDATE {PGS} SET assisted_fg_makes = NULL WHERE HASH(game_id, player_lookup) % 100 < 8")
    step = project.open("phase3_validation", baseline="runs/first")
    found = {item.check.id: item for item in step.check("phase3").results}
    assert found["assisted_regression"].detail == "DEGRADATION against the named run"
    assert found["minutes_regression"].detail == "OK against the named run"
    step.conclude()


def test_a_decision_over_another_range_or_other_rules_opens_nothing(project: Project) -> None:
    for changed in ({"range.end": "2024-03-19"}, {"thresholds": {"points": {"minimum": 0.5}}}, {"bootstrap_days": 10}):
        assert project.open("phase3_validation", **changed).check("phase3").verdict is Verdict.GO
        step = project.open("phase4_backfill")
        with pytest.raises(GateClosed, match="not decided in this run"):
            step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
    assert project.rows(CACHE, "cache_date") == 0


def test_what_does_not_bear_on_a_decision_does_not_undo_it(project: Project) -> None:
    assert project.open("phase3_validation", dry_run=True, operator="Ann").check("phase3").verdict is Verdict.GO
    step = project.open("phase4_backfill")
    assert step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4))).succeeded


def test_sign_off_counts_verdicts_over_its_own_range_only(project: Project) -> None:
    step = project.open("preflight", **{"range.end": "2024-03-19"})
    step.check("preflight")
    step.conclude()
    assert project.open("sign_off").review()[0]["verdict"] == "INTERRUPTED"
    assert project.open("sign_off", **{"range.end": "2024-03-19"}).review()[0]["verdict"] == "GO"


def test_a_later_attempt_without_a_verdict_takes_the_earlier_one_away(project: Project) -> None:
    step = project.open("preflight")
    step.check("preflight")
    step.conclude()
    assert project.open("sign_off").review()[0]["verdict"] == "GO"
    project.open("preflight").check("preflight")
    assert project.open("sign_off").review()[0]["verdict"] == "INTERRUPTED"
