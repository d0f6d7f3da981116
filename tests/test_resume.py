"""A run that is killed, stopped or refused goes on where it was: nothing is lost, and nothing is done twice."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import pytest
from courtbook.backfill.locks import hold
from courtbook.backfill.process import born
from courtbook.backfill.sql import SqlExecutor
from courtbook.catalog import Layer, load_catalog
from courtbook.chain import resume_chain
from courtbook.checks.result import Verdict
from courtbook.errors import CourtbookError, ExitCode, Interrupted, Reason, WarehouseError
from courtbook.evidence.bundle import new_run, sha256
from courtbook.evidence.ledger import Event, Ledger
from courtbook.evidence.manifest import read_manifests
from courtbook.plan import STALE, Plan
from courtbook.status import RunState, read_status
from courtbook.step import Step
from courtbook.warehouse.opening import open_warehouse
from courtbook.work import STOP_FILE, Work
from small_run import Small

# One worker, so that the runs share what was prepared, and the table at the end shows all of them.
pytestmark = [pytest.mark.slow, pytest.mark.thorough, pytest.mark.xdist_group("resume")]
CATALOG = load_catalog()
PHASE3, PHASE4 = (CATALOG.layer(layer) for layer in (Layer.PHASE3, Layer.PHASE4))
CACHE, DEFENSE, OFFENSE = "player_daily_cache", "team_defense_game_summary", "team_offense_game_summary"
BAD = date(2024, 12, 29)
PIECES = ("--set", "backfill.dates_per_batch=10")
ONLY_4 = ("--from", "phase4_backfill", "--to", "phase4_backfill")


@pytest.fixture(scope="module")
def files(prepared: dict[str, Small], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Warehouse files by state: whole, the incident's, and one that has Phase 3 and nothing of Phase 4."""
    half = Small.make(tmp_path_factory.mktemp("half"), warehouse=prepared["complete"].warehouse)
    half.edit(*(f"DELETE FROM {table.full_name}" for table in PHASE4))
    return {"whole": prepared["complete"].warehouse, "half": half.warehouse, "incident": prepared["incident"].warehouse}


def frame(file: Path, name: str) -> pd.DataFrame:
    """Return a table without the times at which its rows were made, in the order of its keys."""
    table = CATALOG.tables[name]
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(
            f"SELECT * EXCLUDE (processed_at) FROM {table.full_name} ORDER BY {', '.join(table.key)}"
        ).df()


def unequal(file: Path, other: Path, tables: list[str]) -> list[str]:
    """Return the tables of two warehouses that differ in a row: numbers by more than 1e-9, anything else at all."""
    found = []
    for name in tables:
        mine, theirs = frame(file, name), frame(other, name)
        assert len(theirs) > 0
        try:
            pd.testing.assert_frame_equal(mine, theirs, rtol=0, atol=1e-9)
        except AssertionError:
            found.append(name)
    return found


def doubled(file: Path) -> int:
    """Return how many (table, date) hold a key twice."""
    count = 0
    with duckdb.connect(str(file), read_only=True) as connection:
        for table in CATALOG.processed:
            keys = ", ".join(table.key)
            count += len(
                connection.execute(
                    f"SELECT DISTINCT {table.date_column} FROM {table.full_name}"
                    f" GROUP BY {table.date_column}, {keys} HAVING COUNT(*) > 1"
                ).fetchall()
            )
    return count


def counts(file: Path) -> dict[tuple[str, str], int]:
    """Return how many rows each table has on each date."""
    with duckdb.connect(str(file), read_only=True) as connection:
        return {
            (table.name, str(day)): count
            for table in CATALOG.processed
            for day, count in connection.execute(
                f"SELECT {table.date_column}, COUNT(*) FROM {table.full_name} GROUP BY ALL"
            ).fetchall()
        }


def plans(run: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """Return the frozen plans of a run by step and attempt."""
    data = [(item["step"], run / item["file"]) for item in Ledger(run / "ledger.jsonl").data("plan")]
    return {(step, file.parent.name): json.loads(file.read_text()) for step, file in data}


def pairs(plan: dict[str, Any]) -> dict[tuple[str, str], str]:
    """Return the dates of a frozen plan, (table, day) with the reason."""
    return {(task["table"], day): why for task in plan["tasks"] for day, why in task["dates"].items()}


def planned(run: Path) -> set[tuple[str, str]]:
    """Return what the first plans of a run ask for."""
    return {pair for plan in plans(run).values() if not plan["resumes"] for pair in pairs(plan)}


def done_again(run: Path) -> list[tuple[str, str]]:
    """Return what was recorded as done and is in a later event all the same, unless it was planned again as stale."""
    frozen, seen, wrong = plans(run), set(), []
    for data in Ledger(run / "ledger.jsonl").data("dates"):
        own = pairs(frozen[data["step"], data["attempt"]])
        for day in (*data["done"], *data["failed"]):
            pair = (data["table"], day)
            if pair in seen and own.get(pair) != STALE:
                wrong.append(pair)
        seen |= {(data["table"], day) for day in data["done"]}
    return wrong


def done_in(run: Path) -> set[tuple[str, str]]:
    return {(data["table"], day) for data in Ledger(run / "ledger.jsonl").data("dates") for day in data["done"]}


def dates_of(table: str = "", layer: Layer | None = None) -> Callable[[Event], bool]:
    """Return what recognises an event that says that dates of a table were written."""
    own = [item.name for item in CATALOG.layer(layer)] if layer else [table]
    return lambda event: event["kind"] == "dates" and event["data"]["table"] in own


def opened(step: str) -> Callable[[Event], bool]:
    return lambda event: event["kind"] == "step_opened" and event["data"]["step"] == step


def kernel(small: Small) -> int:
    """Return the process of the notebook that was opened last."""
    found = [event for event in Ledger(small.only_run / "ledger.jsonl").events() if event["kind"] == "step_opened"]
    return int(found[-1]["process"])


def parent(process: int) -> int:
    return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])


@dataclass(frozen=True)
class Ended:
    """How a run ended that was gone on with, and what was said."""

    exit_code: int
    said: str


@dataclass
class Outcome:
    """What a fault left, and what was there when the run had gone on."""

    fault: str
    small: Small
    run: Path
    first: int
    resumed: Ended
    notes: dict[str, Any]

    @property
    def after(self) -> RunState:
        return read_status(self.run).state

    @property
    def left(self) -> int:
        """Table-dates that were planned when the run went on."""
        events = Ledger(self.run / "ledger.jsonl").events()
        since = next(number for number, event in enumerate(events) if event["kind"] == "run_resumed")
        return sum(event["data"]["table_dates"] for event in events[since:] if event["kind"] == "plan")

    @property
    def off_record(self) -> int:
        """Table-dates that were planned and never recorded as done."""
        return len(planned(self.run) - done_in(self.run))

    def lost(self, whole: Path) -> int:
        """Table-dates that were planned and hold fewer rows than a warehouse that was built whole."""
        mine, theirs = counts(self.small.warehouse), counts(whole)
        return sum(mine.get(pair, 0) < theirs[pair] for pair in planned(self.run))


Outcomes = dict[str, "Future[Outcome]"]
Act = Callable[[Small, "subprocess.Popen[str]"], dict[str, Any] | None]


def kill(process: int) -> None:
    os.kill(process, signal.SIGKILL)


def kill_run(small: Small, run: "subprocess.Popen[str]") -> None:
    kill(run.pid)


def kill_kernel(small: Small, run: "subprocess.Popen[str]") -> None:
    kill(kernel(small))


def stop(small: Small, run: "subprocess.Popen[str]") -> dict[str, Any]:
    """Ask to stop, and before that whether a run that is still going can be resumed."""
    refused = small.courtbook("run", "--runs-dir", str(small.runs), "--resume", small.only_run.name)
    small.wait_for(run, dates_of(layer=Layer.PHASE4))
    asked = small.courtbook("stop", "--runs-dir", str(small.runs))
    return {"refused": refused, "asked": asked}


def interrupt(small: Small, run: "subprocess.Popen[str]") -> dict[str, Any]:
    notes = {"processes": [kernel(small), parent(kernel(small))]}
    run.send_signal(signal.SIGINT)
    return notes


def nothing(small: Small, run: "subprocess.Popen[str]") -> None:
    """Let the run end as it will."""


@dataclass(frozen=True)
class Fault:
    """Where something happens to a run, and what."""

    state: str
    steps: tuple[str, ...]
    when: Callable[[Event], bool]
    count: int
    act: Act
    exit_code: int
    leaves: RunState
    at: str
    compared: tuple[str, ...] = tuple(table.name for table in CATALOG.processed)


FROM_3 = ("--from", "phase3_backfill", "--to", "phase4_backfill")
VALIDATED = ("--from", "phase3_validation", "--to", "phase4_backfill")
WAS_KILLED = (-signal.SIGKILL, RunState.INTERRUPTED)
ENGINE_FAILED = (3, RunState.INTERRUPTED)
ASKED = (4, RunState.INTERRUPTED)
FAULTS = {
    "kill -9 of the run, first dates of Phase 3": Fault(
        "incident", FROM_3, dates_of(layer=Layer.PHASE3), 1, kill_run, *WAS_KILLED, at="phase3_backfill"
    ),
    "kill -9 of the run, middle of Phase 4": Fault(
        "half", ONLY_4, dates_of(CACHE), 2, kill_run, *WAS_KILLED, at="phase4_backfill"
    ),
    "kill -9 of the run, Phase 3 validation": Fault(
        "half", VALIDATED, opened("phase3_validation"), 1, kill_run, *WAS_KILLED, at="phase3_validation"
    ),
    "kill -9 of the run, Phase 4 just opened": Fault(
        "half", ONLY_4, opened("phase4_backfill"), 1, kill_run, *WAS_KILLED, at="phase4_backfill"
    ),
    "kill -9 of the kernel": Fault(
        "half", ONLY_4, dates_of(CACHE), 2, kill_kernel, *ENGINE_FAILED, at="phase4_backfill"
    ),
    # Small pieces: two commands are given while it works, and each has to begin first.
    "courtbook stop": Fault(
        "half", (*ONLY_4, "--set", "backfill.dates_per_batch=2"), opened("phase4_backfill"), 1, stop, *ASKED,
        at="phase4_backfill",
    ),
    "Ctrl-C": Fault("half", ONLY_4, dates_of(CACHE), 2, interrupt, *ASKED, at="phase4_backfill"),
    "a table is held": Fault(
        "half", ONLY_4, opened("phase4_backfill"), 1, nothing, 5, RunState.INTERRUPTED, at="phase4_backfill"
    ),
    "a date fails": Fault(
        "incident", ("--from", "phase3_backfill", "--to", "phase3_backfill", "--set", "backfill.mode=stale"),
        opened("phase3_backfill"), 1, nothing, 1, RunState.FAILED, at="phase3_backfill",
        compared=tuple(table.name for table in PHASE3),
    ),
}  # fmt: skip
MORE = {
    # A date whose box scores are there twice cannot be complete; preflight would not let it come so far.
    "a date fails": "thresholds: {raw_duplicates.nbac_team_boxscore: {maximum: 100}}"
}
DAMAGE = {
    "a date fails": (
        "CREATE TABLE kept AS SELECT * FROM nba_raw.nbac_team_boxscore",
        f"INSERT INTO nba_raw.nbac_team_boxscore SELECT * FROM kept WHERE game_date = DATE '{BAD}'",
        f"DELETE FROM {CATALOG.tables[OFFENSE].full_name} WHERE game_date = DATE '{BAD}'",
    )
}
BY_COMMAND = ("kill -9 of the run, first dates of Phase 3", "courtbook stop")
REPAIR = {
    "a date fails": ("DELETE FROM nba_raw.nbac_team_boxscore", "INSERT INTO nba_raw.nbac_team_boxscore FROM kept")
}


def go_on(small: Small, run: Path, *, by_command: bool) -> Ended:
    """Go on with a run: by the command, or by what the command calls, since a process imports everything anew."""
    if by_command:
        done = small.courtbook("run", "--runs-dir", str(small.runs), "--resume", run.name)
        return Ended(done.returncode, done.stdout + done.stderr)
    told: list[str] = []
    ended = resume_chain(run, tell=told.append)
    return Ended(ended.exit_code, "\n".join([*told, f"{ended.verdict.value}  {ended.params.name}"]))


def suffer(name: str, fault: Fault, folder: Path, warehouse: Path) -> Outcome:
    """Run, let the fault happen, look at what it leaves, and go on with the run."""
    small = Small.make(folder, more=MORE.get(name, ""), warehouse=warehouse)
    if name in DAMAGE:
        small.edit(*DAMAGE[name])
    before = [frame(small.warehouse, table.name) for table in PHASE4]
    with ExitStack() as held:
        if name == "a table is held":
            lock = open_warehouse(small.read()).locks / f"{CACHE}.lock"
            held.enter_context(hold(lock, {"run": "another one"}, CACHE, Reason.TABLE_HELD))
        run = small.start(*PIECES, *fault.steps)
        try:
            small.wait_for(run, fault.when, fault.count)
            notes = fault.act(small, run) or {}
            notes["said"] = "".join(run.communicate(timeout=120))
        finally:
            run.kill()
            run.communicate()
    folder = small.only_run
    notes |= {"found": read_status(folder), "stop file": (folder / STOP_FILE).exists()}
    if "processes" in notes:
        notes["alive"] = [process for process in notes["processes"] if born(process)]
    if name == "a table is held":
        found = [frame(small.warehouse, table.name) for table in PHASE4]
        notes["unwritten"] = all(new.equals(old) for new, old in zip(found, before, strict=True))
    if name in REPAIR:
        small.edit(*REPAIR[name])
    return Outcome(name, small, folder, run.returncode, go_on(small, folder, by_command=name in BY_COMMAND), notes)


@pytest.fixture(scope="module")
def outcomes(
    request: pytest.FixtureRequest, files: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Outcomes]:
    """The outcomes of the faults that were asked for; some at a time, as they wait a lot."""
    asked = {item.callspec.params.get("name") for item in request.session.items if hasattr(item, "callspec")}

    class Begun(Outcomes):
        def __missing__(self, name: str) -> "Future[Outcome]":
            folder, fault = tmp_path_factory.mktemp("fault"), FAULTS[name]
            self[name] = pool.submit(suffer, name, fault, folder, files[fault.state])
            return self[name]

    with ThreadPoolExecutor(3) as pool:
        begun = Begun()
        for name in (name for name in FAULTS if name in asked):
            begun.__missing__(name)
        yield begun


DONE: list[Outcome] = []


@pytest.mark.parametrize("name", FAULTS)
def test_a_run_goes_on_after_a_fault_and_leaves_the_rows_that_a_whole_build_holds(
    outcomes: Outcomes, files: dict[str, Path], name: str
) -> None:
    fault, outcome = FAULTS[name], outcomes[name].result()
    DONE.append(outcome)
    said = outcome.notes["said"]
    assert outcome.first == fault.exit_code, said
    found = outcome.notes["found"]
    assert (found.state, found.step) == (fault.leaves, fault.at)
    assert not outcome.notes["stop file"]
    if fault.exit_code > 0:
        assert f"--resume {outcome.run.name}" in said or fault.exit_code == 4
    # It goes on ...
    assert outcome.resumed.exit_code == 0, outcome.resumed.said
    assert "\nGO  small" in outcome.resumed.said
    assert outcome.after is RunState.COMPLETE
    assert Ledger(outcome.run / "ledger.jsonl").last("run_resumed", step=fault.at) is not None
    # ... and nothing is lost, doubled or done twice.
    assert unequal(outcome.small.warehouse, files["whole"], list(fault.compared)) == []
    assert doubled(outcome.small.warehouse) == 0
    assert outcome.lost(files["whole"]) == 0
    assert outcome.off_record == 0
    assert done_again(outcome.run) == []
    assert outcome.left > 0, "the fault came too late to be one"


MIDWAY = [name for name, fault in FAULTS.items() if fault.count == 2 or name in ("courtbook stop", "a date fails")]


@pytest.mark.parametrize("name", MIDWAY)
def test_the_second_attempt_follows_the_frozen_plan_and_holds_only_what_was_left(outcomes: Outcomes, name: str) -> None:
    outcome = outcomes[name].result()
    frozen, step = plans(outcome.run), FAULTS[name].at
    first, second = frozen[step, "attempt-1"], frozen[step, "attempt-2"]
    notebook = CATALOG.step(step).notebook
    assert (first["resumes"], second["resumes"]) == ("", f"{notebook}/attempt-1/plan.json")
    assert set(pairs(second)) < set(pairs(first))
    events = Ledger(outcome.run / "ledger.jsonl").data("dates")

    def done(**match: str) -> set[tuple[str, str]]:
        own = [data for data in events if all(data[key] == value for key, value in match.items())]
        return {(data["table"], day) for data in own for day in data["done"]}

    before, found, written = (
        done(attempt="attempt-1"),
        done(executor="found"),
        done(attempt="attempt-2", executor="sql"),
    )
    assert written == set(pairs(second))
    assert before, "something was done before"
    assert not found & (before | written), "what the first process had written and not yet put on record"
    assert before | found | written == set(pairs(first))


def test_a_resumed_run_keeps_both_attempts_and_seals_them_together(outcomes: Outcomes) -> None:
    run = outcomes["kill -9 of the kernel"].result().run
    first, second = read_manifests(run)
    assert (first.evidence["verdict"], second.evidence["verdict"]) == ("INTERRUPTED", "GO")
    assert second.files["manifest.json"]["sha256"] == sha256(run / "manifest.json")
    for name, entry in second.files.items():
        assert sha256(run / name) == entry["sha256"], name
    assert {name for name, entry in first.files.items() if second.files[name] != entry} == set(), "sealed, so unchanged"


def test_a_run_that_is_still_going_cannot_be_resumed(outcomes: Outcomes) -> None:
    refused = outcomes["courtbook stop"].result().notes["refused"]
    assert refused.returncode == 5, refused.stdout
    assert re.fullmatch(r"error: .*The run .* is held by .*process \d+.*\n", refused.stderr)


def test_stop_is_asked_by_a_file_that_is_gone_afterwards(outcomes: Outcomes) -> None:
    outcome = outcomes["courtbook stop"].result()
    assert outcome.notes["asked"].returncode == 0
    assert outcome.run.name in outcome.notes["asked"].stdout
    ledger = Ledger(outcome.run / "ledger.jsonl")
    assert [data["by"] for data in ledger.data("interrupted")] == ["stop file"]
    assert not (outcome.run / STOP_FILE).exists()
    ended = [data["verdict"] for data in ledger.data("run_ended")]
    assert ended == ["INTERRUPTED", "GO"]


def test_ctrl_c_leaves_no_process_behind_and_is_on_record(outcomes: Outcomes) -> None:
    outcome = outcomes["Ctrl-C"].result()
    assert outcome.notes["alive"] == []
    ledger = Ledger(outcome.run / "ledger.jsonl")
    assert [data["by"] for data in ledger.data("interrupted")] == ["signal"]
    assert ledger.data("attempt_ended")[0]["verdict"] == ledger.data("run_ended")[0]["verdict"] == "INTERRUPTED"


def test_a_table_that_another_run_writes_is_refused_before_anything_is_written(
    outcomes: Outcomes,
) -> None:
    outcome = outcomes["a table is held"].result()
    assert outcome.notes["unwritten"]
    assert f"The table {CACHE} is held by" in outcome.notes["said"]
    assert "run another one" in outcome.notes["said"]
    events = [event["kind"] for event in Ledger(outcome.run / "ledger.jsonl").events()]
    assert "dates" not in events[: events.index("run_resumed")]


def test_a_failed_date_and_what_it_held_back_are_done_when_the_run_goes_on(
    outcomes: Outcomes,
) -> None:
    outcome = outcomes["a date fails"].result()
    ledger = Ledger(outcome.run / "ledger.jsonl")
    events = [event["data"] | {"kind": event["kind"]} for event in ledger.events()]
    failed = {(e["table"], day) for e in events if e["kind"] == "dates" for day in e["failed"]}
    assert failed == {(OFFENSE, BAD.isoformat()), (DEFENSE, BAD.isoformat())}
    held = [e["table"] for e in events if e["kind"] == "table_held_back"]
    assert held == ["player_game_summary", "upcoming_player_game_context"]
    second = pairs(plans(outcome.run)["phase3_backfill", "attempt-2"])
    assert {table for table, _ in second} == {OFFENSE, DEFENSE, *held}
    assert [day for table, day in second if table in (OFFENSE, DEFENSE)] == [BAD.isoformat()] * 2
    page = outcome.notes["said"]
    assert "2 table-dates failed, " in page
    assert "held back: player_game_summary, upcoming_player_game_context" in page


def test_resume_refuses_what_it_cannot_go_on_with(outcomes: Outcomes) -> None:
    outcome = outcomes["kill -9 of the kernel"].result()
    small, run, before = outcome.small, outcome.run, files_of(outcome.run)
    asked = [
        (2, "There is no such run", ["no-such-run"]),
        (2, "Every step of this run has ended in GO", [run.name]),
        (2, "A run is resumed with its own parameters", [run.name, "--set", "dry_run=true"]),
        (2, "A run is resumed with its own parameters", [run.name, "--from", "phase4_backfill"]),
    ]
    for code, words, arguments in asked:
        done = small.here("run", "--runs-dir", str(small.runs), "--resume", *arguments)
        assert done.returncode == code, done.stdout + done.stderr
        assert re.fullmatch(rf"error: .*{words}.*\n", done.stderr)
    done = small.here("run", small.params, "--runs-dir", str(small.runs), "--resume", run.name)
    assert done.returncode == 2
    assert files_of(run) == before


@dataclass
class Project:
    """A project in which steps are opened without notebooks, all in one run."""

    small: Small
    run: Path

    def open(self) -> Step:
        step = Step.open("phase4_backfill", params_file=self.small.params, run_dir=str(self.run))
        assert step.check("phase3").verdict is Verdict.GO
        return step

    def plan(self, step: Step) -> Plan:
        return step.plan(Layer.PHASE4, step.coverage(Layer.PHASE4))


@pytest.fixture
def project(files: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A run as the command would begin it."""
    monkeypatch.delenv("COURTBOOK_ATTEMPT", raising=False)
    small = Small.make(tmp_path, warehouse=files["half"])
    run = new_run(small.runs, "small")
    Ledger(run / "ledger.jsonl").append("run_started", params="", steps=["phase4_backfill"], operator="")
    return Project(small, run)


def test_a_date_whose_input_changed_since_is_done_again_and_no_other(project: Project) -> None:
    step = project.open()
    first = project.plan(step)
    sample = first.sample(3)
    assert step.backfill(sample).succeeded
    day = min(sample.tasks[0].dates)
    (player, value), *_ = project.small.rows(
        "SELECT player_lookup, pace_score FROM nba_precompute.player_composite_factors"
        f" WHERE game_date = DATE '{day}' AND ABS(pace_score) > 0.1 ORDER BY player_lookup LIMIT 1"
    )
    second = project.plan(project.open())
    assert second.dates == first.without(sample).dates, "what is done is not planned again"
    project.small.edit(
        "UPDATE nba_analytics.upcoming_player_game_context SET pace_differential = 0.0, processed_at = now()"
        f" WHERE game_date = DATE '{day}' AND player_lookup = '{player}'"
    )
    step = project.open()
    third = project.plan(step)
    again = {task.table.name: [d for d in task.dates if d in sample.dates[task.table.name]] for task in third.tasks}
    readers = [CACHE, "player_composite_factors", "ml_feature_store_v2"]
    assert {name for name, days in again.items() if days} == set(readers)
    assert all(again[name] == [day] for name in readers)
    assert {task.dates[day] for task in third.tasks if task.table.name in readers} == {STALE}
    assert step.backfill(third).succeeded
    assert done_again(project.run) == []
    found = project.small.rows(
        "SELECT pace_score FROM nba_precompute.player_composite_factors"
        f" WHERE game_date = DATE '{day}' AND player_lookup = '{player}'"
    )
    assert abs(value) > 0.1
    assert found == [(0.0,)]
    assert project.plan(project.open()).table_dates == 0


def test_what_was_written_just_before_the_end_is_not_written_again_and_is_put_on_record(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows tell what is done; the record must tell it too, or whoever adds it up finds dates missing."""
    step = project.open()
    first = project.plan(step)
    with monkeypatch.context() as patch:
        patch.setattr(Work, "_record", lambda *_: os_error())
        with pytest.raises(OSError, match="killed"):
            step.backfill(first.sample(2))
    written = [table.name for table in PHASE4 if len(frame(project.small.warehouse, table.name))]
    assert written
    step = project.open()
    second = project.plan(step)
    assert set(second.dates[written[0]]) < set(first.dates[written[0]])
    assert step.backfill(second).succeeded
    assert done_again(project.run) == []
    assert planned(project.run) - done_in(project.run) == set()
    item = next(item for item in read_status(project.run).tables if item.table == written[0])
    assert (item.planned, item.done) == (len(first.dates[written[0]]),) * 2


def os_error() -> None:
    raise OSError("killed")


def test_an_error_that_passes_is_tried_again_and_is_on_record(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = Path(project.small.params).read_text().replace("sample_dates: 2", "sample_dates: 2, retry_wait: 0.01")
    Path(project.small.params).write_text(text)
    step = project.open()
    plan = project.plan(step).sample(1)
    execute, errors = SqlExecutor.execute, iter(["in use", "in use"])

    def busy(*given: Any) -> Any:
        for words in errors:
            raise WarehouseError(Reason.WAREHOUSE_LOCKED, words, where="w.duckdb", next_action="Wait.")
        return execute(*given)

    monkeypatch.setattr(SqlExecutor, "execute", busy)
    assert step.backfill(plan).succeeded
    assert ["in use" in data["error"] for data in step.ledger.data("retried")] == [True, True]
    assert any(
        "tried again: w.duckdb: in use" in error for item in read_status(step.run).tables for error in item.errors
    )


def test_ctrl_c_ends_the_work_at_its_next_piece_whichever_thread_the_signal_reaches(project: Project) -> None:
    """The system may hand a signal to any thread of a kernel; one that waits without a limit does not wake then."""
    text = Path(project.small.params).read_text().replace("sample_dates: 2", "sample_dates: 2, dates_per_batch: 4")
    Path(project.small.params).write_text(text)
    step = project.open()
    plan = project.plan(step)

    def press() -> None:
        while len(step.ledger.data("dates")) < 2:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    fingers = threading.Thread(target=press, daemon=True)
    fingers.start()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # in this thread and those that it begins
    try:
        with pytest.raises(Interrupted):
            step.backfill(plan)
    finally:
        fingers.join(60)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    assert [data["by"] for data in step.ledger.data("interrupted")] == ["signal"]
    begun = [task for task in plan.tasks if task.level == 0]
    assert 0 < len(done_in(project.run)) < sum(len(task.dates) for task in begun)


def test_a_working_run_of_a_person_is_planned_anew_and_not_resumed(project: Project, tmp_path: Path) -> None:
    working = Project(project.small, tmp_path / "runs" / "working-small")
    step = working.open()
    plan = working.plan(step)
    assert step.backfill(plan.sample(1)).succeeded
    working.plan(working.open())
    assert {plan["resumes"] for plan in plans(working.run).values()} == {""}
    before = files_of(working.run)
    done = project.small.here("run", "--runs-dir", str(project.small.runs), "--resume", "working-small")
    assert done.returncode == 2, done.stdout
    assert "Only what 'courtbook run' began can be resumed" in done.stderr
    assert files_of(working.run) == before


def test_a_frozen_plan_that_cannot_be_read_is_refused(project: Project) -> None:
    project.plan(project.open())
    (project.run / "30_phase4_backfill" / "attempt-1" / "plan.json").write_text('{"layer": "phase4"')
    with pytest.raises(CourtbookError, match="frozen plan cannot be read") as caught:
        project.plan(project.open())
    assert caught.value.exit_code is ExitCode.USAGE


def files_of(run: Path) -> dict[str, str]:
    return {path.relative_to(run).as_posix(): sha256(path) for path in run.rglob("*") if path.is_file()}


def test_the_table_of_faults(capsys: pytest.CaptureFixture[str], files: dict[str, Path]) -> None:
    if {outcome.fault for outcome in DONE} != set(FAULTS):
        pytest.skip("not all faults were tried in this run")
    rows = [["fault", "exit", "leaves", "exit", "then", "before", "after", "lost", "doubled", "off record"]]
    for item in DONE:
        found, doubles = item.notes["found"].state.value, doubled(item.small.warehouse)
        numbers = [len(planned(item.run)) - item.left, item.left, item.lost(files["whole"]), doubles, item.off_record]
        ends = [str(item.first), found, str(item.resumed.exit_code), item.after.value]
        rows.append([item.fault, *ends, *map(str, numbers)])
    widths = [-44, 4, -12, 4, -9, 6, 6, 5, 8, 11]
    lines = [" ".join(f"{x:{'<' if w < 0 else '>'}{abs(w)}}" for x, w in zip(r, widths, strict=True)) for r in rows]
    with capsys.disabled():  # to stderr: what a worker of xdist writes to stdout is lost
        sys.stderr.write("\n" + "\n".join(lines) + "\n")
    assert all(item.after is RunState.COMPLETE for item in DONE)
