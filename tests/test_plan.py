"""Plans: what has to run, why, in which order, in which batches."""

from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Layer, load_catalog
from courtbook.coverage import Coverage, DateState
from courtbook.plan import Plan, Task, make_plan
from hypothesis import given
from hypothesis import strategies as st

CATALOG = load_catalog()
OPENINGS = (date(2023, 10, 24), date(2024, 10, 22))
CALENDAR = Calendar(
    tuple(
        GameDay(opening + timedelta(days=n), opening.year, opening, 5) for opening in OPENINGS for n in range(0, 80, 2)
    ),
    14,
)
DATES = CALENDAR.dates()
PHASE4 = tuple(table for level in CATALOG.levels(Layer.PHASE4) for table in level)
SOME = st.sets(st.sampled_from(DATES))


def coverage(layer: Layer, **states: dict[date, DateState]) -> dict[str, Coverage]:
    read = {}
    for table in CATALOG.layer(layer):
        own = dict.fromkeys(DATES, DateState.COMPLETE) | states.get(table.name, {})
        frame = pd.DataFrame({"day": list(own), "state": pd.Series(list(own.values()), dtype=object)})
        read[table.name] = Coverage(table, frame, DATES)
    return read


def plan_of(*wanted: set[date]) -> Plan:
    return Plan(
        Layer.PHASE4,
        tuple(
            Task(table, 0, dict.fromkeys(sorted(days), "missing")) for table, days in zip(PHASE4, wanted, strict=False)
        ),
    )


def pairs(plan: Plan) -> list[tuple[str, date]]:
    return [(task.table.name, day) for task in plan.tasks for day in task.dates]


def test_only_missing_and_partial_dates_are_planned_each_with_its_reason() -> None:
    states = dict(zip(DATES, DateState, strict=False))
    plan = make_plan(CATALOG, Layer.PHASE3, coverage(Layer.PHASE3, player_game_summary=states))
    assert [(task.table.name, dict(task.dates)) for task in plan.tasks if task.dates] == [
        (
            "player_game_summary",
            {
                next(day for day, state in states.items() if state is DateState.PARTIAL): "partial",
                next(day for day, state in states.items() if state is DateState.MISSING): "missing",
            },
        )
    ]
    assert plan.table_dates == 2


@pytest.mark.parametrize("layer", [Layer.PHASE3, Layer.PHASE4])
def test_tasks_stand_in_the_order_in_which_tables_read_each_other(layer: Layer) -> None:
    plan = make_plan(CATALOG, layer, coverage(layer))
    assert plan.table_dates == 0
    names = [task.table.name for task in plan.tasks]
    assert sorted(names) == sorted(table.name for table in CATALOG.layer(layer))
    for task in plan.tasks:
        for read in set(task.table.reads) & set(names):
            assert names.index(read) < names.index(task.table.name)
            assert plan.tasks[names.index(read)].level < task.level


def test_the_record_is_what_was_planned_in_order_of_dates() -> None:
    late, early = DATES[5], DATES[2]
    states = {late: DateState.MISSING, early: DateState.PARTIAL}
    record = make_plan(CATALOG, Layer.PHASE4, coverage(Layer.PHASE4, player_daily_cache=states)).record()
    assert record["layer"] == "phase4"
    by_table = {task["table"]: task for task in record["tasks"]}
    assert list(by_table["player_daily_cache"]["dates"].items()) == [
        (early.isoformat(), "partial"),
        (late.isoformat(), "missing"),
    ]
    assert by_table["player_daily_cache"]["level"] == 1
    assert by_table["ml_feature_store_v2"]["dates"] == {}


@given(SOME, st.integers(1, 30))
def test_batches_cover_each_date_once_and_never_span_two_seasons(days: set[date], size: int) -> None:
    batches = Task(PHASE4[0], 0, dict.fromkeys(days, "missing")).batches(CALENDAR, size)
    assert [day for batch in batches for day in batch] == sorted(days)
    season = {item.day: item.season for item in CALENDAR.days}
    for batch in batches:
        assert 1 <= len(batch) <= size
        assert len({season[day] for day in batch}) == 1
    # No batch could have taken a date of the next one.
    for one, other in pairwise(batches):
        assert len(one) == size or season[one[0]] != season[other[0]]


@given(st.lists(SOME, min_size=5, max_size=5), st.integers(0, 6))
def test_a_sample_and_the_rest_make_up_the_plan(wanted: list[set[date]], count: int) -> None:
    plan = plan_of(*wanted)
    sample = plan.sample(count)
    rest = plan.without(sample)
    assert sorted(pairs(sample) + pairs(rest)) == sorted(pairs(plan))
    assert not set(pairs(sample)) & set(pairs(rest))
    assert [task.table.name for task in rest.tasks] == [task.table.name for task in plan.tasks]


@given(st.lists(SOME.filter(bool), min_size=5, max_size=5), st.integers(1, 6))
def test_a_sample_is_the_last_dates_that_every_table_needs(wanted: list[set[date]], count: int) -> None:
    expected = sorted(set.intersection(*wanted))[-count:]
    sample = plan_of(*wanted).sample(count)
    assert {day for _, day in pairs(sample)} == set(expected)
    assert sample.table_dates == len(expected) * len(PHASE4)


def test_tables_that_need_nothing_do_not_spoil_the_sample() -> None:
    needed = set(DATES[30:40])
    sample = plan_of(set(), needed, set(), needed, needed).sample(3)
    assert sorted(pairs(sample)) == sorted((PHASE4[i].name, day) for i in (1, 3, 4) for day in DATES[37:40])


def test_a_sample_keeps_the_reasons() -> None:
    day = DATES[30]
    plan = Plan(Layer.PHASE4, (Task(PHASE4[0], 0, {day: "partial"}), Task(PHASE4[1], 0, {day: "missing"})))
    assert [dict(task.dates) for task in plan.sample(1).tasks] == [{day: "partial"}, {day: "missing"}]


@pytest.mark.parametrize("wanted", [(set(), set()), ({DATES[1]}, {DATES[2]})], ids=["nothing", "nothing in common"])
def test_without_common_dates_there_is_no_sample(wanted: tuple[set[date], ...]) -> None:
    plan = plan_of(*wanted)
    sample = plan.sample(3)
    assert sample.table_dates == 0
    assert pairs(plan.without(sample)) == pairs(plan)


def test_a_plan_without_itself_is_done() -> None:
    plan = plan_of(set(DATES[3:9]), set(DATES[5:20]))
    assert plan.without(plan).table_dates == 0
