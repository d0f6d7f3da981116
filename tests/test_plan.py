"""Plans: what has to run, why, in which order, in which pieces, and what is refused."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from courtbook.backfill.sql import SqlExecutor
from courtbook.calendar import Calendar, GameDay
from courtbook.catalog import Edge, Layer, Table, load_catalog
from courtbook.coverage import Coverage, DateState, Rewritten
from courtbook.errors import CourtbookError, ExitCode, ParameterError, Reason
from courtbook.plan import FAILED, FORCED, Plan, Selection, Task, choose_dates, make_plan, read_plan
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


def depends(edge: Edge, day: date, at: date) -> bool:
    """Tell whether a row of a date may depend on one of another date; games are taken as the season to date."""
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


def planned(layer: Layer, selection: Selection | None = None, *before: Plan, **states: dict[date, DateState]) -> Plan:
    """Plan a layer whose tables are complete but for some dates; the warehouse is taken at its catalog's word."""
    read = coverage(layer, **states)

    def reread(table: Table, rewritten: Rewritten) -> Coverage:
        def then(day: date, state: DateState) -> DateState:
            hit = any(depends(edge, day, at) for edge in table.edges for at in rewritten.get(edge.table.name, ()))
            return DateState.STALE if hit and state is DateState.COMPLETE else state

        frame = read[table.name].frame
        states = [then(day, state) for day, state in zip(frame["day"], frame["state"], strict=True)]
        return replace(read[table.name], frame=frame.assign(state=pd.Series(states, dtype=object)))

    return make_plan(CATALOG, layer, read, reread, selection, before=before)


def plan_of(*wanted: set[date]) -> Plan:
    return Plan(
        Layer.PHASE4,
        tuple(
            Task(table, 0, dict.fromkeys(sorted(days), "missing")) for table, days in zip(PHASE4, wanted, strict=False)
        ),
    )


def pairs(plan: Plan) -> list[tuple[str, date]]:
    return [(task.table.name, day) for task in plan.tasks for day in task.dates]


def reasons(plan: Plan) -> dict[str, dict[date, str]]:
    return {task.table.name: dict(task.dates) for task in plan.tasks if task.dates}


def test_only_missing_and_partial_dates_are_planned_each_with_its_reason() -> None:
    states = dict(zip(DATES, DateState, strict=False))
    plan = planned(Layer.PHASE3, player_game_summary=states)
    assert reasons(plan) == {
        "player_game_summary": {
            next(day for day, state in states.items() if state is DateState.PARTIAL): "partial",
            next(day for day, state in states.items() if state is DateState.MISSING): "missing",
        }
    }
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
    # It reads nothing of its layer, so nothing follows from what is planned for the others.
    plan = planned(Layer.PHASE4, Selection(mode), player_shot_zone_analysis=states)
    assert reasons(plan)["player_shot_zone_analysis"] == {
        day: REASON_OF[mode][state] for day, state in zip(days, DateState, strict=True) if state in REASON_OF[mode]
    }


STORE = "ml_feature_store_v2"
EVERY_STATE = dict(zip(DATES[-len(DateState) :], DateState, strict=True))
DAY_OF = {state: day for day, state in EVERY_STATE.items()}


def test_dates_that_failed_before_are_tried_again_if_rows_are_expected_on_them() -> None:
    states = dict.fromkeys(DATES, DateState.COMPLETE) | EVERY_STATE
    failed = {STORE: frozenset(EVERY_STATE), "player_daily_cache": frozenset()}
    plan = planned(Layer.PHASE4, Selection("missing_and_failed", failed=failed), ml_feature_store_v2=states)
    assert reasons(plan) == {
        STORE: {
            DAY_OF[DateState.MISSING]: "missing",
            DAY_OF[DateState.PARTIAL]: "partial",
            DAY_OF[DateState.COMPLETE]: FAILED,
            DAY_OF[DateState.STALE]: FAILED,
            DAY_OF[DateState.SOURCE_GAP]: FAILED,
        }
    }
    assert reasons(planned(Layer.PHASE4, Selection(failed=failed))) == {}


@pytest.mark.parametrize("mode", ["missing", "stale", "all"])
def test_only_the_dates_that_were_named_are_planned(mode: str) -> None:
    only = {STORE: frozenset(EVERY_STATE), "player_daily_cache": frozenset({DATES[3]})}
    states = dict.fromkeys(DATES, DateState.MISSING) | EVERY_STATE
    cache = {DATES[2]: DateState.MISSING, DATES[3]: DateState.MISSING}
    selection = Selection(mode, only=only)
    plan = reasons(planned(Layer.PHASE4, selection, ml_feature_store_v2=states, player_daily_cache=cache))
    assert plan["player_daily_cache"] == {DATES[3]: "missing"}
    assert plan[STORE] == {day: REASON_OF[mode][why] for day, why in EVERY_STATE.items() if why in REASON_OF[mode]}
    assert set(plan) == {STORE, "player_daily_cache"}


def test_a_single_repair_writes_whatever_the_state_and_nothing_else() -> None:
    selection = Selection("all", only={"player_game_summary": [DATES[AT]]})
    assert reasons(planned(Layer.PHASE3, selection)) == {"player_game_summary": {DATES[AT]: FORCED}}


@pytest.mark.parametrize("mode", ["missing", "missing_and_failed", "stale"])
def test_corrected_dates_are_forced_themselves_and_what_looks_back_is_stale(mode: str) -> None:
    selection = Selection(mode, changed=[DATES[AT]])
    phase3 = planned(Layer.PHASE3, selection)
    on_the_date, season = {DATES[AT]: FORCED}, {DATES[AT]: FORCED, **LATER_IN_SEASON}
    assert reasons(phase3) == {
        "team_offense_game_summary": on_the_date,
        "team_defense_game_summary": on_the_date,
        "player_game_summary": on_the_date,
        "upcoming_team_game_context": season,
        "upcoming_player_game_context": season,
    }
    phase4 = reasons(planned(Layer.PHASE4, selection, phase3))
    for name in ("player_daily_cache", "player_composite_factors", STORE):
        assert phase4[name] == season
    assert phase4["team_defense_zone_analysis"].keys() - {DATES[AT]} == LATER_IN_SEASON.keys()


def test_nothing_follows_from_earlier_layers_that_write_nothing() -> None:
    assert planned(Layer.PHASE4, Selection("stale"), planned(Layer.PHASE3)).table_dates == 0
    gone = planned(Layer.PHASE3, upcoming_team_game_context={DATES[AT]: DateState.MISSING})
    assert reasons(planned(Layer.PHASE4, Selection("stale"), gone)) == {
        "player_composite_factors": {DATES[AT]: "stale"},
        STORE: {DATES[AT]: "stale"},
    }


def test_dates_that_are_left_stale_are_counted() -> None:
    gone = {DATES[AT]: DateState.MISSING}
    half = {DATES[AT]: DateState.COMPLETE, DATES[AT + 1]: DateState.STALE, DATES[AT + 2]: DateState.MISSING}
    plan = planned(Layer.PHASE3, player_game_summary=gone, upcoming_player_game_context=half)
    # One of them is missing and written, another one was stale before.
    assert {task.table.name: task.leaves for task in plan.tasks if task.leaves} == {
        "upcoming_player_game_context": len(LATER_IN_SEASON) - 2
    }
    assert reasons(plan)["upcoming_player_game_context"] == {DATES[AT + 2]: "missing"}
    everything = planned(Layer.PHASE3, Selection("stale"), player_game_summary=gone)
    assert {task.leaves for task in everything.tasks} == {0}


def frozen(**dates: dict[date, str]) -> Plan:
    return Plan(
        Layer.PHASE4,
        tuple(
            Task(table, number, dates.get(table.name, {}))
            for number, level in enumerate(CATALOG.levels(Layer.PHASE4))
            for table in level
        ),
    )


# What a frozen plan wanted of a date, whether it is on record as done, its state now -> why it is planned still.
RESUMED = [
    ("missing", False, DateState.MISSING, "missing"),
    ("missing", False, DateState.PARTIAL, "partial"),
    ("missing", False, DateState.COMPLETE, None),  # written, and the process died before it was on record
    ("missing", True, DateState.COMPLETE, None),
    ("missing", True, DateState.MISSING, "missing"),  # a hole: rows decide
    ("missing", True, DateState.STALE, "stale"),
    ("missing", False, DateState.SOURCE_GAP, None),
    ("missing", False, DateState.EMPTY_BY_RULE, None),
    ("partial", True, DateState.COMPLETE, None),
    ("partial", False, DateState.STALE, "stale"),
    ("stale", False, DateState.COMPLETE, "stale"),
    ("stale", True, DateState.COMPLETE, None),
    ("stale", True, DateState.STALE, "stale"),
    ("stale", True, DateState.PARTIAL, "partial"),
    (FORCED, False, DateState.COMPLETE, FORCED),
    (FORCED, False, DateState.SOURCE_GAP, FORCED),
    (FORCED, True, DateState.COMPLETE, None),
    (FORCED, True, DateState.STALE, "stale"),
    (FORCED, False, DateState.UNEXPECTED, None),
    (FAILED, False, DateState.COMPLETE, FAILED),
    (FAILED, True, DateState.COMPLETE, None),
    (None, False, DateState.MISSING, None),
    (None, False, DateState.STALE, None),
]


@pytest.mark.parametrize(("wanted", "done", "state", "why"), RESUMED)
def test_a_resumed_plan_holds_what_is_left_of_it_and_nothing_else(
    wanted: str | None, done: bool, state: DateState, why: str | None
) -> None:
    day = DATES[AT]
    plan = frozen(ml_feature_store_v2={day: wanted} if wanted else {})
    selection = Selection(frozen=plan, done={STORE: frozenset({day} if done else set())})
    left = planned(Layer.PHASE4, selection, ml_feature_store_v2={day: state})
    assert reasons(left) == ({STORE: {day: why}} if why else {})
    # The mode of the parameters does not matter any more.
    assert planned(Layer.PHASE4, replace(selection, mode="all"), ml_feature_store_v2={day: state}) == left


def test_what_a_resumed_plan_writes_makes_stale_only_what_it_wanted_too() -> None:
    day, gone = DATES[AT], {DATES[AT]: DateState.MISSING}
    plan = frozen(player_shot_zone_analysis={day: "missing"}, player_daily_cache={day: "stale"})
    selection = Selection(frozen=plan, done={"player_daily_cache": frozenset({day})})
    left = planned(Layer.PHASE4, selection, player_shot_zone_analysis=gone)
    assert reasons(left) == {"player_shot_zone_analysis": {day: "missing"}, "player_daily_cache": {day: "stale"}}
    assert {task.table.name: task.leaves for task in left.tasks if task.leaves} == {
        "player_composite_factors": 1,
        STORE: 1,
    }


def stale_plan(layer: Layer, **states: dict[date, DateState]) -> dict[str, dict[date, str]]:
    return reasons(planned(layer, Selection("stale"), **states))


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
    found = stale_plan(Layer.PHASE3, player_game_summary=gone, upcoming_player_game_context=rule)
    assert found["upcoming_player_game_context"] == dict.fromkeys(DATES[25:40], "stale")


def test_what_is_missing_keeps_its_reason_though_it_would_be_stale_too() -> None:
    gone = {DATES[AT]: DateState.MISSING}
    half = {DATES[AT]: DateState.PARTIAL}
    assert stale_plan(Layer.PHASE4, player_daily_cache=gone, ml_feature_store_v2=half) == {
        "player_daily_cache": {DATES[AT]: "missing"},
        "ml_feature_store_v2": {DATES[AT]: "partial"},
    }


STATES = st.dictionaries(st.sampled_from(DATES), st.sampled_from(DateState), max_size=4)


@given(st.sampled_from([Layer.PHASE3, Layer.PHASE4]), st.data())
@settings(max_examples=40, deadline=None)
def test_nothing_complete_is_left_behind_that_a_plan_makes_stale(layer: Layer, data: st.DataObject) -> None:
    states = {table.name: data.draw(STATES) for table in CATALOG.layer(layer)}
    read = coverage(layer, **states)
    plans = {mode: planned(layer, Selection(mode), **states) for mode in REASON_OF}
    wanted = {task.table.name: set(task.dates) for task in plans["stale"].tasks}
    for table in CATALOG.layer(layer):
        for day, state in zip(read[table.name].frame["day"], read[table.name].frame["state"], strict=True):
            follows = any(depends(edge, day, at) for edge in table.edges for at in wanted.get(edge.table.name, ()))
            expected = state in REASON_OF["stale"] or (state is DateState.COMPLETE and follows)
            assert (day in wanted[table.name]) == expected, (table.name, day)
    sets = {mode: set(pairs(plan)) for mode, plan in plans.items()}
    assert sets["missing"] <= sets["stale"] <= sets["all"]


@pytest.mark.parametrize("layer", [Layer.PHASE3, Layer.PHASE4])
def test_tasks_stand_in_the_order_in_which_tables_read_each_other(layer: Layer) -> None:
    plan = planned(layer)
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
    record = planned(Layer.PHASE4, player_daily_cache=states).record()
    assert record["layer"] == "phase4"
    by_table = {task["table"]: task for task in record["tasks"]}
    assert list(by_table["player_daily_cache"]["dates"].items()) == [
        (early.isoformat(), "partial"),
        (late.isoformat(), "missing"),
    ]
    assert by_table["player_daily_cache"]["level"] == 1
    assert by_table["ml_feature_store_v2"]["dates"] == {}


@given(SOME, st.integers(1, 30))
def test_pieces_cover_each_date_once_and_never_span_two_seasons(days: set[date], size: int) -> None:
    executor = SqlExecutor(None, CALENDAR, CATALOG, size)  # type: ignore[arg-type]  # cutting needs no warehouse
    pieces = executor.pieces(list(days), CALENDAR)
    assert [day for piece in pieces for day in piece] == sorted(days)
    season = {item.day: item.season for item in CALENDAR.days}
    for piece in pieces:
        assert 1 <= len(piece) <= size
        assert len({season[day] for day in piece}) == 1
    # No piece could have taken a date of the next one.
    for one, other in pairwise(pieces):
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


def test_a_plan_is_refused_above_its_cap_and_not_at_it() -> None:
    plan = plan_of(set(DATES[:3]), set(DATES[:4]))
    plan.refuse_above(7, None)
    with pytest.raises(CourtbookError, match="7 table-dates, more than the 6 allowed") as refused:
        plan.refuse_above(6, None)
    assert (refused.value.reason, refused.value.exit_code) == (Reason.OVER_CAP, ExitCode.REFUSED)
    assert refused.value.where == "backfill.max_table_dates"


def test_a_plan_is_refused_above_its_hours_by_the_history_of_what_it_holds() -> None:
    rates = {PHASE4[0].name: 3600.0, PHASE4[1].name: 900.0, PHASE4[2].name: 1e9}
    plan = replace(plan_of(set(DATES[:3]), set(DATES[:4])), rates=rates)
    assert plan.estimate == 3 * 3600 + 4 * 900
    plan.refuse_above(100, 4)
    with pytest.raises(CourtbookError, match="hours by the history of earlier runs") as refused:
        plan.refuse_above(100, 3.9)
    assert (refused.value.where, refused.value.exit_code) == ("backfill.max_hours", ExitCode.REFUSED)
    # Without history nothing can be said about the time.
    unknown = replace(plan, rates={PHASE4[0].name: 3600.0})
    assert unknown.estimate is None
    unknown.refuse_above(100, 0.001)
    assert [unknown.seconds(task) for task in unknown.tasks] == [3 * 3600, None]


def test_a_plan_is_refused_above_its_bytes() -> None:
    plan = replace(plan_of(set(DATES[:3])), sizes={PHASE4[0].name: 700, PHASE4[1].name: 300})
    assert plan.record()["estimate"]["bytes"] == 1000
    plan.refuse_above(100, None, 1000)
    with pytest.raises(CourtbookError, match="1,000 bytes by dry runs, more than the 999 allowed") as refused:
        plan.refuse_above(100, None, 999)
    assert (refused.value.where, refused.value.exit_code) == ("backfill.max_bytes", ExitCode.REFUSED)
    unknown = replace(plan, sizes={})
    assert unknown.record()["estimate"]["bytes"] is None
    unknown.refuse_above(100, None, 0)


@given(SOME, st.lists(st.tuples(st.sampled_from(DATES), st.sampled_from(DATES)), min_size=1, max_size=4), st.booleans())
def test_chosen_dates_are_the_named_game_dates(named: set[date], ranges: list[tuple[date, date]], blanks: bool) -> None:
    spans = [tuple(sorted(span)) for span in ranges]
    parts = [day.isoformat() for day in named] + [f"{first}..{last}" for first, last in spans]
    text = (" , " if blanks else ",").join(parts)
    within = {day for day in DATES for first, last in spans if first <= day <= last}
    assert choose_dates(text, DATES) == named | within


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "An empty selection"),
        (" , ,", "An empty selection"),
        ("all", "no date"),
        ("..", "no date"),
        (f"{DATES[0]}..", "no date"),
        (f"..{DATES[0]}", "no date"),
        (f"{DATES[0]}...{DATES[1]}", "no date"),
        (f"{DATES[0]}..{DATES[1]}..{DATES[2]}", "no date"),
        ("2023-02-30", "no date"),
        ("24.10.2023", "no date"),
        (f"{DATES[0]};{DATES[1]}", "no date"),
        (f"{DATES[1]}..{DATES[0]}", "No game that counts"),
        (f"{DATES[0]},{DATES[0] + timedelta(days=1)}", "No game that counts"),
        ("2022-01-01..2022-12-31", "No game that counts"),
    ],
)
def test_a_selection_that_names_nothing_or_anything_else_is_refused(text: str, words: str) -> None:
    with pytest.raises(ParameterError, match=words) as refused:
        choose_dates(text, DATES)
    assert (refused.value.where, refused.value.exit_code) == ("--dates", ExitCode.USAGE)


WHY = st.sampled_from(["missing", "partial", "stale", FAILED, FORCED])


@given(st.lists(st.dictionaries(st.sampled_from(DATES), WHY), min_size=5, max_size=5), st.integers(0, 9))
@settings(max_examples=30, deadline=None)
def test_a_frozen_plan_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, wanted: list[dict[date, str]], leaves: int
) -> None:
    tasks = tuple(Task(table, 3, days, leaves) for table, days in zip(PHASE4, wanted, strict=True))
    plan = Plan(Layer.PHASE4, tasks)
    file = tmp_path_factory.mktemp("plan") / "plan.json"
    file.write_text(json.dumps({**plan.record(), "mode": "stale"}))
    assert read_plan(file, CATALOG) == plan


def without(key: str) -> Callable[[dict[str, Any]], object]:
    return lambda content: {name: value for name, value in content.items() if name != key}


def with_task(**changed: object) -> Callable[[dict[str, Any]], object]:
    return lambda content: {**content, "tasks": [{**content["tasks"][0], **changed}]}


@pytest.mark.parametrize(
    "damage",
    [
        without("layer"),
        without("tasks"),
        lambda content: {**content, "layer": "phase5"},
        lambda content: {**content, "tasks": None},
        lambda content: [content],
        lambda content: None,
        with_task(table="no_such_table"),
        with_task(table=["x"]),
        with_task(level=None),
        with_task(dates=["2024-01-01"]),
        with_task(dates={"tomorrow": "missing"}),
        with_task(leaves_stale="many"),
    ],
)
def test_a_damaged_frozen_plan_is_no_plan(tmp_path: Path, damage: Callable[[dict[str, Any]], object]) -> None:
    file = tmp_path / "plan.json"
    content: Mapping[str, Any] = plan_of({DATES[0]}).record()
    file.write_text(json.dumps(damage(dict(content))))
    with pytest.raises(CourtbookError, match=r"The frozen plan cannot be read") as refused:
        read_plan(file, CATALOG)
    assert (refused.value.reason, refused.value.where) == (Reason.BAD_FILE, str(file))


@pytest.mark.parametrize("content", [None, b"", b"{", b"\xff\xfe", b'{"layer": "phase4", "tasks": [{"table"'])
def test_a_frozen_plan_that_is_gone_or_cut_off_is_no_plan(tmp_path: Path, content: bytes | None) -> None:
    file = tmp_path / "plan.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CourtbookError, match="start a new one"):
        read_plan(file, CATALOG)
