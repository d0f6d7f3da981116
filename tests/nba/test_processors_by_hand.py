"""A few games at a time, with the values that they must give worked out in the test."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from statistics import stdev
from typing import Any

import pyarrow as pa
import pytest
from courtbook.backfill.sql import replace_dates
from courtbook.calendar import read_calendar
from courtbook.catalog import Layer, load_catalog
from courtbook.nba.names import TEAM_NAMES
from courtbook.params import Params, RangeParams
from courtbook.params_warehouse import WarehouseParams
from courtbook.warehouse.duckdb import DuckDBWarehouse
from pytest import approx
from reference import Row, read_rows

CATALOG = load_catalog()
FLAGS = ("is_regular_season", "is_play_in", "is_playoffs", "is_cup_final", "is_all_star", "is_preseason")
OPENING = date(2024, 10, 22)
TEAM = {
    "minutes": "240:00", "points": 110, "fg_made": 40, "fg_attempted": 90, "three_pt_made": 12,
    "three_pt_attempted": 36, "ft_made": 18, "ft_attempted": 20, "offensive_rebounds": 10, "defensive_rebounds": 33,
    "total_rebounds": 43, "assists": 25, "steals": 7, "blocks": 5, "turnovers": 12, "personal_fouls": 19,
}  # fmt: skip
PLAYER = {
    "points": 20, "field_goals_made": 8, "field_goals_attempted": 16, "three_pointers_made": 2,
    "three_pointers_attempted": 5, "free_throws_made": 2, "free_throws_attempted": 4, "offensive_rebounds": 1,
    "defensive_rebounds": 4, "total_rebounds": 5, "assists": 5, "steals": 1, "blocks": 1, "turnovers": 2,
    "personal_fouls": 3,
}  # fmt: skip
ZONES = {
    "paint_makes": 4, "paint_attempts": 7, "mid_range_makes": 2, "mid_range_attempts": 4, "three_pt_makes": 2,
    "three_pt_attempts": 5, "assisted_fg_makes": 6,
}  # fmt: skip
CONTEXT = {
    "team_abbr": "BOS", "opponent_team_abbr": "NYK", "home_game": True, "days_rest": 2, "back_to_back": False,
    "games_in_last_7_days": 3, "games_in_last_14_days": 6, "minutes_in_last_7_days": 90.0,
    "minutes_in_last_14_days": 180.0, "avg_minutes_per_game_last_7": 30.0, "back_to_backs_last_14_days": 0,
}  # fmt: skip


def day(number: int) -> date:
    """Return a date of the season by its number; 0 is the opening day."""
    return OPENING + timedelta(days=number)


class Raw:
    """Rows written by hand. What is not given is unknown (NULL)."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "tiny.duckdb"
        self.rows: dict[str, list[Row]] = {}
        self.games: list[tuple[date, str, str]] = []

    def add(self, table: str, **values: Any) -> None:
        assert set(values) <= set(CATALOG.tables[table].columns), table
        self.rows.setdefault(table, []).append(values)

    def game(
        self, when: date, away: str, home: str, away_score: int = 100, home_score: int = 110,
        kind: str = "is_regular_season", status: int = 3,
    ) -> None:  # fmt: skip
        self.games.append((when, away, home))
        self.add(
            "nbac_schedule", game_id=f"002{len(self.games):07d}", game_date=when,
            season_year=when.year if when.month >= 10 else when.year - 1, game_status=status, away_team_tricode=away,
            home_team_tricode=home, away_team_score=away_score, home_team_score=home_score,
            **{flag: flag == kind for flag in FLAGS},
        )  # fmt: skip

    def _where(self, when: date, team: str) -> Row:
        away, home = next((a, h) for d, a, h in self.games if d == when and team in (a, h))
        return {"game_id": f"{when:%Y%m%d}_{away}_{home}", "game_date": when, "team_abbr": team}

    def team(self, when: date, team: str, **numbers: Any) -> None:
        self.add("nbac_team_boxscore", **self._where(when, team), **(TEAM | numbers))

    def player(
        self, when: date, team: str, name: str, minutes: str | None = "30:00", *, status: str = "active", **numbers: Any
    ) -> None:
        self.add(
            "nbac_gamebook_player_stats", **self._where(when, team), player_name=name.title(), player_lookup=name,
            player_status=status, minutes=minutes, **(PLAYER | numbers),
        )  # fmt: skip

    def bdl(self, when: date, team: str, name: str, minutes: str | None = "30", **numbers: Any) -> None:
        values = PLAYER | numbers
        values["rebounds"] = values.pop("total_rebounds")
        self.add(
            "bdl_player_boxscores", **self._where(when, team), player_full_name=name.title(), player_lookup=name,
            minutes=minutes, **values,
        )  # fmt: skip

    def zones(self, when: date, team: str, name: str, **numbers: Any) -> None:
        self.add("player_shot_zones", **self._where(when, team), player_lookup=name, **(ZONES | numbers))

    def prop(self, when: date, name: str, book: str, hour: int, line: float) -> None:
        self.add(
            "odds_api_player_points_props", game_date=when, player_lookup=name, bookmaker=book, points_line=line,
            snapshot_timestamp=datetime(when.year, when.month, when.day, hour),
        )  # fmt: skip

    def line(self, when: date, home: str, away: str, outcome: str, book: str, hour: int, point: float) -> None:
        self.add(
            "odds_api_game_lines", game_date=when, home_team_abbr=home, away_team_abbr=away, bookmaker_key=book,
            market_key="totals" if outcome in ("Over", "Under") else "spreads", outcome_point=point,
            outcome_name=TEAM_NAMES.get(outcome, outcome),
            snapshot_timestamp=datetime(when.year, when.month, when.day, hour),
        )  # fmt: skip

    def injury(self, when: date, team: str, name: str, status: str, hour: int = 17) -> None:
        self.add(
            "nbac_injury_report", game_date=when, team=team, player_lookup=name, injury_status=status, report_hour=hour
        )

    def _table(self, name: str) -> pa.Table:
        table = CATALOG.tables[name]
        whole = [dict.fromkeys(table.columns) | row for row in self.rows[name]]
        return pa.Table.from_pylist(whole, table.arrow_schema())

    def process(self, only: Iterable[str] = ()) -> "Processed":
        """Fill all ten tables, or only some beside rows that were given for the others."""
        warehouse = DuckDBWarehouse(self.path, create=True)
        with warehouse.session(write=True):
            warehouse.create(CATALOG.tables.values())
            warehouse.refill((CATALOG.tables[name], self._table(name)) for name in self.rows)
            params = Params(
                name="tiny",
                warehouse=WarehouseParams(path=str(self.path)),
                range=RangeParams(start=min(self.games)[0], end=max(self.games)[0]),
            )
            calendar = read_calendar(warehouse, params)
            for layer in (Layer.PHASE3, Layer.PHASE4):
                for level in CATALOG.levels(layer):
                    for table in level:
                        if not only or table.name in only:
                            replace_dates(warehouse, table, calendar, calendar.dates())
        return Processed(self.path)


class Processed:
    """What came out."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def rows(self, table: str, **where: Any) -> list[Row]:
        rows = read_rows(self.path, CATALOG.tables[table])
        return [row for row in rows if all(row[name] == value for name, value in where.items())]

    def row(self, table: str, **where: Any) -> Row:
        (row,) = self.rows(table, **where)
        return row


@pytest.fixture
def raw(tmp_path: Path) -> Raw:
    return Raw(tmp_path)


def columns(row: Row, *names: str) -> tuple[Any, ...]:
    return tuple(row[name] for name in names)


# What happened ----------------------------------------------------------------------------------------------


def test_team_offense(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS", 100, 110)
    raw.team(OPENING, "BOS")
    raw.team(OPENING, "NYK", points=100)
    row = raw.process().row("team_offense_game_summary", team_abbr="BOS")
    # 90 + 0.44 * 20 + 12 - 10
    assert row["possessions"] == approx(100.8)
    assert row["pace"] == approx(100.8)
    assert row["offensive_rating"] == approx(109.126984126984)
    assert row["ts_pct"] == approx(110 / 197.6)
    assert columns(row, "game_id", "season_year", "opponent_team_abbr") == ("20241022_NYK_BOS", 2024, "NYK")
    assert columns(row, "home_game", "win_flag", "margin_of_victory", "overtime_periods") == (True, True, 10, 0)
    assert columns(row, "quality_score", "quality_tier", "quality_issues") == (100.0, "gold", [])


@pytest.mark.parametrize(("minutes", "periods"), [("265:00", 1), ("290:00", 2)])
def test_pace_and_usage_with_overtime(raw: Raw, minutes: str, periods: int) -> None:
    raw.game(OPENING, "NYK", "BOS")
    raw.team(OPENING, "BOS", minutes=minutes)
    raw.team(OPENING, "NYK", minutes=minutes)
    raw.player(OPENING, "BOS", "abc", "40:00")
    done = raw.process()
    row = done.row("team_offense_game_summary", team_abbr="BOS")
    length = 48 + 5 * periods
    assert row["overtime_periods"] == periods
    assert row["pace"] == approx(48 * 100.8 / length)
    # Ratings are per possession: longer games do not change them.
    assert row["offensive_rating"] == approx(100 * 110 / 100.8)
    defense = done.row("team_defense_game_summary", defending_team_abbr="NYK")
    assert defense["opponent_pace"] == approx(48 * 100.8 / length)
    # Player 16 + 0.44 * 4 + 2, team 90 + 0.44 * 20 + 12.
    usage = done.row("player_game_summary", player_lookup="abc")["usage_rate"]
    assert usage == approx(100 * 19.76 * length / (40 * 110.8))


def test_unknown_offensive_rebounds_are_estimated(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS")
    raw.team(OPENING, "BOS", offensive_rebounds=None)
    raw.team(OPENING, "NYK")
    done = raw.process()
    row = done.row("team_offense_game_summary", team_abbr="BOS")
    # 0.235 of 50 missed shots
    assert row["possessions"] == approx(90 + 8.8 + 12 - 11.75)
    assert row["offensive_rebounds"] is None
    assert row["quality_issues"] == ["offensive_rebounds_estimated"] and row["quality_score"] == 100.0
    defense = done.row("team_defense_game_summary", defending_team_abbr="NYK")
    assert defense["defensive_rating"] == approx(100 * 110 / 99.05)
    assert "offensive_rebounds_estimated" in defense["quality_issues"]
    assert done.row("team_offense_game_summary", team_abbr="NYK")["quality_issues"] == []


def test_team_row_is_summed_from_five_players(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS")
    raw.team(OPENING, "NYK")
    for name in "abcde":
        raw.player(OPENING, "BOS", name, "53:00")
    raw.player(OPENING, "BOS", "idle", None, status="dnp", points=50)
    done = raw.process()
    row = done.row("team_offense_game_summary", team_abbr="BOS")
    assert columns(row, "points_scored", "fg_attempts", "rebounds", "overtime_periods") == (100, 80, 25, 1)
    # Five times 16 + 0.44 * 4 + 2 - 1
    assert row["possessions"] == approx(93.8) and row["pace"] == approx(48 * 93.8 / 53)
    assert columns(row, "quality_score", "quality_tier", "quality_issues") == (85.0, "silver", ["reconstructed"])
    assert row["primary_source_used"] == "reconstructed" and row["is_production_ready"]
    defense = done.row("team_defense_game_summary", defending_team_abbr="NYK")
    assert columns(defense, "points_allowed", "quality_score") == (100, 70.0)
    assert defense["quality_issues"] == ["reconstructed", "shot_zones_unavailable"]
    assert len(done.rows("player_game_summary")) == 5


def test_four_players_make_no_team_row(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS")
    raw.team(OPENING, "NYK")
    for name in "abcd":
        raw.player(OPENING, "BOS", name)
    done = raw.process()
    assert [row["team_abbr"] for row in done.rows("team_offense_game_summary")] == ["NYK"]
    assert not done.rows("team_defense_game_summary")
    assert [row["usage_rate"] for row in done.rows("player_game_summary")] == [None] * 4


def test_unknown_part_makes_an_unknown_sum(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS")
    raw.team(OPENING, "NYK")
    for name in "abcde":
        raw.player(OPENING, "BOS", name, offensive_rebounds=None if name == "a" else 1, steals=None)
    done = raw.process()
    row = done.row("team_offense_game_summary", team_abbr="BOS")
    assert row["offensive_rebounds"] is None
    # Five times 16 + 0.44 * 4 + 2, less 0.235 of 40 missed shots
    assert row["possessions"] == approx(98.8 - 9.4)
    assert set(row["quality_issues"]) == {"reconstructed", "offensive_rebounds_estimated"}
    assert done.row("team_defense_game_summary", defending_team_abbr="BOS")["steals"] is None


def test_minutes(raw: Raw) -> None:
    cases = {"12:34": 12.6, "12:32": 12.5, "00:06": 0.1, "35": 35.0, "00:00": None, None: None}
    raw.game(OPENING, "NYK", "BOS")
    for team in ("BOS", "NYK"):
        raw.team(OPENING, team)
    for number, minutes in enumerate(cases):
        raw.player(OPENING, "BOS", f"player{number}", minutes)
    rows = {row["player_lookup"]: row for row in raw.process().rows("player_game_summary")}
    for number, (minutes, expected) in enumerate(cases.items()):
        row = rows[f"player{number}"]
        assert row["minutes_played"] == expected, minutes
        whole, _, rest = str(minutes).partition(":")
        usage = approx(100 * 19.76 * 48 / ((int(whole) + int(rest or 0) / 60) * 110.8)) if expected else None
        assert row["usage_rate"] == usage, minutes


def test_player_game(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS", 100, 110)
    for team in ("BOS", "NYK"):
        raw.team(OPENING, team)
    raw.player(OPENING, "BOS", "abc", "32:34", plus_minus=-3)
    raw.player(OPENING, "NYK", "idle", "10:00", field_goals_made=0, field_goals_attempted=0, three_pointers_made=0,
               free_throws_attempted=0, points=0, turnovers=0)  # fmt: skip
    raw.player(OPENING, "NYK", "busy", "00:30")
    raw.player(OPENING, "NYK", "hurt", None, status="inactive")
    # The gamebook has the game, so the second source does not count.
    raw.bdl(OPENING, "NYK", "other")
    done = raw.process()
    row = done.row("player_game_summary", player_lookup="abc")
    assert columns(row, "player_full_name", "points", "plus_minus", "starter_flag") == ("Abc", 20, -3, None)
    # Both per attempt: 20 points in 16 + 0.44 * 4, twice; 8 + 0.5 * 2 makes in 16.
    assert row["ts_pct"] == approx(0.563063063063063) and row["efg_pct"] == 0.5625
    assert columns(row, "home_game", "win_flag", "primary_source_used") == (True, True, "nbac_gamebook")
    assert columns(row, "quality_score", "quality_tier") == (85.0, "silver")
    assert row["quality_issues"] == ["shot_zones_unavailable"]
    idle = done.row("player_game_summary", player_lookup="idle")
    assert columns(idle, "usage_rate", "ts_pct", "efg_pct", "win_flag") == (0.0, None, None, False)
    busy = done.row("player_game_summary", player_lookup="busy")
    # More than 1,700 per cent: kept as it is, and flagged.
    assert busy["usage_rate"] == approx(100 * 19.76 * 48 / (0.5 * 110.8))
    assert "usage_rate_above_60" in busy["quality_issues"] and busy["is_production_ready"]
    assert {row["player_lookup"] for row in done.rows("player_game_summary")} == {"abc", "idle", "busy"}


def test_second_source_where_the_gamebook_lacks_the_game(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS")
    raw.game(OPENING, "LAL", "MIA")
    for team in ("BOS", "NYK"):
        raw.team(OPENING, team)
    raw.player(OPENING, "LAL", "def")
    raw.bdl(OPENING, "BOS", "abc", "32", assists=9)
    raw.bdl(OPENING, "MIA", "ghi")
    done = raw.process()
    row = done.row("player_game_summary", player_lookup="abc")
    assert columns(row, "minutes_played", "assists", "plus_minus") == (32.0, 9, None)
    assert row["usage_rate"] == approx(100 * 19.76 * 48 / (32 * 110.8))
    assert columns(row, "primary_source_used", "quality_score") == ("bdl_boxscores", 70.0)
    assert row["quality_issues"] == ["backup_source_used", "shot_zones_unavailable"]
    assert {row["player_lookup"] for row in done.rows("player_game_summary")} == {"abc", "def"}


def test_zones_of_games_with_and_without_play_by_play(raw: Raw) -> None:
    for when in (day(0), day(1)):
        raw.game(when, "NYK", "BOS")
        for team in ("BOS", "NYK"):
            raw.team(when, team)
        for name in ("abc", "xyz"):
            raw.player(when, "BOS", name)
        raw.player(when, "NYK", "def")
    raw.zones(day(0), "BOS", "abc")
    raw.zones(day(0), "NYK", "def", paint_makes=5, paint_attempts=9)
    done = raw.process()
    names = ("paint_makes", "paint_attempts", "mid_range_makes", "mid_range_attempts", "assisted_fg_makes")
    by_player = {row["player_lookup"]: row for row in done.rows("player_game_summary", game_date=day(0))}
    assert columns(by_player["abc"], *names) == (4, 7, 2, 4, 6)
    assert columns(by_player["xyz"], *names) == (0, 0, 0, 0, 0)
    assert by_player["xyz"]["quality_issues"] == [] and by_player["xyz"]["three_pt_attempts"] == 5
    for row in done.rows("player_game_summary", game_date=day(1)):
        assert columns(row, *names) == (None,) * 5 and row["quality_score"] == 85.0
    allowed = ("opp_paint_makes", "opp_paint_attempts", "opp_mid_range_makes", "opp_mid_range_attempts")
    first = done.row("team_defense_game_summary", game_date=day(0), defending_team_abbr="BOS")
    assert columns(first, *allowed, "quality_score") == (5, 9, 2, 4, 100.0)
    second = done.row("team_defense_game_summary", game_date=day(1), defending_team_abbr="BOS")
    assert columns(second, *allowed, "quality_score") == (None, None, None, None, 85.0)


def test_team_defense(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS", 96, 110)
    raw.team(OPENING, "BOS", steals=11, blocks=2, defensive_rebounds=40)
    raw.team(OPENING, "NYK", points=96, fg_made=36, turnovers=15, offensive_rebounds=8, total_rebounds=39)
    row = raw.process().row("team_defense_game_summary", defending_team_abbr="BOS")
    # The opponent's possessions: 90 + 8.8 + 15 - 8
    assert row["defensive_rating"] == approx(100 * 96 / 105.8) and row["opponent_pace"] == approx(105.8)
    assert row["opponent_ts_pct"] == approx(96 / 197.6)
    names = ("points_allowed", "opp_fg_makes", "opp_rebounds", "turnovers_forced", "steals", "blocks")
    assert columns(row, *names, "defensive_rebounds") == (96, 36, 39, 15, 11, 2, 40)
    assert columns(row, "opponent_team_abbr", "home_game", "win_flag") == ("NYK", True, True)


def test_points_lines(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS")
    for name in ("over", "under", "push", "none", "even"):
        raw.player(OPENING, "BOS", name, points=20)
    lines = {"over": (18.5, 19.5, 30.5), "under": (20.5, 21.5, 12.5), "push": (20.0, 3.5, 27.5), "even": (21.5, 18.5)}
    for name, points in lines.items():
        for number, point in enumerate(points):
            # The early snapshots are far off, and they come last in the table.
            raw.prop(OPENING, name, f"book{number}", 23, point)
            raw.prop(OPENING, name, f"book{number}", 15, point + 10 * number)
    done = raw.process()
    found = {row["player_lookup"]: row for row in done.rows("player_game_summary")}
    names = ("points_line", "over_under_result", "margin")
    assert columns(found["over"], *names) == (19.5, "OVER", 0.5)
    assert columns(found["under"], *names) == (20.5, "UNDER", -0.5)
    assert columns(found["push"], *names) == (20.0, "PUSH", 0.0)
    assert columns(found["none"], *names) == (None, None, None)
    assert columns(found["even"], *names) == (20.0, "PUSH", 0.0)
    known = {row["player_lookup"]: row for row in done.rows("upcoming_player_game_context")}
    names = ("has_prop_line", "current_points_line", "opening_points_line", "line_movement")
    # Opening lines 18.5, 29.5 and 50.5
    assert columns(known["over"], *names) == (True, 19.5, 29.5, -10.0)
    assert columns(known["none"], *names) == (False, None, None, None)


# What was known before --------------------------------------------------------------------------------------


def test_game_lines_are_the_own_view(raw: Raw) -> None:
    raw.game(OPENING, "NYK", "BOS")
    raw.game(OPENING, "LAL", "MIA")
    for book, spread, over in (("a", -5.5, 221.5), ("b", -6.5, 224.5), ("c", -3.0, 220.5)):
        for hour, error in ((15, 8.0), (23, 0.0)):
            raw.line(OPENING, "BOS", "NYK", "BOS", book, hour, spread + error)
            raw.line(OPENING, "BOS", "NYK", "NYK", book, hour, -spread - error)
            for side in ("Over", "Under"):
                raw.line(OPENING, "BOS", "NYK", side, book, hour, over + error)
    raw.line(OPENING, "MIA", "LAL", "MIA", "a", 23, 1.5)
    raw.line(OPENING, "MIA", "LAL", "LAL", "a", 23, -1.5)
    raw.player(OPENING, "NYK", "abc")
    raw.player(OPENING, "LAL", "def")
    done = raw.process()
    teams = {row["team_abbr"]: row for row in done.rows("upcoming_team_game_context")}
    names = ("game_spread", "game_total", "quality_score", "quality_issues")
    assert columns(teams["BOS"], *names) == (-5.5, 221.5, 100.0, [])
    assert columns(teams["NYK"], *names) == (5.5, 221.5, 100.0, [])
    assert columns(teams["LAL"], *names) == (-1.5, None, 90.0, ["missing_lines"])
    players = {row["player_lookup"]: row for row in done.rows("upcoming_player_game_context")}
    assert columns(players["abc"], *names) == (5.5, 221.5, 50.0, ["thin_sample"])
    assert columns(players["def"], *names) == (-1.5, None, 40.0, ["thin_sample", "missing_lines"])
    assert columns(players["abc"], "quality_tier", "is_production_ready") == ("bronze", True)
    assert columns(players["def"], "quality_tier", "is_production_ready") == ("poor", False)


def test_rest_and_schedule_density(raw: Raw) -> None:
    team_days, player_days = [0, 1, 3, 8, 9, 15], [0, 1, 8, 9, 15]
    for number in team_days:
        raw.game(day(number), "NYK", "BOS")
        for team in ("BOS", "NYK"):
            raw.team(day(number), team)
        if number in player_days:
            raw.player(day(number), "BOS", "abc", "30:30")
    # The day before the next season belongs to this one; the next season starts anew.
    raw.game(date(2025, 10, 21), "NYK", "BOS")
    raw.player(date(2025, 10, 21), "BOS", "abc")
    done = raw.process()
    rows = {row["game_date"]: row for row in done.rows("upcoming_player_game_context")}
    names = ("days_rest", "back_to_back", "games_in_last_7_days", "games_in_last_14_days")
    assert columns(rows[day(0)], *names) == (None, False, 0, 0)
    assert columns(rows[day(1)], *names) == (1, True, 1, 1)
    # D-7 counts, D-8 does not; the team rested five days, the player seven.
    assert columns(rows[day(8)], *names) == (7, False, 1, 2)
    assert columns(rows[day(9)], *names) == (1, True, 1, 3)
    assert columns(rows[day(15)], *names) == (6, False, 2, 3)
    assert columns(rows[date(2025, 10, 21)], *names) == (None, False, 0, 0)
    names = ("minutes_in_last_7_days", "minutes_in_last_14_days", "avg_minutes_per_game_last_7")
    assert columns(rows[day(0)], *names) == (0.0, 0.0, None)
    assert columns(rows[day(15)], *names) == (61.0, 91.5, 30.5)
    teams = {row["game_date"]: row for row in done.rows("upcoming_team_game_context", team_abbr="BOS")}
    names = ("days_since_last_game", "team_days_rest", "team_back_to_back", "games_in_last_7_days")
    names += ("games_in_last_14_days", "game_number_in_season")
    assert columns(teams[day(0)], *names) == (None, None, False, 0, 0, 1)
    assert columns(teams[day(1)], *names) == (1, 0, True, 1, 1, 2)
    assert columns(teams[day(8)], *names) == (5, 4, False, 2, 3, 4)
    assert columns(teams[day(15)], *names) == (6, 5, False, 2, 4, 6)
    assert columns(teams[date(2025, 10, 21)], *names) == (None, None, False, 0, 0, 1)
    assert [rows[when]["opponent_days_rest"] for when in (day(0), day(8))] == [None, 5]


def test_back_to_backs_are_counted_and_never_unknown(raw: Raw) -> None:
    for number in (0, 1, 2, 15, 16):
        raw.game(day(number), "NYK", "BOS")
        raw.player(day(number), "BOS", "abc")
    raw.game(day(40), "NYK", "BOS")
    raw.player(day(40), "BOS", "abc")
    rows = {row["game_date"]: row for row in raw.process().rows("upcoming_player_game_context")}
    found = {number: rows[day(number)]["back_to_backs_last_14_days"] for number in (0, 1, 2, 15, 16, 40)}
    # On day 15 the games of days 1 and 2 lie in the window, on day 16 only that of day 2.
    assert found == {0: 0, 1: 0, 2: 1, 15: 1, 16: 0, 40: 0}


def test_form_of_players_and_teams(raw: Raw) -> None:
    for number in range(12):
        raw.game(day(number), "NYK", "BOS")
        raw.team(day(number), "BOS", turnovers=number)
        raw.team(day(number), "NYK", turnovers=2 * number, points=100 + number)
        raw.player(day(number), "BOS", "abc", points=number, turnovers=number)
    done = raw.process()
    row = done.row("upcoming_player_game_context", game_date=day(11))
    assert columns(row, "points_avg_last_5", "points_avg_last_10") == (8.0, 5.5)
    usage = [100 * (17.76 + number) * 48 / (30 * (98.8 + number)) for number in range(11)]
    assert row["avg_usage_rate_last_7_games"] == approx(sum(usage[4:]) / 7)
    assert row["projected_usage_rate"] == approx(sum(usage[1:]) / 10)
    # Possessions 88.8 + turnovers; the mean over games 1 to 10 has 5.5 and 11.
    assert row["opponent_pace_last_10"] == approx(99.8) and row["pace_differential"] == approx(5.5)
    ratings = [100 * 110 / (88.8 + number) for number in range(1, 11)]
    assert row["opponent_def_rating_last_10"] == approx(sum(ratings) / 10)
    # Eleven games in 30 days, but no lines; then five and four.
    names = ("quality_score", "quality_tier", "quality_issues")
    assert columns(row, *names) == (85.0, "silver", ["missing_lines"])
    thin = ["thin_sample", "missing_lines"]
    row = done.row("upcoming_player_game_context", game_date=day(5))
    assert columns(row, *names) == (65.0, "bronze", thin)
    row = done.row("upcoming_player_game_context", game_date=day(4))
    assert columns(row, *names) == (40.0, "poor", thin)


def test_streaks(raw: Raw) -> None:
    margins = [5, 3, -8, -1, 12]
    for number, margin in enumerate(margins):
        raw.game(day(2 * number), "NYK", "BOS", 100, 100 + margin)
    raw.game(day(20), "NYK", "BOS")
    done = raw.process()
    names = ("team_win_streak_entering", "team_loss_streak_entering", "last_game_margin", "last_game_result")
    rows = {row["game_date"]: row for row in done.rows("upcoming_team_game_context", team_abbr="BOS")}
    assert columns(rows[day(0)], *names) == (0, 0, None, None)
    assert columns(rows[day(2)], *names) == (1, 0, 5, "W")
    assert columns(rows[day(4)], *names) == (2, 0, 3, "W")
    assert columns(rows[day(6)], *names) == (0, 1, -8, "L")
    assert columns(rows[day(8)], *names) == (0, 2, -1, "L")
    assert columns(rows[day(20)], *names) == (1, 0, 12, "W")
    share = [rows[day(number)]["team_win_pct_entering"] for number in (0, 2, 4, 6, 8, 20)]
    assert share == [None, 1.0, 1.0, approx(2 / 3), 0.5, 0.6]


def _five_on_each_side(raw: Raw, when: date, left_out: Sequence[str] = ()) -> None:
    raw.game(when, "NYK", "BOS")
    for team in ("BOS", "NYK"):
        raw.team(when, team)
        for number in range(1, 6):
            name = f"{team.lower()}{number}"
            if name not in left_out:
                raw.player(when, team, name, f"{40 - 2 * number}:00")


def test_injuries(raw: Raw) -> None:
    _five_on_each_side(raw, day(0))
    _five_on_each_side(raw, day(2), ["bos1", "bos4"])
    _five_on_each_side(raw, day(4))
    raw.injury(day(2), "BOS", "bos1", "questionable", hour=12)
    raw.injury(day(2), "BOS", "bos1", "out", hour=17)
    raw.injury(day(2), "BOS", "bos4", "out")
    raw.injury(day(2), "BOS", "bos2", "out", hour=12)
    raw.injury(day(2), "BOS", "bos2", "probable", hour=17)
    raw.injury(day(2), "BOS", "bos3", "doubtful")
    raw.injury(day(2), "BOS", "bos5", "questionable")
    done = raw.process()
    rows = {row["player_lookup"]: row for row in done.rows("upcoming_player_game_context", game_date=day(2))}
    names = ("star_teammates_out", "player_status")
    # bos4 is out too, but the top three by minutes are 1, 2 and 3.
    assert columns(rows["bos2"], *names) == (1, "probable")
    assert columns(rows["bos3"], *names) == (1, "doubtful")
    assert columns(rows["bos5"], *names) == (1, "questionable")
    assert columns(rows["nyk1"], *names) == (0, "available")
    teams = {row["team_abbr"]: row for row in done.rows("upcoming_team_game_context", game_date=day(2))}
    names = ("starters_out_count", "questionable_players_count")
    assert columns(teams["BOS"], *names) == (2, 2) and columns(teams["NYK"], *names) == (0, 0)
    for row in done.rows("upcoming_player_game_context", game_date=day(4)):
        assert columns(row, "star_teammates_out", "player_status") == (None, None)
    for row in done.rows("upcoming_team_game_context", game_date=day(4)):
        assert columns(row, *names) == (None, None)


def test_nobody_is_his_own_teammate(raw: Raw) -> None:
    """A player whom the report has as out, and who plays all the same, is missing to the others only."""
    _five_on_each_side(raw, day(0))
    _five_on_each_side(raw, day(2))
    raw.injury(day(2), "BOS", "bos1", "out")
    rows = {row["player_lookup"]: row for row in raw.process().rows("upcoming_player_game_context", game_date=day(2))}
    assert rows["bos2"]["star_teammates_out"] == 1
    assert rows["bos1"]["star_teammates_out"] == 0


def test_a_player_who_left_is_no_teammate(raw: Raw) -> None:
    """bos1 moved to New York, where he is out: that takes nobody from Boston."""
    _five_on_each_side(raw, day(0))
    _five_on_each_side(raw, day(2), ["bos1"])
    raw.player(day(2), "NYK", "bos1", "38:00")
    _five_on_each_side(raw, day(4), ["bos1"])
    raw.injury(day(4), "NYK", "bos1", "out")
    rows = {row["player_lookup"]: row for row in raw.process().rows("upcoming_player_game_context", game_date=day(4))}
    assert rows["bos2"]["star_teammates_out"] == 0


def test_phases_of_the_season_and_games_that_count(raw: Raw) -> None:
    kinds = {
        date(2024, 10, 10): ("is_preseason", None),
        date(2024, 10, 22): ("is_regular_season", "early"),
        date(2024, 11, 30): ("is_regular_season", "early"),
        date(2024, 12, 17): ("is_cup_final", "mid"),
        date(2025, 2, 10): ("is_regular_season", "mid"),
        date(2025, 2, 16): ("is_all_star", None),
        date(2025, 3, 1): ("is_regular_season", "late"),
        date(2025, 4, 16): ("is_play_in", "play_in"),
        date(2025, 4, 20): ("is_playoffs", "playoffs"),
        date(2025, 6, 1): ("is_playoffs", "playoffs"),
    }
    for when, (kind, _) in kinds.items():
        raw.game(when, "NYK", "BOS", kind=kind)
        for team in ("BOS", "NYK"):
            raw.team(when, team)
        raw.player(when, "BOS", "abc")
    raw.game(date(2025, 6, 3), "NYK", "BOS", kind="is_playoffs", status=1)
    done = raw.process()
    found = {row["game_date"]: row for row in done.rows("upcoming_player_game_context")}
    assert {when: row["season_phase"] for when, row in found.items()} == {
        when: phase for when, (_, phase) in kinds.items() if phase
    }
    numbers = [row["game_number_in_season"] for row in done.rows("upcoming_team_game_context", team_abbr="BOS")]
    assert sorted(numbers) == list(range(1, 9))
    assert found[date(2024, 10, 22)]["days_rest"] is None
    assert found[date(2025, 3, 1)]["days_rest"] == (date(2025, 3, 1) - date(2025, 2, 10)).days
    store = done.rows("ml_feature_store_v2")
    playoffs = {row["game_date"]: row["features"][17] for row in store}
    assert playoffs == {
        when: float(phase == "playoffs") for when, (_, phase) in kinds.items() if phase and when != OPENING
    }


# Phase 4 ----------------------------------------------------------------------------------------------------


def test_zone_defense_after_fifteen_games(raw: Raw) -> None:
    """Boston allows 4 of 10 in the paint, New York 6 of 10; one pair of games has no play-by-play."""
    for number in range(17):
        raw.game(day(number), "NYK", "BOS")
        raw.team(day(number), "BOS", points=100 + number)
        raw.team(day(number), "NYK", points=90, three_pt_made=9)
        raw.player(day(number), "BOS", "abc")
        raw.player(day(number), "NYK", "def")
        if number != 10:
            raw.zones(day(number), "BOS", "abc", paint_makes=6, paint_attempts=10)
            raw.zones(day(number), "NYK", "def", paint_makes=4, paint_attempts=10, mid_range_makes=3)
    done = raw.process()
    rows = done.rows("team_defense_zone_analysis", team_abbr="BOS")
    # Day 15 is the first date with fifteen earlier games.
    assert sorted(row["analysis_date"] for row in rows) == [day(15), day(16)]
    row = done.row("team_defense_zone_analysis", team_abbr="BOS", analysis_date=day(16))
    assert columns(row, "games_in_sample", "zone_games_in_sample") == (15, 14)
    assert row["paint_pct_allowed_last_15"] == approx(0.4) and row["paint_attempts_allowed_per_game"] == 10.0
    assert row["mid_range_pct_allowed_last_15"] == 0.75 and row["three_pt_attempts_allowed_per_game"] == 36.0
    assert row["three_pt_pct_allowed_last_15"] == 0.25
    # The league makes half of the paint shots, (2 + 3) / 8 from mid range and (12 + 9) / 72 threes.
    assert row["paint_defense_vs_league_avg"] == approx(-10.0)
    assert row["mid_range_defense_vs_league_avg"] == approx(12.5)
    assert row["three_pt_defense_vs_league_avg"] == approx(100 * (9 / 36 - 21 / 72))
    assert columns(row, "strongest_zone", "weakest_zone") == ("paint", "mid_range")
    assert row["defensive_rating_last_15"] == approx(100 * 90 / 100.8)
    assert columns(row, "opponent_points_per_game", "opponent_pace") == (90.0, approx(100.8))
    other = done.row("team_defense_zone_analysis", team_abbr="NYK", analysis_date=day(16))
    # Games 1 to 15
    assert other["opponent_points_per_game"] == 108.0 and other["weakest_zone"] == "paint"


def test_league_average_looks_thirty_days_back(raw: Raw) -> None:
    """Only Chicago and Miami play in the month before: the average is theirs, not that of the fifteen games."""
    for number in range(15):
        raw.game(day(number), "NYK", "BOS")
        for team in ("BOS", "NYK"):
            raw.team(day(number), team, three_pt_made=12)
    for number, made in ((19, 0), (20, 18), (49, 18), (50, 36)):
        raw.game(day(number), "CHI", "MIA")
        for team in ("CHI", "MIA"):
            raw.team(day(number), team, three_pt_made=made)
    row = raw.process().row("team_defense_zone_analysis", team_abbr="BOS", analysis_date=day(50))
    # Day 20 is D-30 and counts, day 19 does not, nor does the date itself: (18 + 18) / 72.
    assert row["three_pt_defense_vs_league_avg"] == approx(100 * (12 / 36 - 0.5))
    assert columns(row, "paint_defense_vs_league_avg", "strongest_zone", "weakest_zone") == (None, None, None)
    assert row["zone_games_in_sample"] == 0


def test_shot_zones_of_games_that_have_them(raw: Raw) -> None:
    for number in range(16):
        raw.game(day(number), "NYK", "BOS")
        raw.player(day(number), "BOS", "abc")
        if number >= 4:
            raw.player(day(number), "BOS", "late")
        if number % 2:
            raw.zones(day(number), "BOS", "abc", paint_attempts=number, paint_makes=1)
    done = raw.process()
    rows = done.rows("player_shot_zone_analysis")
    keys = {(row["player_lookup"], row["analysis_date"]) for row in rows}
    # The first 14 days are the bootstrap; "late" has his tenth earlier game on day 14.
    assert keys == {("abc", day(14)), ("abc", day(15)), ("late", day(14)), ("late", day(15))}
    row = done.row("player_shot_zone_analysis", player_lookup="abc", analysis_date=day(15))
    # Seven zone games before day 15: 1 + 3 + ... + 13 = 49 attempts in the paint, 28 mid range, 35 threes.
    assert columns(row, "games_in_sample_10", "zone_games_in_sample_10", "games_in_sample_20") == (10, 7, 15)
    assert row["sample_quality_10"] == "good" and row["primary_scoring_zone"] == "paint"
    names = ("paint_rate_last_10", "mid_range_rate_last_10", "three_pt_rate_last_10")
    assert columns(row, *names) == (approx(100 * 49 / 112), 25.0, approx(31.25))
    names = ("paint_pct_last_10", "mid_range_pct_last_10", "three_pt_pct_last_10")
    assert columns(row, *names) == (approx(7 / 49), 0.5, 0.4)
    assert row["paint_attempts_per_game"] == 7.0
    # 6 assisted of 8 makes
    assert row["assisted_rate_last_10"] == 75.0
    late = done.row("player_shot_zone_analysis", player_lookup="late", analysis_date=day(15))
    assert columns(late, "zone_games_in_sample_10", "paint_rate_last_10") == (5, 0.0)


def test_only_the_last_ten_zone_games(raw: Raw) -> None:
    for number in range(16):
        raw.game(day(number), "NYK", "BOS")
        raw.player(day(number), "BOS", "abc")
        raw.zones(day(number), "BOS", "abc", paint_attempts=number, mid_range_attempts=0)
    row = raw.process().row("player_shot_zone_analysis", analysis_date=day(15))
    assert row["paint_rate_last_10"] == approx(100 * sum(range(5, 15)) / (sum(range(5, 15)) + 50))
    assert row["paint_rate_last_20"] == approx(100 * sum(range(15)) / (sum(range(15)) + 75))
    assert columns(row, "sample_quality_10", "zone_games_in_sample_20") == ("excellent", 15)


def test_primary_scoring_zone(raw: Raw) -> None:
    cases = {
        "first": (8, 2, 10, "paint"),
        "second": (7, 3, 10, "perimeter"),
        "third": (6, 7, 7, "mid_range"),
        "fourth": (7, 6, 7, "balanced"),
        "fifth": (0, 0, 0, None),
    }
    for number in range(16):
        raw.game(day(number), "NYK", "BOS")
        for name, (paint, mid_range, three, _) in cases.items():
            raw.player(day(number), "BOS", name, three_pointers_attempted=three)
            raw.zones(day(number), "BOS", name, paint_attempts=paint, mid_range_attempts=mid_range)
    rows = raw.process().rows("player_shot_zone_analysis", analysis_date=day(15))
    found = {row["player_lookup"]: row["primary_scoring_zone"] for row in rows}
    assert found == {name: zone for name, (_, _, _, zone) in cases.items()}


def test_unknown_makes_are_not_misses(raw: Raw) -> None:
    """Zones whose attempts are known and whose makes are not: the share of makes is unknown, not zero."""
    for number in range(17):
        raw.game(day(number), "NYK", "BOS")
        for team in ("BOS", "NYK"):
            raw.team(day(number), team)
        raw.player(day(number), "BOS", "abc")
        raw.zones(day(number), "BOS", "abc", paint_makes=None, assisted_fg_makes=None)
    done = raw.process()
    row = done.row("player_shot_zone_analysis", analysis_date=day(16))
    assert row["paint_rate_last_10"] == approx(100 * 7 / 16) and row["mid_range_pct_last_10"] == 0.5
    assert row["assisted_rate_last_10"] is None
    defense = done.row("team_defense_zone_analysis", team_abbr="NYK", analysis_date=day(16))
    assert defense["paint_pct_allowed_last_15"] is None and defense["paint_attempts_allowed_per_game"] == 7.0
    assert row["paint_pct_last_10"] is None and row["paint_pct_last_20"] is None


def test_some_unknown_makes_are_not_misses(raw: Raw) -> None:
    for number in range(17):
        raw.game(day(number), "NYK", "BOS")
        for team in ("BOS", "NYK"):
            raw.team(day(number), team)
        raw.player(day(number), "BOS", "abc")
        raw.zones(day(number), "BOS", "abc", paint_makes=None if number % 2 else 4)
    done = raw.process()
    row = done.row("player_shot_zone_analysis", analysis_date=day(16))
    defense = done.row("team_defense_zone_analysis", team_abbr="NYK", analysis_date=day(16))
    # Either unknown, or the share of the games where both are known: 4 of 7.
    assert defense["paint_pct_allowed_last_15"] in (None, approx(4 / 7))
    assert row["paint_pct_last_10"] in (None, approx(4 / 7))


def test_daily_cache(raw: Raw) -> None:
    points = [10, 14, 9, 30, 22, 17, 25, 8, 12, 19, 21, 16]
    for number, scored in enumerate(points):
        raw.game(day(2 * number), "NYK", "BOS")
        for team in ("BOS", "NYK"):
            raw.team(day(2 * number), team)
        raw.player(day(2 * number), "BOS", "abc", "30:00", points=scored)
        if number >= 6:
            raw.player(day(2 * number), "BOS", "new", "24:00")
    done = raw.process()
    row = done.row("player_daily_cache", player_lookup="abc", cache_date=day(22))
    assert columns(row, "games_played_season", "early_season_flag") == (11, False)
    assert row["points_avg_last_5"] == approx(17.0) and row["points_avg_last_10"] == approx(17.7)
    assert row["points_avg_season"] == approx(17.0) and row["points_std_last_10"] == approx(stdev(points[1:11]))
    usage = 100 * 19.76 * 48 / (30 * 110.8)
    assert columns(row, "usage_rate_last_10", "player_usage_rate_season") == (approx(usage), approx(usage))
    assert columns(row, "team_pace_last_10", "team_off_rating_last_10") == (approx(100.8), approx(11000 / 100.8))
    assert columns(row, "games_in_last_7_days", "minutes_in_last_14_days") == (3, 210.0)
    assert columns(row, "shot_zone_data_available", "paint_rate_last_10") == (False, None)
    # Bootstrap until day 13; five earlier games are enough, and fewer than ten are early.
    assert columns(done.row("player_daily_cache", player_lookup="abc", cache_date=day(14)), "early_season_flag") == (
        True,
    )
    new = done.row("player_daily_cache", player_lookup="new")
    assert columns(new, "cache_date", "games_played_season") == (day(22), 5)


DATE = day(30)


def _context(raw: Raw, name: str, **values: Any) -> None:
    raw.add(
        "upcoming_player_game_context", game_id=f"{DATE:%Y%m%d}_NYK_BOS", game_date=DATE, season_year=2024,
        player_lookup=name, **(CONTEXT | values),
    )  # fmt: skip


def _summary(raw: Raw, when: date, name: str, **values: Any) -> None:
    raw.add(
        "player_game_summary", game_id=f"{when:%Y%m%d}_NYK_BOS", game_date=when, season_year=2024, player_lookup=name,
        **({"team_abbr": "BOS", "opponent_team_abbr": "NYK", "home_game": True} | values),
    )  # fmt: skip


def _shot_zone(raw: Raw, name: str, zone: str | None, **rates: float) -> None:
    raw.add("player_shot_zone_analysis", player_lookup=name, analysis_date=DATE, primary_scoring_zone=zone, **rates)


def _zone_defense(raw: Raw, team: str, rating: float | None, paint: float | None = None, **values: Any) -> None:
    raw.add(
        "team_defense_zone_analysis", team_abbr=team, analysis_date=DATE, defensive_rating_last_15=rating,
        paint_defense_vs_league_avg=paint, **values,
    )  # fmt: skip


def _factors(raw: Raw) -> dict[str, Row]:
    raw.game(OPENING, "NYK", "BOS")
    raw.game(DATE, "NYK", "BOS")
    return {
        row["player_lookup"]: row for row in raw.process(["player_composite_factors"]).rows("player_composite_factors")
    }


def test_fatigue_rules(raw: Raw) -> None:
    tired = {"back_to_back": True, "days_rest": 1, "games_in_last_7_days": 4, "minutes_in_last_7_days": 240.5}
    tired |= {"avg_minutes_per_game_last_7": 35.5, "back_to_backs_last_14_days": 2}
    cases: dict[str, tuple[Row, int]] = {
        "fresh": ({}, 100),
        "rested": ({"days_rest": 3}, 100),
        "restedbusy": ({"days_rest": 3, "games_in_last_7_days": 4}, 95),
        "double": ({"back_to_back": True, "days_rest": 1}, 85),
        "games": ({"games_in_last_7_days": 4}, 90),
        "minutes": ({"minutes_in_last_7_days": 240.5}, 90),
        "enough": ({"minutes_in_last_7_days": 240.0, "avg_minutes_per_game_last_7": 35.0}, 100),
        "long": ({"avg_minutes_per_game_last_7": 35.1}, 92),
        "once": ({"back_to_backs_last_14_days": 1}, 95),
        "twice": ({"back_to_backs_last_14_days": 2}, 88),
        "thrice": ({"back_to_backs_last_14_days": 3}, 88),
        # 100 - 15 - 10 - 10 - 8 - 12
        "all": (tired, 45),
        "first": ({"days_rest": None, "games_in_last_7_days": 0, "avg_minutes_per_game_last_7": None}, 100),
    }
    for name, (values, _) in cases.items():
        _context(raw, name, **values)
    rows = _factors(raw)
    assert {name: row["fatigue_score"] for name, row in rows.items()} == {
        name: score for name, (_, score) in cases.items()
    }
    assert rows["all"]["total_composite_adjustment"] == approx(-55 / 20)
    assert {name for name, row in rows.items() if row["has_warnings"]} == {"all"}


def test_mismatch(raw: Raw) -> None:
    _zone_defense(raw, "NYK", 112.0, 4.0, mid_range_defense_vs_league_avg=-6.0, three_pt_defense_vs_league_avg=9.5)
    _zone_defense(raw, "LAL", 112.0, None)
    cases: dict[str, tuple[str | None, dict[str, float], float | None]] = {
        "paint": ("paint", {"paint_rate_last_10": 60.0}, 4.0),
        "half": ("paint", {"paint_rate_last_10": 40.0}, 3.2),
        "balanced": ("balanced", {"paint_rate_last_10": 25.0}, 2.0),
        # Beyond 5 in size it counts 1.2 times, and ends at 10.
        "mid": ("mid_range", {"mid_range_rate_last_10": 50.0}, -7.2),
        "three": ("perimeter", {"three_pt_rate_last_10": 50.0}, 10.0),
        "threes": ("perimeter", {"three_pt_rate_last_10": 40.0}, 9.12),
        "few": ("perimeter", {"three_pt_rate_last_10": 20.0}, 3.8),
        "unknown": (None, {}, None),
    }
    for name, (zone, rates, _) in cases.items():
        _context(raw, name)
        _shot_zone(raw, name, zone, **rates)
    _context(raw, "nozones")
    _context(raw, "nodefense", opponent_team_abbr="MIA")
    _shot_zone(raw, "nodefense", "paint", paint_rate_last_10=60.0)
    _context(raw, "novalue", opponent_team_abbr="LAL")
    _shot_zone(raw, "novalue", "paint", paint_rate_last_10=60.0)
    rows = _factors(raw)
    for name, (_, _, score) in cases.items():
        assert rows[name]["shot_zone_mismatch_score"] == (None if score is None else approx(score)), name
    for name in ("nozones", "nodefense", "novalue"):
        assert rows[name]["shot_zone_mismatch_score"] is None
    assert rows["nozones"]["missing_data_fields"] == [
        "projected_usage_rate", "pace_differential", "player_shot_zone_analysis", "upcoming_team_game_context"
    ]  # fmt: skip
    assert rows["nozones"]["data_completeness_pct"] == 40.0
    assert "team_defense_zone_analysis" in rows["nodefense"]["missing_data_fields"]
    assert rows["three"]["has_warnings"] and rows["threes"]["has_warnings"] and not rows["mid"]["has_warnings"]


def test_pace_usage_and_opponent(raw: Raw) -> None:
    # Mean of the league: 112
    _zone_defense(raw, "NYK", 109.0)
    _zone_defense(raw, "LAL", 113.0)
    _zone_defense(raw, "MIA", 126.0)
    _zone_defense(raw, "CHI", 100.0)
    cases: dict[str, tuple[Row, tuple[float | None, float | None, float | None]]] = {
        "plain": ({"pace_differential": 3.0, "projected_usage_rate": 25.0}, (1.5, 1.5, 1.5)),
        "fast": ({"pace_differential": 7.0, "projected_usage_rate": 60.0}, (3.0, 3.0, 1.5)),
        "slow": ({"pace_differential": -7.0, "projected_usage_rate": 5.0}, (-3.0, -3.0, 1.5)),
        "one": ({"projected_usage_rate": 25.0, "star_teammates_out": 1}, (None, 1.725, 1.5)),
        "two": ({"projected_usage_rate": 25.0, "star_teammates_out": 2}, (None, 1.95, 1.5)),
        "down": ({"projected_usage_rate": 15.0, "star_teammates_out": 2}, (None, -1.5, 1.5)),
        "easy": ({"opponent_team_abbr": "MIA"}, (None, None, -3.0)),
        "hard": ({"opponent_team_abbr": "CHI"}, (None, None, 3.0)),
        "lal": ({"opponent_team_abbr": "LAL"}, (None, None, -0.5)),
        "nobody": ({"opponent_team_abbr": "DEN"}, (None, None, None)),
    }
    raw.game(day(20), "NYK", "BOS")
    raw.game(day(22), "NYK", "BOS")
    for name, (values, _) in cases.items():
        _context(raw, name, **values)
        # Season usage 20; the date's own 90 is not yet known.
        for when, usage in ((day(20), 15.0), (day(22), 25.0), (DATE, 90.0)):
            _summary(raw, when, name, usage_rate=usage)
    _context(raw, "unseen", projected_usage_rate=25.0)
    _summary(raw, DATE, "unseen", usage_rate=25.0)
    rows = _factors(raw)
    names = ("pace_score", "usage_spike_score", "opponent_strength_score")
    for name, (_, scores) in cases.items():
        assert columns(rows[name], *names) == tuple(None if one is None else approx(one) for one in scores), name
        expected = sum(one for one in scores if one is not None)
        assert rows[name]["total_composite_adjustment"] == approx(expected)
    assert rows["unseen"]["usage_spike_score"] is None
    assert rows["plain"]["data_completeness_pct"] == 80.0


NAMES = [
    "points_avg_last_5", "points_avg_last_10", "points_avg_season", "points_std_last_10", "games_in_last_7_days",
    "fatigue_score", "shot_zone_mismatch_score", "pace_score", "usage_spike_score", "rest_advantage", "injury_risk",
    "recent_trend", "minutes_change", "opponent_def_rating", "opponent_pace", "home_away", "back_to_back",
    "playoff_game", "pct_paint", "pct_mid_range", "pct_three", "pct_free_throw", "team_pace", "team_off_rating",
    "team_win_pct",
]  # fmt: skip
DEFAULTS = [10, 10, 10, 5, 3, 50, 0, 0, 0, 0, 0, 0, 0, 112, 100, 0, 0, 0, 0.3, 0.2, 0.35, 0.15, 100, 112, 0.5]


def _store(raw: Raw) -> dict[str, Row]:
    raw.game(DATE, "NYK", "BOS")
    table = "ml_feature_store_v2"
    return {row["player_lookup"]: row for row in raw.process([table]).rows(table, game_date=DATE)}


def _earlier(raw: Raw, name: str, points: Sequence[int], minutes: Sequence[float], free: int = 4) -> None:
    for number, (scored, played) in enumerate(zip(points, minutes, strict=True)):
        _summary(raw, day(10 + number), name, points=scored, minutes_played=played, ft_makes=free)
    _summary(raw, DATE, name, points=99, minutes_played=48.0, ft_makes=0)


def _games(raw: Raw, wins: str) -> None:
    raw.game(OPENING, "CHI", "MIA")
    for number, result in enumerate(wins):
        when = day(10 + number)
        raw.game(when, "NYK", "BOS", 100, 110 if result == "W" else 90)
        raw.add(
            "team_offense_game_summary", game_id=f"{when:%Y%m%d}_NYK_BOS", game_date=when, season_year=2024,
            team_abbr="BOS", opponent_team_abbr="NYK", win_flag=result == "W",
        )  # fmt: skip


def test_features_of_a_player_without_anything(raw: Raw) -> None:
    _games(raw, "")
    _summary(raw, DATE, "abc", points=31)
    row = _store(raw)["abc"]
    assert row["feature_names"] == NAMES
    assert row["features"] == [float(value) for value in DEFAULTS]
    # The kind of the game comes from the schedule, which is never missing.
    assert row["default_features"] == [name for name in NAMES if name != "playoff_game"]
    assert row["feature_quality_score"] == approx(75 / 25)
    assert columns(row, "feature_count", "feature_version", "data_source") == (25, "v1_baseline_25", "mixed")
    assert columns(row, "opponent_team_abbr", "is_home", "days_rest") == ("NYK", True, None)


def test_all_features(raw: Raw) -> None:
    _games(raw, "WWLWLW")
    _earlier(raw, "abc", [20, 10, 12, 20, 18, 22], [30.0, 30.0, 30.0, 30.0, 30.0, 36.0])
    _context(raw, "abc", days_rest=1, opponent_days_rest=2, back_to_back=True, player_status="questionable")
    raw.add(
        "player_daily_cache", player_lookup="abc", cache_date=DATE, points_avg_last_5=16.5, points_avg_last_10=17.5,
        points_avg_season=18.5, points_std_last_10=4.5, games_in_last_7_days=3, minutes_avg_last_10=38.0,
        team_pace_last_10=99.5, team_off_rating_last_10=115.5,
    )  # fmt: skip
    raw.add(
        "player_composite_factors", player_lookup="abc", game_date=DATE, fatigue_score=85,
        shot_zone_mismatch_score=2.5, pace_score=-0.5, usage_spike_score=1.25,
    )  # fmt: skip
    _shot_zone(raw, "abc", "paint", paint_rate_last_10=45.0, mid_range_rate_last_10=20.0, three_pt_rate_last_10=35.0)
    _zone_defense(raw, "NYK", 109.5, opponent_pace=101.5)
    row = _store(raw)["abc"]
    # Trend: (20 + 18 + 22) / 3 - (10 + 12) / 2 = 9. Minutes: (38 - 31) / 31 = 23 %. Free throws: 24 / 102.
    assert row["features"] == approx([
        16.5, 17.5, 18.5, 4.5, 3, 85, 2.5, -0.5, 1.25, -1, 2, 2, 2, 109.5, 101.5, 1, 1, 0, 0.45, 0.2, 0.35, 24 / 102,
        99.5, 115.5, 4 / 6,
    ])  # fmt: skip
    assert row["default_features"] == []
    # 16 values of Phase 4 and 6 calculated at 100, 3 of Phase 3 at 75
    assert row["feature_quality_score"] == approx(97.0)
    assert row["days_rest"] == 1


def test_features_fall_back_to_phase_3(raw: Raw) -> None:
    _games(raw, "WLLLL")
    _earlier(raw, "five", [10, 20, 30, 40, 60], [30.0] * 5)
    _earlier(raw, "four", [10, 20, 30, 40], [30.0] * 4)
    rows = _store(raw)
    five = dict(zip(NAMES, rows["five"]["features"], strict=True))
    assert (five["points_avg_last_5"], five["points_avg_last_10"], five["points_avg_season"]) == (32.0, 32.0, 32.0)
    assert (five["recent_trend"], five["minutes_change"], five["team_win_pct"]) == (2.0, 0.0, 0.2)
    assert five["pct_free_throw"] == approx(20 / 160)
    # 3 points features and playoff_game at 75, trend, minutes, free throws and wins at 100
    assert rows["five"]["feature_quality_score"] == approx((4 * 75 + 4 * 100) / 25)
    four = dict(zip(NAMES, rows["four"]["features"], strict=True))
    # The mean of the last five, the trend and the free throws need five games; the other means do not.
    assert (four["points_avg_last_5"], four["points_avg_last_10"], four["points_avg_season"]) == (10.0, 25.0, 25.0)
    assert {"points_avg_last_5", "recent_trend", "pct_free_throw"} <= set(rows["four"]["default_features"])
    assert not {"points_avg_last_10", "points_avg_season", "minutes_change"} & set(rows["four"]["default_features"])


def test_steps_and_clamps_of_features(raw: Raw) -> None:
    _games(raw, "WWWWW")
    # (oldest two, newest three): the mean of the newest minus that of the oldest, so positive is better.
    trends = {"up2": (10, 15, 2), "up1": (10, 12, 1), "same": (10, 11, 0), "down1": (12, 10, -1), "down2": (15, 10, -2)}
    for name, (old, new, _) in trends.items():
        _earlier(raw, name, [old, old, new, new, new], [30.0] * 5, free=20)
    rests = {"up2": (9, 1, 2), "up1": (2, 1, 1), "same": (None, 2, None), "down1": (1, 3, -2), "down2": (1, 9, -2)}
    for name, (own, other, _) in rests.items():
        _context(raw, name, days_rest=own, opponent_days_rest=other)
    minutes = {"up2": 36.0, "up1": 33.0, "same": 32.0, "down1": 27.0, "down2": 23.0}
    for name, played in minutes.items():
        raw.add("player_daily_cache", player_lookup=name, cache_date=DATE, minutes_avg_last_10=played)
    rows = _store(raw)
    for name, (_, _, trend) in trends.items():
        found = dict(zip(NAMES, rows[name]["features"], strict=True))
        assert found["recent_trend"] == trend, name
        assert found["minutes_change"] == trend, name
        assert found["rest_advantage"] == (rests[name][2] or 0), name
        # More points at the line than half of all
        assert found["pct_free_throw"] == 0.5
    assert "rest_advantage" in rows["same"]["default_features"]
    assert "rest_advantage" not in rows["up1"]["default_features"]


def test_injury_risk(raw: Raw) -> None:
    risks = {"available": 0, "probable": 1, "questionable": 2, "doubtful": 3, "out": 3, None: None}
    _games(raw, "")
    for status in risks:
        _summary(raw, DATE, str(status))
        _context(raw, str(status), player_status=status)
    rows = _store(raw)
    for status, risk in risks.items():
        row = rows[str(status)]
        assert row["features"][NAMES.index("injury_risk")] == (risk or 0), status
        assert ("injury_risk" in row["default_features"]) == (risk is None), status
