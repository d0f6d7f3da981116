"""Box scores: synthetic games played out, player by player."""

from collections.abc import Sequence

import numpy as np

from courtbook.nba.names import TEAMS, game_id, player_lookup, read_yaml
from courtbook.nba.players import World
from courtbook.nba.schedule import Array, Game

_MINUTES, _MOOD_SPREAD = (np.array(read_yaml("league.yaml")["roster"][name]) for name in ("minutes", "mood"))
# Nobody plays much more than this part of the minutes of a side.
_LONGEST_STAY = 0.18
_PACE, _SECOND_CHANCES = 99.6, 10.6
_HOME_EDGE = 0.013
_CLOSE, _LARGEST_SURPRISE = 9, 24
_SIGN = np.array([-1, 1])

Box = dict[str, Array]


def play(world: World, games: Sequence[Game], rng: np.random.Generator) -> Box:
    """Draw the box scores of games; a game with a given winner is drawn until that team wins.

    Returns
    -------
    dict of str to array
        What identifies games, sides and players, what was expected of the players (``expected`` points and
        ``expected_minutes``), and their numbers, named as in the catalog. Shapes are (games,), (games, 2) with the
        away side first, or (games, 2, 15).
    """
    names = _identify(games)
    number = {team: index for index, team in enumerate(TEAMS)}
    # The sides of an All-Star game borrow the players of two teams.
    teams = np.array([(number.get(game.away, 0), number.get(game.home, 1)) for game in games], int).reshape(-1, 2)
    season = np.array([world.years.index(game.season) for game in games], dtype=int)
    roster = world.roster(season, names["game_date"], teams)
    rate = {name: values[roster] for name, values in world.traits.items()}
    luck = rng.random(len(games))
    overtime = np.select([luck < 0.008, luck < 0.06], [2, 1], 0)
    out = world.hurt[roster, (names["game_date"] - world.first_day).astype(int)[:, None, None]]
    most = 10 + (rng.random((len(games), 2, 1)) < 0.43)
    active = ~out & ((~out).cumsum(axis=-1) <= most)

    weights = _MINUTES * rate["minutes"] * active
    minutes = _share(weights, np.full((len(games), 1, 1), 240.0), _LONGEST_STAY)
    length = (14_400 + 1_500 * overtime)[:, None, None]
    mood = np.exp(rng.normal(size=roster.shape) * _MOOD_SPREAD)
    seconds = _round_to_sum(_share(weights * mood, length, _LONGEST_STAY), length, active)

    usage = world.usage[roster, season[:, None, None]]
    offense, defense, pace = world.strength[:, season[:, None], teams]
    edge = (offense - defense[:, ::-1] + _HOME_EDGE * _SIGN)[..., None]
    pace = (_PACE + pace.sum(axis=1))[:, None, None]
    a_shot = 2 * (1 - rate["three_share"]) * rate["two"] + 3 * rate["three_share"] * rate["three"]
    a_play = (1 - rate["turnover"] - 0.44 * rate["trips"]) * a_shot * (1 + edge)
    # Overtime adds 0.7 % of possessions on average.
    known = _share(usage * minutes, 1.007 * pace + _SECOND_CHANCES)
    expected = known * (a_play + rate["trips"] * rate["free"])

    possessions = (pace + rng.normal(0, 3.3, pace.shape)) * (1 + 5 * overtime[:, None, None] / 48)
    used = usage * seconds * np.exp(rng.normal(0, 0.33, roster.shape))
    plays = _share(used, possessions + _SECOND_CHANCES)
    given = rate | {"plays": plays, "possessions": possessions, "edge": edge, "active": active}
    wanted = np.array([0 if not game.winner else 1 if game.winner == game.home else -1 for game in games], dtype=int)
    usual = np.diff(expected.sum(axis=-1), axis=1)[:, 0]
    box = _shots(rng, given)
    while True:
        margin = np.diff(box["points"].sum(axis=-1), axis=1)[:, 0]
        # Shots drawn one by one spread wider than real scores, and only a close game goes into overtime.
        odd = np.where(overtime > 0, abs(margin) > _CLOSE, (wanted == 0) & (abs(margin - usual) > _LARGEST_SURPRISE))
        again = (margin == 0) | (margin * wanted < 0) | odd
        if not again.any():
            break
        for name, values in _shots(rng, pick(given, again)).items():
            box[name][again] = values
    box |= names | {"player_name": world.names[roster], "roster": roster, "active": active, "out": out}
    box["player_lookup"] = np.array([player_lookup(name) for name in world.names], dtype=object)[roster]
    box |= {"overtime": overtime, "seconds": seconds, "expected": expected, "expected_minutes": minutes}
    box["margin"] = margin[:, None] * _SIGN
    return box | _other_numbers(rng, box, rate)


def pick(box: Box, games: Array) -> Box:
    """Return some of the games, by a mask or by numbers."""
    return {name: values[games] for name, values in box.items()}


def join(first: Box, second: Box) -> Box:
    """Return the games of both."""
    return {name: np.concatenate([values, second[name]]) for name, values in first.items()}


def flatten(box: Box, depth: int) -> Box:
    """Return one row a side (depth 2) or player (depth 3), what belongs to a game or side repeated."""
    shape = box["roster"].shape[:depth]
    return {
        name: np.broadcast_to(values.reshape(values.shape + (1,) * (depth - values.ndim)), shape).ravel()
        for name, values in box.items()
        if values.ndim <= depth
    }


def _identify(games: Sequence[Game]) -> Box:
    """Return what says which game and side a row belongs to."""
    teams = np.array([(game.away, game.home) for game in games], dtype=object).reshape(-1, 2)
    return {
        "game_id": np.array([game_id(game.day, game.away, game.home) for game in games], dtype=object),
        "nba_game_id": np.array([game.league_id for game in games], dtype=object),
        "game_date": np.array([game.day for game in games], dtype="datetime64[D]"),
        "season_year": np.array([game.season for game in games], dtype=int),
        "kind": np.array([game.kind for game in games], dtype=object),
        "away_team_abbr": teams[:, 0],
        "home_team_abbr": teams[:, 1],
        "team_abbr": teams,
        "is_home": np.broadcast_to([False, True], (len(games), 2)),
    }


def _share(weights: Array, total: Array, most: float = 1.0) -> Array:
    """Share out the total of each side by weights, hardly more than a part ``most`` of it to anyone."""
    shares: Array = weights / weights.sum(axis=-1, keepdims=True)
    for _ in range(3):
        shares = np.minimum(shares, most)
        shares /= shares.sum(axis=-1, keepdims=True)
    shares *= total
    return shares


def _round_to_sum(values: Array, total: Array, members: Array) -> Array:
    """Round members to integers that add up to the total along the last axis; the others get 0."""
    floor = np.where(members, np.floor(values), 0)
    fraction = np.where(members, values - floor, -1)
    rank = np.argsort(np.argsort(-fraction, axis=-1), axis=-1)
    rounded: Array = (floor + (rank < total - floor.sum(axis=-1, keepdims=True))).astype(int)
    return rounded


def _shots(rng: np.random.Generator, given: Box) -> Box:
    """Draw what makes points: turnovers, attempts and makes, so that both teams have the same possessions."""
    plays, lift = given["plays"], 1 + given["edge"]
    trips = plays * given["trips"]
    turnovers = rng.poisson(plays * given["turnover"])
    free = 2 * rng.poisson(0.45 * trips) + rng.poisson(0.1 * trips)
    chances = rng.binomial(46, _SECOND_CHANCES / 46, plays.shape[:2])
    used = (turnovers + 0.44 * free).sum(axis=-1)
    attempts = np.round(given["possessions"][..., 0] + chances - used)[..., None]
    wanted = _share(plays * (1 - given["turnover"] - 0.44 * given["trips"]), attempts)
    shots = _round_to_sum(wanted, attempts, given["active"])
    threes = rng.binomial(shots, given["three_share"])
    close = rng.binomial(shots - threes, given["paint"])
    far = shots - threes - close
    # Shots near the basket go in more often, without changing a player's part of two-pointers that go in.
    close_rate = given["two"] + 0.2 * (1 - given["paint"])
    three_made = rng.binomial(threes, np.clip(given["three"] * lift, 0, 1))
    close_made = rng.binomial(close, np.clip(close_rate * lift, 0, 1))
    far_made = rng.binomial(far, np.clip((close_rate - 0.2) * lift, 0, 1))
    made, free_made = three_made + close_made + far_made, rng.binomial(free, given["free"])
    return {
        "paint_makes": close_made,
        "paint_attempts": close,
        "mid_range_makes": far_made,
        "mid_range_attempts": far,
        "three_pointers_made": three_made,
        "three_pointers_attempted": threes,
        "field_goals_made": made,
        "field_goals_attempted": shots,
        "free_throws_made": free_made,
        "free_throws_attempted": free,
        "turnovers": turnovers,
        "points": 2 * made + three_made + free_made,
        "second_chances": chances,
    }


def _other_numbers(rng: np.random.Generator, box: Box, rate: Box) -> Box:
    """Draw rebounds, assists, steals, blocks, fouls and plus-minus for the shots of a game."""
    minutes = box["seconds"] / 60

    def share_out(total: Array, trait: str) -> Array:
        weights = rate[trait] * minutes
        return rng.multinomial(total, weights / weights.sum(axis=-1, keepdims=True))

    made = box["field_goals_made"].sum(axis=-1)
    misses = box["field_goals_attempted"].sum(axis=-1) - made
    offensive = np.minimum(box["second_chances"], misses // 2)
    turnovers = box["turnovers"].sum(axis=-1)[:, ::-1]
    result = {
        "offensive_rebounds": share_out(offensive, "offensive_rebound"),
        "defensive_rebounds": share_out(rng.binomial((misses - offensive)[:, ::-1], 0.93), "defensive_rebound"),
        "assists": share_out(rng.binomial(made, 0.62), "assist"),
        "steals": share_out(rng.binomial(turnovers, 0.55), "steal"),
        "blocks": share_out(rng.binomial(misses[:, ::-1] // 2, 0.19), "block"),
        "personal_fouls": rng.binomial(6, np.clip(0.0138 * minutes * rate["foul"], 0, 0.9)),
        "assisted_fg_makes": rng.binomial(box["field_goals_made"], rate["assisted"]),
    }
    result["total_rebounds"] = result["offensive_rebounds"] + result["defensive_rebounds"]
    # Plus-minus adds up to five times the margin of the team.
    margins = 5 * box["margin"][..., None]
    noise = rng.normal(0, 1.5, minutes.shape) * np.sqrt(minutes)
    part = minutes / minutes.sum(axis=-1, keepdims=True)
    wanted = part * (margins - noise.sum(axis=-1, keepdims=True)) + noise
    result["plus_minus"] = _round_to_sum(wanted, margins, box["active"])
    return result
