"""What other sources say about synthetic games: game lines, player props, injuries."""

import numpy as np

from courtbook.nba.boxscores import Box, pick
from courtbook.nba.names import TEAM_NAMES
from courtbook.nba.players import ROSTER
from courtbook.nba.schedule import Array

BOOKS = ("draftkings", "fanduel")
SNAPSHOT_HOURS = (15, 23)
LAST_REPORT_HOUR, EARLIER_REPORT_HOUR = 17, 12
_OFFERS = len(BOOKS) * len(SNAPSHOT_HOURS)


def game_lines(rng: np.random.Generator, box: Box) -> Box:
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


def player_props(rng: np.random.Generator, listed: Box) -> Box:
    """Return the columns of ``odds_api_player_points_props``: a point line for most who play 14 minutes or more."""
    wanted = listed["active"] & (listed["expected_minutes"] >= 14) & (rng.random(len(listed["active"])) < 0.84)
    players = pick({name: listed[name] for name in ("game_date", "player_lookup", "expected")}, wanted)
    # Points are skewed to the right, and a line halves the chances: the median lies below the mean.
    median = 0.988 * players["expected"] - 0.25
    lines = np.maximum(np.floor(_opinions(rng, median, 0.5)) + 0.5, 0.5)
    return _offers(players) | {"points_line": lines}


def injury_report(rng: np.random.Generator, listed: Box) -> Box:
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
        "report_hour": np.repeat([LAST_REPORT_HOUR, EARLIER_REPORT_HOUR], [len(last), len(earlier)]),
    }


def _offers(rows: Box) -> Box:
    """Return each row once a book and snapshot, snapshots fastest."""
    count = len(rows["game_date"])
    offers = {name: np.repeat(values, _OFFERS) for name, values in rows.items()}
    offers["bookmaker_key"] = offers["bookmaker"] = np.tile(np.repeat(BOOKS, len(SNAPSHOT_HOURS)), count)
    hours = np.tile(SNAPSHOT_HOURS, count * len(BOOKS)) * np.timedelta64(1, "h")
    return offers | {"snapshot_timestamp": offers["game_date"].astype("datetime64[us]") + hours}


def _opinions(rng: np.random.Generator, truth: Array, error: float) -> Array:
    """Return what each offer says: the error is common to the offers of a row, and each has a small one of its own."""
    common = truth + rng.normal(0, error, len(truth))
    return np.repeat(common, _OFFERS) + rng.normal(0, 0.4, len(truth) * _OFFERS)
