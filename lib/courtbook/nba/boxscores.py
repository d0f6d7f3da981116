"""Box scores: synthetic games played out, player by player."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from courtbook.nba.arrays import BoolArray, DayArray, FloatArray, IntArray
from courtbook.nba.names import TEAMS, game_id
from courtbook.nba.players import ROSTER, World
from courtbook.nba.schedule import Game

# Minutes by place on the roster, from the first option to the last man.
_ROLE_MINUTES = np.array([35.5, 34, 32.5, 31, 29, 22, 19, 17, 14.5, 12, 10.5, 9.5, 8.5, 7.5, 7])
_BASE_PACE, _OFFENSIVE_REBOUNDS = 99.6, 10.6
_HOME_EDGE = 0.013
_MARGIN_SPREAD = 16.0
_SIGN = np.array([-1, 1])

Box = dict[str, IntArray]
Rates = dict[str, FloatArray]


@dataclass(frozen=True)
class Played:
    """Finished games: arrays with the game first, then the side (away, home), then the place on the roster."""

    games: list[Game]
    box: Box
    expected: FloatArray
    expected_minutes: FloatArray

    def team(self, name: str) -> IntArray:
        """Return the team sums of a number, shape (games, 2)."""
        sums: IntArray = self.box[name].sum(axis=-1)
        return sums

    @property
    def days(self) -> DayArray:
        """Dates of the games."""
        return _days(self.games)

    @property
    def seasons(self) -> IntArray:
        """Starting years of the games' seasons."""
        return np.array([game.season for game in self.games], dtype=np.int64)

    @property
    def ids(self) -> list[str]:
        """Game ids of layers 3 and 4."""
        return [game_id(game.day, game.away, game.home) for game in self.games]


def join(parts: Sequence[Played]) -> Played:
    """Put games together in order of their dates."""
    games = [game for part in parts for game in part.games]
    order = np.array(sorted(range(len(games)), key=lambda i: (games[i].day, games[i].league_id)), dtype=np.int64)
    box = {name: np.concatenate([part.box[name] for part in parts])[order] for name in parts[0].box}
    expected = np.concatenate([part.expected for part in parts])[order]
    minutes = np.concatenate([part.expected_minutes for part in parts])[order]
    return Played([games[i] for i in order], box, expected, minutes)


def play(world: World, games: list[Game], rng: np.random.Generator) -> Played:
    """Draw the box scores of games; a game with a given winner is drawn until that team wins."""
    days, teams = _days(games), _teams(games)
    season = np.array([world.years.index(game.season) for game in games], dtype=np.int64)
    winner = np.array([-1 if not g.winner else int(g.winner == g.home) for g in games], dtype=np.int64)
    roster = world.roster(season, days, teams)
    active, out = _line_up(world, rng, days, teams, roster)
    rate = {name: values[roster] for name, values in world.traits.items()}
    luck = rng.random(len(games))
    overtime = np.select([luck < 0.008, luck < 0.06], [2, 1], 0)
    minutes, seconds = _floor_time(rng, rate["minutes"], overtime, active)

    usage = world.usage[roster, season[:, None, None]]
    pace = _BASE_PACE + world.pace[season[:, None], teams].sum(axis=1)
    edge = world.offense[season[:, None], teams] - world.defense[season[:, None], teams[:, ::-1]] + _HOME_EDGE * _SIGN
    known, real = usage * minutes, usage * seconds * np.exp(rng.normal(0, 0.33, roster.shape))
    known, real = (one / one.sum(axis=-1, keepdims=True) for one in (known, real))
    a_shot = 2 * (1 - rate["three_share"]) * rate["two"] + 3 * rate["three_share"] * rate["three"]
    shooting = (1 - rate["turnover"] - 0.44 * rate["trips"]) * a_shot * (1 + edge[..., None])
    chances = (pace * (1 + 5 * 0.067 / 48) + _OFFENSIVE_REBOUNDS)[:, None, None]
    expected = known * chances * (shooting + rate["trips"] * rate["free"])

    possessions = (pace + rng.normal(0, 3.3, len(games))) * (1 + 5 * overtime / 48)
    plays = real * (possessions + _OFFENSIVE_REBOUNDS)[:, None, None]
    box: Box = {}
    redo, push = np.arange(len(games)), 0.0
    while True:
        pushed = edge[redo] + push * np.where(winner[redo] < 0, 0, 2 * winner[redo] - 1)[:, None] * _SIGN
        part = {name: values[redo] for name, values in rate.items()}
        both = np.repeat(possessions[redo, None], 2, axis=1)
        drawn = _shots(rng, plays[redo], rate=part, possessions=both, edge=pushed, active=active[redo])
        for name, values in drawn.items():
            box.setdefault(name, np.zeros((len(games), *values.shape[1:]), dtype=np.int64))[redo] = values
        margin = np.diff(box["points"].sum(axis=-1), axis=1)[:, 0]
        wrong = (winner >= 0) & ((margin > 0) != (winner == 1))
        # Shots drawn one by one spread wider than real scores: a margin far from the expected one is rare.
        surprise = (margin[redo] - np.diff(expected[redo].sum(axis=-1), axis=1)[:, 0]) / _MARGIN_SPREAD
        rare = np.zeros(len(games), dtype=np.bool_)
        rare[redo] = (winner[redo] < 0) & (rng.random(len(redo)) > np.exp(-(surprise**2) / 2))
        redo = np.flatnonzero((margin == 0) | ((overtime > 0) & (np.abs(margin) > 9)) | wrong | rare)
        if not len(redo):
            break
        # A team that keeps losing a game it has to win gets an edge, too small to rule out a close overtime.
        push = min(push + 0.01, 0.08)
    box |= {"roster": roster, "active": active.astype(np.int64), "out": out.astype(np.int64), "seconds": seconds}
    box |= {"overtime": overtime, "teams": teams} | _other_numbers(rng, box, rate, margin)
    return Played(games, box, expected, minutes)


def _days(games: Sequence[Game]) -> DayArray:
    return np.array([game.day for game in games], dtype="datetime64[D]")


def _teams(games: Sequence[Game]) -> IntArray:
    number = {team: index for index, team in enumerate(TEAMS)}
    return np.array([(number[game.away], number[game.home]) for game in games], dtype=np.int64).reshape(-1, 2)


def _line_up(
    world: World, rng: np.random.Generator, days: DayArray, teams: IntArray, roster: IntArray
) -> tuple[BoolArray, BoolArray]:
    """Return who plays and who is out, hurt or rested, both of shape (games, 2, 15)."""
    since = (days - np.datetime64(world.first_day)).astype(np.int64)
    out = world.hurt[roster, since[:, None, None]]
    order = np.lexsort((np.repeat(since, 2), teams.ravel()))
    tired = np.zeros(teams.size, dtype=np.bool_)
    tired[order[1:]] = (np.diff(np.repeat(since, 2)[order]) == 1) & (np.diff(teams.ravel()[order]) == 0)
    out[..., :3] |= tired.reshape(teams.shape)[..., None] & (rng.random((*teams.shape, 3)) < 0.08)
    place = np.arange(ROSTER) + 0.9 * rng.normal(size=roster.shape) * (np.arange(ROSTER) > 7)
    rank = np.argsort(np.argsort(place + 100 * out, axis=-1), axis=-1)
    wanted = 10 + (rng.random(teams.shape) < 0.43)
    active = rank < np.clip((~out).sum(axis=-1), 8, wanted)[..., None]
    return active, out & ~active


def _floor_time(
    rng: np.random.Generator, skill: FloatArray, overtime: IntArray, active: BoolArray
) -> tuple[FloatArray, IntArray]:
    """Return the minutes expected of each player and the seconds that he plays."""
    sides = active.shape[:2]
    weights = _ROLE_MINUTES * skill * active
    minutes = _share(weights, np.full(sides, 240.0), np.full(sides, 40.0))
    moods = np.exp(rng.normal(size=active.shape) * np.where(np.arange(ROSTER) < 5, 0.13, 0.3))
    length = np.broadcast_to((14_400 + 1_500 * overtime)[:, None], sides)
    return minutes, _round_to_sum(
        _share(weights * moods, length.astype(np.float64), (length / 5) * 0.92), length, active
    )


def _share(weights: FloatArray, total: FloatArray, cap: FloatArray) -> FloatArray:
    """Share out the total by weights, nobody with more than the cap."""
    given = np.minimum(weights * (total / weights.sum(axis=-1))[..., None], cap[..., None])
    room = np.where(weights > 0, (cap[..., None] - given) * weights, 0)
    left = total - given.sum(axis=-1)
    scale = left / np.maximum(room.sum(axis=-1), 1e-9)
    shares: FloatArray = np.minimum(given + room * scale[..., None], cap[..., None])
    return shares


def _round_to_sum(values: FloatArray, total: IntArray, members: BoolArray) -> IntArray:
    """Round members to integers that add up to the total along the last axis; the others get 0."""
    floor = np.where(members, np.floor(values), 0)
    short = (total - floor.sum(axis=-1)).astype(np.int64)
    fraction = np.where(members, values - floor, -1.0)
    rank = np.argsort(np.argsort(-fraction, axis=-1), axis=-1)
    rounded: IntArray = (floor + (rank < short[..., None])).astype(np.int64)
    return rounded


def _shots(
    rng: np.random.Generator,
    plays: FloatArray,
    *,
    rate: Rates,
    possessions: FloatArray,
    edge: FloatArray,
    active: BoolArray,
) -> Box:
    """Draw what makes points: turnovers, attempts and makes, so that both teams have the same possessions."""
    trips = plays * rate["trips"]
    box: Box = {
        "turnovers": rng.poisson(plays * rate["turnover"]),
        "free_throws_attempted": 2 * rng.poisson(0.45 * trips) + rng.poisson(0.1 * trips),
        "second_chances": rng.binomial(46, _OFFENSIVE_REBOUNDS / 46, possessions.shape),
    }
    used = (box["turnovers"] + 0.44 * box["free_throws_attempted"]).sum(axis=-1)
    attempts = np.round(possessions + box["second_chances"] - used).astype(np.int64)
    weights = plays * (1 - rate["turnover"] - 0.44 * rate["trips"])
    wanted = weights * (attempts / weights.sum(axis=-1))[..., None]
    box["field_goals_attempted"] = _round_to_sum(wanted, attempts, active)
    box["three_pointers_attempted"] = rng.binomial(box["field_goals_attempted"], rate["three_share"])
    twos = box["field_goals_attempted"] - box["three_pointers_attempted"]
    lift = 1 + edge[..., None]
    box["three_pointers_made"] = rng.binomial(box["three_pointers_attempted"], np.clip(rate["three"] * lift, 0, 1))
    box["field_goals_made"] = box["three_pointers_made"] + rng.binomial(twos, np.clip(rate["two"] * lift, 0, 1))
    box["free_throws_made"] = rng.binomial(box["free_throws_attempted"], rate["free"])
    box["points"] = 2 * box["field_goals_made"] + box["three_pointers_made"] + box["free_throws_made"]
    return box


def _other_numbers(rng: np.random.Generator, box: Box, rate: Rates, margin: IntArray) -> Box:
    """Draw rebounds, assists, steals, blocks, fouls and plus-minus for the shots of a game."""
    active, minutes = box["active"] > 0, box["seconds"] / 60

    def share_out(total: IntArray, trait: str) -> IntArray:
        weights = rate[trait] * minutes
        return rng.multinomial(total, weights / weights.sum(axis=-1, keepdims=True))

    made = box["field_goals_made"].sum(axis=-1)
    misses = box["field_goals_attempted"].sum(axis=-1) - made
    offensive = np.minimum(box["second_chances"], misses // 2)
    defensive = rng.binomial((misses - offensive)[:, ::-1], 0.93)
    turnovers = box["turnovers"].sum(axis=-1)[:, ::-1]
    result: Box = {
        "offensive_rebounds": share_out(offensive, "offensive_rebound"),
        "defensive_rebounds": share_out(defensive, "defensive_rebound"),
        "assists": share_out(rng.binomial(made, 0.62), "assist"),
        "steals": share_out(rng.binomial(turnovers, 0.55), "steal"),
        "blocks": share_out(rng.binomial(misses[:, ::-1] // 2, 0.19), "block"),
        "personal_fouls": rng.binomial(6, np.clip(0.0138 * minutes * rate["foul"], 0, 0.9)),
    }
    result["total_rebounds"] = result["offensive_rebounds"] + result["defensive_rebounds"]
    margins = margin[:, None] * _SIGN
    weight = minutes / minutes.sum(axis=-1, keepdims=True)
    noise = rng.normal(0, 1.5, minutes.shape) * np.sqrt(minutes)
    noise -= weight * noise.sum(axis=-1, keepdims=True)
    result["plus_minus"] = _round_to_sum(5 * margins[..., None] * weight + noise, 5 * margins, active)
    return result
