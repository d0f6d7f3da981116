"""Invented players: names, skills, careers, rosters, trades and injuries."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from courtbook.nba.names import TEAMS, read_yaml
from courtbook.nba.schedule import Array, SeasonFacts

ROSTER = 15
_LEAGUE = read_yaml("league.yaml")
_USAGE, _USAGE_SPREAD = (np.array(_LEAGUE["roster"][name]) for name in ("usage", "usage_spread"))
_TRADES_A_SEASON, _RETIRED, _MOVED = 5, 0.13, 0.22


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
    every_name = list(product(*(parts.split() for parts in _LEAGUE["names"].values())))
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
        strength=np.stack([rng.normal(0, spread, (len(facts), len(TEAMS))) for spread in _LEAGUE["strength"]]),
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
        for name, (mean, change, spread, low, high) in _LEAGUE["shares"].items()
    }
    return traits | {
        name: (small + (tall - small) * size**2) * np.exp(rng.normal(0, spread, count))
        for name, (small, tall, spread) in _LEAGUE["weights"].items()
    }


def _injuries(count: int, days: int, rng: np.random.Generator) -> Array:
    """Return which players are hurt on which days, in spells of two weeks on average."""
    spells = rng.poisson(count * days * 0.0075)
    who, when = rng.integers(0, count, spells), rng.integers(0, days, spells)
    changes = np.zeros((count, days + 1), dtype=np.int16)
    np.add.at(changes, (who, when), 1)
    np.add.at(changes, (who, np.minimum(when + rng.geometric(1 / 14, spells), days)), -1)
    return changes.cumsum(axis=1) > 0
