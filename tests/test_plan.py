"""Plans: what has to run, why, in which order, in which batches."""

from datetime import date, timedelta
from itertools import pairwise

import pandas as pd
import pytest
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Edge, Layer, load_catalog
from courtbook.coverage import Coverage, DateState
from courtbook.plan import Plan, Task, make_plan
from hypothesis import given, settings
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
    plan = make_plan(CATALOG, Layer.PHASE3, coverage(Layer.PHASE3, player_game_summary=states), CALENDAR)
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


REASON_OF = {
    "missing": {DateState.MISSING: "missing", DateState.PARTIAL: "partial"},
    "stale": {DateState.MISSING: "missing", DateState.PARTIAL: "partial", DateState.STALE: "stale"},
    "all": {
        DateState.MISSING: "missing",
        DateState.PARTIAL: "partial",
        DateState.STALE: "stale",
        DateState.COMPLETE: "forced",
        DateState.SOURCE_GAP: "forced",
    },
}


@pytest.mark.parametrize("mode", REASON_OF)
def test_each_mode_plans_its_states_and_says_why(mode: str) -> None:
    days = DATES[-len(DateState) :]
    states = dict.fromkeys(DATES, DateState.EMPTY_BY_RULE) | dict(zip(days, DateState, strict=True))
    # Nothing reads the feature store, so nothing follows from what is planned for it.
    plan = make_plan(CATALOG, Layer.PHASE4, coverage(Layer.PHASE4, ml_feature_store_v2=states), CALENDAR, mode)
    planned = {task.table.name: dict(task.dates) for task in plan.tasks}["ml_feature_store_v2"]
    assert planned == {
        day: REASON_OF[mode][state] for day, state in zip(days, DateState, strict=True) if state in REASON_OF[mode]
    }


def stale_plan(layer: Layer, **states: dict[date, DateState]) -> dict[str, dict[date, str]]:
    plan = make_plan(CATALOG, layer, coverage(layer, **states), CALENDAR, "stale")
    return {task.table.name: dict(task.dates) for task in plan.tasks if task.dates}


AT = 20
LATER_IN_SEASON = dict.fromkeys(DATES[AT + 1 : 40], "stale")


def test_a_plan_includes_what_it_will_make_stale_itself_through_all_levels() -> None:
    gone = {DATES[AT]: DateState.MISSING}
    assert stale_plan(Layer.PHASE3, team_offense_game_summary=gone) == {
        "team_offense_game_summary": {DATES[AT]: "missing"},
        "player_game_summary": {DATES[AT]: "stale"},
        "upcoming_player_game_context": LATER_IN_SEASON,
    }
    assert stale_plan(Layer.PHASE3, player_game_summary=gone) == {
        "player_game_summary": {DATES[AT]: "missing"},
        "upcoming_player_game_context": LATER_IN_SEASON,
    }
    assert stale_plan(Layer.PHASE4, player_shot_zone_analysis=gone) == {
        "player_shot_zone_analysis": {DATES[AT]: "missing"},
        "player_daily_cache": {DATES[AT]: "stale"},
        "player_composite_factors": {DATES[AT]: "stale"},
        "ml_feature_store_v2": {DATES[AT]: "stale"},
    }
    assert stale_plan(Layer.PHASE3, upcoming_team_game_context=gone) == {
        "upcoming_team_game_context": {DATES[AT]: "missing"}
    }


def test_a_stale_date_makes_its_readers_stale_in_turn() -> None:
    old = {DATES[AT]: DateState.STALE}
    assert stale_plan(Layer.PHASE4, player_daily_cache=old) == {
        "player_daily_cache": {DATES[AT]: "stale"},
        "ml_feature_store_v2": {DATES[AT]: "stale"},
    }


def test_a_date_that_is_empty_by_rule_follows_from_nothing() -> None:
    rule = dict.fromkeys(DATES[AT:25], DateState.EMPTY_BY_RULE)
    gone = {DATES[AT]: DateState.MISSING}
    planned = stale_plan(Layer.PHASE3, player_game_summary=gone, upcoming_player_game_context=rule)
    assert planned["upcoming_player_game_context"] == dict.fromkeys(DATES[25:40], "stale")


def test_what_is_missing_keeps_its_reason_though_it_would_be_stale_too() -> None:
    gone = {DATES[AT]: DateState.MISSING}
    half = {DATES[AT]: DateState.PARTIAL}
    assert stale_plan(Layer.PHASE4, player_daily_cache=gone, ml_feature_store_v2=half) == {
        "player_daily_cache": {DATES[AT]: "missing"},
        "ml_feature_store_v2": {DATES[AT]: "partial"},
    }


def depends(edge: Edge, day: date, at: date) -> bool:
    """Tell whether a row of a date may depend on one of another date, by the words of the declaration."""
    season = {item.day: item.season for item in CALENDAR.days}
    days = (day - at).days
    return any(
        days == 0
        if window == "same date"
        else 0 < days <= int(window.split()[0])
        if window.endswith("days")
        else days > 0 and season[at] == season[day]
        for window in edge.window
    )


STATES = st.dictionaries(st.sampled_from(DATES), st.sampled_from(DateState), max_size=4)


@given(st.sampled_from([Layer.PHASE3, Layer.PHASE4]), st.data())
@settings(max_examples=40, deadline=None)
def test_nothing_complete_is_left_behind_that_a_plan_makes_stale(layer: Layer, data: st.DataObject) -> None:
    states = {table.name: data.draw(STATES) for table in CATALOG.layer(layer)}
    read = coverage(layer, **states)
    plans = {mode: make_plan(CATALOG, layer, read, CALENDAR, mode) for mode in REASON_OF}
    planned = {task.table.name: set(task.dates) for task in plans["stale"].tasks}
    for table in CATALOG.layer(layer):
        for day, state in zip(read[table.name].frame["day"], read[table.name].frame["state"], strict=True):
            follows = any(depends(edge, day, at) for edge in table.edges for at in planned.get(edge.table.name, ()))
            expected = state in REASON_OF["stale"] or (state is DateState.COMPLETE and follows)
            assert (day in planned[table.name]) == expected, (table.name, day)
    sets = {mode: set(pairs(plan)) for mode, plan in plans.items()}
    assert sets["missing"] <= sets["stale"] <= sets["all"]


@pytest.mark.parametrize("layer", [Layer.PHASE3, Layer.PHASE4])
def test_tasks_stand_in_the_order_in_which_tables_read_each_other(layer: Layer) -> None:
    plan = make_plan(CATALOG, layer, coverage(layer), CALENDAR)
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
    record = make_plan(CATALOG, Layer.PHASE4, coverage(Layer.PHASE4, player_daily_cache=states), CALENDAR).record()
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
