"""Runs of plans: order, threads, locks, patience, and who is believed. Most executors are made up, the rows never."""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
import tenacity
from courtbook.backfill import sql
from courtbook.backfill.executor import Context
from courtbook.backfill.locks import hold, is_held
from courtbook.backfill.runner import BackfillReport, Batch, Runner, Terms
from courtbook.backfill.sql import SqlExecutor, replace_dates
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.coverage import DateState, read_coverage
from courtbook.errors import CourtbookError, ExitCode, GateClosed, Interrupted, Reason, WarehouseError
from courtbook.params import Params
from courtbook.plan import FORCED, MISSING, PARTIAL, Plan, Task
from courtbook.warehouse.duckdb import DuckDBWarehouse

CATALOG = load_catalog()
OFFENSE, DEFENSE, CONTEXT = "team_offense_game_summary", "team_defense_game_summary", "upcoming_team_game_context"
PGS, PLAYER_CONTEXT = "player_game_summary", "upcoming_player_game_context"
PHASE3 = {table.name: number for number, level in enumerate(CATALOG.levels(Layer.PHASE3)) for table in level}
PATIENCE = 30  # seconds after which a thread that waits for another one gives the test up

Does = Callable[[Table, Sequence[date], Context], Mapping[date, str] | None]


@dataclass
class Fake:
    """An executor that does what the test says, so many dates at a time, and remembers what it was asked."""

    does: Does
    size: int = 1
    kind: str = "sql"
    asked: list[tuple[str, tuple[date, ...]]] = field(default_factory=list)

    def pieces(self, dates: Sequence[date], calendar: Calendar) -> tuple[tuple[date, ...], ...]:
        return tuple(tuple(dates[i : i + self.size]) for i in range(0, len(dates), self.size))

    def adopt(self, table: Table, context: Context) -> tuple[date, ...]:
        return ()

    def execute(self, table: Table, dates: Sequence[date], context: Context) -> Mapping[date, str]:
        self.asked.append((table.name, tuple(dates)))
        return self.does(table, dates, context) or {}


@dataclass
class World:
    """A copy of the league's warehouse with ten game dates, and what a run puts on record."""

    warehouse: DuckDBWarehouse
    calendar: Calendar
    path: Path
    batches: list[Batch] = field(default_factory=list)
    events: list[tuple[str, dict[str, Any]]] = field(default_factory=list)

    def delete(self, *names: str, dates: Iterable[date] | None = None) -> None:
        listed = ", ".join(f"DATE '{day}'" for day in dates or self.calendar.dates())
        with duckdb.connect(str(self.path)) as connection:
            for name in names:
                table = CATALOG.tables[name]
                connection.execute(f"DELETE FROM {table.full_name} WHERE {table.date_column} IN ({listed})")

    def state(self, name: str) -> dict[date, DateState]:
        frame = read_coverage(self.warehouse, CATALOG.tables[name], self.calendar).frame
        return dict(zip(frame["day"], frame["state"], strict=True))

    def complete(self, name: str) -> list[date]:
        return [day for day, state in self.state(name).items() if state is DateState.COMPLETE]

    def stale(self, name: str) -> list[date]:
        return [day for day, state in self.state(name).items() if state is DateState.STALE]

    def fill(self, table: Table, dates: Sequence[date], _: Context) -> None:
        replace_dates(self.warehouse, table, self.calendar, dates)

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [data for name, data in self.events if name == kind]

    def runner(self, executor: Any, check_stop: Callable[[], None] = lambda: None, **terms: Any) -> Runner:
        context = Context(
            self.path.parent, lambda kind, **data: self.events.append((kind, data)), lambda _: [], check_stop
        )
        chosen = {"permit": lambda: None, "record": self.batches.append, "retry_wait": 0.001, **terms}
        return Runner(self.warehouse, self.calendar, lambda _: executor, context, Terms(**chosen))

    def run(self, executor: Any, plan: Plan, **terms: Any) -> BackfillReport:
        return self.runner(executor, **terms).run(plan)


def plan_of(dates: Iterable[date], *names: str, why: str = MISSING) -> Plan:
    """Plan the same dates of some tables of Phase 3; all its tables are in the plan."""
    days = list(dates)
    return Plan(
        Layer.PHASE3,
        tuple(
            Task(CATALOG.tables[name], level, dict.fromkeys(days if name in names else (), why))
            for name, level in PHASE3.items()
        ),
    )


def nothing(*_: object) -> None:
    """Write nothing and say nothing."""


@pytest.fixture
def world(copy_warehouse: Callable[[], Params]) -> World:
    """A copy that the test may change; its range lies within a season."""
    params = copy_warehouse()
    days = params.range.model_copy(update={"start": date(2024, 3, 1), "end": date(2024, 3, 10)})
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    calendar = read_calendar(warehouse, params.model_copy(update={"range": days}))
    return World(warehouse, calendar, Path(params.warehouse.path))


@pytest.mark.parametrize("parallel", [1, 2, 3, 8])
def test_tables_of_a_level_are_written_together_but_never_more_than_allowed(world: World, parallel: int) -> None:
    together = min(parallel, 3)  # so many tables has the first level
    meet, turn = threading.Barrier(together), threading.Lock()
    running: list[str] = []
    peaks: list[list[str]] = []
    ended: set[str] = set()

    def does(table: Table, *_: object) -> None:
        with turn:
            running.append(table.name)
            peaks.append(list(running))
            arrived = len(peaks)
            assert {name for name, level in PHASE3.items() if level < PHASE3[table.name]} <= ended
        if arrived <= together:
            meet.wait(PATIENCE)
        with turn:
            running.remove(table.name)
            ended.add(table.name)

    report = world.run(Fake(does), plan_of(world.calendar.dates()[:1], *PHASE3), parallel=parallel)
    assert report.succeeded
    assert max(map(len, peaks)) == together
    assert ended == set(PHASE3)
    assert {batch.table for batch in world.batches} == set(PHASE3)


def test_a_table_that_another_run_writes_is_refused_before_anything_is_written(world: World) -> None:
    executor = Fake(nothing)
    path = world.warehouse.locks / f"{DEFENSE}.lock"
    with hold(path, {"run": "20240305-other"}, "x", Reason.TABLE_HELD):
        with pytest.raises(CourtbookError, match="20240305-other") as refused:
            world.run(executor, plan_of(world.calendar.dates(), OFFENSE, DEFENSE))
        assert (refused.value.reason, refused.value.exit_code) == (Reason.TABLE_HELD, ExitCode.REFUSED)
        assert (executor.asked, world.batches) == ([], [])
        # What it holds itself it lets go of, and tables that it does not write do not matter.
        assert not is_held(world.warehouse.locks / f"{OFFENSE}.lock")
        assert world.run(executor, plan_of(world.calendar.dates()[:1], OFFENSE)).succeeded
    assert world.run(executor, plan_of(world.calendar.dates()[:1], DEFENSE)).succeeded


def test_two_runs_write_different_tables_at_the_same_time_but_never_the_same_one(world: World) -> None:
    days, meet, refused = world.calendar.dates()[:2], threading.Barrier(2), []
    reports: dict[str, BackfillReport] = {}

    def does(table: Table, dates: Sequence[date], context: Context) -> None:
        meet.wait(PATIENCE)  # both are at work
        with pytest.raises(CourtbookError) as error:
            world.run(Fake(nothing), plan_of(days, table.name))
        refused.append(error.value.reason)
        world.fill(table, dates, context)

    world.delete(OFFENSE, CONTEXT, dates=days)
    runs = [
        threading.Thread(target=lambda name=name: reports.update({name: world.run(Fake(does, 2), plan_of(days, name))}))
        for name in (OFFENSE, CONTEXT)
    ]
    for run in runs:
        run.start()
    for run in runs:
        run.join(2 * PATIENCE)
    assert [report.succeeded for report in reports.values()] == [True, True]
    assert refused == [Reason.TABLE_HELD] * 2
    assert {name: report.done for name, report in reports.items()} == {OFFENSE: 2, CONTEXT: 2}
    assert set(days) <= set(world.complete(OFFENSE)) & set(world.complete(CONTEXT))


def error_of(reason: Reason) -> WarehouseError:
    return WarehouseError(reason, f"{reason.code} it is", where="here", next_action="none")


TRANSIENT = [reason for reason in Reason if reason.transient]


@pytest.mark.parametrize("reason", TRANSIENT)
def test_what_may_pass_is_tried_again_until_it_has_passed(world: World, reason: Reason) -> None:
    day = world.calendar.dates()[0]
    world.delete(OFFENSE, dates=[day])
    left = [reason, reason]

    def does(table: Table, dates: Sequence[date], context: Context) -> None:
        if left:
            raise error_of(left.pop())
        world.fill(table, dates, context)

    executor = Fake(does)
    report = world.run(executor, plan_of([day], OFFENSE), retries=2)
    assert (report.succeeded, report.done, len(executor.asked)) == (True, 1, 3)
    assert [(data["table"], data["error"]) for data in world.of("retried")] == [(OFFENSE, str(error_of(reason)))] * 2


@pytest.mark.parametrize("retries", [0, 1, 3])
@pytest.mark.parametrize("reason", [Reason.WAREHOUSE_MISSING, Reason.QUERY_TIMEOUT])
def test_what_does_not_pass_ends_its_table_and_holds_back_the_readers_only(
    world: World, reason: Reason, retries: int
) -> None:
    def does(table: Table, *_: object) -> None:
        if table.name == OFFENSE:
            raise error_of(reason)

    executor = Fake(does)
    report = world.run(executor, plan_of(world.calendar.dates()[:2], *PHASE3), retries=retries, parallel=2)
    assert sum(name == OFFENSE for name, _ in executor.asked) == retries + 1
    assert len(world.of("retried")) == retries
    assert {name: error.reason for name, error in report.errors.items()} == {OFFENSE: reason}
    assert report.held_back == [PGS, PLAYER_CONTEXT]
    assert {data["table"] for data in world.of("table_held_back")} == {PGS, PLAYER_CONTEXT}
    assert (report.succeeded, report.done) == (False, 4)
    assert {batch.table for batch in world.batches} == {DEFENSE, CONTEXT}
    assert report.record()["errors"] == {OFFENSE: str(error_of(reason))}


def test_a_warehouse_that_stays_locked_refuses_the_plan(world: World) -> None:
    def does(*_: object) -> None:
        raise error_of(Reason.WAREHOUSE_LOCKED)

    executor = Fake(does)
    with pytest.raises(WarehouseError, match="warehouse_locked") as refused:
        world.run(executor, plan_of(world.calendar.dates()[:2], OFFENSE), retries=2)
    assert refused.value.exit_code is ExitCode.REFUSED
    assert len(executor.asked) == 3


@pytest.mark.parametrize(
    "reason", [item for item in Reason if not item.transient and item.exit_code is ExitCode.ENGINE]
)
def test_what_will_not_pass_is_not_tried_again(world: World, reason: Reason) -> None:
    def does(*_: object) -> None:
        raise error_of(reason)

    executor = Fake(does)
    report = world.run(executor, plan_of(world.calendar.dates()[:2], OFFENSE), retries=5)
    assert (len(executor.asked), report.errors[OFFENSE].reason) == (1, reason)
    assert world.of("retried") == []


def test_wrong_rows_are_not_tried_again(world: World) -> None:
    days = world.calendar.dates()[:3]
    world.delete(OFFENSE, dates=days)
    executor = Fake(nothing, size=3)
    report = world.run(executor, plan_of(days, OFFENSE), retries=5)
    assert len(executor.asked) == 1
    assert report.failed == [(OFFENSE, day) for day in days]


def test_a_gate_that_closes_ends_the_whole_plan(world: World) -> None:
    def permit() -> None:
        if world.batches:
            raise GateClosed("closed", where="gate", next_action="none")

    executor = Fake(nothing)
    with pytest.raises(GateClosed):
        world.run(executor, plan_of(world.calendar.dates(), *PHASE3), permit=permit)
    assert [batch.table for batch in world.batches] == [name for name, _ in executor.asked] == [OFFENSE]


def test_a_warehouse_that_is_gone_for_a_while_ends_with_all_dates_done_and_none_twice(world: World) -> None:
    days, away = world.calendar.dates(), world.path.with_name("away")
    world.delete(OFFENSE)
    written: list[date] = []

    def does(table: Table, dates: Sequence[date], context: Context) -> None:
        world.fill(table, dates, context)
        written.extend(dates)

    def record(batch: Batch) -> None:
        world.batches.append(batch)
        if len(world.batches) == 2:
            world.path.rename(away)

    runner = world.runner(Fake(does, 2), record=record, retries=4)
    gone = threading.Event()

    def put(kind: str, **data: Any) -> None:
        world.events.append((kind, data))
        if kind == "retried":
            gone.set()

    runner.context = Context(world.path.parent, put, lambda _: [], lambda: None)
    reports: list[BackfillReport] = []
    run = threading.Thread(target=lambda: reports.append(runner.run(plan_of(days, OFFENSE))))
    run.start()
    assert gone.wait(PATIENCE)
    away.rename(world.path)
    run.join(PATIENCE)
    assert reports[0].succeeded
    assert tuple(written) == days
    assert tuple(day for batch in world.batches for day in batch.done) == days
    assert "does not exist" in world.of("retried")[0]["error"]
    assert world.complete(OFFENSE) == list(days)


def test_a_warehouse_that_never_comes_back_is_an_error_and_no_empty_file_is_made(world: World) -> None:
    def record(batch: Batch) -> None:
        world.batches.append(batch)
        world.path.unlink()

    report = world.run(Fake(nothing), plan_of(world.calendar.dates(), OFFENSE, PGS), record=record, retries=1)
    assert (report.done, report.errors[OFFENSE].reason) == (1, Reason.WAREHOUSE_MISSING)
    assert report.held_back == [PGS]
    assert not world.path.exists()


def test_a_request_to_stop_is_heeded_between_two_pieces(world: World) -> None:
    days = world.calendar.dates()
    world.delete(OFFENSE)

    def check_stop() -> None:
        if len(world.batches) == 2:
            raise Interrupted

    with pytest.raises(Interrupted) as stopped:
        world.runner(Fake(world.fill, 3), check_stop).run(plan_of(days, OFFENSE))
    assert stopped.value.exit_code is ExitCode.INTERRUPTED
    assert [batch.done for batch in world.batches] == [days[:3], days[3:6]]
    assert world.complete(OFFENSE) == list(days[:6])
    assert {state for day, state in world.state(OFFENSE).items() if day in days[6:]} == {DateState.MISSING}
    assert not is_held(world.warehouse.locks / f"{OFFENSE}.lock")
    # Whoever comes next finds the rest.
    assert world.run(Fake(world.fill, 3), plan_of(days[6:], OFFENSE)).succeeded
    assert world.complete(OFFENSE) == list(days)


def test_a_request_to_stop_does_not_wait_for_the_next_try(world: World) -> None:
    def does(*_: object) -> None:
        raise error_of(Reason.QUERY_TIMEOUT)

    def check_stop() -> None:
        if world.of("retried"):
            raise Interrupted

    started = time.monotonic()
    with pytest.raises(Interrupted):
        world.runner(Fake(does), check_stop, retries=3, retry_wait=600).run(plan_of(world.calendar.dates(), OFFENSE))
    assert time.monotonic() - started < 60  # not the ten minutes
    assert world.batches == []


def test_a_refusal_that_names_a_wait_is_tried_again_after_that_wait(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    day, left = world.calendar.dates()[0], [7.5, 0.0]
    world.delete(OFFENSE, dates=[day])
    slept: list[float] = []
    retrying = tenacity.Retrying
    monkeypatch.setattr(tenacity, "Retrying", lambda **how: retrying(**{**how, "sleep": slept.append}))

    def does(table: Table, dates: Sequence[date], context: Context) -> None:
        if left:
            raise WarehouseError(Reason.QUOTA, "Too much.", where="x", next_action="y", retry_after=left.pop(0))
        world.fill(table, dates, context)

    report = world.run(Fake(does), plan_of([day], OFFENSE), retries=2, retry_wait=2)
    assert (report.succeeded, slept) == (True, [7.5, 4.0])


@pytest.mark.parametrize("asked", [Interrupted, KeyboardInterrupt])
def test_a_wish_to_stop_cancels_what_runs_elsewhere(world: World, asked: type[BaseException]) -> None:
    at_work, cancelled = threading.Event(), threading.Event()
    world.warehouse.cancel = cancelled.set  # type: ignore[method-assign]

    def does(*_: object) -> None:
        at_work.set()
        assert cancelled.wait(PATIENCE), "a job on another machine would go on"
        raise Interrupted

    def check_stop() -> None:
        if at_work.is_set():
            raise asked

    with pytest.raises(asked):
        world.runner(Fake(does), check_stop).run(plan_of(world.calendar.dates(), OFFENSE))
    assert world.batches == []


@pytest.mark.parametrize("error", [Interrupted(), GateClosed("no", where="x", next_action="y"), ZeroDivisionError()])
def test_what_ends_one_table_for_good_stops_the_others(world: World, error: Exception) -> None:
    at_work = threading.Event()

    def does(table: Table, dates: Sequence[date], context: Context) -> None:
        if table.name == DEFENSE:
            assert at_work.wait(PATIENCE)
            raise error
        at_work.set()
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:  # a long job that asks often
            context.check_stop()
            time.sleep(0.01)
        raise AssertionError("was not told to stop")

    executor = Fake(does)
    with pytest.raises(type(error)):
        world.run(executor, plan_of(world.calendar.dates(), *PHASE3), parallel=2)
    assert [name for name, _ in executor.asked] in ([OFFENSE, DEFENSE], [DEFENSE, OFFENSE])
    assert world.batches == []
    assert not any(is_held(path) for path in world.warehouse.locks.iterdir())


def test_a_table_that_is_not_sound_holds_back_its_readers(world: World) -> None:
    checked: list[tuple[str, int]] = []

    def validate(table: Table) -> str:
        checked.append((table.name, len(world.batches)))
        return "pace out of range" if table.name == OFFENSE else ""

    report = world.run(Fake(nothing), plan_of(world.calendar.dates()[:2], *PHASE3), validate=validate)
    assert report.unsound == {OFFENSE: "pace out of range"}
    assert report.held_back == [PGS, PLAYER_CONTEXT]
    assert world.of("table_unsound") == [{"table": OFFENSE, "words": "pace out of range"}]
    assert (report.failed, report.errors, report.succeeded) == ([], {}, False)
    # Each was checked once, when all its dates were written.
    assert checked == [(OFFENSE, 2), (DEFENSE, 4), (CONTEXT, 6)]


def test_rows_decide_whatever_the_executor_says(world: World) -> None:
    there, gone, half, twice = world.calendar.dates()[:4]
    world.delete(OFFENSE, dates=[gone])
    table = CATALOG.tables[OFFENSE].full_name
    with duckdb.connect(str(world.path)) as connection:
        connection.execute(f"DELETE FROM {table} WHERE game_date = DATE '{half}' AND home_game")
        connection.execute(f"INSERT INTO {table} SELECT * FROM {table} WHERE game_date = DATE '{twice}' LIMIT 1")
    rows = {day: 2 * games for day, games in ((item.day, item.games) for item in world.calendar.days)}

    def does(*_: object) -> Mapping[date, str]:
        return {there: "exit status 1", half: "no box score"}

    report = world.run(Fake(does, size=9), plan_of([there, gone, half, twice], OFFENSE))
    [batch] = report.batches
    assert batch.done == (there,)
    assert batch.failed == (gone, half, twice)
    assert batch.why == {
        gone: f"0 of {rows[gone]} rows",
        half: f"{rows[half] // 2} of {rows[half]} rows; no box score",
        twice: f"{rows[twice]} of {rows[twice]} rows, 1 twice",
    }
    assert world.batches == [batch]


@pytest.mark.parametrize("why", [FORCED, "stale", "failed before", MISSING, PARTIAL])
def test_a_job_that_leaves_old_rows_has_not_written_what_had_to_be_written_anew(world: World, why: str) -> None:
    day = world.calendar.dates()[0]
    anew = why not in (MISSING, PARTIAL)
    idle = world.run(Fake(nothing, kind="command"), plan_of([day], OFFENSE, why=why))
    assert idle.failed == ([(OFFENSE, day)] if anew else [])
    assert ["not all of them written anew" in words for words in idle.batches[0].why.values()] == [True] * anew
    assert world.run(Fake(world.fill, kind="command"), plan_of([day], OFFENSE, why=why)).succeeded


def test_what_a_job_did_before_it_failed_is_on_record(world: World) -> None:
    days = world.calendar.dates()[:3]
    world.delete(OFFENSE, dates=days)

    def does(table: Table, dates: Sequence[date], context: Context) -> None:
        world.fill(table, dates[:2], context)
        raise CourtbookError(Reason.JOB_FAILED, "hung", where="job", next_action="none")

    report = world.run(Fake(does, 3, kind="command"), plan_of(days, OFFENSE))
    assert report.errors[OFFENSE].reason is Reason.JOB_FAILED
    assert [(batch.done, batch.failed) for batch in world.batches] == [(days[:2], ())]


def test_a_stop_is_a_stop_even_if_the_warehouse_is_gone_too(world: World) -> None:
    def does(*_: object) -> None:
        world.path.unlink()
        raise Interrupted

    with pytest.raises(Interrupted):
        world.run(Fake(does, kind="command"), plan_of(world.calendar.dates(), OFFENSE))


def written_by(world: World, monkeypatch: pytest.MonkeyPatch, year: int, plan: Plan) -> None:
    """Run a plan with the built-in executor while the clock is in another year."""
    monkeypatch.setattr(sql, "_now", lambda: datetime(year, 1, 1))
    assert world.run(SqlExecutor(world.warehouse, world.calendar, CATALOG, 50), plan).succeeded
    monkeypatch.undo()


@pytest.mark.parametrize(("first", "then"), [(2001, 2050), (2050, 2001), (2050, 2050)])
def test_a_clock_that_jumps_makes_nothing_stale_and_hides_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch, first: int, then: int
) -> None:
    days = world.calendar.dates()
    written_by(world, monkeypatch, first, plan_of(days, OFFENSE))
    written_by(world, monkeypatch, then, plan_of(days, PGS, PLAYER_CONTEXT))
    assert world.stale(PGS) == world.stale(PLAYER_CONTEXT) == []
    written_by(world, monkeypatch, first, plan_of(days[:1], OFFENSE))
    assert world.stale(PGS) == [days[0]]
    written_by(world, monkeypatch, then, plan_of(days[:1], PGS))
    assert world.stale(PGS) == []
    assert world.stale(PLAYER_CONTEXT) == list(days[1:])


def test_inputs_before_the_range_that_a_clock_put_into_the_future_do_not_keep_readers_stale(world: World) -> None:
    table = CATALOG.tables[OFFENSE].full_name
    with duckdb.connect(str(world.path)) as connection:
        connection.execute(
            f"UPDATE {table} SET processed_at = processed_at + INTERVAL 5 YEAR WHERE game_date = DATE '2024-02-28'"
        )
    behind = world.stale(PLAYER_CONTEXT)
    assert behind
    executor = SqlExecutor(world.warehouse, world.calendar, CATALOG, 50)
    assert world.run(executor, plan_of(behind, PLAYER_CONTEXT, why="stale")).succeeded
    assert world.stale(PLAYER_CONTEXT) == []
