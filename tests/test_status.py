"""How a run is doing, read from its folder alone: running, complete, failed, hung, interrupted, table by table."""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from courtbook import status
from courtbook.backfill.locks import hold
from courtbook.backfill.process import born
from courtbook.console import Bar
from courtbook.errors import ExitCode, ParameterError, Reason
from courtbook.evidence import ledger as ledger_module
from courtbook.evidence.bundle import run_lock
from courtbook.evidence.ledger import Ledger
from courtbook.params import CommandParams, LeagueSource, Params, RangeParams
from courtbook.params_warehouse import WarehouseParams
from courtbook.report.work import progress, status_text
from courtbook.status import Live, RunState, RunStatus, TableStatus, find_run, read_status
from small_run import Small

A, B, C = "team_offense_game_summary", "player_game_summary", "upcoming_player_game_context"
RUNNING, COMPLETE, FAILED, HELD_BACK, HUNG, INTERRUPTED, WAITING = (
    RunState.RUNNING, RunState.COMPLETE, RunState.FAILED, RunState.HELD_BACK, RunState.HUNG, RunState.INTERRUPTED,
    RunState.WAITING,
)  # fmt: skip


def days(first: int, last: int) -> list[str]:
    return [f"2024-11-{day:02d}" for day in range(first, last + 1)]


class Clock:
    """Tells the ledger what time it is."""

    def __init__(self) -> None:
        self.time = datetime.now(UTC) - timedelta(hours=1)

    def now(self, _: object) -> datetime:
        return self.time


@dataclass
class Made:
    """A run whose events the test writes, as the chain, the work of a step and the runner do."""

    run: Path
    ledger: Ledger
    clock: Clock

    def put(self, kind: str, *, after: float = 0, **data: Any) -> None:
        self.clock.time += timedelta(seconds=after)
        self.ledger.append(kind, **data)

    def begin(self, *, attempt: int = 1, kind: str = "run_started") -> "Made":
        self.put(kind)
        self.put("attempt_started", step="phase3_backfill", attempt=f"attempt-{attempt}")
        self.put("step_opened", step="phase3_backfill", attempt=f"attempt-{attempt}", born=born(os.getpid()))
        return self

    def plan(self, tables: Mapping[str, int], *, resumes: str = "", layer: str = "phase3", by: str = "sql") -> "Made":
        self.put("plan", layer=layer, resumes=resumes, tables=[[name, count, by] for name, count in tables.items()])
        return self

    def work(self, kind: str, table: str, *, after: float = 0, **data: Any) -> "Made":
        self.put(kind, after=after, step="phase3_backfill", attempt="attempt-1", table=table, **data)
        return self

    def start(self, table: str, executor: str = "sql") -> "Made":
        return self.work("table_started", table, executor=executor, dates=0)

    def dates(self, table: str, done: list[str], failed: list[str] | None = None, *, after: float = 60) -> "Made":
        why = dict.fromkeys(failed or [], "9 of 10 rows")
        return self.work("dates", table, after=after, done=done, failed=failed or [], why=why, executor="sql")

    def end(self, verdict: str) -> "Made":
        self.put("run_ended", verdict=verdict, steps=1)
        return self

    def read(self) -> RunStatus:
        """Read it as another process would."""
        return read_status(self.run)

    def tables(self) -> dict[str, TableStatus]:
        return {item.table: item for item in self.read().tables}

    @contextmanager
    def alive(self) -> Iterator[None]:
        with hold(run_lock(self.run), {"run": self.run.name}, "The run", Reason.RUN_HELD):
            yield


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Made:
    clock = Clock()

    class Times(datetime):
        now = staticmethod(clock.now)

    monkeypatch.setattr(ledger_module, "datetime", Times)
    run = tmp_path / "runs" / "20260105T090000Z-small"
    run.mkdir(parents=True)
    return Made(run, Ledger(run / "ledger.jsonl"), clock)


def test_a_run_that_has_just_begun_waits(made: Made) -> None:
    made.begin()
    with made.alive():
        found = made.read()
    assert (found.state, found.step, found.tables) == (RUNNING, "phase3_backfill", ())
    assert "nothing is planned yet" in status_text(found)


def test_a_table_at_work_has_counts_a_rate_and_the_time_that_is_left(made: Made) -> None:
    made.begin().plan({A: 20, B: 10, C: 0}).start(A).dates(A, days(1, 5), after=60).dates(A, days(6, 9), days(10, 10))
    with made.alive():
        tables, found = made.tables(), made.read()
    item = tables[A]
    assert found.state is RUNNING
    assert (item.state, item.planned, item.done, item.failed, item.left) == (RUNNING, 20, 9, 1, 10)
    assert item.rate == pytest.approx(9 / 2)  # dates a minute
    assert item.eta == pytest.approx(60 * 10 / (9 / 2))
    assert item.errors == ("2024-11-10: 9 of 10 rows",)
    assert (tables[B].state, tables[B].left) == (WAITING, 10)
    assert (tables[C].state, tables[C].planned) == (COMPLETE, 0)


@pytest.mark.parametrize(
    ("verdict", "state"),
    [("GO", COMPLETE), ("DEGRADED", COMPLETE), ("NO-GO", FAILED), ("MARGINAL", FAILED), ("INTERRUPTED", INTERRUPTED)],
)
def test_a_run_that_ended_says_how(made: Made, verdict: str, state: RunState) -> None:
    made.begin().plan({A: 3}).start(A).dates(A, days(1, 3)).work("table_ended", A).end(verdict)
    found = made.read()
    assert (found.state, found.verdict) == (state, verdict)
    assert found.tables[0].state is COMPLETE
    assert found.tables[0].eta is None


def test_a_run_whose_process_is_gone_is_interrupted_and_so_is_its_table(made: Made) -> None:
    made.begin().plan({A: 20}).start(A).dates(A, days(1, 5))
    found = made.read()
    assert found.state is INTERRUPTED
    assert "--resume" in found.words
    assert (found.tables[0].state, found.tables[0].done, found.tables[0].left) == (INTERRUPTED, 5, 15)
    assert found.tables[0].eta is None


def test_a_run_that_says_nothing_for_long_is_hung(made: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    made.begin().plan({A: 20}).start(A)
    monkeypatch.setattr(status, "SILENT", 30)
    with made.alive():
        assert made.read().state is RUNNING
        os.utime(made.ledger.path, (0, time.time() - 40))
        found = made.read()
        assert found.state is HUNG
        assert "nothing new for 4" in found.words
        # Whatever a run writes is a sign of life: the page of a notebook, or the log of a job.
        (made.run / "log.txt").write_text("still here")
        assert made.read().state is RUNNING


def test_a_failed_date_that_was_repaired_later_counts_as_done(made: Made) -> None:
    made.begin().plan({A: 4}).start(A).dates(A, days(1, 3), days(4, 4)).work("table_ended", A)
    assert (made.tables()[A].state, made.tables()[A].failed, made.tables()[A].left) == (FAILED, 1, 0)
    made.end("NO-GO").begin(attempt=2, kind="run_resumed").plan({A: 1}, resumes="plan.json")
    assert (made.tables()[A].state, made.tables()[A].done, made.tables()[A].left) == (WAITING, 3, 1)
    made.start(A).dates(A, days(4, 4)).work("table_ended", A).end("GO")
    item = made.tables()[A]
    assert (item.state, item.planned, item.done, item.failed, item.left) == (COMPLETE, 4, 4, 0, 0)


def test_a_resumed_run_counts_what_was_done_before_and_measures_its_rate_anew(made: Made) -> None:
    made.begin().plan({A: 20, B: 5}).start(A).dates(A, days(1, 8), after=600)
    made.put("run_resumed", after=3600)
    made.plan({A: 12, B: 5}, resumes="plan.json").start(A)
    assert (made.tables()[A].planned, made.tables()[A].done, made.tables()[A].left) == (20, 8, 12)
    made.dates(A, days(9, 14), after=60)
    with made.alive():
        item = made.tables()[A]
    assert (item.done, item.left) == (14, 6)
    assert item.rate == pytest.approx(6)
    assert item.eta == pytest.approx(60)


def test_a_date_that_is_done_again_on_resume_is_not_counted_twice(made: Made) -> None:
    """Its input changed since, so the plan holds it once more."""
    made.begin().plan({A: 10}).start(A).dates(A, days(1, 6))
    made.put("run_resumed")
    made.plan({A: 6}, resumes="plan.json")  # four that were left, and two that are stale by now
    made.start(A).dates(A, [*days(5, 6), *days(7, 10)]).work("table_ended", A).end("GO")
    item = made.tables()[A]
    assert (item.state, item.planned, item.done, item.left) == (COMPLETE, 10, 10, 0)


def test_what_was_found_done_on_resume_counts_before_the_table_begins(made: Made) -> None:
    """Written by a process that did not live to say so: put on record before the plan of what is left."""
    made.begin().plan({A: 10}).start(A).dates(A, days(1, 4))
    made.put("run_resumed")
    made.work("dates", A, done=days(5, 6), failed=[], why={}, executor="found").plan({A: 4}, resumes="plan.json")
    item = made.tables()[A]
    assert (item.planned, item.done, item.left, item.executor) == (10, 6, 4, "sql")
    item = made.start(A).dates(A, days(7, 10)).work("table_ended", A).end("GO").tables()[A]
    assert (item.state, item.planned, item.done, item.left) == (COMPLETE, 10, 10, 0)


def test_another_step_that_plans_anew_forgets_what_an_earlier_run_of_cells_did(made: Made) -> None:
    made.begin().plan({A: 4}).start(A).dates(A, days(1, 4)).work("table_ended", A)
    made.plan({A: 2})
    assert (made.tables()[A].planned, made.tables()[A].done) == (2, 0)


def test_after_a_sample_the_rest_goes_on_counting(made: Made) -> None:
    made.begin().plan({A: 6}).start(A).dates(A, days(5, 6)).work("table_ended", A)
    assert (made.tables()[A].state, made.tables()[A].left) == (WAITING, 4)
    made.start(A).dates(A, days(1, 2), after=30)
    with made.alive():
        item = made.tables()[A]
    assert (item.state, item.done, item.left) == (RUNNING, 4, 2)
    assert item.rate == pytest.approx(4), "measured since the rest began"
    assert made.dates(A, days(3, 4)).work("table_ended", A).tables()[A].state is COMPLETE


def test_tables_that_are_held_back_unsound_or_broken_say_so(made: Made) -> None:
    made.begin().plan({A: 2, B: 3, C: 4}).start(A).dates(A, days(1, 1), days(2, 2)).work("table_ended", A)
    made.work("table_held_back", B).start(C).work("retried", C, tries=1, error="the file is in use")
    with made.alive():
        item = made.tables()[C]
        assert (item.state, item.errors) == (RUNNING, ("tried again: the file is in use",))
    made.work("table_failed", C, reason="query_failed", error="no such column").end("INTERRUPTED")
    tables = made.tables()
    assert [tables[name].state for name in (A, B, C)] == [FAILED, HELD_BACK, FAILED]
    assert tables[C].errors[-1] == "no such column"
    made.start(C).work("table_unsound", C, words="quality FAIL").work("table_ended", C)
    assert made.tables()[C].state is FAILED
    assert made.tables()[C].errors[-1] == "quality FAIL"


def test_only_the_last_errors_are_shown(made: Made) -> None:
    made.begin().plan({A: 9}).start(A).dates(A, [], days(1, 9))
    assert [error[:10] for error in made.tables()[A].errors] == days(5, 9)


JOB_LOG = """\
2025-01-05 10:00:00,000 - __main__ - INFO - Processing date 1/3: 2024-11-01
2025-01-05 10:00:01,000 - __main__ - INFO -   ✓ Success: 10 records processed
2025-01-05 10:00:02,000 - __main__ - INFO - Processing date 2/3: 2024-11-02
2025-01-05 10:00:03,000 - __main__ - INFO -   ✓ Success: 10 records processed
2025-01-05 10:00:04,000 - __main__ - ERROR - the API said 503
2025-01-05 10:00:05,000 - __main__ - INFO - Processing date 3/3: 2024-11-03
"""


@dataclass
class Job:
    log: Path
    lock: Path

    @contextmanager
    def alive(self) -> Iterator[None]:
        with self.lock.open("wb") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield


@pytest.fixture
def job(made: Made) -> Job:
    """A run with a job of the operator's at work on a table."""
    command = CommandParams(kind="command", argv=("python", "{script}"), silent=120, limit=1200)
    params = Params(
        name="small",
        warehouse=WarehouseParams(path="w.duckdb"),
        source=LeagueSource(kind="league"),
        range=RangeParams(start=datetime(2024, 11, 1).date(), end=datetime(2024, 11, 30).date()),
        executors={A: command},
    )
    (made.run / "params.yaml").write_text(params.to_yaml())
    folder = made.run / "10_phase3_backfill" / "attempt-1" / "jobs"
    folder.mkdir(parents=True)
    found = Job(folder / f"{A}-1.log", folder / f"{A}-1.log.alive")
    found.log.write_text(JOB_LOG)
    found.lock.touch()
    made.clock.time = datetime.now(UTC) - timedelta(seconds=60)
    made.begin().plan({A: 10}, by="command").start(A, "command")
    made.work(
        "job_started", A, pid=4711, created="boot 1", log=str(found.log), host=socket.gethostname(),
        alive=str(found.lock), argv=["python", "job.py"], dates=days(1, 10),
    )  # fmt: skip
    return found


def ended(made: Made, job: Job, how: str = "ended") -> None:
    made.work(
        "job_ended", A, pid=4711, created="boot 1", log=str(job.log), how=how, status=0, seconds=9.0,
        reported={"done": 10, "failed": [], "skipped": 0}, errors=["the API said 503"], error_count=1, lines=6,
    )  # fmt: skip


def test_a_job_at_work_is_read_from_its_log(made: Made, job: Job) -> None:
    with made.alive(), job.alive():
        found = made.read()
        (item,) = found.tables
    assert (found.state, item.state, item.executor) == (RUNNING, RUNNING, "command")
    assert (item.done, item.reported, item.left) == (0, 2, 10), "what a job says is no row yet"
    assert item.rate == pytest.approx(2, rel=0.1)
    assert item.eta == pytest.approx(60 * 8 / 2, rel=0.1)
    assert (item.job["pid"], item.job["log"]) == (4711, str(job.log))
    assert item.job["silent"] < 30
    assert "the API said 503" in item.errors[0]
    assert item.last_lines[-1].endswith("Processing date 3/3: 2024-11-03")
    text = status_text(found)
    for words in ("process 4711, 2 dates reported", str(job.log), "| 2025-01-05 10:00:05", "the API said 503"):
        assert words in text


def test_a_job_that_ended_is_no_longer_at_work(made: Made, job: Job) -> None:
    ended(made, job)
    made.dates(A, days(1, 10), after=0)
    with made.alive(), job.alive():  # the next job may use the same number, not the same file
        (item,) = made.read().tables
    assert (item.job, item.reported, item.last_lines) == ({}, 0, ())
    assert item.errors == ("the API said 503",)
    assert (item.done, item.left) == (10, 0)


@pytest.mark.parametrize(("silent", "state"), [(100, RUNNING), (130, HUNG)])
def test_a_job_that_writes_nothing_for_too_long_is_hung(made: Made, job: Job, silent: int, state: RunState) -> None:
    os.utime(job.log, (0, time.time() - silent))
    with made.alive(), job.alive():
        found = made.read()
    assert found.tables[0].state is state
    assert found.state is state
    assert found.tables[0].job["silent"] == pytest.approx(silent, abs=2)


def test_a_job_that_takes_too_long_is_hung_however_much_it_writes(made: Made, job: Job) -> None:
    text = (made.run / "params.yaml").read_text().replace("limit: 1200", "limit: 50")
    (made.run / "params.yaml").write_text(text)
    with made.alive(), job.alive():
        assert made.read().state is HUNG


def test_a_job_that_outlives_its_run_is_still_shown(made: Made, job: Job) -> None:
    with job.alive():
        found = made.read()
    assert found.state is INTERRUPTED
    assert found.tables[0].job["pid"] == 4711
    assert "a job" in status_text(found) or "process 4711" in status_text(found)


def test_a_job_that_died_with_its_run_leaves_an_interrupted_table(made: Made, job: Job) -> None:
    found = made.read()
    assert (found.state, found.tables[0].state, found.tables[0].job) == (INTERRUPTED, INTERRUPTED, {})


def test_a_log_that_is_gone_does_not_hide_the_rest(made: Made, job: Job) -> None:
    job.log.unlink()
    with made.alive(), job.alive():
        assert made.read().tables[0].planned == 10


def test_notebooks_that_a_person_opens_have_a_status_too(made: Made) -> None:
    made.put("step_opened", step="preflight", attempt="attempt-1", born=born(os.getpid()))
    found = made.read()
    assert (found.state, found.step, found.words) == (RUNNING, "preflight", "opened by a person")
    made.put("step_concluded", step="preflight", attempt="attempt-1", verdict="GO")
    assert (made.read().state, made.read().verdict) == (COMPLETE, "GO")
    made.put("step_opened", step="phase3_backfill", attempt="attempt-1", born="another boot 1")
    assert made.read().state is INTERRUPTED, "the kernel is gone, and its number belongs to somebody else"
    made.put("step_concluded", step="phase3_backfill", attempt="attempt-1", verdict="NO-GO")
    assert made.read().state is FAILED


def test_a_run_is_found_by_name_by_path_and_as_the_last(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runs = tmp_path / "runs"
    with pytest.raises(ParameterError, match="There is no run yet") as caught:
        find_run(runs)
    assert caught.value.exit_code is ExitCode.USAGE
    for number, name in enumerate(("one", "two", "three")):
        (runs / name).mkdir(parents=True)
        Ledger(runs / name / "ledger.jsonl").append("run_started")
        os.utime(runs / name / "ledger.jsonl", (0, 1000 - number))
    (runs / ".locks").mkdir()
    (runs / "LATEST").symlink_to("two", target_is_directory=True)
    assert find_run(runs) == runs / "one"
    os.utime(runs / "three" / "ledger.jsonl", (0, 2000))
    assert find_run(runs) == runs / "three"
    assert find_run(runs, "one") == runs / "one"
    assert find_run(runs, str(runs / "one")) == runs / "one"
    assert find_run(runs, "LATEST") == runs / "two"
    monkeypatch.chdir(tmp_path)
    assert find_run(Path("elsewhere"), "runs/three/") == runs / "three"
    for name in ("four", ".locks", "../runs"):
        with pytest.raises(ParameterError, match="There is no such run"):
            find_run(runs, name)


def test_a_changed_ledger_has_no_status(made: Made) -> None:
    made.begin().end("NO-GO")
    made.ledger.path.write_text(made.ledger.path.read_text().replace("NO-GO", "GO"))
    with pytest.raises(Exception, match="was changed"):
        made.read()


def test_the_text_fits_a_terminal_and_names_what_matters(made: Made) -> None:
    made.begin().plan({A: 20, B: 10}).start(A).dates(A, days(1, 5), days(6, 6))
    with made.alive():
        text = status_text(made.read())
    first, second, *_ = text.splitlines()
    assert first == "20260105T090000Z-small  running  (phase3_backfill)"
    assert second.startswith("last event 20")
    assert max(map(len, text.splitlines())) <= 120
    rows = {line.split()[0]: line.split() for line in text.splitlines() if line.startswith((A, B))}
    assert rows[A][:8] == [A, "running", "5", "1", "14", "20", "5", "3"]  # 2.8 minutes
    assert rows[B][:5] == [B, "waiting", "0", "0", "10"]
    assert "2024-11-06: 9 of 10 rows" in text


def test_a_notebook_shows_only_the_tables_of_its_layer_that_have_work(made: Made) -> None:
    made.begin().plan({A: 2, B: 0}).plan({"player_daily_cache": 3, "ml_feature_store_v2": 0}, layer="phase4")
    shown = progress(made.read()).text
    assert "player_daily_cache" in shown
    assert all(name not in shown for name in (A, B, "ml_feature_store_v2"))


def test_a_live_display_is_brought_up_to_date_once_a_second_and_at_the_end(made: Made) -> None:
    made.begin().plan({A: 3}).start(A)
    shown: list[int] = []
    live = Live(lambda found: shown.append(found.tables[0].done), made.read)
    for number in range(1, 4):
        made.dates(A, days(number, number))
        live.tick()
    assert shown == [1]
    live.tick(last=True)
    assert shown == [1, 3]


def test_without_a_terminal_nothing_but_lines_is_printed(made: Made, capsys: pytest.CaptureFixture[str]) -> None:
    made.begin().plan({A: 3}).start(A)
    with made.alive(), Bar() as bar:
        bar.watch(made.run)
        bar.show(made.read())
        bar.tell("a line")
    said = capsys.readouterr()
    assert (said.out, said.err) == ("a line\n", "")


def test_a_terminal_shows_a_bar_of_what_is_at_work(
    made: Made, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    made.begin().plan({A: 20, B: 5}).start(A).dates(A, days(1, 5))
    with made.alive(), Bar() as bar:
        bar.watch(made.run)
    said = capsys.readouterr().err
    assert A in said
    assert "5/20" in said
    assert B not in said


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Small:
    """A project with a run that was written by hand, to be asked about by command."""
    project = Small.make(tmp_path_factory.mktemp("status"))
    run = project.runs / "20260105T090000Z-small"
    run.mkdir(parents=True)
    ledger = Ledger(run / "ledger.jsonl")
    ledger.append("run_started")
    ledger.append("attempt_started", step="phase3_backfill", attempt="attempt-1")
    ledger.append("plan", layer="phase3", resumes="", tables=[[A, 2, "sql"]])
    ledger.append("table_started", table=A, executor="sql")
    ledger.append("dates", table=A, done=days(1, 1), failed=days(2, 2), why={days(2, 2)[0]: "no rows"})
    ledger.append("table_ended", table=A)
    ledger.append("run_ended", verdict="NO-GO")
    return project


def test_the_command_prints_text_or_json_and_writes_nothing(small: Small) -> None:
    before = sorted(path for path in small.folder.rglob("*"))
    done = small.courtbook("status", "--runs-dir", str(small.runs))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("20260105T090000Z-small  failed  (phase3_backfill, NO-GO)")
    told = json.loads(
        small.courtbook("status", "20260105T090000Z-small", "--json", "--runs-dir", str(small.runs)).stdout
    )
    assert (told["state"], told["verdict"], told["step"]) == ("failed", "NO-GO", "phase3_backfill")
    (item,) = told["tables"]
    assert (item["table"], item["state"], item["done"], item["failed"], item["left"]) == (A, "failed", 1, 1, 0)
    watched = small.courtbook("status", "--watch", "--runs-dir", str(small.runs))
    assert watched.returncode == 0, "a run that has ended is shown once"
    assert sorted(path for path in small.folder.rglob("*")) == before


@pytest.mark.parametrize("command", ["status", "stop"])
def test_a_run_that_is_not_there_is_one_clear_line(small: Small, command: str) -> None:
    done = small.courtbook(command, "nowhere", "--runs-dir", str(small.runs))
    assert done.returncode == 2
    assert done.stderr.startswith("error: nowhere: There is no such run.")
    assert len(done.stderr.splitlines()) == 1


def test_a_run_that_has_ended_cannot_be_stopped(small: Small) -> None:
    """A stop file that stays would end the next attempt at once, and change a sealed folder."""
    done = small.courtbook("stop", "--runs-dir", str(small.runs))
    assert not (small.runs / "20260105T090000Z-small" / "stop").exists()
    assert done.returncode == 2, done.stdout
