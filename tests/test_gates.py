"""Gates: what a decision says, and that nothing is written while one is closed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.catalog import Check, Layer, Severity
from courtbook.checks.result import CheckResult, Status, Verdict
from courtbook.errors import ExitCode, GateClosed, NoGo, ParameterError, Reason
from courtbook.evidence.ledger import Ledger
from courtbook.gates import Decision, decide, require_go
from courtbook.params import Params
from courtbook.step import Step

PGS = "nba_analytics.player_game_summary"
CACHE = "nba_precompute.player_daily_cache"
LOST = date(2024, 3, 12)


def check(name: str, table: str = "", severity: Severity = Severity.CRITICAL) -> Check:
    return Check(name, name.title(), "phase3", severity, "a / b", "here", "Repair it.", table=table)


def result(name: str, status: Status, table: str = "") -> CheckResult:
    return CheckResult(check(name, table), status, 1.0, 2.0, 0.5, None, None, overridden=False, seconds=0.0)


def decided(*results: CheckResult, more: tuple[str, ...] = ()) -> Decision:
    return decide("phase3", [*(item.check for item in results), *(check(name) for name in more)], results)


PASS, WARN, FAIL, NO_DATA, ERROR = Status.PASS, Status.WARN, Status.FAIL, Status.NO_DATA, Status.ERROR


@pytest.mark.parametrize(
    ("decision", "verdict", "words", "tables"),
    [
        (decided(result("a", PASS), result("b", PASS)), Verdict.GO, "all 2 checks passed", ()),
        (
            decided(result("a", PASS, "t"), result("b", WARN, "t")),
            Verdict.GO,
            "all 2 checks passed, 1 with a warning",
            (),
        ),
        (
            decided(result("a", FAIL, "t"), result("b", NO_DATA, "u"), result("c", ERROR, "t"), result("d", PASS, "v")),
            Verdict.NO_GO,
            "3 of 4 checks block in t, u",
            ("t", "u"),
        ),
        (decided(result("a", FAIL), result("b", WARN, "t")), Verdict.NO_GO, "1 of 2 checks block: a", ()),
        (
            decided(result("a", PASS, "t"), more=("b",)),
            Verdict.INTERRUPTED,
            "not every declared check has reported",
            (),
        ),
        (decided(), Verdict.INTERRUPTED, "not every declared check has reported", ()),
    ],
    ids=["all pass", "a warning", "blocked", "blocked without a table", "one is silent", "nothing declared"],
)
def test_a_decision_in_words(decision: Decision, verdict: Verdict, words: str, tables: tuple[str, ...]) -> None:
    assert decision.verdict is verdict
    assert decision.words() == words
    assert decision.tables == tables


def test_a_decision_is_recorded_with_what_blocks() -> None:
    decision = decided(result("a", FAIL, "t"), result("b", WARN, "u"), result("c", PASS))
    assert decision.record() == {
        "gate": "phase3",
        "verdict": "NO-GO",
        "checks": 3,
        "blockers": ["a"],
        "warnings": ["b"],
        "tables": ["t"],
    }


def test_go_lets_pass() -> None:
    require_go("phase3", decided(result("a", WARN, "t")).record())


@pytest.mark.parametrize(
    ("decision", "said"),
    [
        (None, "was not decided in this run"),
        (decided(result("a", FAIL, "t"), result("b", FAIL, "u")), r"closed \(NO-GO\): t, u"),
        (decided(result("a", FAIL)), r"closed \(NO-GO\): a"),
        (decided(result("a", PASS), more=("b",)), r"closed \(INTERRUPTED\)"),
    ],
)
def test_everything_else_refuses(decision: Decision | None, said: str) -> None:
    with pytest.raises(GateClosed, match=said) as caught:
        require_go("phase3", None if decision is None else decision.record())
    assert caught.value.reason is Reason.NO_GATE
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.where == "gate phase3"


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
    text = step.ledger.path.read_text(encoding="utf-8")
    step.ledger.path.write_text(text.replace('"verdict":"NO-GO"', '"verdict":"GO"'), encoding="utf-8")
    with pytest.raises(Exception, match="changed or torn"):
        step.backfill(step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4)))
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
