"""A synthetic league: invented players on the real game dates, in the raw tables of the warehouse."""

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from courtbook.catalog import load_catalog
from courtbook.nba import schedule
from courtbook.nba.boxscores import Box, flatten, join, pick, play
from courtbook.nba.names import EAST, TEAM_NAMES, TEAMS, WEST, read_yaml
from courtbook.nba.players import ROSTER, make_world
from courtbook.nba.schedule import Array, Game, Kind, SeasonFacts

_ALL_STAR_WITH_TEAM_ROWS = (2021, 2022, 2023)
_TEAM_MINUTES = np.array(["240:00", "265:00", "290:00"])
_BOOKS = ("draftkings", "fanduel")
_SNAPSHOT_HOURS = (15, 23)
_LAST_REPORT_HOUR, _EARLIER_REPORT_HOUR = 17, 12
_OFFERS = len(_BOOKS) * len(_SNAPSHOT_HOURS)


def make_league(
    seed: int = 2026, *, seasons: Sequence[int] = (2021, 2022, 2023, 2024, 2025), end: dt.date = dt.date(2026, 1, 3)
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
    for one in facts:
        regular = schedule.regular_season(one, plans)
        games += regular + _until(end, schedule.cup_final(one, regular, plans)) + schedule.exhibitions(one, plans)
    world = make_world(facts, people)
    box = play(world, _until(end, games), chance)
    after = _until(end, [game for one in facts if one.regular[-1][0] <= end for game in _bracket(one, box, plans)])
    box = join(box, play(world, after, chance))
    box |= {name: box[source] for name, source in read_yaml("league.yaml")["other_names"].items()}
    tables = {"nbac_schedule": _schedule(games + after, box, end)}
    for name, columns, rows in _sources(box, outside):
        table = load_catalog().tables[name]
        kept = {column: columns[column][rows] for column in table.columns}
        tables[name] = pa.table(kept, schema=table.arrow_schema())
    return tables


def _until(end: dt.date, games: Sequence[Game]) -> list[Game]:
    return [game for game in games if game.day <= end]


def _bracket(facts: SeasonFacts, box: Box, rng: np.random.Generator) -> list[Game]:
    """Return play-in and playoffs of a season; teams are ranked by the mean margin of their regular season."""
    regular = pick(box, (box["season_year"] == facts.year) & (box["kind"] == Kind.REGULAR))
    strength = {team: float(regular["margin"][regular["team_abbr"] == team].mean()) for team in TEAMS}
    best = sorted(TEAMS, key=strength.__getitem__, reverse=True)
    seeds = {name: [team for team in best if team in teams] for name, teams in (("east", EAST), ("west", WEST))}
    games, final_seeds = schedule.play_in(facts, seeds, strength, rng)
    return games + schedule.playoffs(facts, final_seeds, strength, rng)


def _schedule(games: Sequence[Game], box: Box, end: dt.date) -> pa.Table:
    """Return ``nbac_schedule``, with the scores of the box scores."""
    scores = dict(zip(box["nba_game_id"], box["points"].sum(axis=-1).tolist(), strict=True))
    rows = []
    for game in sorted(games, key=lambda game: (game.day, game.league_id)):
        away, home = scores.get(game.league_id, (None, None))
        row = {
            "game_id": game.league_id,
            "game_code": f"{game.day:%Y%m%d}/{game.away}{game.home}",
            "game_date": game.day,
            "season_year": game.season,
            "game_status": 3 if game.day <= end else 1,
            "home_team_tricode": game.home,
            "away_team_tricode": game.away,
            "home_team_score": home,
            "away_team_score": away,
        }
        rows.append(row | {kind: game.kind is kind for kind in Kind})
    return pa.Table.from_pylist(rows, load_catalog().tables["nbac_schedule"].arrow_schema())


def _sources(box: Box, rng: np.random.Generator) -> Iterator[tuple[str, Box, Array | slice]]:
    """Yield tables that follow from the games: name, columns, and the rows that a source with gaps has."""
    stars = (box["kind"] == Kind.ALL_STAR) & np.isin(box["season_year"], _ALL_STAR_WITH_TEAM_ROWS)
    counted = (box["kind"] != Kind.ALL_STAR) & (box["kind"] != Kind.PRESEASON)
    stars, box = pick(box, stars), pick(box, counted)
    luck = rng.permutation(len(box["game_id"])) / max(len(box["game_id"]), 1)
    # There is play-by-play of every second home game of a team, so of the same part of all seasons.
    homes = pd.DataFrame({name: box[name] for name in ("season_year", "home_team_abbr")})
    with_zones = homes.groupby(list(homes)).cumcount().to_numpy() % 2 == 0
    listed = flatten(box | {"luck": luck, "with_zones": with_zones}, 3)
    active = listed["active"]
    yield "nbac_gamebook_player_stats", _gamebook(listed), listed["luck"] >= 0.01
    whole_minutes = np.maximum(np.round(listed["seconds"] / 60), 1).astype(int).astype(str)
    yield "bdl_player_boxscores", listed | {"minutes": whole_minutes}, active & (listed["luck"] < 0.04)
    yield "nbac_team_boxscore", _team_boxscores(join(pick(box, luck < 0.995), stars)), slice(None)
    yield "player_shot_zones", listed, active & listed["with_zones"]
    yield "odds_api_game_lines", _game_lines(box, rng), slice(None)
    yield "odds_api_player_points_props", _player_props(listed, rng), slice(None)
    yield "nbac_injury_report", _injury_report(listed, rng), slice(None)


def _gamebook(listed: Box) -> Box:
    """Return the columns of ``nbac_gamebook_player_stats``; those who did not play have no numbers."""
    idle, seconds = ~listed["active"], listed["seconds"]
    clock = np.array([f"{second // 60:02d}:{second % 60:02d}" for second in range(int(seconds.max(initial=0)) + 1)])
    numbers = {name: values for name, values in listed.items() if values.dtype == int and name != "season_year"}
    numbers |= {"minutes": clock[seconds], "minutes_decimal": seconds / 60}
    return listed | {
        "player_status": np.select([listed["active"], listed["out"]], ["active", "inactive"], "dnp"),
        **{name: np.ma.array(values, mask=idle) for name, values in numbers.items()},
    }


def _team_boxscores(box: Box) -> Box:
    """Return the columns of ``nbac_team_boxscore``: the sums of the players' numbers."""
    sums = {name: values.sum(axis=-1) for name, values in box.items() if values.ndim == 3 and values.dtype == int}
    return flatten(box | sums | {"minutes": _TEAM_MINUTES[box["overtime"]], "plus_minus": box["margin"]}, 2)


def _game_lines(box: Box, rng: np.random.Generator) -> Box:
    """Return the columns of ``odds_api_game_lines``: spreads and totals of about 96 % of the games."""
    expected = box["expected"].sum(axis=-1)
    games = pick(
        {name: box[name] for name in ("game_date", "home_team_abbr", "away_team_abbr")}
        | {"margin": expected[:, 1] - expected[:, 0], "total": expected.sum(axis=1)},
        rng.random(len(expected)) >= 0.04,
    )
    offers = _offers(games)
    count = len(offers["game_date"])
    spread = -np.round(2 * _opinions(rng, games["margin"], 1.0)) / 2
    total = np.round(2 * _opinions(rng, games["total"], 2.0)) / 2
    home, away = ([TEAM_NAMES[team] for team in offers[f"{side}_team_abbr"]] for side in ("home", "away"))
    return {
        **{name: np.tile(values, 4) for name, values in offers.items()},
        "market_key": np.repeat(["spreads", "totals"], 2 * count),
        "outcome_name": np.array([*home, *away, *["Over"] * count, *["Under"] * count], dtype=str),
        # Adding zero turns -0.0 into 0.0.
        "outcome_point": np.concatenate([spread, -spread, total, total]) + 0.0,
    }


def _player_props(listed: Box, rng: np.random.Generator) -> Box:
    """Return the columns of ``odds_api_player_points_props``: a point line for most who play 14 minutes or more."""
    wanted = listed["active"] & (listed["expected_minutes"] >= 14) & (rng.random(len(listed["active"])) < 0.84)
    players = pick({name: listed[name] for name in ("game_date", "player_lookup", "expected")}, wanted)
    # Points are skewed to the right, and a line halves the chances: the median lies below the mean.
    median = 0.988 * players["expected"] - 0.25
    lines = np.maximum(np.floor(_opinions(rng, median, 0.5)) + 0.5, 0.5)
    return _offers(players) | {"points_line": lines}


def _injury_report(listed: Box, rng: np.random.Generator) -> Box:
    """Return the columns of ``nbac_injury_report`` for the players listed; every game has at least one row."""
    active = listed["active"]
    luck = rng.random(len(active))
    playing = np.select([luck < 0.026, luck < 0.065, luck < 0.10], ["questionable", "probable", "available"], "")
    missing = np.select([luck < 0.17, luck < 0.29], ["questionable", "doubtful"], "out")
    status = np.where(active, playing, np.where(listed["out"], missing, ""))
    by_game = status.reshape(-1, 2 * ROSTER)
    silent = np.flatnonzero((by_game == "").all(axis=1))
    by_game[silent, active.reshape(by_game.shape)[silent].argmax(axis=1)] = "probable"

    last = np.flatnonzero(status != "")
    earlier = last[rng.random(len(last)) < 0.4]
    before = np.where(rng.random(len(earlier)) < 0.3, "questionable", status[earlier])
    rows = np.concatenate([last, earlier])
    return {
        "game_date": listed["game_date"][rows],
        "team": listed["team_abbr"][rows],
        "player_lookup": listed["player_lookup"][rows],
        "injury_status": np.concatenate([status[last], before]),
        "report_hour": np.repeat([_LAST_REPORT_HOUR, _EARLIER_REPORT_HOUR], [len(last), len(earlier)]),
    }


def _offers(rows: Box) -> Box:
    """Return each row once a book and snapshot, snapshots fastest."""
    count = len(rows["game_date"])
    offers = {name: np.repeat(values, _OFFERS) for name, values in rows.items()}
    offers["bookmaker_key"] = offers["bookmaker"] = np.tile(np.repeat(_BOOKS, len(_SNAPSHOT_HOURS)), count)
    hours = np.tile(_SNAPSHOT_HOURS, count * len(_BOOKS)) * np.timedelta64(1, "h")
    return offers | {"snapshot_timestamp": offers["game_date"].astype("datetime64[us]") + hours}


def _opinions(rng: np.random.Generator, truth: Array, error: float) -> Array:
    """Return what each offer says: the error is common to the offers of a row, and each has a small one of its own."""
    common = truth + rng.normal(0, error, len(truth))
    return np.repeat(common, _OFFERS) + rng.normal(0, 0.4, len(truth) * _OFFERS)
