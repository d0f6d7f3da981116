"""The synthetic calendar: who plays whom on the real game dates of a season, and who wins the play-in and playoffs."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from courtbook.errors import ParameterError
from courtbook.nba.names import EAST, TEAMS, WEST, read_yaml

Array = npt.NDArray[Any]
Counts = Sequence[tuple[dt.date, int]]
GAMES_A_TEAM = 82
MIN_BACK_TO_BACKS, MAX_BACK_TO_BACKS = 4, 20
SERIES_A_ROUND = (8, 4, 2, 1)
WINS_TO_ADVANCE, LONGEST_SERIES = 4, 7
_HOME_GAMES_OF_THE_BETTER = (1, 2, 5, 7)
_BRACKET = ((1, 8), (4, 5), (3, 6), (2, 7))
# How much a point of difference in strength moves the odds of a game and of a series.
_GAME_ODDS, _SERIES_ODDS = 0.16, 0.4
Strength = Mapping[str, float]


class Kind(StrEnum):
    """Kind of a game: its flag column in the schedule. League ids begin with the number of the kind, in this order."""

    PRESEASON = "is_preseason"
    REGULAR = "is_regular_season"
    ALL_STAR = "is_all_star"
    PLAYOFFS = "is_playoffs"
    PLAY_IN = "is_play_in"
    CUP_FINAL = "is_cup_final"


class Game(NamedTuple):
    """One game; ``winner`` is empty where the box score decides."""

    day: dt.date
    season: int
    kind: Kind
    home: str
    away: str
    number: int
    winner: str = ""

    @property
    def league_id(self) -> str:
        """League id: three digits of the kind, two of the season, five of the number."""
        return f"{[*Kind].index(self.kind) + 1:03d}{self.season % 100:02d}{self.number:05d}"


@dataclass(frozen=True)
class SeasonFacts:
    """Real facts of a season: days with their number of games, and single dates; and where playoff rounds begin."""

    year: int
    regular: Counts
    play_in: Counts
    playoffs: Counts
    rounds: Sequence[int]
    all_star: Sequence[dt.date]
    cup_final: dt.date | None = None

    @property
    def opening(self) -> dt.date:
        """First day of the regular season."""
        return self.regular[0][0]


def _counts(start: dt.date, games: str) -> Counts:
    return tuple((start + dt.timedelta(days=i), int(char, 36)) for i, char in enumerate(games) if char != "0")


@cache
def season_facts() -> dict[int, SeasonFacts]:
    """Read the facts of all known seasons, by starting year."""
    facts = {}
    for year, entry in read_yaml("seasons.yaml").items():
        counts = {part: _counts(**entry[part]) for part in ("regular", "play_in", "playoffs")}
        facts[year] = SeasonFacts(year, **{**entry, **counts})
    return facts


def facts_of(seasons: Sequence[int]) -> list[SeasonFacts]:
    """Return the facts of the seasons asked for, in order of time.

    Raises
    ------
    ParameterError
        If no season is named or one of them is not known.
    """
    known = season_facts()
    unknown = sorted(set(seasons) - set(known))
    if unknown or not seasons:
        what = f"unknown seasons {unknown}." if unknown else "no season named."
        raise ParameterError(what, where="seasons", next_action=f"Choose from {sorted(known)}.")
    return [known[year] for year in sorted(set(seasons))]


def _who_plays(facts: SeasonFacts, rng: np.random.Generator) -> list[Array] | None:
    """Return the team numbers of each game day, or None if the draw misses 82 games or the back-to-back limits."""
    left = np.full(len(TEAMS), GAMES_A_TEAM)
    last = np.full(len(TEAMS), -9)
    doubles = np.zeros(len(TEAMS), dtype=np.int64)
    chosen: list[Array] = []
    for index, (day, games) in enumerate(facts.regular):
        number = (day - facts.opening).days
        tired = last == number - 1
        # Towards the end the number of games left must win over rest, or some team ends with 81.
        freedom = min(1.0, (len(facts.regular) - index) / 16)
        wish = left - freedom * (1.5 * tired + 3.5 * rng.random(len(TEAMS)))
        wish[left == 0] = -np.inf
        teams = np.argsort(-wish)[: 2 * games]
        doubles[teams] += tired[teams]
        left[teams] -= 1
        last[teams] = number
        chosen.append(teams)
    fits = not left.any() and doubles.min() >= MIN_BACK_TO_BACKS and doubles.max() <= MAX_BACK_TO_BACKS
    return chosen if fits else None


def _orient(pairs: Sequence[tuple[int, int]]) -> list[int]:
    """Return the home team of each pair so that every team is at home in half of its games.

    Each team has an even number of games, so walks over unused games close, and a closed walk enters a team as
    often as it leaves it.
    """
    open_games: list[list[int]] = [[] for _ in TEAMS]
    for number, (first, second) in enumerate(pairs):
        open_games[first].append(number)
        open_games[second].append(number)
    home = [-1] * len(pairs)
    for start in range(len(TEAMS)):
        team = start
        while open_games[team]:
            number = open_games[team].pop()
            if home[number] < 0:
                home[number] = team
                team = sum(pairs[number]) - team
    return home


def regular_season(facts: SeasonFacts, rng: np.random.Generator) -> list[Game]:
    """Draw the 1,230 games of a regular season on its real dates."""
    chosen = None
    while chosen is None:
        chosen = _who_plays(facts, rng)
    pairs = [(int(one), int(two)) for teams in chosen for one, two in rng.permutation(teams).reshape(-1, 2)]
    days = [day for day, games in facts.regular for _ in range(games)]
    return [
        Game(day, facts.year, Kind.REGULAR, TEAMS[home], TEAMS[sum(pair) - home], number)
        for number, (day, pair, home) in enumerate(zip(days, pairs, _orient(pairs), strict=True), start=1)
    ]


def cup_final(facts: SeasonFacts, games: Iterable[Game], rng: np.random.Generator) -> list[Game]:
    """Return the Cup final of the season, if it is a game of its own, between two teams that are free that day."""
    if facts.cup_final is None:
        return []
    busy = {team for game in games if game.day == facts.cup_final for team in (game.home, game.away)}
    east = rng.choice(sorted(EAST - busy))
    west = rng.choice(sorted(WEST - busy))
    return [Game(facts.cup_final, facts.year, Kind.CUP_FINAL, str(east), str(west), 1)]


def exhibitions(facts: SeasonFacts, rng: np.random.Generator) -> list[Game]:
    """Return the games that do not count: a preseason game of each team, and the All-Star games."""
    before = facts.opening - dt.timedelta(days=6)
    pairs = rng.permutation(TEAMS).reshape(-1, 2).tolist()
    games = [Game(before, facts.year, Kind.PRESEASON, home, away, i) for i, (home, away) in enumerate(pairs, start=1)]
    stars = enumerate(zip(facts.all_star, ("RKS", "EST"), ("SPH", "WST"), strict=True), start=1)
    return games + [Game(day, facts.year, Kind.ALL_STAR, home, away, i) for i, (day, home, away) in stars]


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
    spans = zip(pairwise(facts.rounds), SERIES_A_ROUND, strict=True)
    rounds = [_series_days(facts.playoffs[start:end], series, rng) for (start, end), series in spans]
    for level, series_days in enumerate(rounds, start=1):
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


def _series_days(counts: Counts, series: int, rng: np.random.Generator) -> list[list[dt.date]]:
    """Return the dates of each series of a round, with exactly the real number of games a date."""
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
    return days
