"""Invented players: names, skills, careers, rosters, trades and injuries."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from courtbook.nba.arrays import BoolArray, DayArray, FloatArray, IntArray
from courtbook.nba.names import TEAMS, player_lookup
from courtbook.nba.schedule import SeasonFacts

ROSTER = 15
# Share of plays (percent) by place on the roster, from the first option to the last man.
_ROLE_USAGE = np.array([32.5, 27.5, 25, 23, 22, 16, 15.5, 15, 14.5, 14, 14, 13.5, 13.5, 13, 13])
_USAGE_SPREAD = np.where(np.arange(ROSTER) == 0, 3.2, 1.6)
_TRADES_A_SEASON = 5
_FIRST_NAMES = (
    "Aaron Adrián Amir André Anton Bennett Björn Bruno Caleb Cédric Damian De'Von Dwayne Elijah Émile Ezra Felix "
    "Gideon Goran Hakeem Isaac Jalen Javier Jonas José Julian Kareem Keon Leon Łukasz Malik Marcus Mateo Miloš Nadir "
    "Nico Omar Oskar Pierre Quentin Rashad Raúl Silas Søren T'Quan Terrell Théo Tomas Vince Wesley Xavier Yusuf Zaire"
)
_LAST_STARTS = "Al Bar Bel Car D'Am Dor Fen Gar Hol Jin Kel Lor Mar Nor O'R Pel Quin Ros Sal Tal Ul Ver Wil Yar Zim"
_LAST_ENDS = (
    "aby ades berg bury dale ejas ett field gate ičić ingway iso low mont more ner oba quist ridge ström ton ué vale "
    "wick worth"
)

Trade = tuple[int, dt.date, int, int, int]


@dataclass(frozen=True)
class World:
    """Who there is: players with skills, rosters and trades, strength of the teams.

    ``usage`` has shape (players, seasons), each trait (players,), ``rosters`` (seasons, teams, 15), ``hurt``
    (players, days from ``first_day``) and the team arrays (seasons, teams). A trade is season number, date, the
    two teams that exchange their players, and the place on the roster.
    """

    years: tuple[int, ...]
    names: list[str]
    usage: FloatArray
    traits: dict[str, FloatArray]
    rosters: IntArray
    trades: list[Trade]
    hurt: BoolArray
    first_day: dt.date
    offense: FloatArray
    defense: FloatArray
    pace: FloatArray

    def roster(self, season: IntArray, days: DayArray, teams: IntArray) -> IntArray:
        """Return the 15 players of each side, shape (games, 2, 15), with the trades up to the day."""
        roster = self.rosters[season[:, None], teams]
        for index, day, first, second, place in self.trades:
            later = ((season == index) & (days >= np.datetime64(day)))[:, None]
            for team, other in ((first, second), (second, first)):
                roster[later & (teams == team), place] = self.rosters[index, other, place]
        return roster


def make_world(facts: Sequence[SeasonFacts], rng: np.random.Generator) -> World:
    """Draw players, rosters, injuries and strengths for some seasons."""
    years = tuple(one.year for one in facts)
    rosters, usages, trades = _careers(years, rng)
    count = len(usages[-1])
    usage = np.stack([np.pad(one, (0, count - len(one))) for one in usages], axis=1)
    traits = _traits(count, rng)
    # Some players come hurt to the first game, so spells begin before it.
    first, last = facts[0].opening - dt.timedelta(days=45), facts[-1].playoffs[-1][0]
    hurt = _injuries(count, (last - first).days + 1, rng)
    offense, defense, pace = (rng.normal(0, sd, (len(facts), len(TEAMS))) for sd in (0.035, 0.035, 0.9))
    for index in range(1, len(facts)):
        for strength in (offense, defense):
            strength[index] = 0.6 * strength[index - 1] + 0.8 * strength[index]
    return World(years, _names(count, rng), usage, traits, rosters, trades, hurt, first, offense, defense, pace)


def _careers(years: Sequence[int], rng: np.random.Generator) -> tuple[IntArray, list[FloatArray], list[Trade]]:
    """Return rosters, the usage of all players a season, and the trades."""
    shape = (len(TEAMS), ROSTER)
    roster = np.arange(shape[0] * shape[1]).reshape(shape)
    usage = (_ROLE_USAGE + _USAGE_SPREAD * rng.normal(size=shape)).ravel()
    rosters, usages, trades = [], [], []
    for index, year in enumerate(years):
        if index:
            roster, usage = _summer(roster, usage, rng)
        rosters.append(roster)
        usages.append(np.maximum(usage, 8.0))
        teams = rng.permutation(len(TEAMS))
        roster = roster.copy()
        for number in range(_TRADES_A_SEASON):
            first, second, place = int(teams[2 * number]), int(teams[2 * number + 1]), int(rng.integers(1, ROSTER))
            trades.append((index, dt.date(year + 1, 2, 4 + number), first, second, place))
            roster[[first, second], place] = roster[[second, first], place]
    return np.stack(rosters), usages, trades


def _summer(roster: IntArray, usage: FloatArray, rng: np.random.Generator) -> tuple[IntArray, FloatArray]:
    """Let some retire and rookies take their places, free agents move and neighbours change places."""
    gone = rng.random(roster.shape) < 0.13
    rookies = _ROLE_USAGE - 0.7 + _USAGE_SPREAD * rng.normal(size=roster.shape)
    roster = roster.copy()
    roster[gone] = len(usage) + np.arange(gone.sum())
    usage = np.concatenate([usage, rookies[gone]])
    for place in range(ROSTER):
        movers = np.flatnonzero(rng.random(len(TEAMS)) < 0.22)
        roster[movers, place] = roster[rng.permutation(movers), place]
        swap = rng.random(len(TEAMS)) < (0.15 if place else 0.0)
        roster[swap, place - 1 : place + 1] = roster[swap, place - 1 : place + 1][:, ::-1]
    role = np.full(len(usage), 15.0)
    role[roster] = np.broadcast_to(_ROLE_USAGE, roster.shape)
    return roster, role + 0.85 * (usage - role) + rng.normal(0, 1, len(usage))


def _traits(count: int, rng: np.random.Generator) -> dict[str, FloatArray]:
    """Draw the skills of players from guards (size 0) to centers (size 1)."""
    size = rng.random(count)

    def around(mean: float, sd: float) -> FloatArray:
        return rng.normal(mean, sd, count)

    def skilled(sd: float) -> FloatArray:
        return np.exp(rng.normal(0, sd, count))

    return {
        "three_share": np.clip(0.62 - 0.46 * size + around(0, 0.1), 0.01, 0.8),
        "three": np.clip(around(0.366, 0.022) - 0.03 * (size > 0.8), 0.26, 0.45),
        "two": np.clip(0.51 + 0.07 * size + around(0, 0.025), 0.42, 0.68),
        "free": np.clip(0.84 - 0.12 * size + around(0, 0.05), 0.5, 0.93),
        "trips": np.clip(around(0.2, 0.05), 0.05, 0.38),
        "turnover": np.clip(around(0.122, 0.025), 0.05, 0.2),
        "paint": np.clip(0.5 + 0.35 * size + around(0, 0.1), 0.2, 0.97),
        "assisted": np.clip(0.5 + 0.25 * size + around(0, 0.12), 0.1, 0.95),
        "offensive_rebound": (0.25 + 2 * size**2) * skilled(0.3),
        "defensive_rebound": (0.6 + size) * skilled(0.25),
        "assist": (1.7 - 1.4 * size) * skilled(0.45),
        "steal": skilled(0.3),
        "block": (0.15 + 2 * size**2) * skilled(0.4),
        "foul": skilled(0.2) * (0.85 + 0.3 * size),
        "minutes": skilled(0.07),
    }


def _injuries(count: int, days: int, rng: np.random.Generator) -> BoolArray:
    """Return which players are hurt on which days, in spells of two weeks on average."""
    spells = rng.poisson(count * days * 0.0075)
    who, when = rng.integers(0, count, spells), rng.integers(0, days, spells)
    changes = np.zeros((count, days + 1), dtype=np.int16)
    np.add.at(changes, (who, when), 1)
    np.add.at(changes, (who, np.minimum(when + rng.geometric(1 / 14, spells), days)), -1)
    return changes.cumsum(axis=1) > 0


def _names(count: int, rng: np.random.Generator) -> list[str]:
    """Invent that many names with different keys."""
    names: dict[str, str] = {}
    while len(names) < count:
        parts = [str(rng.choice(part.split())) for part in (_FIRST_NAMES, _LAST_STARTS, _LAST_ENDS)]
        suffix = str(rng.choice(["", " Jr.", " III"], p=[0.95, 0.035, 0.015]))
        name = f"{parts[0]} {parts[1]}{parts[2]}{suffix}"
        names.setdefault(player_lookup(name), name)
    return list(names.values())
