"""What other sources say about synthetic games: game lines, player props, injuries, shot zones."""

import numpy as np
import pyarrow as pa

from courtbook.nba.arrays import BoolArray, Columns, DayArray, FloatArray, IntArray, words
from courtbook.nba.names import TEAM_NAMES, TEAMS

BOOKS = ("draftkings", "fanduel")
SNAPSHOT_HOURS = (15, 23)
_OFFERS = len(BOOKS) * len(SNAPSHOT_HOURS)
# The morning lines miss more than the late ones; each offer also has its own small error.
_HOUR_ERROR = np.array([1.0, 0.0])
STATUSES = ("available", "probable", "questionable", "doubtful", "out")
_AVAILABLE, _PROBABLE, _QUESTIONABLE, _DOUBTFUL, _OUT = range(len(STATUSES))
LAST_REPORT_HOUR, EARLIER_REPORT_HOUR = 17, 12


def _offers(rng: np.random.Generator, truth: FloatArray, late_error: float) -> FloatArray:
    """Return what each book says at each snapshot, shape (rows, books, snapshots)."""
    late = truth + rng.normal(0, late_error, len(truth))
    morning = rng.normal(0, late_error, len(truth))
    own = rng.normal(0, 0.35, (len(truth), len(BOOKS), len(SNAPSHOT_HOURS)))
    offers: FloatArray = late[:, None, None] + morning[:, None, None] * _HOUR_ERROR + own
    return offers


def _book_and_hour(rows: int) -> tuple[IntArray, IntArray]:
    """Return book and snapshot number of each offer of ``rows`` rows, flat."""
    grid = np.indices((rows, len(BOOKS), len(SNAPSHOT_HOURS)))
    return grid[1].ravel(), grid[2].ravel()


def _timestamps(days: DayArray, hours: IntArray) -> pa.Array:
    stamps = days.astype("datetime64[us]") + np.array(SNAPSHOT_HOURS)[hours] * np.timedelta64(1, "h")
    return pa.array(stamps, pa.timestamp("us"))


def game_lines(
    rng: np.random.Generator, days: DayArray, teams: IntArray, margin: FloatArray, total: FloatArray
) -> Columns:
    """Return the columns of ``odds_api_game_lines``: spreads and totals of about 96 % of the games.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    days : array of datetime64[D], shape (games,)
        Game dates.
    teams : array of int, shape (games, 2)
        Numbers of the away and the home team.
    margin, total : array of float, shape (games,)
        Expected home margin and expected points of both teams.
    """
    kept = np.flatnonzero(rng.random(len(days)) >= 0.04)
    days, teams = days[kept], teams[kept]
    home_point = -np.round(2 * _offers(rng, margin[kept], 1.0)) / 2
    over = np.round(2 * _offers(rng, total[kept], 2.0)) / 2
    # Adding zero turns -0.0 into 0.0.
    points = np.stack([-home_point, home_point, over, over], axis=-1).ravel() + 0.0
    books, hours = _book_and_hour(len(kept))
    outcomes = (*TEAM_NAMES.values(), "Over", "Under")
    over_under = np.broadcast_to([len(TEAMS), len(TEAMS) + 1], teams.shape)
    outcome = np.repeat(np.concatenate([teams, over_under], axis=1), _OFFERS, axis=0).ravel()
    rows = np.repeat(np.arange(len(kept)), 4 * _OFFERS)
    return {
        "game_date": pa.array(days[rows]),
        "home_team_abbr": words(teams[rows, 1], TEAMS),
        "away_team_abbr": words(teams[rows, 0], TEAMS),
        "bookmaker_key": words(np.repeat(books, 4), BOOKS),
        "market_key": words(np.tile(np.array([0, 0, 1, 1]), len(books)), ("spreads", "totals")),
        "outcome_name": words(outcome, outcomes),
        "outcome_point": pa.array(points),
        "snapshot_timestamp": _timestamps(days[rows], np.repeat(hours, 4)),
    }


def player_props(
    rng: np.random.Generator, days: DayArray, lookups: pa.Array, expected: FloatArray, minutes: FloatArray
) -> Columns:
    """Return the columns of ``odds_api_player_points_props``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    days : array of datetime64[D], shape (rows,)
        Game date of each active player.
    lookups : pyarrow.Array of string, length rows
        Player keys.
    expected, minutes : array of float, shape (rows,)
        Expected points and minutes before the game.
    """
    kept = np.flatnonzero((minutes >= 14) & (rng.random(len(days)) < 0.84))
    # Points are skewed to the right, and a line halves the chances: the median lies below the mean.
    median = expected[kept] - 0.25 - 0.012 * expected[kept]
    lines = np.maximum(np.floor(_offers(rng, median, 0.5)) + 0.5, 0.5)
    books, hours = _book_and_hour(len(kept))
    rows = np.repeat(kept, _OFFERS)
    return {
        "game_date": pa.array(days[rows]),
        "player_lookup": lookups.take(pa.array(rows)),
        "bookmaker": words(books, BOOKS),
        "points_line": pa.array(lines.ravel()),
        "snapshot_timestamp": _timestamps(days[rows], hours),
    }


def injury_report(
    rng: np.random.Generator,
    days: DayArray,
    games: IntArray,
    *,
    teams: IntArray,
    lookups: pa.Array,
    active: BoolArray,
    out: BoolArray,
) -> Columns:
    """Return the columns of ``nbac_injury_report``; every game has at least one row.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    days : array of datetime64[D], shape (rows,)
        Game date of each listed player, played or not.
    games, teams : array of int, shape (rows,)
        Numbers of game and team, the games from 0 on in steps of one.
    lookups : pyarrow.Array of string, length rows
        Player keys.
    active, out : array of bool, shape (rows,)
        Whether the player played, and whether he was hurt or rested.
    """
    luck = rng.random(len(days))
    playing = np.select([luck < 0.026, luck < 0.065, luck < 0.10], [_QUESTIONABLE, _PROBABLE, _AVAILABLE], -1)
    missing = np.select([luck < 0.17, luck < 0.29], [_QUESTIONABLE, _DOUBTFUL], _OUT)
    status = np.where(active, playing, np.where(out, missing, -1))
    silent = np.setdiff1d(games, games[status >= 0])
    first_active = np.flatnonzero(active)[np.unique(games[active], return_index=True)[1]]
    status[first_active[np.isin(games[first_active], silent)]] = _PROBABLE

    last = np.flatnonzero(status >= 0)
    earlier = last[rng.random(len(last)) < 0.4]
    changed = rng.random(len(earlier)) < 0.3
    rows = np.concatenate([last, earlier])
    statuses = np.concatenate([status[last], np.where(changed, _QUESTIONABLE, status[earlier])])
    hours = np.repeat([LAST_REPORT_HOUR, EARLIER_REPORT_HOUR], [len(last), len(earlier)])
    order = np.lexsort((-hours, rows))
    rows = rows[order]
    return {
        "game_date": pa.array(days[rows]),
        "team": words(teams[rows], TEAMS),
        "player_lookup": lookups.take(pa.array(rows)),
        "injury_status": words(statuses[order], STATUSES),
        "report_hour": pa.array(hours[order]),
    }


def shot_zones(
    rng: np.random.Generator, shots: dict[str, IntArray], paint: FloatArray, assisted: FloatArray
) -> Columns:
    """Return the number columns of ``player_shot_zones``.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of chance.
    shots : dict of str to array of int, shape (rows,)
        Makes and attempts of field goals and three-pointers.
    paint, assisted : array of float, shape (rows,)
        Part of the two-point attempts in the paint, part of the makes that a teammate assists.
    """
    twos = shots["field_goals_attempted"] - shots["three_pointers_attempted"]
    made = shots["field_goals_made"] - shots["three_pointers_made"]
    close = rng.binomial(twos, paint)
    far = twos - close
    # Shots near the basket go in more often; the bounds keep the makes of both zones within their attempts.
    likely = made * 1.4 * close / np.maximum(1.4 * close + far, 1)
    close_made = np.clip(
        np.floor(likely + rng.random(len(made))).astype(np.int64), np.maximum(made - far, 0), np.minimum(made, close)
    )
    return {
        "paint_makes": pa.array(close_made),
        "paint_attempts": pa.array(close),
        "mid_range_makes": pa.array(made - close_made),
        "mid_range_attempts": pa.array(far),
        "three_pt_makes": pa.array(shots["three_pointers_made"]),
        "three_pt_attempts": pa.array(shots["three_pointers_attempted"]),
        "assisted_fg_makes": pa.array(rng.binomial(shots["field_goals_made"], assisted)),
    }
