"""Jobs of the operator's: whatever they do, they are over in the end, on record, and only their rows count."""

import errno
import fcntl
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.backfill.command import CommandExecutor
from courtbook.backfill.executor import Context, Executor
from courtbook.backfill.process import Group, born
from courtbook.calendar import Calendar, GameDay, read_calendar
from courtbook.catalog import Job, Table, load_catalog
from courtbook.errors import CourtbookError, Interrupted, ParameterError, Reason
from courtbook.params import CommandParams, Params
from courtbook.warehouse.duckdb import DuckDBWarehouse
from hypothesis import given
from hypothesis import strategies as st

CATALOG = load_catalog()
STAND_IN = Path(__file__).parent / "jobs" / "stand_in.py"
TEAMS = CATALOG.tables["team_offense_game_summary"]
DAYS = tuple(date(2024, 4, day) for day in (1, 2, 3, 4))
BEFORE = date(2024, 3, 31)


@dataclass
class Bench:
    """A folder to run jobs in, and what they put on record."""

    folder: Path
    record_file: Path
    stop: Callable[[], None] = lambda: None
    held: tuple[int, ...] = ()

    @property
    def events(self) -> list[tuple[str, dict[str, Any]]]:
        lines = self.record_file.read_text(encoding="utf-8").splitlines() if self.record_file.exists() else []
        return [(kind, data) for kind, data in map(json.loads, lines)]

    def history(self, kind: str) -> list[Mapping[str, Any]]:
        return [data for name, data in self.events if name == kind]

    def record(self, kind: str, **data: object) -> None:
        with self.record_file.open("a", encoding="utf-8") as file:
            file.write(json.dumps([kind, data]) + "\n")

    @property
    def context(self) -> Context:
        return Context(self.folder, self.record, self.history, self.check_stop, self.held)

    def check_stop(self) -> None:
        self.stop()

    def job(self, *argv: str, table: Table = TEAMS, **settings: Any) -> CommandExecutor:
        settings = {"kind": "command", "argv": argv, "grace": 0.5, **settings}
        return CommandExecutor(table, CommandParams(**settings), self.folder, poll=0.05)

    def shell(self, script: str, **settings: Any) -> CommandExecutor:
        return self.job("sh", "-c", script, table=replace(TEAMS, job=None), **settings)

    def only(self, kind: str) -> Mapping[str, Any]:
        (data,) = self.history(kind)
        return data

    def log(self) -> str:
        return Path(self.only("job_started")["log"]).read_text(encoding="utf-8", errors="replace")

    def assert_over(self, how: str, status: int | None = None, **reported: object) -> Mapping[str, Any]:
        """Check that there was one job, that nothing of it lives, and what is on record about it."""
        assert [kind for kind, _ in self.events] == ["job_started", "job_ended"]
        started, ended = self.only("job_started"), self.only("job_ended")
        assert not Group(started["pid"], started["created"], Path(started["alive"])).lives()
        assert processes_of(started["pid"]) == []
        assert (ended["pid"], ended["created"], ended["table"]) == (started["pid"], started["created"], TEAMS.name)
        assert (ended["how"], ended["status"]) == (how, status)
        assert ended["seconds"] >= 0
        if reported:
            assert ended["reported"] == {"done": 0, "failed": [], "skipped": 0, **reported}
        return ended


def processes_of(session: int) -> list[str]:
    """Return the processes of a session that live, as the system shows them."""
    shown = subprocess.run(["ps", "-eo", "sid=,pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 3) for line in shown.splitlines())
    return [row[-1] for row in rows if str(session) in row[:2] and not row[2].startswith("Z")]


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path, tmp_path / "record.jsonl")
    yield made
    for job in made.history("job_started"):  # whatever a test that failed left behind
        if born(job["pid"]) == job["created"]:
            with suppress(ProcessLookupError):
                os.killpg(job["pid"], signal.SIGKILL)


@dataclass
class Warehouse:
    """A copy of the league's warehouse in which the rows of some dates are missing."""

    bench: Bench
    params: Params
    original: dict[date, int] = field(default_factory=dict)

    @property
    def path(self) -> str:
        return self.params.warehouse.path

    def rows(self, table: Table = TEAMS) -> dict[date, int]:
        with duckdb.connect(self.path, read_only=True) as connection:
            sql = f"SELECT {table.date_column}, COUNT(*) FROM {table.full_name} GROUP BY ALL"
            return dict(connection.execute(sql).fetchall())

    def stand_in(self, *arguments: str, fault: str = "none", table: Table = TEAMS, **settings: Any) -> CommandExecutor:
        """Return an executor that runs the stand-in in place of the table's script."""
        assert table.job is not None
        table = replace(table, job=replace(table.job, script=str(STAND_IN)))
        argv = [sys.executable, "{script}", f"--table={table.name}", f"--warehouse={self.path}", f"--fault={fault}"]
        return self.bench.job(*argv, *arguments, table=table, **settings)

    def found(self) -> list[date]:
        """Return which of the days are as they were; all other days have to be."""
        rows = self.rows()
        assert {day: count for day, count in rows.items() if day not in DAYS} == {
            day: count for day, count in self.original.items() if day not in DAYS
        }
        assert all(rows.get(day, 0) in (0, self.original[day] // 2, self.original[day]) for day in DAYS)
        return [day for day in DAYS if rows.get(day) == self.original[day]]


@pytest.fixture
def warehouse(bench: Bench, copy_warehouse: Callable[[], Params]) -> Warehouse:
    made = Warehouse(bench, copy_warehouse())
    made.original = made.rows()
    with duckdb.connect(made.path) as connection:
        connection.execute(f"DELETE FROM {TEAMS.full_name} WHERE game_date BETWEEN '{DAYS[0]}' AND '{DAYS[-1]}'")
    return made


# ---- what a job is given


def calendar_of(gaps: list[int], season_length: int) -> Calendar:
    """Return a calendar of game dates with off-days between them, in seasons of a length."""
    days, day = [], date(2023, 10, 24)
    for number, gap in enumerate(gaps):
        day += timedelta(days=gap)
        days.append(GameDay(day, 2023 + number // season_length, date(2023, 10, 24), 5))
    return Calendar(tuple(days), 14)


@given(st.data(), st.lists(st.integers(1, 4), min_size=1, max_size=60), st.integers(1, 40), st.integers(1, 12))
def test_pieces_cover_each_date_once(data: st.DataObject, gaps: list[int], length: int, size: int) -> None:
    calendar = calendar_of(gaps, length)
    dates = data.draw(st.lists(st.sampled_from(calendar.dates())))
    season = {item.day: item.season for item in calendar.days}
    for by in ("dates", "range"):
        settings = CommandParams(kind="command", argv=("x",), by=by, dates_per_job=size)
        pieces = CommandExecutor(TEAMS, settings, Path()).pieces(dates, calendar)
        assert [day for piece in pieces for day in piece] == sorted(set(dates))
        assert all(0 < len(piece) <= size for piece in pieces)
        if by == "dates":
            assert len(pieces) == -(-len(set(dates)) // size)
            continue
        for piece in pieces:
            inside = [day for day in calendar.dates() if piece[0] <= day <= piece[-1]]
            assert list(piece) == inside
            assert len({season[day] for day in piece}) == 1
        for piece, following in pairwise(pieces):
            between = [day for day in calendar.dates() if piece[-1] < day < following[0]]
            assert between or len(piece) == size or season[piece[-1]] != season[following[0]]


def test_dates_outside_the_calendar_are_pieces_of_their_own() -> None:
    settings = CommandParams(kind="command", argv=("x",), by="range")
    calendar = calendar_of([0, 2, 1], 9)
    first, second, third = calendar.dates()
    other = first + timedelta(days=1)
    pieces = CommandExecutor(TEAMS, settings, Path()).pieces([third, other, second, first], calendar)
    assert pieces == ((first,), (other,), (second, third))


LISTS = "--dates 2024-04-02,2024-04-03"
RANGE = "--start-date 2024-04-02 --end-date 2024-04-03"


@pytest.mark.parametrize("table", [table for table in CATALOG.processed if table.job], ids=lambda table: table.name)
@pytest.mark.parametrize("workers", [0, 15])
@pytest.mark.parametrize("by", ["auto", "dates", "range"])
def test_scripts_are_only_given_what_they_heed(bench: Bench, table: Table, workers: int, by: str) -> None:
    job = table.job
    assert job is not None
    if by == "dates" and not job.dates:
        with pytest.raises(ParameterError, match="does not take --dates"):
            bench.job("python", "{script}", table=table, workers=workers, by=by)
        return
    executor: Executor = bench.job("python", "-u", "{script}", table=table, workers=workers, by=by)
    parallel = by != "dates" and workers > 0 and job.workers
    lists = by == "dates" or (by == "auto" and job.dates and not parallel)
    expected = f"python -u {job.script} --no-resume {LISTS if lists else RANGE}"
    expected += " --parallel --workers 15" if parallel else ""
    assert executor.argv([DAYS[2], DAYS[1]]) == expected.split()  # type: ignore[attr-defined]
    assert executor.kind == "command"


def test_a_program_of_ones_own_gets_a_range(bench: Bench) -> None:
    own = replace(TEAMS, job=None)
    assert bench.job("fill", "it", table=own, workers=9).argv(DAYS[1:3]) == f"fill it {RANGE}".split()
    assert bench.job("fill", table=own, by="dates").argv(DAYS[1:3]) == f"fill {LISTS}".split()
    with pytest.raises(ParameterError, match="names no script"):
        bench.job("python", "{script}", table=own)


def test_a_job_is_set_up_as_the_settings_say(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURTBOOK_TEST", "from outside")
    (bench.folder / "project").mkdir()
    script = 'echo "$PYTHONPATH $COURTBOOK_TEST $PYTHONUNBUFFERED $SECRET"; pwd; cat; echo "$0 $@"; ps -o sid= $$'
    environment = {"PYTHONPATH": ".", "SECRET": "hunter2"}
    words = bench.shell(script, folder="project", environment=environment).execute(TEAMS, DAYS, bench.context)
    first, folder, arguments, session = bench.log().splitlines()
    assert first == ". from outside 1 hunter2"
    assert folder == str(bench.folder / "project")
    assert arguments == "--start-date 2024-04-01 --end-date 2024-04-04"
    assert int(session) == bench.only("job_started")["pid"] != os.getsid(0)
    assert words == {}
    assert "hunter2" not in bench.record_file.read_text(encoding="utf-8")
    started = bench.only("job_started")
    assert started["host"] == socket.gethostname()
    assert started["dates"] == [day.isoformat() for day in DAYS]
    assert started["argv"][:2] == ["sh", "-c"]
    assert bench.assert_over("ended", 0)["lines"] == 4


def test_logs_are_never_overwritten(bench: Bench) -> None:
    (bench.folder / "jobs").mkdir()
    old = bench.folder / "jobs" / f"{TEAMS.name}-1.log"
    old.write_text("evidence", encoding="utf-8")
    for _ in range(2):
        bench.shell("echo new").execute(TEAMS, DAYS, bench.context)
    assert old.read_text(encoding="utf-8") == "evidence"
    logs = [Path(job["log"]) for job in bench.history("job_started")]
    assert [path.name for path in logs] == [f"{TEAMS.name}-2.log", f"{TEAMS.name}-3.log"]
    assert {path.read_text(encoding="utf-8") for path in logs} == {"new\n"}


@pytest.mark.parametrize(
    ("argv", "settings", "words"),
    [
        (["no-such-program"], {}, "no-such-program cannot be started: No such file"),
        (["./plain.txt"], {}, "cannot be started: Permission denied"),
        (["true"], {"folder": "nowhere"}, "there is no folder .*nowhere"),
    ],
)
def test_what_cannot_be_started_is_an_error(
    bench: Bench, argv: list[str], settings: dict[str, str], words: str
) -> None:
    (bench.folder / "plain.txt").write_text("not a program", encoding="utf-8")
    with pytest.raises(CourtbookError, match=words) as caught:
        bench.job(*argv, **settings).execute(TEAMS, DAYS, bench.context)
    assert caught.value.reason is Reason.JOB_FAILED
    assert caught.value.next_action
    assert bench.events == []
    assert list((bench.folder).glob("jobs/*")) == []


@pytest.mark.parametrize("suffix", [".log", ".alive"])
@pytest.mark.parametrize(
    ("number", "reason"),
    [(errno.ENOSPC, Reason.DISK_FULL), (errno.EDQUOT, Reason.DISK_FULL), (errno.EACCES, Reason.JOB_FAILED)],
)
def test_no_job_without_a_log(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, number: int, reason: Reason, suffix: str
) -> None:
    opened = Path.open

    def refuse(self: Path, *arguments: Any, **named: Any) -> Any:
        if self.suffix == suffix:
            raise OSError(number, os.strerror(number), str(self))
        return opened(self, *arguments, **named)

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CourtbookError, match="log of a job cannot be made") as caught:
        bench.shell("echo ran >ran").execute(TEAMS, DAYS, bench.context)
    assert caught.value.reason is reason
    assert not (bench.folder / "ran").exists()


def test_a_job_that_is_on_no_record_is_ended(bench: Bench) -> None:
    def refuse(kind: str, **data: object) -> None:
        if kind == "job_started":
            bench.record(kind, **data)
        raise OSError(errno.ENOSPC, "no room")

    with pytest.raises(OSError, match="no room"):
        bench.shell("sleep 60").execute(TEAMS, DAYS, replace(bench.context, record=refuse))
    assert processes_of(bench.only("job_started")["pid"]) == []


# ---- jobs that fill a table, more or less


@pytest.mark.parametrize(("style", "settings"), [("pgs", {}), ("parallel", {"workers": 2})])
def test_a_good_job_fills_its_dates(warehouse: Warehouse, style: str, settings: dict[str, Any]) -> None:
    executor = warehouse.stand_in(f"--style={style}", **settings)
    assert executor.execute(TEAMS, DAYS, warehouse.bench.context) == {}
    ended = warehouse.bench.assert_over("ended", 0, done=4)
    assert ended["error_count"] == 0
    assert warehouse.found() == list(DAYS)


def test_pieces_of_a_calendar_are_filled_one_after_another(warehouse: Warehouse) -> None:
    calendar = read_calendar(DuckDBWarehouse(Path(warehouse.path)), warehouse.params)
    executor = warehouse.stand_in(by="range", dates_per_job=2)
    wanted = [DAYS[0], DAYS[1], DAYS[3]]
    pieces = executor.pieces(wanted, calendar)
    assert pieces == (DAYS[:2], DAYS[3:])
    for piece in pieces:
        assert executor.execute(TEAMS, piece, warehouse.bench.context) == {}
    assert warehouse.found() == wanted


def test_exit_status_0_with_failed_dates(warehouse: Warehouse) -> None:
    bad = ",".join(map(str, DAYS[1:3]))
    executor = warehouse.stand_in("--fail-dates", bad, "--style=phase4", fault="exit0_failed")
    words = executor.execute(TEAMS, DAYS, warehouse.bench.context)
    assert words == dict.fromkeys(DAYS[1:3], "reported failed: no rows from the source")
    warehouse.bench.assert_over("ended", 0, done=2, failed=[str(day) for day in DAYS[1:3]])
    assert warehouse.found() == [DAYS[0], DAYS[3]]


def test_a_job_that_lies(warehouse: Warehouse) -> None:
    assert warehouse.stand_in(fault="lies").execute(TEAMS, DAYS, warehouse.bench.context) == {}
    warehouse.bench.assert_over("ended", 0, done=4)
    assert warehouse.found() == []


def test_a_job_that_writes_half_a_date(warehouse: Warehouse) -> None:
    executor = warehouse.stand_in("--after=3", fault="half_date")
    assert executor.execute(TEAMS, DAYS, warehouse.bench.context) == {}
    warehouse.bench.assert_over("ended", 0, done=4)
    assert warehouse.found() == list(DAYS[:3])
    assert warehouse.rows()[DAYS[3]] == warehouse.original[DAYS[3]] // 2


def test_a_job_that_crashes_after_some_dates(warehouse: Warehouse) -> None:
    executor = warehouse.stand_in("--after=2", fault="crash")
    words = executor.execute(TEAMS, DAYS, warehouse.bench.context)
    assert words == dict.fromkeys(DAYS[2:], "exit status 1: RuntimeError: quota exceeded")
    ended = warehouse.bench.assert_over("ended", 1, done=2)
    assert ended["errors"] == ["RuntimeError: quota exceeded"]
    assert warehouse.found() == list(DAYS[:2])


@pytest.mark.parametrize(
    ("fault", "status", "words"),
    [
        ("exit1", 1, "exit status 1"),
        ("preflight", 1, "exit status 1: ❌ PRE-FLIGHT CHECK FAILED: Phase 3 data is incomplete!"),
    ],
)
def test_a_job_that_gives_up_at_once(warehouse: Warehouse, fault: str, status: int, words: str) -> None:
    said = warehouse.stand_in(fault=fault).execute(TEAMS, DAYS, warehouse.bench.context)
    assert said == dict.fromkeys(DAYS, words)
    warehouse.bench.assert_over("ended", status, done=0)
    assert warehouse.found() == []


@pytest.mark.parametrize(
    ("name", "job", "settings", "refused"),
    [
        ("player_shot_zone_analysis", {"workers": True}, {"workers": 4}, "--parallel --workers 4"),
        ("upcoming_team_game_context", {"dates": True}, {}, "--dates 2024-04-01,2024-04-02,2024-04-03,2024-04-04"),
    ],
)
def test_a_script_that_does_not_know_an_argument(
    warehouse: Warehouse, name: str, job: dict[str, bool], settings: dict[str, int], refused: str
) -> None:
    table = CATALOG.tables[name]
    assert isinstance(table.job, Job)
    executor = warehouse.stand_in(table=replace(table, job=replace(table.job, **job)), **settings)
    words = executor.execute(table, DAYS, warehouse.bench.context)
    assert words == dict.fromkeys(DAYS, f"exit status 2: stand_in.py: error: unrecognized arguments: {refused}")
    assert warehouse.bench.only("job_ended")["status"] == 2


def test_a_missing_script(bench: Bench) -> None:
    words = bench.job(sys.executable, "{script}").execute(TEAMS, DAYS[:1], bench.context)
    assert words[DAYS[0]].startswith("exit status 2: ")
    assert "can't open file" in words[DAYS[0]]


def test_a_job_that_floods_its_log(warehouse: Warehouse) -> None:
    executor = warehouse.stand_in("--megabytes=50", "--style=upgc", fault="flood")
    assert executor.execute(TEAMS, DAYS, warehouse.bench.context) == {}
    ended = warehouse.bench.assert_over("ended", 0, done=4)
    assert ended["lines"] > 500_000
    assert warehouse.found() == list(DAYS)


def test_a_job_that_writes_what_is_no_text(warehouse: Warehouse) -> None:
    executor = warehouse.stand_in(fault="bad_utf8")
    assert executor.execute(TEAMS, DAYS, warehouse.bench.context) == {}
    warehouse.bench.assert_over("ended", 0, done=4)
    assert warehouse.found() == list(DAYS)


def test_a_job_whose_log_cannot_grow(warehouse: Warehouse) -> None:
    executor = warehouse.stand_in("--style=parallel", fault="full_log")
    assert executor.execute(TEAMS, DAYS, warehouse.bench.context) == {}
    warehouse.bench.assert_over("ended", 0, done=1)
    assert warehouse.found() == list(DAYS)


@pytest.mark.parametrize("fault", ["fork", "daemon"])
def test_a_job_is_over_when_its_last_process_is(warehouse: Warehouse, fault: str) -> None:
    executor = warehouse.stand_in("--pace=0.1", fault=fault)
    assert executor.execute(TEAMS, DAYS, warehouse.bench.context) == {}
    assert "PARENT GOES" in warehouse.bench.log()
    warehouse.bench.assert_over("ended", 0, done=4)
    assert warehouse.found() == list(DAYS)


# ---- jobs that have to be ended


@pytest.mark.parametrize("fault", ["hang", "ignore_term"])
def test_a_job_that_hangs_is_ended(warehouse: Warehouse, fault: str) -> None:
    executor = warehouse.stand_in(fault=fault, silent=2.5)
    words = executor.execute(TEAMS, DAYS, warehouse.bench.context)
    assert words == dict.fromkeys(DAYS[1:], "the job was ended: it wrote nothing for 2.5 s")
    warehouse.bench.assert_over("hung", -9 if fault == "ignore_term" else -15, done=1)
    assert warehouse.found() == [DAYS[0]]


@pytest.mark.parametrize(
    "script",
    [
        "sleep 60 & sleep 60 & wait",
        "trap '' TERM; echo up; sleep 60; sleep 60",
        "trap 'echo no' TERM; while true; do sleep 0.1; done 2>/dev/null",
        "kill -STOP $$",
        "sleep 60 & exit 3",
        "setsid sleep 60 & exit 3",
        "setsid sh -c 'exec >/dev/null 2>&1; sleep 60' & exit 3",
    ],
)
def test_nothing_of_a_silent_job_is_left(bench: Bench, script: str) -> None:
    started = time.monotonic()
    words = bench.shell(script, silent=0.3, grace=0.2).execute(TEAMS, DAYS, bench.context)
    assert time.monotonic() - started < 5
    assert set(words) == set(DAYS)
    assert set(words.values()) == {"the job was ended: it wrote nothing for 0.3 s"}
    status = bench.only("job_ended")["status"]
    assert status in ((3,) if "exit 3" in script else (-9, -15, 143))
    bench.assert_over("hung", status)


def test_a_job_that_only_talks_is_ended(bench: Bench) -> None:
    executor = bench.shell("while true; do echo hello; sleep 0.05; done", silent=60, limit=0.6)
    words = executor.execute(TEAMS, DAYS, bench.context)
    assert set(words.values()) == {"the job was ended: it took longer than 0.6 s"}
    bench.assert_over("over time", -15)


def test_a_job_that_talks_faster_than_we_read_is_ended(bench: Bench) -> None:
    executor = bench.shell("exec timeout 20 yes", limit=0.3)
    started = time.monotonic()
    executor.execute(TEAMS, DAYS, bench.context)
    assert time.monotonic() - started < 15
    assert bench.only("job_ended")["how"] == "over time"
    Path(bench.only("job_started")["log"]).unlink()


@pytest.mark.parametrize("jump", [1e6, -1e6])
def test_a_clock_that_jumps_changes_nothing(bench: Bench, monkeypatch: pytest.MonkeyPatch, jump: float) -> None:
    real, calls = time.time, []
    monkeypatch.setattr(time, "time", lambda: real() + jump * len(calls))
    bench.stop = lambda: calls.append(1)
    bench.shell("sleep 0.5; echo done", silent=30, limit=60).execute(TEAMS, DAYS, bench.context)
    assert len(calls) > 2
    assert bench.assert_over("ended", 0)["seconds"] < 10


def test_a_killed_job_says_so(bench: Bench) -> None:
    words = bench.shell("echo working; kill -9 $$").execute(TEAMS, DAYS[:1], bench.context)
    assert words == {DAYS[0]: "ended by signal 9: working"}
    bench.assert_over("ended", -9)


@pytest.mark.parametrize("wish", [Interrupted, KeyboardInterrupt])
@pytest.mark.parametrize("script", ["exec sleep 60", "trap '' TERM; sleep 60; sleep 60"])
def test_a_wish_to_stop_ends_the_job(bench: Bench, wish: type[BaseException], script: str) -> None:
    asked: list[int] = []

    def stop() -> None:
        asked.append(1)
        if len(asked) > 4:
            raise wish

    bench.stop = stop
    with pytest.raises(wish):
        bench.shell(script, grace=0.3).execute(TEAMS, DAYS, bench.context)
    bench.assert_over("stopped", -15 if script == "exec sleep 60" else -9)


def test_who_loses_patience_while_a_job_ends_still_ends_it(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    wait = Group._wait

    def impatient(self: Group, seconds: float, send: signal.Signals | None = None) -> None:
        if send is None:
            raise KeyboardInterrupt
        wait(self, seconds, send)

    monkeypatch.setattr(Group, "_wait", impatient)
    with pytest.raises(KeyboardInterrupt):
        bench.shell("trap '' TERM; sleep 60; sleep 60", silent=0.3).execute(TEAMS, DAYS, bench.context)
    assert processes_of(bench.only("job_started")["pid"]) == []
    assert bench.history("job_ended") == []
    assert bench.shell("no").adopt(TEAMS, bench.context) == DAYS
    bench.assert_over("lost")


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_job_that_cannot_be_killed_keeps_its_table(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Group, "stop", lambda self, grace: False)
    with pytest.raises(CourtbookError, match="was killed and still lives") as caught:
        bench.shell("sleep 1", silent=0.3).execute(TEAMS, DAYS, bench.context)
    assert caught.value.reason is Reason.TABLE_HELD
    assert bench.history("job_ended") == []
    del caught
    gc.collect()  # of the process that still runs
    monkeypatch.undo()
    assert bench.shell("no").adopt(TEAMS, bench.context) == DAYS
    bench.assert_over("ended")


# ---- jobs that outlive whoever started them

STARTER = """
import fcntl, sys
from datetime import date
from pathlib import Path
sys.path[:0] = {path!r}
from test_command import TEAMS, Bench, CommandExecutor, CommandParams, replace
bench = Bench(Path({folder!r}), Path({folder!r}) / "record.jsonl")
lock = (bench.folder / "table.lock").open("wb")
fcntl.flock(lock, fcntl.LOCK_EX)
bench.held = (lock.fileno(),)
settings = CommandParams.model_validate_json({settings!r})
executor = CommandExecutor({table}, settings, bench.folder, poll=0.05)
executor.execute(TEAMS, [date.fromisoformat(day) for day in {days!r}], bench.context)
"""


@contextmanager
def dead_starter(bench: Bench, executor: CommandExecutor) -> Iterator[Mapping[str, Any]]:
    """Start a job in a process that is killed as soon as the job runs; yield what is on record."""
    code = STARTER.format(
        path=[str(Path(__file__).parent)],
        folder=str(bench.folder),
        settings=executor.settings.model_dump_json(),
        days=[day.isoformat() for day in DAYS],
        table="TEAMS" if executor.table.job else "replace(TEAMS, job=None)",
    ).replace("TEAMS, settings", f"replace(TEAMS, job=replace(TEAMS.job, script={str(STAND_IN)!r})), settings")
    starter = subprocess.Popen([sys.executable, "-c", code])
    try:
        until = time.monotonic() + 20
        while not bench.history("job_started") and starter.poll() is None and time.monotonic() < until:
            time.sleep(0.02)
    finally:
        starter.kill()
        starter.wait()
    yield bench.only("job_started")


def is_locked(path: Path) -> bool:
    with path.open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        return False


def test_a_job_that_outlived_its_starter_is_followed_to_its_end(warehouse: Warehouse) -> None:
    bench, executor = warehouse.bench, warehouse.stand_in("--pace=0.2")
    with dead_starter(bench, executor) as job:
        assert is_locked(Path(job["alive"]))
        assert is_locked(bench.folder / "table.lock")  # so that nobody else writes
        assert executor.adopt(TEAMS, bench.context) == DAYS
    assert not is_locked(bench.folder / "table.lock")
    bench.assert_over("ended", None, done=4)
    assert warehouse.found() == list(DAYS)
    assert executor.adopt(TEAMS, bench.context) == ()


@pytest.mark.parametrize(
    ("script", "how"),
    [
        ("sleep 60", "hung"),
        ("while true; do echo hello; sleep 0.1; done", "over time"),
        ("trap '' TERM; sleep 60; sleep 60", "hung"),
        ("setsid sleep 60 & sleep 0.2; exit 0", "hung"),
    ],
)
def test_an_adopted_job_has_no_more_time_than_others(bench: Bench, script: str, how: str) -> None:
    executor = bench.shell(script, silent=0.5 if how == "hung" else 60, limit=1.2, grace=0.2)
    with dead_starter(bench, executor):
        assert executor.adopt(TEAMS, bench.context) == DAYS
    bench.assert_over(how)


def test_a_wish_to_stop_ends_an_adopted_job_too(bench: Bench) -> None:
    def stop() -> None:
        raise Interrupted

    executor = bench.shell("sleep 60")
    with dead_starter(bench, executor), pytest.raises(Interrupted):
        bench.stop = stop
        executor.adopt(TEAMS, bench.context)
    bench.assert_over("stopped")


def test_a_job_that_died_with_its_starter_is_lost(bench: Bench) -> None:
    executor = bench.shell("echo '✓ 2024-04-01: 3 records'; sleep 60")
    with dead_starter(bench, executor) as job:
        os.killpg(job["pid"], signal.SIGKILL)
        while Group(job["pid"], job["created"], Path(job["alive"])).lives():
            time.sleep(0.02)
        assert executor.adopt(TEAMS, bench.context) == DAYS
    bench.assert_over("lost")
    assert executor.adopt(TEAMS, bench.context) == ()


def started(bench: Bench, **changes: Any) -> dict[str, Any]:
    """Put a job on record that nobody saw end."""
    about = {
        "table": TEAMS.name,
        "pid": os.getpid(),
        "created": "another boot 1",
        "host": socket.gethostname(),
        "log": str(bench.folder / "gone.log"),
        "alive": str(bench.folder / "gone.alive"),
        "argv": ["x"],
        "dates": [DAYS[0].isoformat()],
        **changes,
    }
    bench.record("job_started", **about)
    return about


def test_a_process_with_the_same_number_is_no_job(bench: Bench) -> None:
    stranger = subprocess.Popen(["sleep", "60"], start_new_session=True)
    try:
        about = started(bench, pid=stranger.pid)
        group = Group(stranger.pid, about["created"], Path(about["alive"]))
        assert not group.lives()
        assert group.stop(0)
        assert stranger.poll() is None
        assert Group(stranger.pid, born(stranger.pid), Path(about["alive"])).lives()
        assert bench.shell("no").adopt(TEAMS, bench.context) == DAYS[:1]
        assert stranger.poll() is None
    finally:
        stranger.kill()
        stranger.wait()
    assert bench.only("job_ended")["how"] == "lost"


def test_a_job_on_another_host_keeps_its_table(bench: Bench) -> None:
    started(bench, host="elsewhere", pid=4711)
    with pytest.raises(CourtbookError, match="4711 on elsewhere") as caught:
        bench.shell("no").adopt(TEAMS, bench.context)
    assert caught.value.reason is Reason.TABLE_HELD
    assert "elsewhere" in caught.value.next_action
    assert bench.history("job_ended") == []


def test_all_jobs_of_the_table_and_only_they_are_looked_for(bench: Bench) -> None:
    started(bench, created="a 1")
    started(bench, created="a 2", dates=[DAYS[2].isoformat(), DAYS[1].isoformat()])
    started(bench, created="a 3", table="another")
    started(bench, created="a 4", dates=[DAYS[3].isoformat()])
    bench.record("job_ended", table=TEAMS.name, pid=os.getpid(), created="a 4")
    executor = bench.shell("no")
    assert executor.adopt(TEAMS, bench.context) == DAYS[:3]
    assert [job["created"] for job in bench.history("job_ended")] == ["a 4", "a 2", "a 1"]
    assert executor.adopt(TEAMS, bench.context) == ()
    assert not Path(bench.folder / "jobs").exists()


def test_nothing_to_adopt(bench: Bench) -> None:
    assert bench.shell("no").adopt(TEAMS, bench.context) == ()
    assert bench.events == []
