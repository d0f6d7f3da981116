"""The synthetic calendar: who plays whom on the real game dates of a season."""

import datetime as dt
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import yaml

from courtbook.errors import ParameterError
from courtbook.nba.names import TEAMS

Array = npt.NDArray[Any]
_EAST_CODES = "ATL BKN BOS CHA CHI CLE DET IND MIA MIL NYK ORL PHI TOR WAS"
EAST = frozenset(_EAST_CODES.split())
GAMES_A_TEAM = 82
MIN_BACK_TO_BACKS, MAX_BACK_TO_BACKS = 4, 20


class Kind(Enum):
    """Kind of a game: prefix of the league id and flag column of the schedule."""

    PRESEASON = ("001", "is_preseason")
    REGULAR = ("002", "is_regular_season")
    ALL_STAR = ("003", "is_all_star")
    PLAYOFFS = ("004", "is_playoffs")
    PLAY_IN = ("005", "is_play_in")
    CUP_FINAL = ("006", "is_cup_final")

    def __init__(self, prefix: str, flag: str) -> None:
        self.prefix = prefix
        self.flag = flag


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
        """League id: prefix of the kind, two digits of the season, five of the number."""
        return f"{self.kind.prefix}{self.season % 100:02d}{self.number:05d}"


@dataclass(frozen=True)
class SeasonFacts:
    """Real facts of a season: days with their number of games, and single dates."""

    year: int
    regular: tuple[tuple[dt.date, int], ...]
    play_in: tuple[tuple[dt.date, int], ...]
    playoffs: tuple[tuple[dt.date, int], ...]
    all_star: tuple[dt.date, ...]
    cup_final: dt.date | None

    @property
    def opening(self) -> dt.date:
        """First day of the regular season."""
        return self.regular[0][0]


def _days(entry: Mapping[str, Any]) -> tuple[tuple[dt.date, int], ...]:
    counts = ((entry["start"] + dt.timedelta(days=i), int(char, 36)) for i, char in enumerate(entry["games"]))
    return tuple((day, games) for day, games in counts if games)


@cache
def season_facts() -> dict[int, SeasonFacts]:
    """Read the facts of all known seasons, by starting year."""
    content = yaml.safe_load(resources.files("courtbook.nba").joinpath("seasons.yaml").read_text(encoding="utf-8"))
    facts = {}
    for year, entry in content.items():
        regular, play_in, playoffs = (_days(entry[part]) for part in ("regular", "play_in", "playoffs"))
        facts[year] = SeasonFacts(year, regular, play_in, playoffs, tuple(entry["all_star"]), entry.get("cup_final"))
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
        raise ParameterError(
            f"unknown seasons {unknown}." if unknown else "no season named.",
            where="seasons",
            next_action=f"Choose from {sorted(known)}.",
        )
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
    west = rng.choice(sorted(set(TEAMS) - EAST - busy))
    return [Game(facts.cup_final, facts.year, Kind.CUP_FINAL, str(east), str(west), 1)]


def exhibitions(facts: SeasonFacts, rng: np.random.Generator) -> list[Game]:
    """Return the games that do not count: a preseason game of each team, and the All-Star games."""
    before = facts.opening - dt.timedelta(days=6)
    pairs = rng.permutation(TEAMS).reshape(-1, 2).tolist()
    games = [Game(before, facts.year, Kind.PRESEASON, home, away, i) for i, (home, away) in enumerate(pairs, start=1)]
    stars = enumerate(zip(facts.all_star, ("RKS", "EST"), ("SPH", "WST"), strict=True), start=1)
    return games + [Game(day, facts.year, Kind.ALL_STAR, home, away, i) for i, (day, home, away) in stars]
