"""Season calendars: real dates, fair schedules, a bracket that ends."""

import datetime as dt
from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pytest
from courtbook.errors import ParameterError
from courtbook.nba import schedule
from courtbook.nba.names import TEAMS
from courtbook.nba.schedule import Game, Kind
from hypothesis import given, settings
from hypothesis import strategies as st

YEARS = (2021, 2022, 2023, 2024, 2025)
STRENGTH = {team: index / 5 - 3 for index, team in enumerate(TEAMS)}


def bracket(year: int, seed: int) -> tuple[list[Game], list[Game]]:
    facts = schedule.facts_of([year])[0]
    seeds = {
        "east": [team for team in TEAMS if team in schedule.EAST],
        "west": [team for team in TEAMS if team not in schedule.EAST],
    }
    rng = np.random.default_rng(seed)
    play_in, final_seeds = schedule.play_in(facts, seeds, STRENGTH, rng)
    return play_in, schedule.playoffs(facts, final_seeds, STRENGTH, rng)


def test_facts_name_the_real_number_of_dates() -> None:
    facts = schedule.facts_of(YEARS)
    counts = [(len(one.regular), len(one.play_in), len(one.playoffs)) for one in facts]
    assert counts[:4] == [(165, 3, 45), (164, 3, 45), (160, 3, 44), (163, 3, 47)]
    assert sum(day <= dt.date(2026, 1, 3) for day, _ in facts[4].regular) == 72
    assert {sum(games for _, games in one.regular) for one in facts} == {1230}


@pytest.mark.parametrize("seasons", [[], [1999], [2024, 2030]])
def test_unknown_seasons_are_refused(seasons: list[int]) -> None:
    with pytest.raises(ParameterError):
        schedule.facts_of(seasons)


@settings(max_examples=8, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), year=st.sampled_from(YEARS))
def test_every_team_plays_82_games_half_of_them_at_home(seed: int, year: int) -> None:
    facts = schedule.facts_of([year])[0]
    games = schedule.regular_season(facts, np.random.default_rng(seed))
    assert Counter(game.day for game in games) == dict(facts.regular)
    assert set(Counter(game.home for game in games).values()) == {41}
    assert set(Counter(game.away for game in games).values()) == {41}
    days = defaultdict(list)
    for game in games:
        days[game.home].append(game.day)
        days[game.away].append(game.day)
    for dates in days.values():
        assert len(set(dates)) == schedule.GAMES_A_TEAM
        doubles = sum((late - early).days == 1 for early, late in pairwise(dates))
        assert schedule.MIN_BACK_TO_BACKS <= doubles <= schedule.MAX_BACK_TO_BACKS
    assert len({game.league_id for game in games}) == 1230


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), year=st.sampled_from(YEARS))
def test_the_bracket_has_fifteen_series_on_the_real_dates(seed: int, year: int) -> None:
    facts = schedule.facts_of([year])[0]
    play_in, playoffs = bracket(year, seed)
    assert Counter(game.day for game in play_in) == dict(facts.play_in)
    assert Counter(game.day for game in playoffs) == dict(facts.playoffs)
    series: dict[frozenset[str], list[Game]] = defaultdict(list)
    for game in playoffs:
        assert game.winner in (game.home, game.away)
        series[frozenset((game.home, game.away))].append(game)
    assert len(series) == 15
    out: dict[str, dt.date] = {}
    for pair, games in sorted(series.items(), key=lambda item: item[1][-1].day):
        wins = Counter(game.winner for game in games)
        champion = games[-1].winner
        assert wins[champion] == 4 and sum(wins.values()) - 4 <= 3
        assert len({game.day for game in games}) == len(games)
        for team in pair:
            assert team not in out or games[0].day < out[team]
        (loser,) = pair - {champion}
        out[loser] = games[-1].day
    assert len(out) == 15


def test_a_series_stays_in_its_conference_until_the_final() -> None:
    _, playoffs = bracket(2023, 1)
    across = {game.day for game in playoffs if (game.home in schedule.EAST) != (game.away in schedule.EAST)}
    assert across and min(across) > max(game.day for game in playoffs if game.number < 400)


def test_the_cup_final_is_only_where_it_is_a_game_of_its_own() -> None:
    rng = np.random.default_rng(5)
    for facts in schedule.facts_of(YEARS):
        games = schedule.regular_season(facts, rng)
        finals = schedule.cup_final(facts, games, rng)
        assert [game.day for game in finals] == ([dt.date(2025, 12, 16)] if facts.year == 2025 else [])
        for game in finals:
            busy = {team for one in games if one.day == game.day for team in (one.home, one.away)}
            assert game.home != game.away and not busy & {game.home, game.away}


def test_exhibitions_do_not_touch_the_season() -> None:
    facts = schedule.facts_of([2022])[0]
    games = schedule.exhibitions(facts, np.random.default_rng(0))
    stars = [game for game in games if game.kind is Kind.ALL_STAR]
    assert [game.day for game in stars] == [dt.date(2023, 2, 17), dt.date(2023, 2, 19)]
    assert not {team for game in stars for team in (game.home, game.away)} & set(TEAMS)
    before = [game for game in games if game.kind is Kind.PRESEASON]
    assert before and all(game.day < facts.opening for game in before)
    assert stars[0].league_id == "0032200001"
