"""The play-in and the playoffs on their real dates, with winners drawn by strength."""

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np

from courtbook.nba.schedule import Game, Kind, SeasonFacts

SERIES_A_ROUND = (8, 4, 2, 1)
WINS_TO_ADVANCE, LONGEST_SERIES = 4, 7
_HOME_GAMES_OF_THE_BETTER = (1, 2, 5, 7)
_BRACKET = ((1, 8), (4, 5), (3, 6), (2, 7))


def play_in(
    facts: SeasonFacts, seeds: Mapping[str, Sequence[str]], strength: Mapping[str, float], rng: np.random.Generator
) -> tuple[list[Game], dict[str, list[str]]]:
    """Return the six play-in games and the eight teams a conference that go on, best first."""
    games: list[Game] = []
    final_seeds: dict[str, list[str]] = {}
    for conference, order in seeds.items():
        places = list(order[:6])
        seventh, losers = _play(order[6], order[7], strength, rng)
        ninth, _ = _play(order[8], order[9], strength, rng)
        eighth, _ = _play(losers, ninth, strength, rng)
        meetings = ((order[6], order[7], seventh), (order[8], order[9], ninth), (losers, ninth, eighth))
        for (day, _), (home, away, winner) in zip(facts.play_in, meetings, strict=True):
            games.append(Game(day, facts.year, Kind.PLAY_IN, home, away, len(games) + 1, winner))
        final_seeds[conference] = [*places, seventh, eighth]
    return games, final_seeds


def _play(first: str, second: str, strength: Mapping[str, float], rng: np.random.Generator) -> tuple[str, str]:
    """Return winner and loser; a point of difference in strength is worth about four per cent."""
    chance = 1 / (1 + np.exp(-0.16 * (strength[first] - strength[second])))
    return (first, second) if rng.random() < chance else (second, first)


def _series_days(counts: Sequence[int], series: int, rng: np.random.Generator) -> list[list[int]] | None:
    """Say which series play on each date of a round, or None if this draw does not come out."""
    lengths = np.full(series, WINS_TO_ADVANCE)
    for _ in range(sum(counts) - int(lengths.sum())):
        lengths[rng.choice(np.flatnonzero(lengths < LONGEST_SERIES))] += 1
    played = np.zeros(series, dtype=np.int64)
    last = np.full(series, -2)
    days: list[list[int]] = []
    for index, games in enumerate(counts):
        left = lengths - played
        urgent = left >= len(counts) - index
        wish = np.where(left > 0, last + played + rng.random(series) - 50.0 * urgent, np.inf)
        today = np.argsort(wish)[:games]
        if not (left[today] > 0).all():
            return None
        played[today] += 1
        last[today] = index
        days.append([int(one) for one in today])
    return days if (played == lengths).all() else None


def _rounds(counts: Sequence[tuple[dt.date, int]]) -> list[tuple[int, ...]]:
    """Return the cuts between rounds as date indices, those at long pauses first."""
    found: list[tuple[float, tuple[int, ...]]] = []

    def extend(end: int, rounds_left: tuple[int, ...], cuts: tuple[int, ...], score: float) -> None:
        series = rounds_left[-1]
        for start in range(end - 1, -1, -1):
            sizes = [games for _, games in counts[start:end]]
            if sum(sizes) > LONGEST_SERIES * series or max(sizes) > series:
                return
            if sum(sizes) < WINS_TO_ADVANCE * series or len(sizes) < sum(sizes) / series:
                continue
            if len(rounds_left) == 1:
                if start == 0:
                    found.append((score, (0, *cuts)))
            elif start:
                pause = (counts[start][0] - counts[start - 1][0]).days
                unusual = abs(sum(sizes) / series - 5.7)
                extend(start, rounds_left[:-1], (start, *cuts), score + unusual - pause)

    extend(len(counts), SERIES_A_ROUND, (len(counts),), 0.0)
    return [cuts for _, cuts in sorted(found)]


def _round_days(counts: Sequence[tuple[dt.date, int]], rng: np.random.Generator) -> list[list[list[dt.date]]]:
    """Return the dates of each series of each round, with exactly the real number of games a date."""
    for cuts in _rounds(counts):
        result = []
        for start, end, series in zip(cuts, cuts[1:], SERIES_A_ROUND, strict=False):
            sizes = [games for _, games in counts[start:end]]
            draws = (_series_days(sizes, series, rng) for _ in range(60))
            days = next((draw for draw in draws if draw is not None), None)
            if days is None:
                break
            dates = [[counts[start + i][0] for i, today in enumerate(days) if one in today] for one in range(series)]
            result.append(dates)
        if len(result) == len(SERIES_A_ROUND):
            return result
    raise AssertionError("the dates of the playoffs do not fit four rounds")


def playoffs(
    facts: SeasonFacts, seeds: Mapping[str, Sequence[str]], strength: Mapping[str, float], rng: np.random.Generator
) -> list[Game]:
    """Return all playoff games with their winners: 15 series that end with the fourth win."""
    pairs = [(order[high - 1], order[low - 1]) for order in seeds.values() for high, low in _BRACKET]
    rank = {team: place for order in seeds.values() for place, team in enumerate(order)}
    games: list[Game] = []

    def seeded(one: str, two: str) -> bool:
        return (rank[one], -strength[one]) <= (rank[two], -strength[two])

    for level, series_days in enumerate(_round_days(facts.playoffs, rng), start=1):
        winners = []
        for place, ((better, other), days) in enumerate(zip(pairs, series_days, strict=True)):
            winner, loser = _play(better, other, {team: 2.5 * value for team, value in strength.items()}, rng)
            results = [*rng.permutation([winner] * 3 + [loser] * (len(days) - WINS_TO_ADVANCE)), winner]
            for number, (day, result) in enumerate(zip(days, results, strict=True), start=1):
                at_better = number in _HOME_GAMES_OF_THE_BETTER
                home, away = (better, other) if at_better else (other, better)
                code = level * 100 + place * 10 + number
                games.append(Game(day, facts.year, Kind.PLAYOFFS, home, away, code, str(result)))
            winners.append(winner)
        meetings = list(zip(winners[::2], winners[1::2], strict=False))
        pairs = [meeting if seeded(*meeting) else meeting[::-1] for meeting in meetings]
    return games
