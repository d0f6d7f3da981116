"""What is called stale holds all that would change, by brute force: everything is made anew and compared row by row."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from courtbook.backfill.sql import replace_dates
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.coverage import Coverage, DateState, Rewritten, read_all, read_coverage
from courtbook.params import Params
from courtbook.plan import FORCED, Plan, Selection, make_plan
from courtbook.warehouse.duckdb import DuckDBWarehouse

pytestmark = pytest.mark.thorough
CATALOG = load_catalog()
ORDER = [table for layer in (Layer.PHASE3, Layer.PHASE4) for level in CATALOG.levels(layer) for table in level]
DAY, LATER = date(2024, 11, 12), date(2024, 11, 22)
Pairs = set[tuple[str, date]]


@dataclass
class League:
    """A copy of the league's warehouse, and the dates of the last ten weeks."""

    path: str
    original: str
    warehouse: DuckDBWarehouse
    calendar: Calendar

    def edit(self, *statements: str) -> None:
        with duckdb.connect(self.path) as connection:
            for statement in statements:
                connection.execute(statement)

    def reread(self, table: Table, rewritten: Rewritten) -> Coverage:
        return read_coverage(self.warehouse, table, self.calendar, rewritten=rewritten)

    def plans(self, selection: Selection) -> tuple[Plan, Plan]:
        """Plan both layers, the second one as it will be when the first was run."""
        with self.warehouse.session():
            read = read_all(self.warehouse, CATALOG.processed, self.calendar)
            phase3 = make_plan(CATALOG, Layer.PHASE3, read, self.reread, selection)
            return phase3, make_plan(CATALOG, Layer.PHASE4, read, self.reread, selection, before=[phase3])

    def make_anew(self, *but: str) -> None:
        """Make all rows of the ten weeks anew, tables that others read first."""
        with self.warehouse.session(write=True):
            for table in ORDER:
                if table.name not in but:
                    replace_dates(self.warehouse, table, self.calendar, self.calendar.dates())

    def keep(self) -> None:
        """From here on, differences are those to what is there now."""
        self.original = f"{self.path}.before"
        Path(self.original).write_bytes(Path(self.path).read_bytes())

    def differences(self) -> Pairs:
        """Return the dates of tables on which any row came, went or changed; numbers by more than 1e-9."""
        unlike = {
            "FLOAT64": "(a.{0} IS NULL) <> (b.{0} IS NULL) OR ABS(a.{0} - b.{0}) > 1e-9",
            "ARRAY<FLOAT64>": "LEN(a.{0}) <> LEN(b.{0})"
            " OR LIST_MAX(LIST_TRANSFORM(LIST_ZIP(a.{0}, b.{0}), LAMBDA z: ABS(z[1] - z[2]))) > 1e-9",
        }
        found: Pairs = set()
        first, last = self.calendar.dates()[0], self.calendar.dates()[-1]
        with duckdb.connect(self.path) as connection:
            connection.execute(f"ATTACH '{self.original}' AS original (READ_ONLY)")
            for table in ORDER:
                columns = [name for name in table.columns if name != "processed_at" and name not in table.key]
                wrong = [
                    unlike.get(table.columns[name], "a.{0} IS DISTINCT FROM b.{0}").format(name) for name in columns
                ]
                key = {*table.key, table.date_column}
                side = f"(SELECT *, 1 AS here FROM {{}} WHERE {table.date_column} BETWEEN '{first}' AND '{last}')"
                sides = side.format(table.full_name), side.format(f"original.{table.full_name}")
                days = connection.execute(
                    f"SELECT DISTINCT {table.date_column} FROM {sides[0]} AS a FULL JOIN {sides[1]} AS b"
                    f" USING ({', '.join(sorted(key))}) WHERE a.here IS NULL OR b.here IS NULL OR {' OR '.join(wrong)}"
                ).fetchall()
                found |= {(table.name, day) for (day,) in days}
        return found


def pairs(*plans: Plan) -> Pairs:
    return {(task.table.name, day) for plan in plans for task in plan.tasks for day in task.dates}


@pytest.fixture
def league(copy_warehouse: Callable[[], Params], league_warehouse: Path) -> League:
    """A copy that the test may change, with the dates of the last season only."""
    params = copy_warehouse()
    weeks = params.range.model_copy(update={"start": date(2024, 10, 22)})
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    calendar = read_calendar(warehouse, params.model_copy(update={"range": weeks}))
    return League(params.warehouse.path, str(league_warehouse), warehouse, calendar)


@pytest.fixture
def whole(copy_warehouse: Callable[[], Params], league_warehouse: Path) -> League:
    """A copy that the test may change, with all dates of both seasons."""
    params = copy_warehouse()
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    return League(params.warehouse.path, str(league_warehouse), warehouse, read_calendar(warehouse, params))


def test_what_is_made_anew_from_the_same_rows_is_the_same(league: League) -> None:
    league.make_anew()
    assert league.differences() == set()


# What may be wrong in the raw rows of a date: {day}. {team} and {other} play on it, {zoned} and {blind} are home teams
# of games with and without zones, {player} scored most for {team}, {idle} sat on its bench.
BOX, TEAM_BOX, SCHEDULE = "nba_raw.nbac_gamebook_player_stats", "nba_raw.nbac_team_boxscore", "nba_raw.nbac_schedule"
ZONES, LINES, INJURIES = "nba_raw.player_shot_zones", "nba_raw.odds_api_game_lines", "nba_raw.nbac_injury_report"
PROPS = "nba_raw.odds_api_player_points_props"
ON = "game_date = DATE '{day}'"
OF = f"{ON} AND player_lookup = '{{player}}'"
GAME = f"{ON} AND team_abbr IN ('{{team}}', '{{other}}')"
HOME = f"{ON} AND home_team_tricode = '{{team}}'"
STATS = (
    "minutes = '24:30', minutes_decimal = 24.5, points = 31, field_goals_made = 11, field_goals_attempted = 20,"
    " three_pointers_made = 3, three_pointers_attempted = 8, free_throws_made = 6, free_throws_attempted = 6,"
    " offensive_rebounds = 1, defensive_rebounds = 4, total_rebounds = 5, assists = 3, steals = 1, blocks = 1,"
    " turnovers = 2, personal_fouls = 2, plus_minus = 4"
)
CHANGES = {
    "points": [
        f"UPDATE {BOX} SET points = points + 7, field_goals_made = field_goals_made + 3 WHERE {OF}",
        f"UPDATE {TEAM_BOX} SET points = points + 7, fg_made = fg_made + 3 WHERE {ON} AND team_abbr = '{{team}}'",
        f"UPDATE {SCHEDULE} SET home_team_score = home_team_score + 7 WHERE {HOME}",
    ],
    "the other team won": [
        f"UPDATE {SCHEDULE} SET home_team_score = away_team_score, away_team_score = home_team_score WHERE {HOME}"
    ],
    "minutes of all players": [f"UPDATE {BOX} SET minutes = '0' || LEFT(minutes, 1) || ':30' WHERE {GAME}"],
    "an overtime": [f"UPDATE {TEAM_BOX} SET minutes = '265:00' WHERE {GAME}"],
    "active -> dnp": [f"UPDATE {BOX} SET player_status = 'dnp' WHERE {OF}"],
    "a whole team did not play": [f"UPDATE {BOX} SET player_status = 'dnp' WHERE {ON} AND team_abbr = '{{team}}'"],
    "dnp -> active": [f"UPDATE {BOX} SET player_status = 'active', {STATS} WHERE {ON} AND player_lookup = '{{idle}}'"],
    "a player nobody knew": [
        f"INSERT INTO {BOX} BY NAME SELECT * REPLACE ('new.comer' AS player_lookup) FROM {BOX} WHERE {OF}"
    ],
    "another name for a player": [f"UPDATE {BOX} SET player_lookup = '{{elsewhere}}' WHERE {OF}"],
    "no gamebook of a game": [f"DELETE FROM {BOX} WHERE {GAME}"],
    "no team box score of a game": [f"DELETE FROM {TEAM_BOX} WHERE {GAME}"],
    "no source of a game": [f"DELETE FROM {TEAM_BOX} WHERE {GAME}", f"DELETE FROM {BOX} WHERE {GAME}"],
    "no zones of a game": [
        f"DELETE FROM {ZONES} AS z USING {BOX} AS b WHERE z.player_lookup = b.player_lookup"
        f" AND z.game_date = b.game_date AND b.{ON} AND b.{{home}} = '{{zoned}}'"
    ],
    "zones of a game": [
        f"INSERT INTO {ZONES} BY NAME SELECT game_id, game_date, player_lookup, team_abbr, 2 AS paint_makes,"
        " 4 AS paint_attempts, 1 AS mid_range_makes, 3 AS mid_range_attempts, 1 AS three_pt_makes,"
        f" 2 AS three_pt_attempts, 2 AS assisted_fg_makes FROM {BOX} WHERE {ON} AND {{home}} = '{{blind}}'"
        " AND player_status = 'active'",
    ],
    "half the zones of a game": [
        f"UPDATE {ZONES} SET mid_range_attempts = NULL WHERE {ON} AND team_abbr = '{{zoned}}'"
    ],
    "a betting line": [
        f"UPDATE {LINES} SET outcome_point = outcome_point + 3 WHERE {ON} AND home_team_abbr = '{{team}}'"
    ],
    "points lines": [f"UPDATE {PROPS} SET points_line = points_line + 3 WHERE {ON}"],
    "an injury": [
        f"INSERT INTO {INJURIES} BY NAME SELECT DATE '{{day}}' AS game_date, '{{team}}' AS team,"
        " '{player}' AS player_lookup, 'out' AS injury_status, 23 AS report_hour"
    ],
    "no injury report": [f"DELETE FROM {INJURIES} WHERE {ON}"],
    "a game that was postponed": [f"UPDATE {SCHEDULE} SET game_status = 1 WHERE {HOME}"],
}
FAST = ("points", "active -> dnp", "no zones of a game", "zones of a game")
SLOW = [(name, LATER) for name in CHANGES if name not in FAST]


def names_on(league: League, day: date) -> dict[str, str]:
    """Choose the teams and players that the changes are about."""
    with duckdb.connect(league.path, read_only=True) as connection:

        def first(sql: str) -> tuple[str, ...]:
            row = connection.execute(sql.format(day=day)).fetchone()
            assert row is not None
            return row

        team, other = first(f"SELECT home_team_tricode, away_team_tricode FROM {SCHEDULE} WHERE {ON} ORDER BY game_id")
        zoned_game = (
            f"SELECT home_team_abbr FROM {BOX} WHERE {ON} AND team_abbr {{}} (SELECT team_abbr FROM {ZONES} WHERE {ON})"
        )
        bench = f"SELECT player_lookup FROM {BOX} WHERE {ON} AND team_abbr = '{team}' AND player_status"
        return {
            "day": day.isoformat(),
            "team": team,
            "other": other,
            "home": "home_team_abbr",
            "zoned": first(zoned_game.replace("{}", "IN"))[0],
            "blind": first(zoned_game.replace("{}", "NOT IN"))[0],
            "player": first(f"{bench} = 'active' ORDER BY points DESC")[0],
            "idle": first(f"{bench} = 'dnp'")[0],
            "elsewhere": first(f"SELECT player_lookup FROM {BOX} WHERE team_abbr NOT IN (SELECT team_abbr FROM {BOX}"
                               f" WHERE {ON}) AND game_date > DATE '{{day}}' ORDER BY points DESC")[0],
        }  # fmt: skip


def tell(words: str, differ: Pairs, planned: Pairs) -> None:
    """Print a table: what differs and what is planned, by table."""
    for table in ORDER:
        of = [sum(name == table.name for name, _ in found) for found in (differ, planned)]
        print(  # noqa: T201 - shown where a test fails, or with -s
            f"{words:<32} {table.name:<30} differ {of[0]:>3}  planned {of[1]:>3}"
        )


def change(league: League, words: str, day: date) -> None:
    named = names_on(league, day)
    league.edit(*(statement.format(**named) for statement in CHANGES[words]))


@pytest.mark.parametrize(
    ("words", "day"),
    [(name, DAY) for name in FAST] + [pytest.param(*case, marks=pytest.mark.slow) for case in SLOW],
    ids=str,
)
def test_all_that_a_corrected_raw_date_changes_is_planned(league: League, words: str, day: date) -> None:
    change(league, words, day)
    planned = pairs(*league.plans(Selection(mode="stale", changed=[day])))
    league.make_anew()
    differ = league.differences()
    tell(words, differ, planned)
    assert differ, "the change changed nothing: this shows nothing"
    assert differ - planned == set()
    assert planned != {(table.name, at) for table in ORDER for at in league.calendar.dates() if at >= day}


@pytest.mark.slow
@pytest.mark.parametrize("words", ["points", "active -> dnp", "no zones of a game"])
def test_all_that_a_corrected_raw_date_changes_over_a_whole_season_is_planned(whole: League, words: str) -> None:
    season = tuple(item for item in whole.calendar.days if item.season == 2023)
    whole.calendar, day = Calendar(season, whole.calendar.bootstrap_days), date(2023, 12, 8)
    change(whole, words, day)
    planned = pairs(*whole.plans(Selection(mode="stale", changed=[day])))
    whole.make_anew()
    differ = whole.differences()
    tell(words, differ, planned)
    assert differ - planned == set()
    assert differ


@pytest.mark.slow
def test_running_the_plan_of_a_corrected_date_is_as_good_as_making_all_anew(league: League) -> None:
    for words in ("points", "dnp -> active", "no zones of a game"):
        change(league, words, DAY)
    for plan in league.plans(Selection(mode="stale", changed=[DAY])):
        for task in plan.tasks:
            if task.dates:
                replace_dates(league.warehouse, task.table, league.calendar, sorted(task.dates))
    league.keep()
    league.make_anew()
    assert league.differences() == set()


def test_a_corrected_date_is_forced_itself_and_what_looks_back_is_stale(league: League) -> None:
    reasons = {
        (task.table.name, day): why
        for plan in league.plans(Selection(changed=[DAY]))
        for task in plan.tasks
        for day, why in task.dates.items()
    }
    raw_readers = {
        table.name
        for table in ORDER
        if any(edge.table.layer is Layer.RAW and "same date" in edge.window for edge in table.edges)
    }
    assert {name for name, day in reasons if day == DAY} >= raw_readers
    assert {why for (_, day), why in reasons.items() if day == DAY} == {FORCED}
    assert {why for (_, day), why in reasons.items() if day != DAY} == {"stale"}
    assert min(day for _, day in reasons) == DAY


NUMBERS = {"INT64", "FLOAT64"}


@pytest.mark.parametrize(
    "name",
    [
        "team_defense_game_summary",
        "player_game_summary",
        pytest.param("team_offense_game_summary", marks=pytest.mark.slow),
        pytest.param("upcoming_player_game_context", marks=pytest.mark.slow),
        pytest.param("player_shot_zone_analysis", marks=pytest.mark.slow),
        pytest.param("team_defense_zone_analysis", marks=pytest.mark.slow),
        pytest.param("player_daily_cache", marks=pytest.mark.slow),
        pytest.param("player_composite_factors", marks=pytest.mark.slow),
    ],
)
def test_all_that_a_newer_date_of_a_table_changes_is_planned(league: League, name: str) -> None:
    table, day = CATALOG.tables[name], LATER  # there were no zones of teams before
    numbers = [column for column, kind in table.columns.items() if kind in NUMBERS and column not in ("season_year",)]
    # Some values appear and others go, zones among them; every number is another one.
    values = [
        f"{column} = CASE WHEN HASH({table.entity_column}) % 3 = 0 AND {column} IS NULL THEN 4"
        f" WHEN HASH({table.entity_column}) % 3 = 1 AND '{column}' LIKE '%paint%' THEN NULL ELSE {column} * 1.2 + 1 END"
        for column in numbers
    ]
    league.edit(
        f"UPDATE {table.full_name} SET {', '.join(values)}, processed_at = processed_at + INTERVAL 1 DAY"
        f" WHERE {table.date_column} = DATE '{day}'"
    )
    planned = pairs(*league.plans(Selection(mode="stale")))
    league.make_anew(name)
    differ = {(other, at) for other, at in league.differences() if other != name}
    tell(name, differ, planned)
    assert differ, "the change changed nothing: this shows nothing"
    assert differ - planned == set()
    assert (name, day) not in planned


def newer(league: League, name: str, day: date) -> None:
    table = CATALOG.tables[name]
    league.edit(
        f"UPDATE {table.full_name} SET processed_at = processed_at + INTERVAL 1 DAY"
        f" WHERE {table.date_column} = DATE '{day}'"
    )


def stale(league: League, name: str, rewritten: Rewritten | None = None) -> list[date]:
    read = read_coverage(league.warehouse, CATALOG.tables[name], league.calendar, rewritten=rewritten)
    return list(read.dates_in(DateState.STALE))


def dates_by(league: League, sql: str) -> dict[str, list[date]]:
    """Return sorted dates by name, from rows of a name and a date."""
    found: dict[str, set[date]] = {}
    with duckdb.connect(league.path, read_only=True) as connection:
        for name, day in connection.execute(sql).fetchall():
            found.setdefault(name, set()).add(day)
    return {name: sorted(days) for name, days in found.items()}


def within_season(league: League, day: date) -> list[date]:
    season = {item.day: item.season for item in league.calendar.days}
    return [other for other in season if other > day and season[other] == season[day]]


def games_of_teams(league: League) -> dict[str, list[date]]:
    counts = "game_status = 3 AND (is_regular_season OR is_play_in OR is_playoffs OR is_cup_final)"
    return dates_by(
        league,
        f"SELECT home_team_tricode, game_date FROM {SCHEDULE} WHERE {counts}"
        f" UNION ALL SELECT away_team_tricode, game_date FROM {SCHEDULE} WHERE {counts}",
    )


def games_between(games: Iterable[date], day: date, until: date) -> int:
    return sum(day < other < until for other in games)


SOME_DAYS = [date(2023, 10, 25), date(2023, 12, 29), date(2024, 3, 5), date(2024, 4, 14), date(2024, 10, 30), DAY]


@pytest.mark.parametrize("day", SOME_DAYS)
def test_zones_of_teams_look_back_thirty_days_or_fifteen_games_and_no_further(whole: League, day: date) -> None:
    newer(whole, "team_defense_game_summary", day)
    games = {team: days for team, days in games_of_teams(whole).items() if day in days}
    analysed = dates_by(whole, "SELECT team_abbr, analysis_date FROM nba_precompute.team_defense_zone_analysis")
    held = {at for days in analysed.values() for at in days}
    expected = [
        at
        for at in within_season(whole, day)
        if at in held
        and (
            at - day <= timedelta(days=30)
            or any(at in analysed[team] and games_between(days, day, at) < 15 for team, days in games.items())
        )
    ]
    assert stale(whole, "team_defense_zone_analysis") == expected
    assert len(expected) < len(held)


@pytest.mark.parametrize("day", SOME_DAYS)
def test_form_of_a_team_looks_back_ten_games_of_the_teams_that_play(whole: League, day: date) -> None:
    newer(whole, "team_offense_game_summary", day)
    games = [days for days in games_of_teams(whole).values() if day in days]
    expected = [
        at
        for at in within_season(whole, day)
        if any(at in days and games_between(days, day, at) < 10 for days in games)
    ]
    assert stale(whole, "upcoming_player_game_context") == expected
    assert len(expected) < len(within_season(whole, day)) or day == SOME_DAYS[3]


@pytest.mark.parametrize("day", SOME_DAYS)
def test_zones_of_players_look_back_twenty_games_that_have_zones(whole: League, day: date) -> None:
    newer(whole, "player_game_summary", day)
    pgs = "SELECT player_lookup, game_date FROM nba_analytics.player_game_summary"
    zoned = dates_by(whole, f"{pgs} WHERE paint_attempts IS NOT NULL AND mid_range_attempts IS NOT NULL")
    played = {name for name, days in dates_by(whole, pgs).items() if day in days}
    analysed = dates_by(whole, "SELECT player_lookup, analysis_date FROM nba_precompute.player_shot_zone_analysis")
    expected = {
        at
        for name in played & set(analysed)
        for at in set(analysed[name]) & set(within_season(whole, day))
        if games_between(zoned.get(name, ()), day, at) < 20
    }
    [edge] = [edge for edge in CATALOG.tables["player_shot_zone_analysis"].edges if edge.by]
    if "same date" in edge.window and day in {at for days in analysed.values() for at in days}:
        expected.add(day)
    assert stale(whole, "player_shot_zone_analysis") == sorted(expected)


@pytest.mark.parametrize(
    ("name", "reader"),
    [
        ("team_defense_game_summary", "team_defense_zone_analysis"),
        ("team_offense_game_summary", "upcoming_player_game_context"),
        ("player_game_summary", "player_shot_zone_analysis"),
        ("player_game_summary", "ml_feature_store_v2"),
    ],
)
def test_a_date_that_will_be_written_makes_stale_at_least_what_one_that_was_written_does(
    whole: League, name: str, reader: str
) -> None:
    will = stale(whole, reader, {name: [DAY]})
    newer(whole, name, DAY)
    was = stale(whole, reader)
    assert set(was) <= set(will)
    assert was


def test_one_date_counts_however_many_others_are_written(whole: League) -> None:
    one, other = date(2024, 1, 5), date(2024, 11, 29)
    reader = "team_defense_zone_analysis"
    apart = [set(stale(whole, reader, {"team_defense_game_summary": [day]})) for day in (one, other)]
    assert set(stale(whole, reader, {"team_defense_game_summary": [one, other]})) == set.union(*apart)


def test_tables_that_are_not_read_make_nothing_stale(whole: League) -> None:
    everything: Mapping[str, list[date]] = {"ml_feature_store_v2": list(whole.calendar.dates())}
    assert stale(whole, "player_daily_cache", everything) == []


def test_a_correction_reaches_dates_that_lack_a_source_of_another_game(league: League) -> None:
    gap = names_on(league, DAY)
    with duckdb.connect(league.path, read_only=True) as connection:
        games = connection.execute(
            f"SELECT home_team_tricode, away_team_tricode FROM {SCHEDULE} WHERE {ON.format(day=DAY)} ORDER BY game_id"
        ).fetchall()
    gap["team"], gap["other"] = games[-1]
    league.edit(*(statement.format(**gap) for statement in CHANGES["no source of a game"]))
    league.make_anew()
    table = CATALOG.tables["team_offense_game_summary"]
    assert league.reread(table, {}).dates_in(DateState.SOURCE_GAP) == (DAY,)
    league.keep()
    change(league, "points", DAY)
    planned = pairs(*league.plans(Selection(mode="stale", changed=[DAY])))
    league.make_anew()
    assert league.differences() - planned == set()


def test_a_date_whose_only_game_was_postponed_reaches_what_looked_back_at_it(league: League) -> None:
    lonely = next(item.day for item in league.calendar.days if item.games == 1 and item.day > DAY)
    league.edit(f"UPDATE {SCHEDULE} SET game_status = 1 WHERE {ON.format(day=lonely)}")
    left = tuple(item for item in league.calendar.days if item.day != lonely)
    league.calendar = Calendar(left, league.calendar.bootstrap_days)
    planned = pairs(*league.plans(Selection(mode="stale", changed=[lonely])))
    league.make_anew()
    assert {item for item in league.differences() - planned if item[1] != lonely} == set()


def test_rows_of_games_that_do_not_count_are_no_games_of_a_window(whole: League) -> None:
    # A game of the date was postponed after the operator's job had written its row.
    games, name = games_of_teams(whole), "team_offense_game_summary"
    team = next(team for team, days in sorted(games.items()) if DAY in days)
    nexts = [day for day in games[team] if day > DAY]
    between = next(day for day in whole.calendar.dates() if nexts[0] < day < nexts[8] and day not in nexts)
    table = CATALOG.tables[name].full_name
    whole.edit(
        f"UPDATE {table} SET processed_at = processed_at + INTERVAL 1 DAY"
        f" WHERE game_date = DATE '{DAY}' AND team_abbr = '{team}'",
        f"INSERT INTO {table} BY NAME SELECT * REPLACE (DATE '{between}' AS game_date, 'x' AS game_id)"
        f" FROM {table} WHERE game_date = DATE '{nexts[0]}' AND team_abbr = '{team}'",
    )
    assert stale(whole, "upcoming_player_game_context") == nexts[:10]
