"""Backfills on copies of the league's warehouse: rows come back, whole dates or nothing."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.backfill.executor import Context
from courtbook.backfill.runner import BackfillReport, Batch, Runner, Terms
from courtbook.backfill.sql import SqlExecutor, replace_dates
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.coverage import Coverage, DateState, Rewritten, read_all, read_coverage
from courtbook.errors import GateClosed, Reason, WarehouseError
from courtbook.params import Params
from courtbook.plan import Plan, Selection, Task, make_plan
from courtbook.warehouse.base import Values
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement

CATALOG = load_catalog()
PROCESSED = [table.name for table in CATALOG.processed]
LAYER_OF = {table.name: table.layer for table in CATALOG.processed}


@dataclass
class Copy:
    """A copy of the league's warehouse, with the calendar of all of it."""

    params: Params
    warehouse: DuckDBWarehouse
    calendar: Calendar
    original: Path

    def edit(self, *statements: str) -> None:
        with duckdb.connect(self.params.warehouse.path) as connection:
            for statement in statements:
                connection.execute(statement)

    def delete(self, name: str, dates: Iterable[date]) -> None:
        table = CATALOG.tables[name]
        days = ", ".join(f"DATE '{day}'" for day in dates)
        self.edit(f"DELETE FROM {table.full_name} WHERE {table.date_column} IN ({days})")

    def digest(self, name: str) -> dict[date, tuple[int, str]]:
        """Return count and hash of the rows of each date, bit by bit."""
        table = CATALOG.tables[name]
        with duckdb.connect(self.params.warehouse.path, read_only=True) as connection:
            found = connection.execute(
                f"SELECT {table.date_column}, COUNT(*), CAST(SUM(HASH({', '.join(table.columns)})) AS VARCHAR)"
                f" FROM {table.full_name} GROUP BY ALL"
            ).fetchall()
        return {day: (count, value) for day, count, value in found}

    def differences(self, name: str) -> list[tuple[Any, ...]]:
        """Return the keys and columns in which a table is not what it was, except for processed_at.

        Means depend on the order of summation in their last bits, so numbers may differ by 1e-9.
        """
        table = CATALOG.tables[name]
        unlike = {
            "FLOAT64": "(a.{0} IS NULL) <> (b.{0} IS NULL) OR ABS(a.{0} - b.{0}) > 1e-9",
            "ARRAY<FLOAT64>": "LEN(a.{0}) <> LEN(b.{0})"
            " OR LIST_MAX(LIST_TRANSFORM(LIST_ZIP(a.{0}, b.{0}), LAMBDA z: ABS(z[1] - z[2]))) > 1e-9",
        }
        with duckdb.connect(self.params.warehouse.path) as connection:
            connection.execute(f"ATTACH '{self.original}' AS original (READ_ONLY)")
            both = f"{table.full_name} AS a FULL JOIN original.{table.full_name} AS b USING ({', '.join(table.key)})"
            return [
                (*row, column)
                for column, kind in table.columns.items()
                if column != "processed_at" and column not in table.key
                for row in connection.execute(
                    f"SELECT {', '.join(table.key)} FROM {both}"
                    f" WHERE {unlike.get(kind, 'a.{0} IS DISTINCT FROM b.{0}').format(column)} LIMIT 3"
                ).fetchall()
            ]

    def plan(self, layer: Layer, mode: str = "missing", *before: Plan) -> Plan:
        read = read_all(self.warehouse, CATALOG.layer(layer), self.calendar)
        return make_plan(CATALOG, layer, read, self._reread, Selection(mode), before=before)

    def _reread(self, table: Table, rewritten: Rewritten) -> Coverage:
        return read_coverage(self.warehouse, table, self.calendar, rewritten=rewritten)

    def stale(self) -> dict[str, tuple[date, ...]]:
        read = read_all(self.warehouse, CATALOG.processed, self.calendar)
        return {name: dates for name, item in read.items() if (dates := item.dates_in(DateState.STALE))}

    def run(
        self, plan: Plan, batch_size: int = 250, permit: Callable[[], None] = lambda: None, parallel: int = 1
    ) -> BackfillReport:
        recorded: list[Batch] = []
        executor = SqlExecutor(self.warehouse, self.calendar, CATALOG, batch_size)
        context = Context(
            Path(self.params.warehouse.path).parent, lambda *_, **__: None, lambda _: [], check_stop=lambda: None
        )
        terms = Terms(permit=permit, record=recorded.append, parallel=parallel)
        report = Runner(self.warehouse, self.calendar, lambda _: executor, context, terms).run(plan)
        assert sorted(map(id, recorded)) == sorted(map(id, report.batches))
        return report

    def write(self, name: str, dates: Iterable[date]) -> list[Batch]:
        """Write dates of one table, whatever their state."""
        table = CATALOG.tables[name]
        return self.run(Plan(table.layer, (Task(table, 0, dict.fromkeys(dates, "forced")),))).batches


@pytest.fixture
def copy(copy_warehouse: Callable[[], Params], league_warehouse: Path) -> Copy:
    """A copy that the test may change, and a range that begins and ends within a season."""
    params = copy_warehouse()
    days = params.range.model_copy(update={"start": date(2024, 3, 25), "end": date(2024, 11, 24)})
    params = params.model_copy(update={"range": days})
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    return Copy(params, warehouse, read_calendar(warehouse, params), league_warehouse)


def some_dates(copy: Copy) -> list[date]:
    """Dates of both seasons, alone and in a row, none in the bootstrap of Phase 4."""
    after = copy.calendar.dates(after_bootstrap=True)
    return [after[i] for i in (3, 10, 11, 12, -1)]


@pytest.mark.parametrize("name", PROCESSED)
def test_deleted_dates_come_back_exactly(copy: Copy, name: str) -> None:
    before = {day: count for day, (count, _) in copy.digest(name).items()}
    dates = some_dates(copy)
    copy.delete(name, dates)
    assert len(copy.digest(name)) == len(before) - len(dates)
    plan = copy.plan(LAYER_OF[name])
    assert {task.table.name: len(task.dates) for task in plan.tasks if task.dates} == {name: len(dates)}
    report = copy.run(plan, batch_size=3)
    assert report.succeeded
    assert report.done == len(dates)
    assert copy.differences(name) == []
    assert {day: count for day, (count, _) in copy.digest(name).items()} == before
    assert read_coverage(copy.warehouse, CATALOG.tables[name], copy.calendar).ratio == 1.0


@pytest.mark.slow
def test_a_whole_lost_layer_comes_back_exactly(copy: Copy, warehouse_params: Params) -> None:
    copy.calendar = read_calendar(copy.warehouse, warehouse_params)
    names = [table.name for table in CATALOG.layer(Layer.PHASE4)]
    copy.edit(*(f"DELETE FROM {CATALOG.tables[name].full_name}" for name in names))
    report = copy.run(copy.plan(Layer.PHASE4), batch_size=90)
    assert report.succeeded
    assert {name: copy.differences(name) for name in names} == {name: [] for name in names}


@pytest.mark.parametrize("name", ["player_game_summary", "player_daily_cache", "ml_feature_store_v2"])
def test_a_date_can_be_written_twice(copy: Copy, name: str) -> None:
    counts = {day: count for day, (count, _) in copy.digest(name).items()}
    for _ in range(2):
        replace_dates(copy.warehouse, CATALOG.tables[name], copy.calendar, some_dates(copy))
        assert copy.differences(name) == []
        assert {day: count for day, (count, _) in copy.digest(name).items()} == counts


def test_rows_of_a_date_are_replaced_and_those_of_other_dates_left_alone(copy: Copy) -> None:
    dates = some_dates(copy)
    between = copy.calendar.dates()[20]
    table = "nba_analytics.player_game_summary"
    days = ", ".join(f"DATE '{day}'" for day in dates)
    copy.edit(
        f"UPDATE {table} SET points = -1 WHERE game_date IN ({days}, DATE '{between}')",
        f"INSERT INTO {table} SELECT * FROM {table} WHERE game_date = DATE '{dates[0]}'",
    )
    spoiled = copy.digest("player_game_summary")
    copy.write("player_game_summary", dates)
    after = copy.digest("player_game_summary")
    assert {day for day in after if after[day] != spoiled[day]} == set(dates)
    assert {row[-1] for row in copy.differences("player_game_summary")} == {"points"}
    copy.edit(f"DELETE FROM {table} WHERE game_date = DATE '{between}'")
    copy.write("player_game_summary", [between])
    assert copy.differences("player_game_summary") == []


@pytest.mark.parametrize("damage", ["duplicates", "one row left"])
def test_partial_dates_are_repaired(copy: Copy, damage: str) -> None:
    day = some_dates(copy)[3]
    table = "nba_analytics.team_offense_game_summary"
    copy.edit(
        f"INSERT INTO {table} SELECT * FROM {table} WHERE game_date = DATE '{day}' LIMIT 1"
        if damage == "duplicates"
        else f"DELETE FROM {table} WHERE game_date = DATE '{day}' AND NOT home_game"
    )
    plan = copy.plan(Layer.PHASE3)
    assert [(task.table.name, task.dates) for task in plan.tasks if task.dates] == [
        ("team_offense_game_summary", {day: "partial"})
    ]
    assert copy.run(plan).succeeded
    assert copy.differences("team_offense_game_summary") == []
    assert copy.plan(Layer.PHASE3).table_dates == 0


def test_filling_a_date_leaves_its_readers_stale_unless_they_are_written_too(copy: Copy) -> None:
    day = some_dates(copy)[0]
    copy.delete("player_game_summary", [day])
    copy.run(copy.plan(Layer.PHASE3))
    behind = copy.stale()
    assert behind["ml_feature_store_v2"][0] == day
    assert "upcoming_player_game_context" in behind
    assert all(item.year == 2024 and item.month < 7 for dates in behind.values() for item in dates)
    for layer in (Layer.PHASE3, Layer.PHASE4):
        plan = copy.plan(layer, "stale")
        assert {reason for task in plan.tasks for reason in task.dates.values()} == {"stale"}
        assert copy.run(plan).succeeded
    assert copy.stale() == {}
    assert {name: copy.differences(name) for name in behind} == {name: [] for name in behind}


def test_one_plan_writes_all_that_it_makes_stale_in_its_layer(copy: Copy) -> None:
    days = some_dates(copy)[:2]
    copy.delete("team_offense_game_summary", days)
    plan = copy.plan(Layer.PHASE3, "stale")
    assert copy.run(plan).succeeded
    assert {CATALOG.tables[name].layer for name in copy.stale()} == {Layer.PHASE4}
    assert copy.plan(Layer.PHASE3, "stale").table_dates == 0


def test_two_plans_that_know_of_each_other_leave_nothing_stale(copy: Copy) -> None:
    copy.delete("team_defense_game_summary", some_dates(copy)[:2])
    phase3 = copy.plan(Layer.PHASE3, "stale")
    phase4 = copy.plan(Layer.PHASE4, "stale", phase3)
    assert copy.run(phase3).succeeded
    written = copy.plan(Layer.PHASE4, "stale")
    # Before Phase 3 ran, the plan of Phase 4 held all that turned out to be stale then.
    assert {
        name: dates - phase4.dates[name] for name, dates in written.dates.items() if dates - phase4.dates[name]
    } == {}
    assert copy.run(phase4).succeeded
    assert copy.stale() == {}


@pytest.mark.slow
def test_tables_written_at_the_same_time_hold_what_tables_written_in_turn_hold(copy: Copy) -> None:
    for table in CATALOG.processed:
        copy.delete(table.name, copy.calendar.dates())
    for layer in (Layer.PHASE3, Layer.PHASE4):
        report = copy.run(copy.plan(layer), batch_size=10, parallel=3)
        assert report.succeeded
    assert {name: copy.differences(name) for name in PROCESSED} == {name: [] for name in PROCESSED}
    assert copy.stale() == {}


def test_every_date_can_be_written_anew(copy: Copy) -> None:
    wrong = some_dates(copy)[1]
    days = copy.params.range.model_copy(update={"end": date(2024, 4, 8)})
    copy.calendar = read_calendar(copy.warehouse, copy.params.model_copy(update={"range": days}))
    copy.edit(f"UPDATE nba_precompute.player_daily_cache SET minutes_avg_last_10 = 1 WHERE cache_date = DATE '{wrong}'")
    assert copy.plan(Layer.PHASE4, "stale").table_dates == 0
    plan = copy.plan(Layer.PHASE4, "all")
    assert plan.table_dates == len(CATALOG.layer(Layer.PHASE4)) * len(copy.calendar.dates())
    assert copy.run(plan).succeeded
    assert {name: copy.differences(name) for name in PROCESSED} == {name: [] for name in PROCESSED}


@pytest.mark.parametrize("allowed", [0, 1, 2])
def test_nothing_is_written_once_the_permit_is_gone(copy: Copy, allowed: int) -> None:
    dates = some_dates(copy)
    copy.delete("team_offense_game_summary", dates)
    asked: list[int] = []

    def permit() -> None:
        asked.append(1)
        if len(asked) > allowed:
            raise GateClosed("closed", where="gate", next_action="none")

    before = copy.digest("team_offense_game_summary")
    with pytest.raises(GateClosed):
        copy.run(copy.plan(Layer.PHASE3), batch_size=2, permit=permit)
    gained = set(copy.digest("team_offense_game_summary")) - set(before)
    # Five dates in batches of two, the last of them in another season.
    assert gained == set(sorted(dates)[: 2 * allowed])


def test_an_empty_plan_asks_for_no_permit_and_writes_nothing(copy: Copy) -> None:
    def permit() -> None:
        raise AssertionError("asked")

    report = copy.run(copy.plan(Layer.PHASE3), permit=permit)
    assert (report.done, report.batches, report.succeeded) == (0, [], True)


def test_an_empty_selection_is_refused(copy: Copy) -> None:
    before = copy.digest("team_offense_game_summary")
    with pytest.raises(ValueError, match="no dates to replace in nba_analytics"):
        replace_dates(copy.warehouse, CATALOG.tables["team_offense_game_summary"], copy.calendar, [])
    assert copy.digest("team_offense_game_summary") == before


def double_raw_rows(copy: Copy, day: date) -> None:
    """Load the team box scores of a date a second time: no processor can make one row of two."""
    raw = "nba_raw.nbac_team_boxscore"
    copy.edit(f"INSERT INTO {raw} SELECT * FROM {raw} WHERE game_date = DATE '{day}'")


def test_a_failed_date_holds_back_the_readers_of_its_table(copy: Copy) -> None:
    bad, good, *_ = some_dates(copy)
    phase3 = [table.name for table in CATALOG.layer(Layer.PHASE3)]
    before = copy.digest("team_offense_game_summary")
    for name in phase3:
        copy.delete(name, [bad, good])
    double_raw_rows(copy, bad)
    report = copy.run(copy.plan(Layer.PHASE3))
    assert not report.succeeded
    assert set(report.failed) == {("team_offense_game_summary", bad), ("team_defense_game_summary", bad)}
    assert report.held_back == ["player_game_summary", "upcoming_player_game_context"]
    assert copy.differences("upcoming_team_game_context") == []
    written = copy.digest("team_offense_game_summary")
    assert written[bad][0] > before[bad][0]
    assert written[good][0] == before[good][0]
    for name in report.held_back:
        assert good not in copy.digest(name)


def test_dates_that_are_done_are_told_from_those_that_failed(copy: Copy) -> None:
    first, bad, last = sorted(some_dates(copy))[1:4]
    double_raw_rows(copy, bad)
    [batch] = copy.write("team_offense_game_summary", [first, bad, last])
    assert batch.done == (first, last)
    assert batch.failed == (bad,)
    found = copy.digest("team_offense_game_summary")
    assert batch.rows == sum(found[day][0] for day in (first, bad, last))


@pytest.mark.parametrize("name", ["team_offense_game_summary", "player_composite_factors"])
def test_a_crash_between_delete_and_insert_leaves_the_dates_as_they_were(
    copy: Copy, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before, dates = copy.digest(name), some_dates(copy)
    execute = DuckDBWarehouse._execute

    def failing(self: DuckDBWarehouse, statement: Statement, values: Values) -> Any:
        done = execute(self, statement, values)
        if statement.name == "insert.sql":
            raise WarehouseError(Reason.QUERY_FAILED, "out of memory", where=statement.name, next_action="none")
        return done

    monkeypatch.setattr(DuckDBWarehouse, "_execute", failing)
    table = CATALOG.tables[name]
    report = copy.run(Plan(table.layer, (Task(table, 0, dict.fromkeys(dates, "forced")),)))
    monkeypatch.undo()
    assert "out of memory" in str(report.errors[name])
    assert (report.batches, report.succeeded) == ([], False)
    assert copy.digest(name) == before


def test_batches_before_a_crash_stay_and_the_next_plan_has_the_rest(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, dates = "team_offense_game_summary", sorted(some_dates(copy))
    copy.delete(name, dates)
    execute, inserts = DuckDBWarehouse._execute, []

    def failing(self: DuckDBWarehouse, statement: Statement, values: Values) -> Any:
        if statement.name == "insert.sql":
            inserts.append(statement)
            if len(inserts) == 2:
                raise KeyboardInterrupt
        return execute(self, statement, values)

    monkeypatch.setattr(DuckDBWarehouse, "_execute", failing)
    with pytest.raises(KeyboardInterrupt):
        copy.run(copy.plan(Layer.PHASE3), batch_size=3)
    monkeypatch.undo()
    left = copy.plan(Layer.PHASE3)
    assert [day for task in left.tasks for day in sorted(task.dates)] == dates[3:]
    assert copy.run(left).succeeded
    assert copy.differences(name) == []


def test_bootstrap_dates_get_no_phase4_rows_even_if_asked_for(copy: Copy) -> None:
    early = next(item.day for item in copy.calendar.days if item.season == 2024)
    for table in CATALOG.layer(Layer.PHASE4):
        replace_dates(copy.warehouse, table, copy.calendar, [early])
        assert early not in copy.digest(table.name)


def test_a_date_without_games_is_emptied(copy: Copy) -> None:
    day, table = date(2024, 2, 17), "nba_analytics.team_offense_game_summary"
    assert day not in copy.calendar.dates()
    copy.edit(f"INSERT INTO {table} BY NAME SELECT * REPLACE (DATE '{day}' AS game_date) FROM {table} LIMIT 2")
    replace_dates(copy.warehouse, CATALOG.tables["team_offense_game_summary"], copy.calendar, [day])
    assert day not in copy.digest("team_offense_game_summary")


def test_tables_run_after_those_that_they_read(copy: Copy) -> None:
    day = some_dates(copy)[2]
    for table in CATALOG.processed:
        copy.delete(table.name, [day])
    written: list[str] = []
    for layer in (Layer.PHASE3, Layer.PHASE4):
        written += [batch.table for batch in copy.run(copy.plan(layer)).batches]
    assert sorted(written) == sorted(PROCESSED)
    for name in written:
        reads: Mapping[str, int] = {read: written.index(read) for read in CATALOG.tables[name].reads if read in written}
        assert all(position < written.index(name) for position in reads.values())


def test_a_date_without_any_source_is_neither_planned_nor_a_failure(copy: Copy) -> None:
    day = some_dates(copy)[0]
    for raw in ("nbac_team_boxscore", "nbac_gamebook_player_stats", "bdl_player_boxscores"):
        copy.edit(f"DELETE FROM nba_raw.{raw} WHERE game_date = DATE '{day}'")
    for name in ("team_offense_game_summary", "team_defense_game_summary", "player_game_summary"):
        copy.delete(name, [day])
    assert all(
        day not in task.dates or task.table.name.startswith("upcoming") for task in copy.plan(Layer.PHASE3).tasks
    )
    [batch] = copy.write("team_offense_game_summary", [day])
    assert (batch.done, batch.failed, batch.rows) == ((day,), (), 0)


def test_readers_of_a_held_back_table_are_held_back_in_turn(copy: Copy) -> None:
    good, bad = some_dates(copy)[1], some_dates(copy)[0]
    double_raw_rows(copy, bad)
    plan = Plan(
        Layer.PHASE3,
        tuple(
            Task(table, number, {bad: "missing"} if table.name == "team_offense_game_summary" else {good: "missing"})
            for number, level in enumerate(CATALOG.levels(Layer.PHASE3))
            for table in level
        ),
    )
    report = copy.run(plan)
    assert report.failed == [("team_offense_game_summary", bad)]
    assert report.held_back == ["player_game_summary", "upcoming_player_game_context"]
    assert {batch.table for batch in report.batches} == {
        "team_offense_game_summary",
        "team_defense_game_summary",
        "upcoming_team_game_context",
    }
