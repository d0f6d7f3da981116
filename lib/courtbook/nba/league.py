"""A synthetic league: invented players on the real game dates, in the raw tables of the warehouse."""

import datetime as dt
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
import pyarrow as pa

from courtbook.catalog import load_catalog
from courtbook.nba import markets, schedule
from courtbook.nba.boxscores import Box, flatten, join, pick, play
from courtbook.nba.names import TEAMS
from courtbook.nba.players import make_world
from courtbook.nba.playoffs import play_in, playoffs
from courtbook.nba.schedule import Array, Game, Kind, SeasonFacts

_ALL_STAR_WITH_TEAM_ROWS = (2021, 2022, 2023)
_TEAM_MINUTES = np.array(["240:00", "265:00", "290:00"])
# Columns that some tables call otherwise.
_OTHER_NAMES = {
    "player_full_name": "player_name",
    "rebounds": "total_rebounds",
    "fg_made": "field_goals_made",
    "fg_attempted": "field_goals_attempted",
    "three_pt_made": "three_pointers_made",
    "three_pt_attempted": "three_pointers_attempted",
    "three_pt_makes": "three_pointers_made",
    "three_pt_attempts": "three_pointers_attempted",
    "ft_made": "free_throws_made",
    "ft_attempted": "free_throws_attempted",
}


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
    for one in facts:
        regular = schedule.regular_season(one, plans)
        games += regular + _until(end, schedule.cup_final(one, regular, plans)) + schedule.exhibitions(one, plans)
    world = make_world(facts, people)
    box = play(world, _until(end, games), chance)
    after = _until(end, [game for one in facts if one.regular[-1][0] <= end for game in _bracket(one, box, plans)])
    box = join(box, play(world, after, chance))
    box |= {name: box[source] for name, source in _OTHER_NAMES.items()}
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
    regular = pick(box, (box["season_year"] == facts.year) & (box["kind"] == Kind.REGULAR.flag))
    strength = {team: float(regular["margin"][regular["team_abbr"] == team].mean()) for team in TEAMS}
    best = sorted(TEAMS, key=strength.__getitem__, reverse=True)
    seeds = {
        "east": [team for team in best if team in schedule.EAST],
        "west": [team for team in best if team not in schedule.EAST],
    }
    games, final_seeds = play_in(facts, seeds, strength, rng)
    return games + playoffs(facts, final_seeds, strength, rng)


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
        rows.append(row | {kind.flag: game.kind is kind for kind in Kind})
    return pa.Table.from_pylist(rows, load_catalog().tables["nbac_schedule"].arrow_schema())


def _sources(box: Box, rng: np.random.Generator) -> Iterator[tuple[str, Box, Array | slice]]:
    """Yield tables that follow from the games: name, columns, and the rows that a source with gaps has."""
    stars = (box["kind"] == Kind.ALL_STAR.flag) & np.isin(box["season_year"], _ALL_STAR_WITH_TEAM_ROWS)
    counted = (box["kind"] != Kind.ALL_STAR.flag) & (box["kind"] != Kind.PRESEASON.flag)
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
    yield "odds_api_game_lines", markets.game_lines(rng, box), slice(None)
    yield "odds_api_player_points_props", markets.player_props(rng, listed), slice(None)
    yield "nbac_injury_report", markets.injury_report(rng, listed), slice(None)


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
