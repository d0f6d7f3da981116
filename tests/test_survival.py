"""Faults that a backfill has to survive: each ends in the right state, with nothing lost and nothing counted twice."""

import multiprocessing
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.backfill import sql
from courtbook.backfill.sql import replace_dates
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.coverage import DateState, read_all, read_coverage
from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.bundle import new_attempt
from courtbook.evidence.ledger import Ledger
from courtbook.params import CommandParams, HttpParams, Params
from courtbook.status import RunState, read_status
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.work import Work
from jobs.service import Service

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
CATALOG = load_catalog()
STAND_IN = Path(__file__).parent / "jobs" / "stand_in.py"
TEAMS = CATALOG.tables["team_offense_game_summary"]
ZONES = CATALOG.tables["team_defense_zone_analysis"]
DAYS = tuple(date(2024, 4, day) for day in (1, 2, 3, 4))
GATES = {Layer.PHASE3: "preflight", Layer.PHASE4: "phase3"}
SURVIVED: dict[str, tuple[str, str, int, int]] = {}


@dataclass
class Incident:
    """A warehouse that lacks four dates of one table, and the run that has to bring them back."""

    params: Params
    table: Table
    run: Path
    reports: list[str] = field(default_factory=list)

    @property
    def warehouse(self) -> DuckDBWarehouse:
        return DuckDBWarehouse(Path(self.params.warehouse.path), lock_wait=5)

    @property
    def calendar(self) -> Calendar:
        return read_calendar(self.warehouse, self.params)

    @property
    def ledger(self) -> Ledger:
        return Ledger(self.run / "ledger.jsonl")

    def attempt(self, executor: CommandParams | HttpParams | None = None, **backfill: Any) -> str:
        """Backfill as the notebook of the layer does, in an attempt of its own, and say how the table stands then."""
        chosen = {"retries": 2, "retry_wait": 0.05, **backfill}
        params = self.params.model_copy(
            update={
                "executors": {self.table.name: executor} if executor else {},
                "backfill": self.params.backfill.model_copy(update=chosen),
            }
        )
        step, gate = f"{self.table.layer.value}_backfill", GATES[self.table.layer]
        warehouse, calendar, ledger = self.warehouse, self.calendar, self.ledger
        if not (self.run / "params.yaml").exists():
            (self.run / "params.yaml").write_text(params.to_yaml())
            ledger.append("run_started", steps=[step])
        attempt = new_attempt(self.run, CATALOG.step(step).notebook)
        ledger.append("gate", gate=gate, verdict="GO", scope=params.judged(), tables=[], blockers=[])
        work = Work(step, params, self.run, attempt, ledger, warehouse, calendar, CATALOG)
        with warehouse.session():
            read = read_all(warehouse, CATALOG.layer(self.table.layer), calendar)
        plan = work.plan(self.table.layer, read)
        try:
            work.backfill(plan, gate, lambda: None)
        except CourtbookError as error:
            self.reports.append(error.reason.code)
        found = {item.table: item for item in read_status(self.run).tables}[self.table.name]
        state = "failed" if found.failed or self.reports else "complete" if not found.left else "interrupted"
        return f"{state} {found.done}/{found.done + found.failed + found.left}"

    def lost(self) -> int:
        """Count the dates that do not hold what they ought to."""
        read = read_coverage(self.warehouse, self.table, self.calendar, DAYS, inputs=False)
        return len(DAYS) - len(read.dates_in(DateState.COMPLETE))

    def doubled(self) -> int:
        """Count rows that are there twice, and dates that were begun again although they were done."""
        keys = ", ".join(self.table.key)
        with duckdb.connect(self.params.warehouse.path, read_only=True) as connection:
            count = f"SELECT COUNT(*), COUNT(DISTINCT ({keys})) FROM {self.table.full_name}"
            rows, distinct = connection.execute(count).fetchone() or (0, 0)
        done: set[str] = set()
        again = 0
        for event in self.ledger.events():
            data = event["data"]
            if data.get("table") != self.table.name:
                continue
            if event["kind"] == "dates":
                again += len(done & set(data["done"]))
                done |= set(data["done"])
            elif event["kind"] == "job_started":
                again += len(done & set(data["dates"]))
        return int(rows - distinct) + again


@pytest.fixture
def incident(copy_warehouse: Callable[[], Params], tmp_path: Path) -> Callable[[Table], Incident]:
    def make(table: Table) -> Incident:
        params = copy_warehouse()
        days = params.range.model_copy(update={"start": date(2024, 3, 20), "end": date(2024, 4, 10)})
        with duckdb.connect(params.warehouse.path) as connection:
            listed = ", ".join(f"DATE '{day}'" for day in DAYS)
            connection.execute(f"DELETE FROM {table.full_name} WHERE {table.date_column} IN ({listed})")
        run = tmp_path / "runs" / "20240411T000000Z-incident"
        run.mkdir(parents=True)
        return Incident(params.model_copy(update={"range": days, "dry_run": False}), table, run)

    return make


def survive(name: str, found: Incident, after: str, wanted: str, second: Callable[[], str]) -> None:
    """Check how a fault ended, resume, check that all is there once, and note it for the table."""
    assert after == wanted
    found.reports.clear()
    last = after if after.startswith("complete") else second()
    assert last == "complete 4/4"
    SURVIVED[name] = (after, last, found.lost(), found.doubled())
    assert SURVIVED[name][2:] == (0, 0)


def job(found: Incident, *arguments: str, **settings: Any) -> CommandParams:
    argv = (sys.executable, str(STAND_IN), "--table", found.table.name, "--warehouse", found.params.warehouse.path)
    return CommandParams(kind="command", argv=(*argv, *arguments), grace=0.5, **{"limit": 120, **settings})


@pytest.mark.parametrize(
    ("name", "arguments", "settings", "after"),
    [
        (
            "script exits 0 with failed dates",
            ("--fault", "exit0_failed", "--fail-dates", "2024-04-02"),
            {},
            "failed 3/4",
        ),
        ("script exits 1 at once", ("--fault", "exit1"), {}, "failed 0/4"),
        ("script hangs after 2 dates", ("--fault", "hang", "--after", "2"), {"silent": 6}, "failed 2/4"),
        ("script prints 100 MB", ("--fault", "flood", "--megabytes", "100"), {}, "complete 4/4"),
        ("script prints invalid UTF-8", ("--fault", "bad_utf8"), {}, "complete 4/4"),
        ("script forks children and exits", ("--fault", "fork"), {}, "complete 4/4"),
        ("script ignores SIGTERM", ("--fault", "ignore_term", "--after", "1"), {"silent": 6}, "failed 1/4"),
        ("script writes half of its dates", ("--fault", "half_date", "--after", "1"), {}, "failed 1/4"),
        ("script says success, writes nothing", ("--fault", "lies"), {}, "failed 0/4"),
        ("disk for the script's log is full", ("--fault", "full_log"), {}, None),
        ("script refuses its arguments", ("--no-such-flag",), {}, "failed 0/4"),
        ("program does not exist", ("missing",), {}, "failed 0/4"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_jobs(
    incident: Callable[[Table], Incident], name: str, arguments: tuple[str, ...], settings: dict[str, Any], after: str
) -> None:
    found = incident(TEAMS)
    first = job(found, *arguments, **settings)
    if arguments == ("missing",):
        first = first.model_copy(update={"argv": ("no-such-program",)})
    ended = found.attempt(first)
    wanted = after if after is not None else ended  # where a full disk strikes depends on the length of paths
    assert not ended.startswith("interrupted")
    survive(name, found, ended, wanted, lambda: found.attempt(job(found)))


def begin(found: Incident, executor: CommandParams) -> None:
    found.attempt(executor)


def test_a_job_that_outlives_the_runbook(incident: Callable[[Table], Incident]) -> None:
    found = incident(TEAMS)
    slow = job(found, "--pace", "0.8")
    runbook = multiprocessing.get_context("spawn").Process(target=begin, args=(found, slow))
    runbook.start()
    deadline = time.monotonic() + 60
    while not (jobs := found.ledger.data("job_started")) or "Success" not in Path(jobs[0]["log"]).read_text():
        assert time.monotonic() < deadline
        time.sleep(0.05)
    runbook.kill()
    runbook.join()
    told = {item.table: item for item in read_status(found.run).tables}[TEAMS.name]
    assert (told.state, told.job["pid"], told.done) == (RunState.RUNNING, jobs[0]["pid"], 0)
    survive("runbook is killed, its job goes on", found, "interrupted", "interrupted", lambda: found.attempt(slow))
    assert len(found.ledger.data("job_started")) == len(found.ledger.data("job_ended")) == 1


def zones_service(found: Incident, **settings: Any) -> Service:
    def fill(name: str, day: date) -> None:
        table = next(table for table in CATALOG.processed if table.job and table.job.service == name)
        replace_dates(found.warehouse, table, found.calendar, [day])

    return Service(fill=fill, **settings)


@pytest.mark.parametrize(
    ("name", "behaviours", "after"),
    [
        ("service answers 200, every processor in error", ["error"], "failed 0/4"),
        ("service answers 200 with no rows", ["no rows"], "failed 0/4"),
        ("service does not know the processor", ["unknown"], "failed 0/4"),
        ("service answers 429 with Retry-After", ["429:1", "ok"], "complete 4/4"),
        ("service answers 500 twice, then fine", ["500", "500", "ok"], "complete 4/4"),
        ("service drops the connection", ["drop", "ok"], "complete 4/4"),
        ("service drops the connection, rows are there", ["drop:filled", "drop:filled", "drop:filled"], "complete 4/4"),
        ("service never answers", ["silent"], "failed 0/4"),
    ],
    ids=lambda value: value.replace(" ", "-") if isinstance(value, str) else "",
)
def test_services(incident: Callable[[Table], Incident], name: str, behaviours: list[str], after: str) -> None:
    found = incident(ZONES)
    with zones_service(found, script=dict.fromkeys(DAYS, behaviours)) as service:
        settings = HttpParams(
            kind="http", url=service.url, timeout=1.0 if behaviours == ["silent"] else 20, pause=0, concurrency=4
        )
        ended = found.attempt(settings, retries=3 if "500" in behaviours else 1 if "silent" in behaviours else 2)
        service.script = {}
        survive(name, found, ended, after, lambda: found.attempt(settings))


def test_a_token_that_ends_after_an_hour(
    incident: Callable[[Table], Incident], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = incident(ZONES)
    with zones_service(found, guarded=True) as service:
        service.clock = lambda: 3601.0 * (len(service.requests) // 2)  # an hour goes by every two requests
        monkeypatch.setenv("GCE_METADATA_HOST", service.host)
        token = {"metadata": "https://service"}
        settings = HttpParams.model_validate({"kind": "http", "url": service.url, "token": token, "pause": 0.0})
        ended = found.attempt(settings)
        survive("service answers 401 after an hour", found, ended, "complete 4/4", lambda: "")
        assert len(service.audiences) > 1
    assert b"ey.secret" not in (found.run / "ledger.jsonl").read_bytes()


def test_a_warehouse_that_goes_away_and_comes_back(
    incident: Callable[[Table], Incident], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = incident(TEAMS)
    path, gone = Path(found.params.warehouse.path), threading.Event()
    count = sql.SqlExecutor.execute

    def lose(self: sql.SqlExecutor, *arguments: Any) -> Any:
        if not gone.is_set():
            gone.set()
            path.rename(path.with_suffix(".away"))
            threading.Timer(0.6, lambda: path.with_suffix(".away").rename(path)).start()
            self.warehouse._refuse_missing()  # type: ignore[attr-defined]
        return count(self, *arguments)

    monkeypatch.setattr(sql.SqlExecutor, "execute", lose)
    ended = found.attempt(retries=5, retry_wait=0.1)
    assert [data["table"] for data in found.ledger.data("retried")]
    survive("warehouse goes away and comes back", found, ended, "complete 4/4", lambda: "")


def test_a_warehouse_that_stays_away(incident: Callable[[Table], Incident], monkeypatch: pytest.MonkeyPatch) -> None:
    found = incident(TEAMS)
    path = Path(found.params.warehouse.path)
    execute = sql.SqlExecutor.execute

    def lose(self: sql.SqlExecutor, *arguments: Any) -> Any:
        if len(found.ledger.data("dates")) == 2 and path.exists():
            path.rename(path.with_suffix(".away"))
        self.warehouse._refuse_missing()  # type: ignore[attr-defined]
        return execute(self, *arguments)

    monkeypatch.setattr(sql.SqlExecutor, "execute", lose)
    ended = found.attempt(dates_per_batch=1, retries=1)
    assert found.reports == ["warehouse_missing"]
    monkeypatch.undo()
    path.with_suffix(".away").rename(path)
    survive("warehouse goes away for good, then is restored", found, ended, "failed 2/4", found.attempt)


def test_a_disk_that_is_full_for_the_record(
    incident: Callable[[Table], Incident], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = incident(TEAMS)
    put = Ledger._write

    def full(self: Ledger, file: Any, kind: str, data: Any) -> None:
        if kind == "dates" and sum(event["kind"] == "dates" for event in self._known) == 2:
            raise CourtbookError(Reason.DISK_FULL, "No space left on device.", where=str(self.path), next_action="")
        put(self, file, kind, data)

    monkeypatch.setattr(Ledger, "_write", full)
    ended = found.attempt(dates_per_batch=1)
    monkeypatch.undo()
    assert found.reports == ["disk_full"]
    survive("disk for the record is full", found, ended, "failed 2/4", found.attempt)


def test_a_clock_that_jumps(incident: Callable[[Table], Incident], monkeypatch: pytest.MonkeyPatch) -> None:
    found = incident(TEAMS)
    wanted = CATALOG.layer(Layer.PHASE3)
    with duckdb.connect(found.params.warehouse.path) as connection:
        listed = ", ".join(f"DATE '{day}'" for day in DAYS)
        for table in wanted:
            connection.execute(f"DELETE FROM {table.full_name} WHERE {table.date_column} IN ({listed})")
    now = [datetime(2040, 1, 1)]

    def jump() -> datetime:
        now[0] -= timedelta(days=365)  # every look at the clock shows an earlier year
        return now[0]

    monkeypatch.setattr(sql, "_now", jump)
    ended = found.attempt(dates_per_batch=2)
    read = read_all(found.warehouse, wanted, found.calendar)
    stale = {name: set(item.dates_in(DateState.STALE)) & set(DAYS) for name, item in read.items()}
    assert stale == {table.name: set() for table in wanted}
    survive("clock jumps back while tables are written", found, ended, "complete 4/4", lambda: "")


def test_the_table_of_faults(capsys: pytest.CaptureFixture[str]) -> None:
    if len(SURVIVED) < 20:
        pytest.skip("not all faults were tried in this run")
    lines = [f"{'fault':<48} {'end state':<16} {'after resume':<14} {'dates lost':>10} {'doubled':>8}"]
    lines += [f"{name:<48} {a:<16} {b:<14} {lost:>10} {twice:>8}" for name, (a, b, lost, twice) in SURVIVED.items()]
    with capsys.disabled():  # to stderr: what a worker of xdist writes to stdout is lost
        sys.stderr.write("\n" + "\n".join(lines) + "\n")
    assert all(lost == twice == 0 for _, _, lost, twice in SURVIVED.values())
