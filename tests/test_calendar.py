"""The calendar: seasons, bootstrap, history, ranges without games."""

from datetime import date, datetime, timedelta
from pathlib import Path

import pytest
from courtbook.calendar import Calendar, GameDay, read_calendar
from courtbook.errors import ExitCode, ParameterError, Reason
from courtbook.nba.schedule import season_facts
from courtbook.params import Params
from courtbook.warehouse.duckdb import DuckDBWarehouse
from hypothesis import given
from hypothesis import strategies as st

OPENING = date(2024, 10, 22)


def day_of(number: int, opening: date = OPENING) -> GameDay:
    return GameDay(opening + timedelta(days=number), opening.year, opening, 5)


def read(params: Params, start: date, end: date, bootstrap_days: int = 14) -> Calendar:
    changed = params.model_copy(
        update={
            "range": params.range.model_copy(update={"start": start, "end": end}),
            "bootstrap_days": bootstrap_days,
        }
    )
    return read_calendar(DuckDBWarehouse(Path(params.warehouse.path)), changed)


@pytest.mark.parametrize(
    ("number", "bootstrap_days", "inside"),
    [
        (0, 14, True),
        (1, 14, True),
        (13, 14, True),
        (14, 14, False),
        (15, 14, False),
        (200, 14, False),
        (0, 1, True),
        (1, 1, False),
        (0, 0, False),
    ],
)
def test_the_bootstrap_is_the_first_days_of_a_season(number: int, bootstrap_days: int, inside: bool) -> None:
    day = day_of(number)
    calendar = Calendar((day,), bootstrap_days)
    assert calendar.in_bootstrap(day) is inside
    assert calendar.dates(after_bootstrap=True) == (() if inside else (day.day,))
    assert calendar.dates() == (day.day,)


@given(st.lists(st.integers(0, 160), min_size=1, unique=True), st.integers(0, 60))
def test_bootstrap_and_the_rest_make_up_all_dates(numbers: list[int], bootstrap_days: int) -> None:
    calendar = Calendar(tuple(day_of(number) for number in sorted(numbers)), bootstrap_days)
    after = calendar.dates(after_bootstrap=True)
    assert len(after) == sum(number >= bootstrap_days for number in numbers)
    assert all((day - OPENING).days >= bootstrap_days for day in after)


TWO = Calendar(
    (day_of(100, date(2023, 10, 24)), day_of(200, date(2023, 10, 24)), day_of(0), day_of(20)), bootstrap_days=14
)


@pytest.mark.parametrize(
    ("first", "expected"),
    [
        (date(2024, 2, 1), date(2023, 10, 24)),
        (date(2024, 5, 11), date(2023, 10, 24)),
        (date(2024, 10, 22), date(2024, 10, 22)),
        (date(2024, 11, 11), date(2024, 10, 22)),
    ],
)
def test_history_begins_with_the_season_of_the_first_date(first: date, expected: date) -> None:
    assert TWO.history_from(first) == expected


def test_values_of_dates_in_any_order() -> None:
    dates = [TWO.days[2].day, TWO.days[0].day, TWO.days[3].day]
    values = TWO.values(dates, skip_days=14, min_games=10)
    assert values == {
        "dates": sorted(dates),
        "first_date": min(dates),
        "last_date": max(dates),
        "history_from": date(2023, 10, 24),
        "skip_days": 14,
        "min_games": 10,
    }
    when = datetime(2024, 11, 12, 8)
    assert TWO.values(dates, processed_at=when)["processed_at"] == when


def test_seasons_are_named_by_their_starting_years() -> None:
    assert TWO.seasons() == (2023, 2024)


def games_on(*games: tuple[int, int]) -> Calendar:
    """Return a calendar with so many games on so many days after the opening."""
    return Calendar(tuple(GameDay(OPENING + timedelta(days=n), 2024, OPENING, count) for n, count in games), 14)


@pytest.mark.parametrize(
    ("calendar", "games", "share"),
    [
        (games_on((20, 7)), 7, 1.0),
        (games_on((0, 7)), 7, 0.0),
        (games_on((0, 1), (13, 1), (14, 2), (30, 4)), 8, 0.75),
        (TWO, 20, 0.75),
    ],
    ids=["no bootstrap", "bootstrap only", "both", "two seasons"],
)
def test_documents_scale_by_games_and_by_their_share_outside_the_bootstrap(
    calendar: Calendar, games: int, share: float
) -> None:
    assert calendar.amount("games") == games
    assert calendar.amount("share outside the bootstrap") == share


def test_nothing_else_is_scaled_by() -> None:
    with pytest.raises(ValueError, match="nothing is scaled by 'rows'"):
        TWO.amount("rows")


SEVEN = games_on(*((n, 5) for n in (0, 1, 2, 5, 6, 9, 20)))
DAYS = SEVEN.dates()


@pytest.mark.parametrize(
    ("chosen", "text"),
    [
        ([], ""),
        ([0], "2024-10-22"),
        ([0, 1, 2], "2024-10-22 .. 2024-10-24"),
        ([2, 3], "2024-10-24 .. 2024-10-27"),
        ([0, 2], "2024-10-22, 2024-10-24"),
        ([4, 0, 1, 6], "2024-10-22 .. 2024-10-23, 2024-10-28, 2024-11-11"),
        ([0, 1, 2, 3, 4, 5, 6], "2024-10-22 .. 2024-11-11"),
    ],
)
def test_spans_join_game_dates_that_follow_each_other(chosen: list[int], text: str) -> None:
    assert SEVEN.spans(DAYS[i] for i in chosen) == text


def test_spans_do_not_join_dates_without_games() -> None:
    assert SEVEN.spans([date(2024, 11, 1), date(2024, 11, 5)]) == "2024-11-01, 2024-11-05"
    assert SEVEN.spans([DAYS[0], date(2024, 11, 1)]) == "2024-10-22, 2024-11-01"


EVERY_OTHER = games_on(*((2 * n, 5) for n in range(41)))


@given(st.sets(st.integers(0, 40)), st.integers(1, 30))
def test_spans_name_every_date_once_or_say_how_many_ranges_are_left_out(chosen: set[int], most: int) -> None:
    days = EVERY_OTHER.dates()
    text, _, rest = EVERY_OTHER.spans((days[i] for i in chosen), most=most).partition(" and ")
    named: list[date] = []
    parts = text.split(", ") if text else []
    for part in parts:
        first, _, last = part.partition(" .. ")
        named += days[days.index(date.fromisoformat(first)) : days.index(date.fromisoformat(last or first)) + 1]
    assert named == [days[i] for i in sorted(chosen)][: len(named)]
    ranges = sum(i - 1 not in chosen for i in chosen)
    assert len(parts) == min(ranges, most)
    assert rest == (f"{ranges - most} more" if ranges > most else "")


def test_the_league_is_played_on_the_real_dates(league_warehouse: Path, warehouse_params: Params) -> None:
    calendar = read(warehouse_params, date(2023, 10, 1), date(2024, 7, 31))
    facts = season_facts()[2023]
    expected = {**dict(facts.regular), **dict(facts.play_in), **dict(facts.playoffs)}
    assert {item.day: item.games for item in calendar.days} == expected
    assert {item.season_start for item in calendar.days} == {facts.opening}
    assert not set(facts.all_star) & set(calendar.dates())


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2024, 3, 5), date(2024, 3, 5)),
        (date(2024, 6, 1), date(2024, 11, 10)),
        (date(2024, 10, 22), date(2024, 12, 31)),
    ],
)
def test_a_range_within_a_season_knows_its_opening(
    league_warehouse: Path, warehouse_params: Params, start: date, end: date
) -> None:
    whole = read(warehouse_params, date(2023, 10, 1), date(2024, 12, 31))
    assert read(warehouse_params, start, end).days == tuple(item for item in whole.days if start <= item.day <= end)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2024, 7, 1), date(2024, 9, 30)),
        (date(2024, 2, 18), date(2024, 2, 18)),
        (date(2024, 10, 1), date(2024, 10, 21)),
        (date(1999, 1, 1), date(1999, 12, 31)),
        (date(2030, 1, 1), date(2030, 12, 31)),
    ],
    ids=["summer", "All-Star day", "preseason", "before all data", "after all data"],
)
def test_a_range_without_games_is_refused(
    league_warehouse: Path, warehouse_params: Params, start: date, end: date
) -> None:
    with pytest.raises(ParameterError) as caught:
        read(warehouse_params, start, end)
    assert caught.value.reason is Reason.NO_GAMES
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.where == "range"
    assert str(start) in caught.value.what
    assert str(end) in caught.value.what


@pytest.mark.parametrize("bootstrap_days", [0, 7, 14])
def test_bootstrap_days_come_from_the_parameters(
    league_warehouse: Path, warehouse_params: Params, bootstrap_days: int
) -> None:
    calendar = read(warehouse_params, date(2023, 10, 24), date(2023, 11, 30), bootstrap_days)
    first = calendar.dates(after_bootstrap=True)[0]
    assert first == next(d for d in calendar.dates() if d >= date(2023, 10, 24) + timedelta(days=bootstrap_days))
