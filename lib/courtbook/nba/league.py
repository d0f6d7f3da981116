"""A synthetic league: invented players on the real game dates, in the raw tables of the warehouse."""

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from courtbook.catalog import load_catalog
from courtbook.nba import markets, schedule
from courtbook.nba.markets import BoolArray, Columns, DayArray, FloatArray, IntArray, words
from courtbook.nba.names import TEAMS, game_id, player_lookup
from courtbook.nba.schedule import Game, Kind, SeasonFacts

ROSTER = 15
# Minutes and share of plays (percent) by place on the roster, from the first option to the last man.
_ROLE_MINUTES = np.array([35.5, 34, 32.5, 31, 29, 22, 19, 17, 14.5, 12, 10.5, 9.5, 8.5, 7.5, 7])
_ROLE_USAGE = np.array([32.5, 27.5, 25, 23, 22, 16, 15.5, 15, 14.5, 14, 14, 13.5, 13.5, 13, 13])
_BASE_PACE, _OFFENSIVE_REBOUNDS = 99.6, 10.6
_HOME_EDGE = 0.013
_MARGIN_SPREAD = 16.0
_ALL_STAR_WITH_TEAM_ROWS = (2021, 2022, 2023)
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

Box = dict[str, IntArray]


@dataclass(frozen=True)
class World:
    """Who there is: players with skills, rosters and trades, strength of the teams.

    ``usage`` has shape (players, seasons), each trait (players,), ``rosters`` (seasons, teams, 15), ``hurt``
    (players, days from ``first_day``) and the team arrays (seasons, teams). A trade is season number, date, the
    place on the roster and the two teams that exchange their players.
    """

    years: tuple[int, ...]
    names: list[str]
    usage: FloatArray
    traits: dict[str, FloatArray]
    rosters: IntArray
    trades: list[tuple[int, dt.date, int, int, int]]
    hurt: BoolArray
    first_day: dt.date
    offense: FloatArray
    defense: FloatArray
    pace: FloatArray


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


def _names(count: int, rng: np.random.Generator) -> list[str]:
    """Invent that many names with different keys."""
    names: dict[str, str] = {}
    while len(names) < count:
        parts = [str(rng.choice(part.split())) for part in (_FIRST_NAMES, _LAST_STARTS, _LAST_ENDS)]
        suffix = str(rng.choice(["", " Jr.", " III"], p=[0.95, 0.035, 0.015]))
        name = f"{parts[0]} {parts[1]}{parts[2]}{suffix}"
        names.setdefault(player_lookup(name), name)
    return list(names.values())


def _careers(
    years: Sequence[int], rng: np.random.Generator
) -> tuple[IntArray, list[FloatArray], list[tuple[int, dt.date, int, int, int]]]:
    """Return rosters, the usage of all players a season, and the trades."""
    shape = (len(TEAMS), ROSTER)
    spread = np.where(np.arange(ROSTER) == 0, 3.2, 1.6)
    roster = np.arange(shape[0] * shape[1]).reshape(shape)
    usage = (_ROLE_USAGE + spread * rng.normal(size=shape)).ravel()
    rosters, usages, trades = [], [], []
    for index, year in enumerate(years):
        if index:
            # Summer: some retire and rookies take their places, free agents move, neighbours change places.
            gone = rng.random(shape) < 0.13
            rookies = _ROLE_USAGE - 0.7 + spread * rng.normal(size=shape)
            roster = roster.copy()
            roster[gone] = len(usage) + np.arange(gone.sum())
            usage = np.concatenate([usage, rookies[gone]])
            for place in range(ROSTER):
                movers = np.flatnonzero(rng.random(shape[0]) < 0.22)
                roster[movers, place] = roster[rng.permutation(movers), place]
                swap = rng.random(shape[0]) < (0.15 if place else 0.0)
                roster[swap, place - 1 : place + 1] = roster[swap, place - 1 : place + 1][:, ::-1]
            role = np.full(len(usage), 15.0)
            role[roster] = np.broadcast_to(_ROLE_USAGE, shape)
            usage = role + 0.85 * (usage - role) + rng.normal(0, 1, len(usage))
        rosters.append(roster)
        usages.append(np.maximum(usage, 8.0))
        teams = rng.permutation(len(TEAMS))
        roster = roster.copy()
        for number in range(5):
            first, second, place = int(teams[2 * number]), int(teams[2 * number + 1]), int(rng.integers(1, ROSTER))
            trades.append((index, dt.date(year + 1, 2, 4 + number), first, second, place))
            roster[[first, second], place] = roster[[second, first], place]
    return np.stack(rosters), usages, trades


def make_world(facts: Sequence[SeasonFacts], rng: np.random.Generator) -> World:
    """Draw players, rosters, injuries and strengths for some seasons."""
    years = tuple(one.year for one in facts)
    rosters, usages, trades = _careers(years, rng)
    count = len(usages[-1])
    usage = np.stack([np.pad(one, (0, count - len(one))) for one in usages], axis=1)

    size = rng.random(count)

    def around(mean: float, sd: float) -> FloatArray:
        return rng.normal(mean, sd, count)

    def skilled(sd: float) -> FloatArray:
        return np.exp(rng.normal(0, sd, count))

    traits = {
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
    # Some players come hurt to the first game, so spells begin before it.
    first, last = facts[0].opening - dt.timedelta(days=45), facts[-1].playoffs[-1][0]
    days = (last - first).days + 1
    spells = rng.poisson(count * days * 0.0075)
    who, when = rng.integers(0, count, spells), rng.integers(0, days, spells)
    changes = np.zeros((count, days + 1), dtype=np.int16)
    np.add.at(changes, (who, when), 1)
    np.add.at(changes, (who, np.minimum(when + rng.geometric(1 / 14, spells), days)), -1)

    teams = (len(facts), len(TEAMS))
    offense, defense, pace = (rng.normal(0, sd, teams) for sd in (0.035, 0.035, 0.9))
    for index in range(1, len(facts)):
        for strength in (offense, defense):
            strength[index] = 0.6 * strength[index - 1] + 0.8 * strength[index]
    hurt = changes.cumsum(axis=1) > 0
    return World(years, _names(count, rng), usage, traits, rosters, trades, hurt, first, offense, defense, pace)


def _days_of(games: Sequence[Game]) -> DayArray:
    return np.array([game.day for game in games], dtype="datetime64[D]")


def _teams_of(games: Sequence[Game]) -> IntArray:
    number = {team: index for index, team in enumerate(TEAMS)}
    return np.array([(number[game.away], number[game.home]) for game in games], dtype=np.int64).reshape(-1, 2)


def _round_to_sum(values: FloatArray, total: IntArray, members: BoolArray) -> IntArray:
    """Round members to integers that add up to the total along the last axis; the others get 0."""
    floor = np.where(members, np.floor(values), 0)
    short = (total - floor.sum(axis=-1)).astype(np.int64)
    fraction = np.where(members, values - floor, -1.0)
    rank = np.argsort(np.argsort(-fraction, axis=-1), axis=-1)
    rounded: IntArray = (floor + (rank < short[..., None])).astype(np.int64)
    return rounded


def _share(weights: FloatArray, total: FloatArray, cap: FloatArray) -> FloatArray:
    """Share out the total by weights, nobody with more than the cap."""
    given = np.minimum(weights * (total / weights.sum(axis=-1))[..., None], cap[..., None])
    room = np.where(weights > 0, (cap[..., None] - given) * weights, 0)
    left = total - given.sum(axis=-1)
    scale = left / np.maximum(room.sum(axis=-1), 1e-9)
    shares: FloatArray = np.minimum(given + room * scale[..., None], cap[..., None])
    return shares


def _roster_of(world: World, season: IntArray, days: DayArray, teams: IntArray) -> IntArray:
    """Return the 15 players of each side, shape (games, 2, 15), with the trades up to the day."""
    roster = world.rosters[season[:, None], teams]
    for index, day, first, second, place in world.trades:
        later = ((season == index) & (days >= np.datetime64(day)))[:, None]
        for team, other in ((first, second), (second, first)):
            roster[later & (teams == team), place] = world.rosters[index, other, place]
    return roster


def _shots(
    rng: np.random.Generator,
    plays: FloatArray,
    *,
    rate: dict[str, FloatArray],
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


def play(world: World, games: list[Game], rng: np.random.Generator) -> Played:
    """Draw the box scores of games; a game with a given winner is drawn until that team wins."""
    days, teams = _days_of(games), _teams_of(games)
    season = np.array([world.years.index(game.season) for game in games], dtype=np.int64)
    winner = np.array([-1 if not g.winner else int(g.winner == g.home) for g in games], dtype=np.int64)
    roster = _roster_of(world, season, days, teams)
    active, out = _line_up(world, rng, days, teams, roster)
    rate = {name: values[roster] for name, values in world.traits.items()}

    luck = rng.random(len(games))
    overtime = np.select([luck < 0.008, luck < 0.06], [2, 1], 0)
    length = np.broadcast_to((14_400 + 1_500 * overtime)[:, None], teams.shape)
    weights = _ROLE_MINUTES * rate["minutes"] * active
    minutes = _share(weights, np.full(teams.shape, 240.0), np.full(teams.shape, 40.0))
    moods = np.exp(rng.normal(size=roster.shape) * np.where(np.arange(ROSTER) < 5, 0.13, 0.3))
    seconds = _round_to_sum(_share(weights * moods, length + 0.0, (length / 5) * 0.92), length, active)

    usage = world.usage[roster, season[:, None, None]]
    pace = _BASE_PACE + world.pace[season[:, None], teams].sum(axis=1)
    edge = world.offense[season[:, None], teams] - world.defense[season[:, None], teams[:, ::-1]]
    edge = edge + np.array([-_HOME_EDGE, _HOME_EDGE])
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
        pushed = edge[redo] + push * np.where(winner[redo] < 0, 0, 2 * winner[redo] - 1)[:, None] * np.array([-1, 1])
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


def _other_numbers(rng: np.random.Generator, box: Box, rate: dict[str, FloatArray], margin: IntArray) -> Box:
    """Draw rebounds, assists, steals, blocks, fouls and plus-minus for the shots of a game."""
    active, minutes = box["active"] > 0, box["seconds"] / 60

    def share_out(total: IntArray, trait: str) -> IntArray:
        weights = rate[trait] * minutes
        return rng.multinomial(total, weights / weights.sum(axis=-1, keepdims=True))

    made, misses = (
        box["field_goals_made"].sum(axis=-1),
        (box["field_goals_attempted"] - box["field_goals_made"]).sum(axis=-1),
    )
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
    margins = margin[:, None] * np.array([-1, 1])
    weight = minutes / minutes.sum(axis=-1, keepdims=True)
    noise = rng.normal(0, 1.5, minutes.shape) * np.sqrt(minutes)
    noise -= weight * noise.sum(axis=-1, keepdims=True)
    result["plus_minus"] = _round_to_sum(5 * margins[..., None] * weight + noise, 5 * margins, active)
    return result


def _bracket(world: World, facts: SeasonFacts, played: Played, rng: np.random.Generator) -> list[Game]:
    """Return play-in and playoffs from the standings of a regular season."""
    mine = [i for i, game in enumerate(played.games) if game.season == facts.year and game.kind is Kind.REGULAR]
    teams, points = played.box["teams"][mine], played.team("points")[mine]
    wins = np.bincount(np.take_along_axis(teams, points.argmax(axis=1)[:, None], axis=1)[:, 0], minlength=len(TEAMS))
    margin = np.diff(played.expected[mine].sum(axis=-1), axis=1)[:, 0]
    net = np.bincount(teams[:, 1], margin, len(TEAMS)) - np.bincount(teams[:, 0], margin, len(TEAMS))
    strength = {team: float(net[i]) / schedule.GAMES_A_TEAM for i, team in enumerate(TEAMS)}
    order = [TEAMS[i] for i in np.lexsort((-net, -wins))]
    seeds = {
        "east": [team for team in order if team in schedule.EAST],
        "west": [team for team in order if team not in schedule.EAST],
    }
    games, final_seeds = schedule.play_in(facts, seeds, strength, rng)
    return games + schedule.playoffs(facts, final_seeds, strength, rng)


def _join(parts: Sequence[Played]) -> Played:
    """Put games together in order of their dates."""
    games = [game for part in parts for game in part.games]
    order = np.array(sorted(range(len(games)), key=lambda i: (games[i].day, games[i].league_id)), dtype=np.int64)
    box = {name: np.concatenate([part.box[name] for part in parts])[order] for name in parts[0].box}
    expected = np.concatenate([part.expected for part in parts])[order]
    minutes = np.concatenate([part.expected_minutes for part in parts])[order]
    return Played([games[i] for i in order], box, expected, minutes)


def _schedule(games: Sequence[Game], scores: dict[Game, tuple[int, int]], end: dt.date) -> Columns:
    """Return the columns of ``nbac_schedule``; scores are (away, home)."""
    games = sorted(games, key=lambda game: (game.day, game.league_id))
    known = [scores.get(game, (None, None)) for game in games]
    columns = {
        "game_id": pa.array([game.league_id for game in games]),
        "game_code": pa.array([f"{game.day:%Y%m%d}/{game.away}{game.home}" for game in games]),
        "game_date": pa.array([game.day for game in games]),
        "season_year": pa.array([game.season for game in games]),
        "game_status": pa.array([3 if game.day <= end else 1 for game in games]),
        "home_team_tricode": pa.array([game.home for game in games]),
        "away_team_tricode": pa.array([game.away for game in games]),
        "home_team_score": pa.array([home for _, home in known], pa.int64()),
        "away_team_score": pa.array([away for away, _ in known], pa.int64()),
    }
    return columns | {kind.flag: pa.array([game.kind is kind for game in games]) for kind in Kind}


def _players(played: Played, world: World, years: IntArray, source: str, rows: IntArray) -> Columns:
    """Return the columns of a player table, ``gamebook`` or ``bdl``, for some rows of the flat box scores."""
    box, count = played.box, len(played.games)
    game = rows // (2 * ROSTER)
    teams = box["teams"]
    ids = [game_id(one.day, one.away, one.home) for one in played.games]
    active = box["active"].ravel()[rows] > 0
    seconds = box["seconds"].ravel()[rows]
    player = box["roster"].ravel()[rows]
    gamebook = source == "gamebook"
    columns = {
        "game_id": words(game, ids),
        "game_date": pa.array(_days_of(played.games)[game]),
        "season_year": pa.array(years[game]),
        "home_team_abbr": words(teams[game, 1], TEAMS),
        "away_team_abbr": words(teams[game, 0], TEAMS),
        "team_abbr": words(teams.reshape(2 * count)[rows // ROSTER], TEAMS),
        "player_name" if gamebook else "player_full_name": words(player, world.names),
        "player_lookup": words(player, [player_lookup(name) for name in world.names]),
    }
    if gamebook:
        out = box["out"].ravel()[rows] > 0
        clock = [f"{second // 60:02d}:{second % 60:02d}" for second in range(int(seconds.max(initial=0)) + 1)]
        columns["player_status"] = words(np.where(active, 0, np.where(out, 2, 1)), ("active", "dnp", "inactive"))
        columns["minutes"] = pa.array(clock).take(pa.array(seconds, mask=~active))
        columns["minutes_decimal"] = pa.array(seconds / 60, mask=~active)
    else:
        columns["minutes"] = pa.array(
            [str(one) for one in np.maximum(np.round(seconds / 60), 1).astype(int)], pa.string()
        )
    tables = load_catalog().tables
    for name in tables["nbac_gamebook_player_stats" if gamebook else "bdl_player_boxscores"].columns:
        if name not in columns:
            values = box["total_rebounds" if name == "rebounds" else name]
            columns[name] = pa.array(values.ravel()[rows], mask=~active)
    return columns


def _all_star_row(score: int) -> dict[str, int]:
    """Return the numbers of a team in an All-Star game that add up to its score."""
    threes, free = 24, 6
    made = (score - threes - free) // 2
    free = score - 2 * made - threes
    return {
        "fg_made": made, "fg_attempted": made + 52, "three_pt_made": threes, "three_pt_attempted": 66, "ft_made": free,
        "ft_attempted": free + 2, "offensive_rebounds": 11, "defensive_rebounds": 39, "total_rebounds": 50,
        "assists": 41, "steals": 7, "blocks": 3, "turnovers": 12, "personal_fouls": 6, "points": score,
    }  # fmt: skip


def _team_boxscores(played: Played, years: IntArray, kept: BoolArray, stars: dict[Game, tuple[int, int]]) -> Columns:
    """Return the columns of ``nbac_team_boxscore``: games that are kept, and the All-Star games."""
    row = np.flatnonzero(np.repeat(kept, 2))
    game, box = row // 2, played.box
    ids = [game_id(one.day, one.away, one.home) for one in played.games]
    clock = [f"{240 + 25 * periods}:00" for periods in range(3)]
    columns = {
        "game_id": words(game, ids),
        "nba_game_id": words(game, [one.league_id for one in played.games]),
        "game_date": pa.array(_days_of(played.games)[game]),
        "season_year": pa.array(years[game]),
        "team_abbr": words(box["teams"].ravel()[row], TEAMS),
        "is_home": pa.array(row % 2 == 1),
        "minutes": words(box["overtime"][game], clock),
    }
    long_names = {"fg": "field_goals", "three_pt": "three_pointers", "ft": "free_throws"}
    schema = load_catalog().tables["nbac_team_boxscore"].arrow_schema()
    for name in schema.names:
        if name == "plus_minus":
            points = played.team("points")
            columns[name] = pa.array((points - points[:, ::-1]).ravel()[row])
        elif name not in columns:
            start, _, end = name.rpartition("_")
            columns[name] = pa.array(played.team(f"{long_names.get(start, start)}_{end}".lstrip("_")).ravel()[row])
    extra = [
        {
            "game_id": game_id(one.day, one.away, one.home),
            "nba_game_id": one.league_id,
            "game_date": one.day,
            "season_year": one.season,
            "team_abbr": (one.away, one.home)[side],
            "is_home": side == 1,
            "minutes": clock[0],
            "plus_minus": score[side] - score[1 - side],
            **_all_star_row(score[side]),
        }
        for one, score in stars.items()
        for side in (0, 1)
    ]
    added = pa.Table.from_pylist(extra, schema)
    return {name: pa.concat_arrays([columns[name], *added[name].chunks]) for name in schema.names}


def make_league(
    seed: int = 2026,
    *,
    seasons: Sequence[int] = (2021, 2022, 2023, 2024, 2025),
    end: dt.date = dt.date(2026, 1, 3),
) -> dict[str, pa.Table]:
    """Make the raw tables of a synthetic league.

    Parameters
    ----------
    seed : int
        Equal seeds give equal tables.
    seasons : sequence of int
        Starting years of the seasons.
    end : datetime.date
        Last day with results; later games stand in the schedule without a score.

    Returns
    -------
    dict of str to pyarrow.Table
        The eight raw tables by name, columns as the catalog declares them.
    """
    facts = schedule.facts_of(seasons)
    plans, people, chance, outside = np.random.default_rng(seed).spawn(4)
    games: list[Game] = []
    exhibitions: list[Game] = []
    for one in facts:
        regular = schedule.regular_season(one, plans)
        final = [game for game in schedule.cup_final(one, regular, plans) if game.day <= end]
        games += regular + final
        exhibitions += schedule.exhibitions(one, plans)
    world = make_world(facts, people)
    played = play(world, [game for game in games if game.day <= end], chance)
    after = [game for one in facts if one.regular[-1][0] <= end for game in _bracket(world, one, played, plans)]
    after = [game for game in after if game.day <= end]
    played = _join([played, play(world, after, chance)] if after else [played])

    guests = {
        game: (int(score), int(score + margin))
        for game, score, margin in zip(
            exhibitions,
            outside.integers(100, 120, len(exhibitions))
            + 50 * np.array([g.kind is Kind.ALL_STAR for g in exhibitions]),
            outside.integers(1, 15, len(exhibitions)),
            strict=True,
        )
        if game.day <= end
    }
    points = played.team("points")
    scores = {game: (int(away), int(home)) for game, (away, home) in zip(played.games, points, strict=True)}
    stars = {
        g: score for g, score in guests.items() if g.kind is Kind.ALL_STAR and g.season in _ALL_STAR_WITH_TEAM_ROWS
    }
    tables: dict[str, Columns] = {"nbac_schedule": _schedule(games + after + exhibitions, guests | scores, end)}
    tables |= _from_box(world, played, stars, outside)
    catalog = load_catalog().tables
    return {
        name: pa.table({column: tables[name][column] for column in table.columns}, schema=table.arrow_schema())
        for name, table in catalog.items()
        if name in tables
    }


def _from_box(
    world: World, played: Played, stars: dict[Game, tuple[int, int]], rng: np.random.Generator
) -> dict[str, Columns]:
    """Return the columns of all tables that follow from the games, with the gaps that real sources have."""
    box, count = played.box, len(played.games)
    years = np.array([game.season for game in played.games], dtype=np.int64)
    luck = rng.permutation(count)
    only_bdl, no_team_rows = luck < round(0.01 * count), (luck >= count - round(0.005 * count))
    in_bdl = only_bdl | (rng.random(count) < 0.03)
    every = np.arange(count * 2 * ROSTER)
    game = every // (2 * ROSTER)
    active = box["active"].ravel() > 0
    days = _days_of(played.games)

    # Every second home game of a team has play-by-play: seasons and teams get the same part of it.
    home = (years - years.min(initial=0)) * len(TEAMS) + box["teams"][:, 1]
    order = np.argsort(home, kind="stable")
    number = np.empty(count, dtype=np.int64)
    number[order] = np.arange(count) - np.searchsorted(home[order], home[order])
    with_zones = (number + rng.integers(0, 2, (home.max(initial=0) + 1))[home]) % 2 == 0

    lookups = words(box["roster"].ravel(), [player_lookup(name) for name in world.names])
    teams = box["teams"].ravel()[every // ROSTER]
    expected = played.expected.sum(axis=-1)
    tables = {
        "nbac_gamebook_player_stats": _players(played, world, years, "gamebook", every[~only_bdl[game]]),
        "bdl_player_boxscores": _players(played, world, years, "bdl", every[active & in_bdl[game]]),
        "nbac_team_boxscore": _team_boxscores(played, years, ~no_team_rows, stars),
        "odds_api_game_lines": markets.game_lines(
            rng, days, box["teams"], expected[:, 1] - expected[:, 0], expected.sum(axis=1)
        ),
        "odds_api_player_points_props": markets.player_props(
            rng,
            days[game[active]],
            lookups.filter(pa.array(active)),
            played.expected.ravel()[active],
            played.expected_minutes.ravel()[active],
        ),
        "nbac_injury_report": markets.injury_report(
            rng, days[game], game, teams=teams, lookups=lookups, active=active, out=box["out"].ravel() > 0
        ),
    }
    rows = every[active & with_zones[game]]
    traits = {name: world.traits[name][box["roster"].ravel()[rows]] for name in ("paint", "assisted")}
    makes = {name: values.ravel()[rows] for name, values in box.items() if name.startswith(("field", "three"))}
    ids = [game_id(one.day, one.away, one.home) for one in played.games]
    tables["player_shot_zones"] = {
        "game_id": words(game[rows], ids),
        "game_date": pa.array(days[game[rows]]),
        "player_lookup": lookups.take(pa.array(rows)),
        "team_abbr": words(teams[rows], TEAMS),
        **markets.shot_zones(rng, makes, traits["paint"], traits["assisted"]),
    }
    return tables
