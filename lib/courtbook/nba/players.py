"""Invented players: names, skills, careers, rosters, trades and injuries."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from courtbook.nba.names import TEAMS
from courtbook.nba.schedule import Array, SeasonFacts

ROSTER = 15
# Share of plays (percent) by place on the roster, from the first option to the last man, and its spread.
_USAGE = np.array([32.5, 27.5, 25, 23, 22, 16, 15.5, 15, 14.5, 14, 14, 13.5, 13.5, 13, 13])
_USAGE_SPREAD = np.where(np.arange(ROSTER) == 0, 3.2, 1.6)
_TRADES_A_SEASON, _RETIRED, _MOVED = 5, 0.13, 0.22
# Offense and defense as parts of the points, pace in possessions.
_STRENGTH_SPREADS = (0.035, 0.035, 0.9)
# Mean of the smallest player, what size adds up to the tallest, spread, lowest and highest value.
_SHARES = {
    "three_share": (0.62, -0.46, 0.1, 0.01, 0.8),
    "three": (0.37, -0.02, 0.022, 0.26, 0.45),
    "two": (0.51, 0.07, 0.025, 0.42, 0.68),
    "free": (0.84, -0.12, 0.05, 0.5, 0.93),
    "trips": (0.2, 0, 0.05, 0.05, 0.38),
    "turnover": (0.122, 0, 0.025, 0.05, 0.2),
    "paint": (0.5, 0.35, 0.1, 0.2, 0.97),
    "assisted": (0.5, 0.25, 0.12, 0.1, 0.95),
}
# Weight of the smallest and the tallest player in what a team shares out, and the spread of its logarithm.
_WEIGHTS = {
    "offensive_rebound": (0.2, 2, 0.3),
    "defensive_rebound": (0.6, 1.6, 0.25),
    "assist": (1.7, 0.3, 0.45),
    "steal": (1, 1, 0.3),
    "block": (0.1, 2, 0.4),
    "foul": (0.85, 1.15, 0.2),
    "minutes": (1, 1, 0.07),
}
_FIRST_NAMES = (
    "Aaron Adrián Amir André Anton Bennett Björn Bruno Caleb Cédric Damian De'Von Dwayne Elijah Émile Ezra Felix Goran "
    "Hakeem Isaac Jalen José Kareem Leon Łukasz Malik Marcus Miloš Omar Quentin Raúl Silas Søren T'Quan Théo Xavier"
)
_LAST_STARTS = "Al Bar Bel Car D'Am Dor Fen Gar Hol Jin Kel Lor Mar Nor O'R Pel Quin Ros Sal Tal Ul Ver Wil Yar Zim"
_LAST_ENDS = "aby ades berg bury dale ejas ett field gate ičić ingway iso low mont oba quist ridge ström ué vale wick"


@dataclass(frozen=True)
class World:
    """Who there is: players with skills, rosters before and after the trades, strength of the teams.

    ``names`` and each trait have shape (players,), ``usage`` (players, seasons), ``rosters`` (seasons, 2, teams, 15),
    ``hurt`` (players, days from ``first_day``), and ``strength`` (offense, defense and pace, seasons, teams).
    """

    years: tuple[int, ...]
    names: Array
    usage: Array
    traits: dict[str, Array]
    rosters: Array
    hurt: Array
    first_day: np.datetime64
    strength: Array

    def roster(self, season: Array, days: Array, teams: Array) -> Array:
        """Return the 15 players of each side of games, shape (games, 2, 15), on their day."""
        deadlines = np.array([f"{year + 1}-02-06" for year in self.years], dtype="datetime64[D]")
        traded = (days >= deadlines[season]).astype(int)
        roster: Array = self.rosters[season[:, None], traded[:, None], teams]
        return roster


def make_world(facts: Sequence[SeasonFacts], rng: np.random.Generator) -> World:
    """Draw players, rosters, injuries and strengths for some seasons."""
    rosters = _rosters(len(facts), rng)
    count = int(rosters.max()) + 1
    place = np.zeros(count, dtype=int)
    place[rosters] = np.arange(ROSTER)
    level = _USAGE[place] + _USAGE_SPREAD[place] * rng.normal(size=count)
    usage = np.maximum(level[:, None] + rng.normal(0, 1, (count, len(facts))), 8)
    every_name = list(product(_FIRST_NAMES.split(), _LAST_STARTS.split(), _LAST_ENDS.split()))
    names = [f"{first} {start}{end}" for first, start, end in rng.choice(every_name, count, replace=False)]
    # Some players come hurt to the first game, so spells begin before it.
    first_day, last_day = facts[0].opening - dt.timedelta(days=45), facts[-1].playoffs[-1][0]
    return World(
        years=tuple(one.year for one in facts),
        names=np.array(names, dtype=object),
        usage=usage,
        traits=_traits(count, rng),
        rosters=rosters,
        hurt=_injuries(count, (last_day - first_day).days + 1, rng),
        first_day=np.datetime64(first_day),
        strength=np.stack([rng.normal(0, spread, (len(facts), len(TEAMS))) for spread in _STRENGTH_SPREADS]),
    )


def _rosters(seasons: int, rng: np.random.Generator) -> Array:
    """Return who has which place in which team; players keep their place, and rookies get a retired player's."""
    roster = np.arange(len(TEAMS) * ROSTER).reshape(len(TEAMS), ROSTER)
    count = roster.size
    rosters = []
    for _ in range(seasons):
        traded = roster.copy()
        for pair in rng.permutation(len(TEAMS))[: 2 * _TRADES_A_SEASON].reshape(-1, 2):
            place = int(rng.integers(1, ROSTER))
            traded[pair, place] = traded[pair[::-1], place]
        rosters.append((roster, traded))
        roster = traded.copy()
        retired = rng.random(roster.shape) < _RETIRED
        roster[retired] = count + np.arange(retired.sum())
        count += int(retired.sum())
        for place in range(ROSTER):
            movers = np.flatnonzero(rng.random(len(TEAMS)) < _MOVED)
            roster[movers, place] = roster[rng.permutation(movers), place]
    return np.array(rosters)


def _traits(count: int, rng: np.random.Generator) -> dict[str, Array]:
    """Draw the skills of players from guards (size 0) to centers (size 1)."""
    size = rng.random(count)
    traits = {
        name: np.clip(rng.normal(mean + change * size, spread), low, high)
        for name, (mean, change, spread, low, high) in _SHARES.items()
    }
    return traits | {
        name: (small + (tall - small) * size**2) * np.exp(rng.normal(0, spread, count))
        for name, (small, tall, spread) in _WEIGHTS.items()
    }


def _injuries(count: int, days: int, rng: np.random.Generator) -> Array:
    """Return which players are hurt on which days, in spells of two weeks on average."""
    spells = rng.poisson(count * days * 0.0075)
    who, when = rng.integers(0, count, spells), rng.integers(0, days, spells)
    changes = np.zeros((count, days + 1), dtype=np.int16)
    np.add.at(changes, (who, when), 1)
    np.add.at(changes, (who, np.minimum(when + rng.geometric(1 / 14, spells), days)), -1)
    return changes.cumsum(axis=1) > 0
