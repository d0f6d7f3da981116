"""The ten tables computed a second time, in plain Python, from their description and not from their SQL.

Rows are dicts, unknown values None. Every list of games is in order of dates, so "the last n" are the last n.
"""

import math
import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
from courtbook.catalog import Table, load_catalog
from courtbook.nba.names import TEAM_NAMES

Row = dict[str, Any]
Number = float | None
BOOTSTRAP_DAYS = 14
ZONES = ("paint", "mid_range", "three_pt")
BOX = {
    "fg_makes": "field_goals_made",
    "fg_attempts": "field_goals_attempted",
    "three_pt_makes": "three_pointers_made",
    "three_pt_attempts": "three_pointers_attempted",
    "ft_makes": "free_throws_made",
    "ft_attempts": "free_throws_attempted",
}
TEAM_BOX = {name: raw.replace("field_goals", "fg").replace("three_pointers", "three_pt").replace("free_throws", "ft")
            for name, raw in BOX.items()}  # fmt: skip
PLAIN = ("points", "offensive_rebounds", "defensive_rebounds", "assists", "steals", "blocks", "turnovers",
         "personal_fouls")  # fmt: skip
# Name, default and source of each feature, in the order of the feature list.
FEATURES = (
    ("points_avg_last_5", 10.0, "phase4"),
    ("points_avg_last_10", 10.0, "phase4"),
    ("points_avg_season", 10.0, "phase4"),
    ("points_std_last_10", 5.0, "phase4"),
    ("games_in_last_7_days", 3.0, "phase4"),
    ("fatigue_score", 50.0, "phase4"),
    ("shot_zone_mismatch_score", 0.0, "phase4"),
    ("pace_score", 0.0, "phase4"),
    ("usage_spike_score", 0.0, "phase4"),
    ("rest_advantage", 0.0, "calculated"),
    ("injury_risk", 0.0, "calculated"),
    ("recent_trend", 0.0, "calculated"),
    ("minutes_change", 0.0, "calculated"),
    ("opponent_def_rating", 112.0, "phase4"),
    ("opponent_pace", 100.0, "phase4"),
    ("home_away", 0.0, "phase3"),
    ("back_to_back", 0.0, "phase3"),
    ("playoff_game", 0.0, "phase3"),
    ("pct_paint", 0.3, "phase4"),
    ("pct_mid_range", 0.2, "phase4"),
    ("pct_three", 0.35, "phase4"),
    ("pct_free_throw", 0.15, "calculated"),
    ("team_pace", 100.0, "phase4"),
    ("team_off_rating", 112.0, "phase4"),
    ("team_win_pct", 0.5, "calculated"),
)
WEIGHTS = {"phase4": 100, "phase3": 75, "calculated": 100, "default": 0}


def mean(values: Iterable[Number]) -> Number:
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if known else None


def total(values: Iterable[Number]) -> Number:
    """Add up; unknown as soon as one part is."""
    parts = list(values)
    return None if not parts or any(part is None for part in parts) else sum(parts)  # type: ignore[arg-type]


def ratio(above: Number, below: Number) -> Number:
    return None if above is None or not below else above / below


def scaled(factor: float, value: Number) -> Number:
    return None if value is None else factor * value


def minus(one: Number, other: Number) -> Number:
    return None if one is None or other is None else one - other


def clamp(value: Number, limit: float) -> Number:
    return None if value is None else max(-limit, min(limit, value))


def steps(value: Number, small: float, large: float) -> Number:
    if value is None:
        return None
    value = round(value, 9)  # the last bit of a mean must not decide
    size = 2.0 if abs(value) >= large else 1.0 if abs(value) >= small else 0.0
    return math.copysign(size, value) if size else 0.0


def tier(score: float) -> str:
    tiers = ((95, "gold"), (75, "silver"), (50, "bronze"), (25, "poor"))
    return next((name for least, name in tiers if score >= least), "unusable")


def quality(score: float, issues: list[str]) -> Row:
    return {
        "quality_score": float(score),
        "quality_tier": tier(score),
        "quality_issues": issues,
        "is_production_ready": tier(score) in ("gold", "silver", "bronze"),
    }


def seconds(text: str | None) -> int | None:
    if text is None:
        return None
    whole, _, rest = text.partition(":")
    return 60 * int(whole) + int(rest or 0)


def one_decimal(number: int | None) -> Number:
    """Round seconds to tenths of minutes, half upwards; no minutes are unknown minutes."""
    tenths = math.floor(number / 6 + 0.5) if number is not None else 0
    return tenths / 10 or None


class Reference:
    """Computes any table on any dates from the raw tables."""

    def __init__(self, raw: Mapping[str, pa.Table]) -> None:
        self.raw = raw
        self.games = self._games()
        self.by_team: dict[tuple[int, str], list[Row]] = defaultdict(list)
        for game in self.games:
            self.by_team[game["season_year"], game["team_abbr"]].append(game)
        self.playing = {(game["game_date"], game["team_abbr"]): game for game in self.games}
        self.season_of = {game["game_date"]: game["season_year"] for game in self.games}
        self.zone_rows = self._zones()
        self.zone_games = {key[0] for key in self.zone_rows}
        self.active = self._active()
        self.offense = {(row["game_id"], row["team_abbr"]): row for row in self._offense()}
        self._props_cache: dict[date, Any] = {}
        self.players = self._players()
        self.by_player: dict[tuple[int, str], list[Row]] = defaultdict(list)
        self.by_day: dict[date, list[Row]] = defaultdict(list)
        for row in self.players:
            self.by_player[row["season_year"], row["player_lookup"]].append(row)
            self.by_day[row["game_date"]].append(row)
        self.defense = {(row["game_id"], row["defending_team_abbr"]): row for row in self._defense()}
        self._done: dict[tuple[str, date], list[Row]] = {}

    # Raw layer ----------------------------------------------------------------------------------------------

    def _games(self) -> list[Row]:
        flags = ("is_regular_season", "is_play_in", "is_playoffs", "is_cup_final")
        self.season_start: dict[int, date] = {}
        rows = []
        for game in sorted(self.raw["nbac_schedule"].to_pylist(), key=lambda row: row["game_date"]):
            season = game["season_year"]
            if game["is_regular_season"]:
                self.season_start.setdefault(season, game["game_date"])
            if game["game_status"] != 3 or not any(game[flag] for flag in flags):
                continue
            sides = ("home", "away")
            for side, other in (sides, sides[::-1]):
                rows.append({
                    "game_id": f"{game['game_date']:%Y%m%d}_{game['away_team_tricode']}_{game['home_team_tricode']}",
                    "game_date": game["game_date"],
                    "season_year": season,
                    "team_abbr": game[f"{side}_team_tricode"],
                    "opponent_team_abbr": game[f"{other}_team_tricode"],
                    "home_game": side == "home",
                    "margin": game[f"{side}_team_score"] - game[f"{other}_team_score"],
                    "play_in": game["is_play_in"],
                    "playoffs": game["is_playoffs"],
                })  # fmt: skip
        return rows

    def _game(self, row: Row) -> Row | None:
        return self.playing.get((row["game_date"], row["team_abbr"]))

    def _zones(self) -> dict[tuple[str, str], Row]:
        rows = {}
        for row in self.raw["player_shot_zones"].to_pylist():
            if game := self._game(row):
                rows[game["game_id"], row["player_lookup"]] = row
        return rows

    def _active(self) -> dict[tuple[str, str], list[Row]]:
        """Active players by game and team: the gamebook, or the second source for games it lacks."""
        book = self.raw["nbac_gamebook_player_stats"]
        days = book.select(["game_date", "team_abbr"]).group_by(["game_date", "team_abbr"]).aggregate([]).to_pylist()
        known = {game["game_id"] for row in days if (game := self._game(row))}
        rows = defaultdict(list)
        book = book.filter(pc.equal(book["player_status"], "active"))
        for source, table in (("nbac_gamebook", book), ("bdl_boxscores", self.raw["bdl_player_boxscores"])):
            for row in table.to_pylist():
                game = self._game(row)
                if game is None or (source == "bdl_boxscores" and game["game_id"] in known):
                    continue
                row["source"] = source
                row["total_rebounds"] = row.get("total_rebounds", row.get("rebounds"))
                row["player_full_name"] = row.get("player_name", row.get("player_full_name"))
                rows[game["game_id"], row["team_abbr"]].append(row)
        return rows

    def _median_lines(self, day: date) -> dict[str, tuple[float, float]]:
        """Closing and opening points lines of a day: medians over the books' latest and earliest snapshots."""
        if not self._props_cache:
            self._props_cache = _by_day(self.raw["odds_api_player_points_props"])
        offers: dict[str, dict[str, list[Row]]] = defaultdict(lambda: defaultdict(list))
        for row in self._props_cache.get(day, ()):
            if row["points_line"] is not None:
                offers[row["player_lookup"]][row["bookmaker"]].append(row)
        lines = {}
        for player, books in offers.items():
            sides = [
                statistics.median(
                    pick(rows, key=lambda row: row["snapshot_timestamp"])["points_line"] for rows in books.values()
                )
                for pick in (max, min)
            ]
            lines[player] = (sides[0], sides[1])
        return lines

    def _game_lines(self, day: date) -> dict[str, tuple[Number, Number]]:
        """Own spread and total of each team that plays on a day."""
        latest: dict[tuple[str, str, str], Row] = {}
        table = self.raw["odds_api_game_lines"]
        for row in table.filter(pc.equal(table["game_date"], day)).to_pylist():
            if row["outcome_point"] is None:
                continue
            key = (row["home_team_abbr"], row["outcome_name"], row["bookmaker_key"])
            if key not in latest or row["snapshot_timestamp"] > latest[key]["snapshot_timestamp"]:
                latest[key] = row
        points = defaultdict(list)
        for (home, outcome, _), row in latest.items():
            points[home, outcome].append(row["outcome_point"])
        lines = {}
        for game in self.games:
            if game["game_date"] == day:
                home = game["team_abbr"] if game["home_game"] else game["opponent_team_abbr"]
                both = [points.get((home, name)) for name in (TEAM_NAMES[game["team_abbr"]], "Over")]
                spread, over = (statistics.median(found) if found else None for found in both)
                lines[game["team_abbr"]] = (spread, over)
        return lines

    def _report(self, day: date) -> dict[str, Row] | None:
        """The last word about each player, or None without a report for the day."""
        table = self.raw["nbac_injury_report"]
        rows = table.filter(pc.equal(table["game_date"], day)).to_pylist()
        last = {row["player_lookup"]: row for row in sorted(rows, key=lambda row: row["report_hour"])}
        return last or None

    # What happened ------------------------------------------------------------------------------------------

    def _offense(self) -> list[Row]:
        boxes = {(row["game_date"], row["team_abbr"]): row for row in self.raw["nbac_team_boxscore"].to_pylist()}
        self.team_rows: dict[tuple[str, str], Row] = {}
        rows = []
        for game in self.games:
            key = (game["game_id"], game["team_abbr"])
            box, players = boxes.get((game["game_date"], game["team_abbr"])), self.active.get(key, [])
            if box:
                numbers = {name: box[raw] for name, raw in TEAM_BOX.items()} | {name: box[name] for name in PLAIN}
                numbers |= {"rebounds": box["total_rebounds"], "minutes": seconds(box["minutes"]) / 60}
            elif len(players) >= 5:
                numbers = {name: total(row[raw] for row in players) for name, raw in BOX.items()}
                numbers |= {name: total(row[name] for row in players) for name in PLAIN}
                played = sum(seconds(row["minutes"]) or 0 for row in players) / 60
                numbers["rebounds"] = total(row["total_rebounds"] for row in players)
                numbers["minutes"] = 240 + 25 * max(0, math.floor((played - 240) / 25 + 0.5))
            else:
                continue
            self.team_rows[key] = numbers
            estimated = numbers["offensive_rebounds"] is None
            second = (
                0.235 * (numbers["fg_attempts"] - numbers["fg_makes"]) if estimated else numbers["offensive_rebounds"]
            )
            shots = numbers["fg_attempts"] + 0.44 * numbers["ft_attempts"]
            possessions = shots + numbers["turnovers"] - second
            issues = ["reconstructed"] * (not box) + ["offensive_rebounds_estimated"] * estimated
            wanted = [*BOX, "rebounds", "offensive_rebounds", "assists", "turnovers", "personal_fouls"]
            rows.append({
                **{name: game[name] for name in ("game_id", "game_date", "season_year", "team_abbr")},
                **{name: game[name] for name in ("opponent_team_abbr", "home_game")},
                **{name: numbers[name] for name in wanted},
                "points_scored": numbers["points"],
                "possessions": possessions,
                "pace": 48 * possessions / (numbers["minutes"] / 5),
                "offensive_rating": scaled(100, ratio(numbers["points"], possessions)),
                "ts_pct": ratio(numbers["points"], 2 * shots),
                "win_flag": game["margin"] > 0,
                "margin_of_victory": game["margin"],
                "overtime_periods": int(numbers["minutes"] - 240) // 25,
                "primary_source_used": "nbac_team_boxscore" if box else "reconstructed",
                **quality(100 if box else 85, issues),
            })  # fmt: skip
        return rows

    def _players(self) -> list[Row]:
        rows = []
        lines: dict[date, dict[str, tuple[float, float]]] = {}
        for game in self.games:
            key = (game["game_id"], game["team_abbr"])
            team = self.team_rows.get(key)
            has_zones = game["game_id"] in self.zone_games
            for box in self.active.get(key, []):
                player = box["player_lookup"]
                numbers = {name: box[raw] for name, raw in BOX.items()} | {name: box[name] for name in PLAIN}
                played, usage = seconds(box["minutes"]), None
                if played and team:
                    own, all_of_them = (
                        x["fg_attempts"] + 0.44 * x["ft_attempts"] + x["turnovers"] for x in (numbers, team)
                    )
                    usage = 100 * own * (team["minutes"] / 5) / (played / 60 * all_of_them)
                zones: Row = dict.fromkeys(
                    ["paint_makes", "paint_attempts", "mid_range_makes", "mid_range_attempts", "assisted_fg_makes"]
                )
                if has_zones:
                    found = self.zone_rows.get((game["game_id"], player))
                    zones = {name: found[name] if found else 0 for name in zones}
                if game["game_date"] not in lines:
                    lines[game["game_date"]] = self._median_lines(game["game_date"])
                line = lines[game["game_date"]].get(player, (None, None))[0]
                margin = minus(box["points"], line)
                result = None if margin is None else "OVER" if margin > 0 else "UNDER" if margin < 0 else "PUSH"
                gamebook = box["source"] == "nbac_gamebook"
                issues = ["backup_source_used"] * (not gamebook) + ["shot_zones_unavailable"] * (not has_zones)
                issues += ["usage_rate_above_60"] * (usage is not None and usage > 60)
                rows.append({
                    **{name: game[name] for name in ("game_id", "game_date", "season_year", "team_abbr")},
                    **{name: game[name] for name in ("opponent_team_abbr", "home_game")},
                    **numbers,
                    **zones,
                    "player_lookup": player,
                    "player_full_name": box["player_full_name"],
                    "plus_minus": box["plus_minus"] if gamebook else None,
                    "minutes_played": one_decimal(played),
                    "usage_rate": usage,
                    "ts_pct": ratio(box["points"], 2 * (numbers["fg_attempts"] + 0.44 * numbers["ft_attempts"])),
                    "efg_pct": ratio(numbers["fg_makes"] + 0.5 * numbers["three_pt_makes"], numbers["fg_attempts"]),
                    "points_line": line,
                    "over_under_result": result,
                    "margin": margin,
                    "win_flag": game["margin"] > 0,
                    "starter_flag": None,
                    "primary_source_used": box["source"],
                    **quality((100 if gamebook else 85) - (0 if has_zones else 15), issues),
                })  # fmt: skip
        return rows

    def _defense(self) -> list[Row]:
        zones = defaultdict(list)
        for (game_id, _), row in self.zone_rows.items():
            zones[game_id, row["team_abbr"]].append(row)
        rows = []
        for game in self.games:
            own_key, key = (game["game_id"], game["team_abbr"]), (game["game_id"], game["opponent_team_abbr"])
            if own_key not in self.team_rows or key not in self.team_rows:
                continue
            own, other, offense = self.team_rows[own_key], self.team_rows[key], self.offense[key]
            reconstructed = "reconstructed" in {self.offense[one]["primary_source_used"] for one in (own_key, key)}
            issues = ["reconstructed"] * reconstructed
            issues += ["offensive_rebounds_estimated"] * (other["offensive_rebounds"] is None)
            issues += ["shot_zones_unavailable"] * (key not in zones)
            rows.append({
                **{name: game[name] for name in ("game_id", "game_date", "season_year")},
                **{name: game[name] for name in ("opponent_team_abbr", "home_game")},
                "defending_team_abbr": game["team_abbr"],
                "points_allowed": other["points"],
                **{f"opp_{name}": other[name] for name in (*BOX, "rebounds", "assists")},
                **{
                    f"opp_{zone}_{what}": total(row[f"{zone}_{what}"] for row in zones.get(key, ()))
                    for zone in ("paint", "mid_range")
                    for what in ("makes", "attempts")
                },
                "turnovers_forced": other["turnovers"],
                **{name: own[name] for name in ("steals", "blocks", "defensive_rebounds")},
                "defensive_rating": offense["offensive_rating"],
                "opponent_pace": offense["pace"],
                "opponent_ts_pct": offense["ts_pct"],
                "win_flag": game["margin"] > 0,
                **quality((85 if reconstructed else 100) - (0 if key in zones else 15), issues),
            })  # fmt: skip
        return rows

    # What was known before --------------------------------------------------------------------------------

    def _team_before(self, season: int, team: str, day: date) -> list[Row]:
        return [game for game in self.by_team[season, team] if game["game_date"] < day]

    def _player_before(self, season: int, player: str, day: date) -> list[Row]:
        return [row for row in self.by_player[season, player] if row["game_date"] < day]

    def _form(self, season: int, team: str, day: date) -> Row:
        before = self._team_before(season, team, day)
        last = before[-10:]
        own = [self.offense.get((game["game_id"], team), {}) for game in last]
        others = [self.offense.get((game["game_id"], game["opponent_team_abbr"]), {}) for game in last]
        return {
            "pace": mean(row.get("pace") for row in own),
            "offense": mean(row.get("offensive_rating") for row in own),
            "defense": mean(row.get("offensive_rating") for row in others),
            "rest": (day - before[-1]["game_date"]).days if before else None,
            "wins": [
                self.offense[key]["win_flag"] for game in before if (key := (game["game_id"], team)) in self.offense
            ],
        }

    def _stars(self, season: int, team: str, day: date) -> list[str]:
        """The three players with the most minutes for the team so far."""
        minutes: Counter[str] = Counter()
        for game in self._team_before(season, team, day):
            for row in self.by_day[game["game_date"]]:
                if row["team_abbr"] == team:
                    minutes[row["player_lookup"]] += row["minutes_played"] or 0
        return sorted((name for name in minutes if minutes[name] > 0), key=lambda name: (-minutes[name], name))[:3]

    def upcoming_team_game_context(self, day: date) -> list[Row]:
        report, lines, rows = self._report(day), self._game_lines(day), []
        for game in self.games:
            if game["game_date"] != day:
                continue
            team = game["team_abbr"]
            before = self._team_before(game["season_year"], team, day)
            since = (day - before[-1]["game_date"]).days if before else None
            wins = [one["margin"] > 0 for one in before]
            streak = next((number for number, won in enumerate(reversed(wins)) if won != wins[-1]), len(wins))
            listed = Counter(row["injury_status"] for row in (report or {}).values() if row["team"] == team)
            spread, over = lines[team]
            missing = spread is None or over is None
            rows.append({
                **{name: game[name] for name in ("game_id", "game_date", "season_year", "team_abbr")},
                **{name: game[name] for name in ("opponent_team_abbr", "home_game")},
                "days_since_last_game": since,
                "team_days_rest": minus(since, 1),
                "team_back_to_back": since == 1,
                "games_in_last_7_days": len(_within(before, day, 7)),
                "games_in_last_14_days": len(_within(before, day, 14)),
                "game_number_in_season": len(before) + 1,
                "game_spread": spread,
                "game_total": over,
                "starters_out_count": None if report is None else listed["out"],
                "questionable_players_count": None if report is None else listed["questionable"] + listed["doubtful"],
                "team_win_streak_entering": streak if wins and wins[-1] else 0,
                "team_loss_streak_entering": streak if wins and not wins[-1] else 0,
                "last_game_margin": before[-1]["margin"] if before else None,
                "last_game_result": ("W" if wins[-1] else "L") if before else None,
                "team_win_pct_entering": ratio(sum(wins), len(wins)),
                **quality(90 if missing else 100, ["missing_lines"] * missing),
            })  # fmt: skip
        return rows

    def upcoming_player_game_context(self, day: date) -> list[Row]:
        report, lines, props = self._report(day), self._game_lines(day), self._median_lines(day)
        forms: dict[str, Row] = {}
        stars: dict[str, list[str]] = {}
        rows = []
        for played in self.by_day[day]:
            season, player = played["season_year"], played["player_lookup"]
            team, other = played["team_abbr"], played["opponent_team_abbr"]
            for one in (team, other):
                if one not in forms:
                    forms[one], stars[one] = self._form(season, one, day), self._stars(season, one, day)
            before = self._player_before(season, player, day)
            week, fortnight = _within(before, day, 7), _within(before, day, 14)
            minutes = [sum(row["minutes_played"] or 0 for row in games) for games in (week, fortnight)]
            rest = (day - before[-1]["game_date"]).days if before else None
            pairs = [(b["game_date"] - a["game_date"]).days for a, b in pairwise(fortnight)]
            status, out = None, None
            if report is not None:
                status = report[player]["injury_status"] if player in report else "available"
                out = sum(
                    1
                    for star in stars[team]
                    if star != player and star in report
                    if report[star]["injury_status"] == "out" and report[star]["team"] == team
                )
            closing, opening = props.get(player, (None, None))
            spread, over = lines[team]
            missing, month = spread is None or over is None, len(_within(before, day, 30))
            game = self.playing[day, team]
            phase = {10: "early", 11: "early", 12: "mid", 1: "mid", 2: "mid"}.get(day.month, "late")
            issues = ["thin_sample"] * (month < 10) + ["missing_lines"] * missing
            rows.append({
                **{name: played[name] for name in ("game_id", "game_date", "season_year", "player_lookup")},
                **{name: played[name] for name in ("team_abbr", "opponent_team_abbr", "home_game")},
                "days_rest": rest,
                "back_to_back": rest == 1,
                "games_in_last_7_days": len(week),
                "games_in_last_14_days": len(fortnight),
                "minutes_in_last_7_days": float(minutes[0]),
                "minutes_in_last_14_days": float(minutes[1]),
                "avg_minutes_per_game_last_7": ratio(minutes[0], len(week)),
                "back_to_backs_last_14_days": pairs.count(1),
                "points_avg_last_5": mean(row["points"] for row in before[-5:]),
                "points_avg_last_10": mean(row["points"] for row in before[-10:]),
                "avg_usage_rate_last_7_games": mean(row["usage_rate"] for row in before[-7:]),
                "projected_usage_rate": mean(row["usage_rate"] for row in before[-10:]),
                "opponent_days_rest": forms[other]["rest"],
                "opponent_pace_last_10": forms[other]["pace"],
                "pace_differential": minus(forms[other]["pace"], forms[team]["pace"]),
                "opponent_def_rating_last_10": forms[other]["defense"],
                "star_teammates_out": out,
                "player_status": status,
                "has_prop_line": closing is not None,
                "current_points_line": closing,
                "opening_points_line": opening,
                "line_movement": minus(closing, opening),
                "game_spread": spread,
                "game_total": over,
                "season_phase": "play_in" if game["play_in"] else "playoffs" if game["playoffs"] else phase,
                **quality((95 if month >= 10 else 75 if month >= 5 else 50) - (10 if missing else 0), issues),
            })  # fmt: skip
        return rows

    # Phase 4 ------------------------------------------------------------------------------------------------

    def in_bootstrap(self, day: date) -> bool:
        return (day - self.season_start[self.season_of[day]]).days < BOOTSTRAP_DAYS

    def team_defense_zone_analysis(self, day: date) -> list[Row]:
        season = self.season_of[day]
        league = self._league_zones(day)
        rows = []
        for year, team in list(self.by_team):
            before = self._team_before(year, team, day)
            if year != season or len(before) < 15:
                continue
            known = [self.defense[key] for game in before[-15:] if (key := (game["game_id"], team)) in self.defense]
            zoned = [row for row in known if row["opp_paint_attempts"] is not None]
            games = {"paint": zoned, "mid_range": zoned, "three_pt": known}
            row: Row = {"team_abbr": team, "analysis_date": day}
            for zone in ZONES:
                row[f"{zone}_pct_allowed_last_15"] = _pooled(games[zone], zone)
                row[f"{zone}_attempts_allowed_per_game"] = mean(one[f"opp_{zone}_attempts"] for one in games[zone])
                row[f"{zone}_defense_vs_league_avg"] = scaled(
                    100, minus(row[f"{zone}_pct_allowed_last_15"], league[zone])
                )
            against = {zone: row[f"{zone}_defense_vs_league_avg"] for zone in ZONES}
            complete = None not in against.values()
            words = {"paint": "paint", "mid_range": "mid_range", "three_pt": "perimeter"}
            rows.append({
                **row,
                "defensive_rating_last_15": mean(one["defensive_rating"] for one in known),
                "opponent_points_per_game": mean(one["points_allowed"] for one in known),
                "opponent_pace": mean(one["opponent_pace"] for one in known),
                "strongest_zone": words[min(ZONES, key=lambda zone: against[zone])] if complete else None,
                "weakest_zone": words[max(ZONES, key=lambda zone: against[zone])] if complete else None,
                "games_in_sample": 15,
                "zone_games_in_sample": len(zoned),
            })  # fmt: skip
        return rows

    def _league_zones(self, day: date) -> dict[str, Number]:
        month = [row for row in self.defense.values() if day - timedelta(days=30) <= row["game_date"] < day]
        zoned = [row for row in month if row["opp_paint_attempts"] is not None]
        return {zone: _pooled(month if zone == "three_pt" else zoned, zone) for zone in ZONES}

    def player_shot_zone_analysis(self, day: date) -> list[Row]:
        rows = []
        for played in self.by_day[day]:
            player = played["player_lookup"]
            before = self._player_before(played["season_year"], player, day)
            if len(before) < 10:
                continue
            zoned = [row for row in before if row["paint_attempts"] is not None]
            row: Row = {"player_lookup": player, "analysis_date": day}
            for number in (10, 20):
                games = zoned[-number:]
                attempts = {zone: sum(one[f"{zone}_attempts"] for one in games) for zone in ZONES}
                for zone in ZONES:
                    row[f"{zone}_rate_last_{number}"] = scaled(100, ratio(attempts[zone], sum(attempts.values())))
                    makes = sum(one[f"{zone}_makes"] for one in games)
                    row[f"{zone}_pct_last_{number}"] = ratio(makes, attempts[zone])
                    if number == 10:
                        row[f"{zone}_attempts_per_game"] = ratio(attempts[zone], len(games))
                row[f"games_in_sample_{number}"] = min(number, len(before))
                row[f"zone_games_in_sample_{number}"] = len(games)
            for name in ("mid_range_pct_last_20", "three_pt_pct_last_20"):
                del row[name]
            last = zoned[-10:]
            assisted = ratio(sum(one["assisted_fg_makes"] for one in last), sum(one["fg_makes"] for one in last))
            row["assisted_rate_last_10"] = scaled(100, assisted)
            row["primary_scoring_zone"] = primary_zone(*(row[f"{zone}_rate_last_10"] for zone in ZONES))
            size = len(last)
            grades = ((10, "excellent"), (7, "good"), (5, "limited"), (0, "insufficient"))
            row["sample_quality_10"] = next(grade for least, grade in grades if size >= least)
            rows.append(row)
        return rows

    def player_daily_cache(self, day: date) -> list[Row]:
        context = self._by_player("upcoming_player_game_context", day)
        zones = self._by_player("player_shot_zone_analysis", day)
        rows = []
        for played in self.by_day[day]:
            season, player = played["season_year"], played["player_lookup"]
            before = self._player_before(season, player, day)
            if len(before) < 5:
                continue
            form, zone, last = self._form(season, played["team_abbr"], day), zones.get(player, {}), before[-10:]
            fatigue = ("games_in_last_7_days", "games_in_last_14_days", "minutes_in_last_7_days")
            fatigue += ("minutes_in_last_14_days", "avg_minutes_per_game_last_7", "back_to_backs_last_14_days")
            copied = ("primary_scoring_zone", "paint_rate_last_10", "three_pt_rate_last_10", "assisted_rate_last_10")
            rows.append({
                "player_lookup": player,
                "cache_date": day,
                "season_year": season,
                "team_abbr": played["team_abbr"],
                "points_avg_last_5": mean(row["points"] for row in before[-5:]),
                "points_avg_last_10": mean(row["points"] for row in last),
                "points_avg_season": mean(row["points"] for row in before),
                "points_std_last_10": statistics.stdev(row["points"] for row in last),
                "minutes_avg_last_10": mean(row["minutes_played"] for row in last),
                "usage_rate_last_10": mean(row["usage_rate"] for row in last),
                "ts_pct_last_10": mean(row["ts_pct"] for row in last),
                "games_played_season": len(before),
                "player_usage_rate_season": mean(row["usage_rate"] for row in before),
                "team_pace_last_10": form["pace"],
                "team_off_rating_last_10": form["offense"],
                **{name: context[player][name] for name in fatigue},
                **{name: zone.get(name) for name in copied},
                "shot_zone_data_available": zone.get("zone_games_in_sample_10", 0) > 0,
                "early_season_flag": len(before) < 10,
            })  # fmt: skip
        return rows

    def player_composite_factors(self, day: date) -> list[Row]:
        zones = self._by_player("player_shot_zone_analysis", day)
        defenses = {row["team_abbr"]: row for row in self.rows("team_defense_zone_analysis", day)}
        teams = {row["team_abbr"] for row in self.rows("upcoming_team_game_context", day)}
        league = mean(row["defensive_rating_last_15"] for row in defenses.values())
        rows = []
        for context in self.rows("upcoming_player_game_context", day):
            player = context["player_lookup"]
            zone, defense = zones.get(player), defenses.get(context["opponent_team_abbr"])
            before = self._player_before(context["season_year"], player, day)
            fatigue = fatigue_score(context)
            mismatch = mismatch_score(zone, defense)
            change = scaled(0.3, minus(context["projected_usage_rate"], mean(row["usage_rate"] for row in before)))
            if change is not None and change > 0:
                change *= {0: 1.0, 1: 1.15}.get(context["star_teammates_out"] or 0, 1.3)
            scores = {
                "shot_zone_mismatch_score": mismatch,
                "pace_score": clamp(scaled(0.5, context["pace_differential"]), 3),
                "usage_spike_score": clamp(change, 3),
                "opponent_strength_score": clamp(
                    scaled(0.5, minus(league, defense and defense["defensive_rating_last_15"])), 3
                ),
            }
            adjustment = (fatigue - 100) / 20 + sum(score for score in scores.values() if score is not None)
            inputs = {name: context[name] for name in ("days_rest", "projected_usage_rate", "pace_differential")}
            inputs |= {"player_shot_zone_analysis": zone, "team_defense_zone_analysis": defense}
            missing = [name for name, value in inputs.items() if value is None]
            rows.append({
                **{name: context[name] for name in ("player_lookup", "game_date", "game_id")},
                "fatigue_score": fatigue,
                **scores,
                "total_composite_adjustment": adjustment,
                "data_completeness_pct": 20.0 * (5 - len(missing)),
                "missing_data_fields": missing + ["upcoming_team_game_context"] * (context["team_abbr"] not in teams),
                "has_warnings": fatigue < 50 or abs(mismatch or 0) > 8 or abs(adjustment) > 12,
            })  # fmt: skip
        return rows

    def ml_feature_store_v2(self, day: date) -> list[Row]:
        contexts, caches, factors, zones = (
            self._by_player(name, day)
            for name in ("upcoming_player_game_context", "player_daily_cache", "player_composite_factors",
                         "player_shot_zone_analysis")
        )  # fmt: skip
        defenses = {row["team_abbr"]: row for row in self.rows("team_defense_zone_analysis", day)}
        risks = {None: None, "available": 0, "probable": 1, "questionable": 2, "doubtful": 3, "out": 3}
        rows = []
        for played in self.by_day[day]:
            season, player, team = played["season_year"], played["player_lookup"], played["team_abbr"]
            before = self._player_before(season, player, day)
            last, enough = before[-10:], len(before) >= 5
            context, cache = contexts[player], caches.get(player, {})
            factor, zone = factors[player], zones.get(player, {})
            defense = defenses.get(played["opponent_team_abbr"], {})
            newest, older = (mean(row["points"] for row in games) for games in (before[-3:], before[-5:-3]))
            season_minutes = mean(row["minutes_played"] for row in before)
            recent_minutes = mean(row["minutes_played"] for row in last)
            shift = ratio(minus(recent_minutes, season_minutes), season_minutes)
            free = ratio(sum(row["ft_makes"] for row in last), sum(row["points"] for row in last))
            wins = self._form(season, team, day)["wins"]
            own: Row = {
                **{name: cache.get(name) for name in ("points_std_last_10", "games_in_last_7_days")},
                "points_avg_last_5": mean(row["points"] for row in before[-5:]) if enough else None,
                "points_avg_last_10": mean(row["points"] for row in last),
                "points_avg_season": mean(row["points"] for row in before),
                **{name: factor[name] for name in
                   ("fatigue_score", "shot_zone_mismatch_score", "pace_score", "usage_spike_score")},
                "rest_advantage": clamp(minus(context["days_rest"], context["opponent_days_rest"]), 2),
                "injury_risk": risks[context["player_status"]],
                "recent_trend": steps(minus(newest, older), 2, 5) if enough else None,
                "minutes_change": steps(shift, 0.1, 0.2),
                "opponent_def_rating": defense.get("defensive_rating_last_15"),
                "opponent_pace": defense.get("opponent_pace"),
                "home_away": int(played["home_game"]),
                "back_to_back": int(context["back_to_back"]),
                "playoff_game": int(self.playing[day, team]["playoffs"]),
                **{f"pct_{short}": scaled(0.01, zone.get(f"{name}_rate_last_10"))
                   for short, name in (("paint", "paint"), ("mid_range", "mid_range"), ("three", "three_pt"))},
                "pct_free_throw": min(0.5, free) if enough and free is not None else None,
                "team_pace": cache.get("team_pace_last_10"),
                "team_off_rating": cache.get("team_off_rating_last_10"),
                "team_win_pct": ratio(sum(wins), len(wins)) if len(wins) >= 5 else None,
            }  # fmt: skip
            sources = {name: source if own[name] is not None else "default" for name, _, source in FEATURES}
            if not cache:
                for name in ("points_avg_last_5", "points_avg_last_10", "points_avg_season"):
                    sources[name] = "phase3" if own[name] is not None else "default"
            phase4 = list(sources.values()).count("phase4")
            rows.append({
                **{name: played[name] for name in ("player_lookup", "game_date", "game_id", "opponent_team_abbr")},
                "features": [float(own[name]) if own[name] is not None else default for name, default, _ in FEATURES],
                "feature_names": [name for name, _, _ in FEATURES],
                "feature_count": 25,
                "feature_version": "v1_baseline_25",
                "feature_quality_score": sum(WEIGHTS[source] for source in sources.values()) / 25,
                "default_features": [name for name, _, _ in FEATURES if own[name] is None],
                "is_home": played["home_game"],
                "days_rest": context["days_rest"],
                "data_source": "phase4" if phase4 == 16 else "phase4_partial" if phase4 >= 13 else "mixed",
            })  # fmt: skip
        return rows

    # Reading ------------------------------------------------------------------------------------------------

    def _by_player(self, name: str, day: date) -> dict[str, Row]:
        return {row["player_lookup"]: row for row in self.rows(name, day)}

    def rows(self, name: str, day: date) -> list[Row]:
        """Return the rows of a table on a date."""
        if (name, day) not in self._done:
            self._done[name, day] = self._rows(load_catalog().tables[name], day)
        return self._done[name, day]

    def _rows(self, table: Table, day: date) -> list[Row]:
        happened = {
            "team_offense_game_summary": self.offense.values(),
            "team_defense_game_summary": self.defense.values(),
            "player_game_summary": self.players,
        }
        if table.name in happened:
            return [row for row in happened[table.name] if row["game_date"] == day]
        assert table.expectation is not None
        if table.expectation.after_bootstrap and self.in_bootstrap(day):
            return []
        found: list[Row] = getattr(self, table.name)(day)
        return found


def fatigue_score(context: Row) -> int:
    score = 100
    if context["back_to_back"]:
        score -= 15
    elif (context["days_rest"] or 0) >= 3:
        score += 5
    score -= 10 * (context["games_in_last_7_days"] >= 4)
    score -= 10 * (context["minutes_in_last_7_days"] > 240)
    score -= 8 * ((context["avg_minutes_per_game_last_7"] or 0) > 35)
    score -= (0, 5, 12)[min(2, context["back_to_backs_last_14_days"])]
    return max(0, min(100, score))


def mismatch_score(zone: Row | None, defense: Row | None) -> Number:
    if zone is None or defense is None or zone["primary_scoring_zone"] is None:
        return None
    name = {"perimeter": "three_pt", "mid_range": "mid_range"}.get(zone["primary_scoring_zone"], "paint")
    against = defense[f"{name}_defense_vs_league_avg"]
    if against is None:
        return None
    score = against * min(1.0, zone[f"{name}_rate_last_10"] / 50)
    return clamp(score * 1.2 if abs(score) > 5 else score, 10)


def primary_zone(paint: Number, mid_range: Number, three: Number) -> str | None:
    if paint is None or mid_range is None or three is None:
        return None
    if paint >= 40:
        return "paint"
    if three >= 40:
        return "perimeter"
    return "mid_range" if mid_range >= 35 else "balanced"


def _pooled(rows: Sequence[Row], zone: str) -> Number:
    return ratio(sum(row[f"opp_{zone}_makes"] for row in rows), sum(row[f"opp_{zone}_attempts"] for row in rows))


def _within(rows: Sequence[Row], day: date, days: int) -> list[Row]:
    return [row for row in rows if day - timedelta(days=days) <= row["game_date"] < day]


def _by_day(table: pa.Table) -> dict[date, list[Row]]:
    days = defaultdict(list)
    for row in table.to_pylist():
        days[row["game_date"]].append(row)
    return days


# Comparing --------------------------------------------------------------------------------------------------


def read_rows(path: Path, table: Table, dates: Iterable[date] | None = None) -> list[Row]:
    """Read the rows of a table, those of some dates or all, without the time of processing."""
    names = [name for name in table.columns if name != "processed_at"]
    where = "" if dates is None else f"WHERE {table.date_column} IN (SELECT unnest($dates))"
    with duckdb.connect(str(path), read_only=True) as connection:
        cursor = connection.execute(
            f"SELECT {', '.join(names)} FROM {table.full_name} {where}",
            {} if dates is None else {"dates": sorted(dates)},
        )
        return [dict(zip(names, values, strict=True)) for values in cursor.fetchall()]


def same(one: Any, other: Any) -> bool:
    """Compare two values: numbers to a relative and absolute 1e-9, lists one by one, None only with None."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same(a, b) for a, b in zip(one, other, strict=True))
    if isinstance(one, float) and isinstance(other, int | float) and not isinstance(other, bool):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return type(one) is type(other) and one == other


def differences(table: Table, found: Sequence[Row], expected: Sequence[Row]) -> dict[str, list[str]]:
    """Return what differs: by column, or "rows" for rows that only one side has (and for keys that occur twice)."""
    wrong: dict[str, list[str]] = defaultdict(list)
    key = tuple(dict.fromkeys((*table.key, table.date_column)))
    sides: list[dict[tuple[Any, ...], Row]] = []
    for name, rows in (("found", found), ("expected", expected)):
        sides.append({tuple(row[column] for column in key): row for row in rows})
        if len(sides[-1]) != len(rows):
            wrong["rows"].append(f"{len(rows) - len(sides[-1])} keys twice in {name}")
    for one in sorted(set(sides[0]) ^ set(sides[1]), key=str):
        wrong["rows"].append(f"{one}: only {'found' if one in sides[0] else 'expected'}")
    for one in sorted(set(sides[0]) & set(sides[1]), key=str):
        for column in table.columns:
            if column == "processed_at":
                continue
            values = sides[0][one][column], sides[1][one][column]
            if not same(*values):
                wrong[column].append(f"{one}: found {values[0]!r}, expected {values[1]!r}")
    return dict(wrong)
