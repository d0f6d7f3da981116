"""A synthetic league: invented players on the real game dates, in the raw tables of the warehouse."""

import datetime as dt
from collections.abc import Sequence

import numpy as np
import pyarrow as pa

from courtbook.catalog import load_catalog
from courtbook.nba import markets, schedule
from courtbook.nba.arrays import BoolArray, Columns, IntArray, words
from courtbook.nba.boxscores import Played, join, play
from courtbook.nba.names import TEAMS, game_id, player_lookup
from courtbook.nba.players import ROSTER, World, make_world
from courtbook.nba.playoffs import play_in, playoffs
from courtbook.nba.schedule import Game, Kind, SeasonFacts

_ALL_STAR_WITH_TEAM_ROWS = (2021, 2022, 2023)

Scores = dict[Game, tuple[int, int]]


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
        games += regular + _until(end, schedule.cup_final(one, regular, plans))
        exhibitions += schedule.exhibitions(one, plans)
    world = make_world(facts, people)
    played = play(world, _until(end, games), chance)
    after = [game for one in facts if one.regular[-1][0] <= end for game in _bracket(one, played, plans)]
    after = _until(end, after)
    played = join([played, play(world, after, chance)] if after else [played])

    guests = {game: score for game, score in _guest_scores(exhibitions, outside).items() if game.day <= end}
    scores = {
        game: (int(away), int(home)) for game, (away, home) in zip(played.games, played.team("points"), strict=True)
    }
    tables = {"nbac_schedule": _schedule(games + after + exhibitions, guests | scores, end)}
    tables |= _from_box(world, played, guests, outside)
    catalog = load_catalog().tables
    return {
        name: pa.table({column: tables[name][column] for column in table.columns}, schema=table.arrow_schema())
        for name, table in catalog.items()
        if name in tables
    }


def _until(end: dt.date, games: Sequence[Game]) -> list[Game]:
    return [game for game in games if game.day <= end]


def _bracket(facts: SeasonFacts, played: Played, rng: np.random.Generator) -> list[Game]:
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
    games, final_seeds = play_in(facts, seeds, strength, rng)
    return games + playoffs(facts, final_seeds, strength, rng)


def _guest_scores(games: Sequence[Game], rng: np.random.Generator) -> Scores:
    """Draw scores for games that do not count; All-Star games have more points, and the home team wins."""
    many = np.array([game.kind is Kind.ALL_STAR for game in games])
    away = rng.integers(100, 120, len(games)) + 50 * many
    home = away + rng.integers(1, 15, len(games))
    return {game: (int(one), int(two)) for game, one, two in zip(games, away, home, strict=True)}


def _schedule(games: Sequence[Game], scores: Scores, end: dt.date) -> Columns:
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


def _from_box(world: World, played: Played, guests: Scores, rng: np.random.Generator) -> dict[str, Columns]:
    """Return the columns of all tables that follow from the games, with the gaps that real sources have."""
    box, count, days = played.box, len(played.games), played.days
    luck = rng.permutation(count)
    only_bdl, no_team_rows = luck < round(0.01 * count), (luck >= count - round(0.005 * count))
    in_bdl = only_bdl | (rng.random(count) < 0.03)
    every = np.arange(count * 2 * ROSTER)
    game = every // (2 * ROSTER)
    active = box["active"].ravel() > 0
    with_zones = _with_zones(played, rng)
    lookups = words(box["roster"].ravel(), [player_lookup(name) for name in world.names])
    teams = box["teams"].ravel()[every // ROSTER]
    away, home = played.expected.sum(axis=-1).T
    return {
        "nbac_gamebook_player_stats": _players(played, world, "gamebook", every[~only_bdl[game]]),
        "bdl_player_boxscores": _players(played, world, "bdl", every[active & in_bdl[game]]),
        "nbac_team_boxscore": _team_boxscores(played, ~no_team_rows, guests),
        "odds_api_game_lines": markets.game_lines(rng, days, box["teams"], home - away, away + home),
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
        "player_shot_zones": _zones(played, world, every[active & with_zones[game]], rng),
    }


def _with_zones(played: Played, rng: np.random.Generator) -> BoolArray:
    """Say which games have play-by-play: every second home game of a team, so the same part of all seasons."""
    years = played.seasons
    home = (years - years.min(initial=0)) * len(TEAMS) + played.box["teams"][:, 1]
    order = np.argsort(home, kind="stable")
    number = np.empty(len(home), dtype=np.int64)
    number[order] = np.arange(len(home)) - np.searchsorted(home[order], home[order])
    with_zones: BoolArray = (number + rng.integers(0, 2, (home.max(initial=0) + 1))[home]) % 2 == 0
    return with_zones


def _players(played: Played, world: World, source: str, rows: IntArray) -> Columns:
    """Return the columns of a player table, ``gamebook`` or ``bdl``, for some rows of the flat box scores."""
    box, game = played.box, rows // (2 * ROSTER)
    flat = {name: values.ravel()[rows] for name, values in box.items() if values.ndim == 3}
    active, seconds = flat["active"] > 0, flat["seconds"]
    gamebook = source == "gamebook"
    columns = {
        "game_id": words(game, played.ids),
        "game_date": pa.array(played.days[game]),
        "season_year": pa.array(played.seasons[game]),
        "home_team_abbr": words(box["teams"][game, 1], TEAMS),
        "away_team_abbr": words(box["teams"][game, 0], TEAMS),
        "team_abbr": words(box["teams"].ravel()[rows // ROSTER], TEAMS),
        "player_name" if gamebook else "player_full_name": words(flat["roster"], world.names),
        "player_lookup": words(flat["roster"], [player_lookup(name) for name in world.names]),
    }
    if gamebook:
        clock = [f"{second // 60:02d}:{second % 60:02d}" for second in range(int(seconds.max(initial=0)) + 1)]
        status = np.where(active, 0, np.where(flat["out"] > 0, 2, 1))
        columns["player_status"] = words(status, ("active", "dnp", "inactive"))
        columns["minutes"] = pa.array(clock).take(pa.array(seconds, mask=~active))
        columns["minutes_decimal"] = pa.array(seconds / 60, mask=~active)
    else:
        whole = np.maximum(np.round(seconds / 60), 1).astype(int)
        columns["minutes"] = pa.array([str(one) for one in whole], pa.string())
    for name in load_catalog().tables["nbac_gamebook_player_stats" if gamebook else "bdl_player_boxscores"].columns:
        if name not in columns:
            columns[name] = pa.array(flat["total_rebounds" if name == "rebounds" else name], mask=~active)
    return columns


def _team_boxscores(played: Played, kept: BoolArray, guests: Scores) -> Columns:
    """Return the columns of ``nbac_team_boxscore``: games that are kept, and the All-Star games."""
    row = np.flatnonzero(np.repeat(kept, 2))
    game, box = row // 2, played.box
    clock = [f"{240 + 25 * periods}:00" for periods in range(3)]
    points = played.team("points")
    columns = {
        "game_id": words(game, played.ids),
        "nba_game_id": words(game, [one.league_id for one in played.games]),
        "game_date": pa.array(played.days[game]),
        "season_year": pa.array(played.seasons[game]),
        "team_abbr": words(box["teams"].ravel()[row], TEAMS),
        "is_home": pa.array(row % 2 == 1),
        "minutes": words(box["overtime"][game], clock),
        "plus_minus": pa.array((points - points[:, ::-1]).ravel()[row]),
    }
    long_names = {"fg": "field_goals", "three_pt": "three_pointers", "ft": "free_throws"}
    schema = load_catalog().tables["nbac_team_boxscore"].arrow_schema()
    for name in schema.names:
        if name not in columns:
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
        for one, score in guests.items()
        if one.kind is Kind.ALL_STAR and one.season in _ALL_STAR_WITH_TEAM_ROWS
        for side in (0, 1)
    ]
    added = pa.Table.from_pylist(extra, schema)
    return {name: pa.concat_arrays([columns[name], *added[name].chunks]) for name in schema.names}


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


def _zones(played: Played, world: World, rows: IntArray, rng: np.random.Generator) -> Columns:
    """Return the columns of ``player_shot_zones`` for some rows of the flat box scores."""
    game = rows // (2 * ROSTER)
    player = played.box["roster"].ravel()[rows]
    shots = {name: values.ravel()[rows] for name, values in played.box.items() if name.startswith(("field", "three"))}
    return {
        "game_id": words(game, played.ids),
        "game_date": pa.array(played.days[game]),
        "player_lookup": words(player, [player_lookup(name) for name in world.names]),
        "team_abbr": words(played.box["teams"].ravel()[rows // ROSTER], TEAMS),
        **markets.shot_zones(rng, shots, world.traits["paint"][player], world.traits["assisted"][player]),
    }
