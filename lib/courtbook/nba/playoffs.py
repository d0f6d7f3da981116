"""The play-in and the playoffs on their real dates, with winners drawn by strength."""

import datetime as dt
from collections.abc import Mapping, Sequence
from itertools import combinations, pairwise

import numpy as np

from courtbook.nba.schedule import Array, Game, Kind, SeasonFacts

SERIES_A_ROUND = (8, 4, 2, 1)
WINS_TO_ADVANCE, LONGEST_SERIES = 4, 7
_HOME_GAMES_OF_THE_BETTER = (1, 2, 5, 7)
_BRACKET = ((1, 8), (4, 5), (3, 6), (2, 7))
# How much a point of difference in strength moves the odds of a game and of a series.
_GAME_ODDS, _SERIES_ODDS = 0.16, 0.4

Strength = Mapping[str, float]
Counts = Sequence[tuple[dt.date, int]]


def play_in(
    facts: SeasonFacts, seeds: Mapping[str, Sequence[str]], strength: Strength, rng: np.random.Generator
) -> tuple[list[Game], dict[str, list[str]]]:
    """Return the six play-in games and the eight teams a conference that go on, best first."""
    games: list[Game] = []
    final_seeds: dict[str, list[str]] = {}
    for conference, order in seeds.items():
        seventh, loser = _decide(order[6], order[7], strength, _GAME_ODDS, rng)
        ninth, _ = _decide(order[8], order[9], strength, _GAME_ODDS, rng)
        eighth, _ = _decide(loser, ninth, strength, _GAME_ODDS, rng)
        meetings = ((order[6], order[7], seventh), (order[8], order[9], ninth), (loser, ninth, eighth))
        for (day, _), (home, away, winner) in zip(facts.play_in, meetings, strict=True):
            games.append(Game(day, facts.year, Kind.PLAY_IN, home, away, len(games) + 1, winner))
        final_seeds[conference] = [*order[:6], seventh, eighth]
    return games, final_seeds


def playoffs(
    facts: SeasonFacts, seeds: Mapping[str, Sequence[str]], strength: Strength, rng: np.random.Generator
) -> list[Game]:
    """Return all playoff games with their winners: 15 series that end with the fourth win."""
    pairs = [[order[high - 1], order[low - 1]] for order in seeds.values() for high, low in _BRACKET]
    merit = {team: (place, -strength[team]) for order in seeds.values() for place, team in enumerate(order)}
    games: list[Game] = []
    for level, series_days in enumerate(_round_days(facts.playoffs, rng), start=1):
        winners = []
        for place, ((better, other), days) in enumerate(zip(pairs, series_days, strict=True)):
            winner, loser = _decide(better, other, strength, _SERIES_ODDS, rng)
            results = [*rng.permutation([winner] * 3 + [loser] * (len(days) - WINS_TO_ADVANCE)), winner]
            for number, (day, result) in enumerate(zip(days, results, strict=True), start=1):
                home, away = (better, other) if number in _HOME_GAMES_OF_THE_BETTER else (other, better)
                code = level * 100 + place * 10 + number
                games.append(Game(day, facts.year, Kind.PLAYOFFS, home, away, code, str(result)))
            winners.append(winner)
        pairs = [sorted(meeting, key=merit.__getitem__) for meeting in zip(winners[::2], winners[1::2], strict=False)]
    return games


def _decide(first: str, second: str, strength: Strength, odds: float, rng: np.random.Generator) -> tuple[str, str]:
    """Return winner and loser."""
    chance = 1 / (1 + np.exp(-odds * (strength[first] - strength[second])))
    return (first, second) if rng.random() < chance else (second, first)


def _round_days(counts: Counts, rng: np.random.Generator) -> list[list[list[dt.date]]]:
    """Return the dates of each series of each round, with exactly the real number of games a date."""
    for ends in np.repeat(_rounds(counts), 60, axis=0):
        spans = zip(pairwise(ends), SERIES_A_ROUND, strict=True)
        rounds = [_series_days(counts[start:end], series, rng) for (start, end), series in spans]
        if all(rounds):
            return rounds
    raise AssertionError("the dates of the playoffs do not fit four rounds")


def _rounds(counts: Counts) -> Array:
    """Return where rounds may begin and end, as date indices of shape (ways, 5), those at long pauses first."""
    days = np.array([day for day, _ in counts], dtype="datetime64[D]")
    total = np.cumsum([0, *(games for _, games in counts)])
    cuts = np.array(list(combinations(range(1, len(days)), len(SERIES_A_ROUND) - 1)))
    ends = np.insert(cuts, [0, cuts.shape[1]], [0, len(days)], axis=1)
    length = np.diff(total[ends], axis=1) / SERIES_A_ROUND
    fits = ((length >= WINS_TO_ADVANCE) & (length <= LONGEST_SERIES)).all(axis=1)
    pause = np.diff(days).astype(int)[cuts - 1].sum(axis=1)
    unusual = np.abs(length - 5.7).sum(axis=1)
    ways: Array = ends[fits][np.argsort((unusual - pause)[fits])]
    return ways


def _series_days(counts: Counts, series: int, rng: np.random.Generator) -> list[list[dt.date]]:
    """Return the dates of each series of a round, or nothing if the lengths drawn do not fit the dates."""
    left = np.full(series, WINS_TO_ADVANCE)
    for _ in range(sum(games for _, games in counts) - int(left.sum())):
        left[rng.choice(np.flatnonzero(left < LONGEST_SERIES))] += 1
    last = np.zeros(series)
    days: list[list[dt.date]] = [[] for _ in left]
    for index, (day, games) in enumerate(counts):
        # Those with the most games left play, the most rested first: that comes out whenever it can.
        today = np.lexsort((last, -left))[:games]
        left[today] -= 1
        last[today] = index
        for one in today:
            days[one].append(day)
    return [] if left.any() else days
