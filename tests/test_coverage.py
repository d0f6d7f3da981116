"""Coverage: expected against actual rows by date, on edited copies of the league's warehouse."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest
from courtbook.calendar import Calendar, read_calendar
from courtbook.catalog import Edge, Layer, load_catalog
from courtbook.coverage import Coverage, DateState, read_all, read_coverage, tidy
from courtbook.params import Params
from courtbook.warehouse.duckdb import DuckDBWarehouse

CATALOG = load_catalog()
PHASE3 = [table.name for table in CATALOG.layer(Layer.PHASE3)]
PHASE4 = [table.name for table in CATALOG.layer(Layer.PHASE4)]
ALL_STAR = (date(2024, 2, 16), date(2024, 2, 18))
COUNTS = ["expected_rows", "obtainable_rows", "actual_rows", "found_rows", "unexpected_rows", "duplicate_rows"]


def edit(params: Params, *statements: str) -> None:
    with duckdb.connect(params.warehouse.path) as connection:
        for statement in statements:
            connection.execute(statement)


def read(params: Params, name: str, dates: list[date] | None = None) -> Coverage:
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    return read_coverage(warehouse, CATALOG.tables[name], read_calendar(warehouse, params), dates)


def on(coverage: Coverage, day: date) -> dict[str, object]:
    found = coverage.frame[coverage.frame["day"] == day]
    assert len(found) == 1
    return dict(found.iloc[0])


@pytest.fixture(scope="module")
def calendar(league_warehouse: Path, warehouse_params: Params) -> Calendar:
    """The calendar of the whole league."""
    return read_calendar(DuckDBWarehouse(league_warehouse), warehouse_params)


@pytest.fixture(scope="module")
def whole(league_warehouse: Path, calendar: Calendar) -> dict[str, Coverage]:
    """The coverage of all tables of the league as it was built."""
    return read_all(DuckDBWarehouse(league_warehouse), CATALOG.processed, calendar)


@pytest.mark.parametrize("name", PHASE3 + PHASE4)
def test_a_table_that_was_built_is_complete(whole: dict[str, Coverage], name: str) -> None:
    coverage = whole[name]
    assert coverage.target
    assert coverage.ratio == 1.0
    assert coverage.missing == ()
    assert coverage.found_rows == coverage.expected_rows > 0
    assert set(coverage.frame["state"]) <= {DateState.COMPLETE, DateState.EMPTY_BY_RULE}
    assert not coverage.frame["duplicate_rows"].any()


@pytest.mark.parametrize("name", PHASE3)
def test_phase3_is_expected_on_every_game_date_but_measured_after_the_bootstrap(
    whole: dict[str, Coverage], calendar: Calendar, name: str
) -> None:
    assert whole[name].target == calendar.dates(after_bootstrap=True)
    assert whole[name].dates_in(DateState.COMPLETE) == calendar.dates()


@pytest.mark.parametrize("name", PHASE4)
def test_phase4_expects_nothing_in_the_bootstrap(whole: dict[str, Coverage], calendar: Calendar, name: str) -> None:
    after = set(calendar.dates(after_bootstrap=True))
    assert set(whole[name].target) <= after
    expected = whole[name].frame.set_index("day")["expected_rows"]
    assert all(expected.get(day, 0) == 0 for day in set(calendar.dates()) - after)


def test_team_zones_begin_with_the_first_team_of_fifteen_games(
    whole: dict[str, Coverage], calendar: Calendar, league_warehouse: Path
) -> None:
    expected = []
    with duckdb.connect(str(league_warehouse), read_only=True) as connection:
        rows = connection.execute(
            "SELECT game_date, season_year, home_team_tricode, away_team_tricode FROM nba_raw.nbac_schedule"
            " WHERE game_status = 3 AND (is_regular_season OR is_play_in OR is_playoffs OR is_cup_final)"
            " ORDER BY game_date"
        ).fetchall()
    played: dict[tuple[int, str], int] = {}
    for day in sorted({row[0] for row in rows}):
        today = [row for row in rows if row[0] == day]
        if any(count >= 15 for (season, _), count in played.items() if season == today[0][1]):
            expected.append(day)
        for _, season, *teams in today:
            for team in teams:
                played[season, team] = played.get((season, team), 0) + 1
    assert whole["team_defense_zone_analysis"].target == tuple(
        day for day in expected if day in calendar.dates(after_bootstrap=True)
    )


def test_all_states_of_a_date(copy_warehouse: Callable[[], Params], calendar: Calendar) -> None:
    params = copy_warehouse()
    gone, left_over, doubled, extra, foreign = calendar.dates(after_bootstrap=True)[40:45]
    no_game = next(
        day for day in (calendar.days[0].day + timedelta(days=n) for n in range(60)) if day not in set(calendar.dates())
    )
    table = "nba_analytics.team_offense_game_summary"
    row = f"INSERT INTO {table} BY NAME SELECT * REPLACE ({{}}) FROM {table} WHERE game_date = DATE '{extra}' LIMIT 1"
    edit(
        params,
        f"DELETE FROM {table} WHERE game_date = DATE '{gone}'",
        f"DELETE FROM {table} WHERE game_date = DATE '{left_over}' AND team_abbr <>"
        f" (SELECT MIN(team_abbr) FROM {table} WHERE game_date = DATE '{left_over}')",
        f"INSERT INTO {table} SELECT * FROM {table} WHERE game_date = DATE '{doubled}'",
        row.format("'XXX' AS team_abbr"),
        row.format(f"DATE '{no_game}' AS game_date"),
        f"UPDATE {table} SET team_abbr = 'Z' || team_abbr WHERE game_date = DATE '{foreign}'",
    )
    coverage = read(params, "team_offense_game_summary")
    states = {day: on(coverage, day)["state"] for day in (gone, left_over, doubled, extra, no_game, foreign)}
    assert states == {
        gone: DateState.MISSING,
        left_over: DateState.PARTIAL,
        doubled: DateState.PARTIAL,
        extra: DateState.COMPLETE,
        no_game: DateState.UNEXPECTED,
        foreign: DateState.MISSING,
    }
    assert coverage.missing == (gone,)
    assert on(coverage, left_over)["found_rows"] == 1
    assert on(coverage, doubled)["duplicate_rows"] == on(coverage, doubled)["expected_rows"]
    assert on(coverage, extra)["unexpected_rows"] == 1
    assert on(coverage, foreign)["unexpected_rows"] == on(coverage, foreign)["expected_rows"]
    assert on(coverage, no_game)["expected_rows"] == 0
    record = coverage.record()
    assert record["missing"] == [gone.isoformat()]
    assert record["dates_with_data"] == len(calendar.dates()) - 1 + 1
    assert record["covered_dates"] == record["expected_dates"] - 1
    listed = record["dates"]
    assert len(listed.pop("complete")) == len(calendar.dates()) - 4
    assert listed == {
        "missing": [gone.isoformat(), foreign.isoformat()],
        "partial": [left_over.isoformat(), doubled.isoformat()],
        "unexpected": [no_game.isoformat()],
        "stale": [],
        "no source": [],
    }


@pytest.mark.parametrize("name", PHASE3 + PHASE4)
def test_one_row_left_is_covered_by_the_runbooks_metric_but_partial(
    copy_warehouse: Callable[[], Params], whole: dict[str, Coverage], name: str
) -> None:
    params, table = copy_warehouse(), CATALOG.tables[name]
    day = whole[name].target[-5]
    edit(
        params,
        f"DELETE FROM {table.full_name} WHERE {table.date_column} = DATE '{day}' AND {table.entity_column} <>"
        f" (SELECT MIN({table.entity_column}) FROM {table.full_name} WHERE {table.date_column} = DATE '{day}')",
    )
    coverage = read(params, name)
    assert day in coverage.covered
    assert coverage.ratio == 1.0
    assert coverage.dates_in(DateState.PARTIAL) == (day,)
    lost = whole[name].found_rows - coverage.found_rows
    assert on(coverage, day)["actual_rows"] == 1
    # A table that allows more rows than its rule names may be left with one of these.
    assert lost in (on(coverage, day)["expected_rows"] - 1, on(coverage, day)["expected_rows"])
    assert lost > 0


def test_all_star_rows_are_unexpected_and_do_not_count_as_covered(
    copy_warehouse: Callable[[], Params], calendar: Calendar
) -> None:
    assert not set(ALL_STAR) & set(calendar.dates())
    params = copy_warehouse()
    table = "nba_analytics.team_offense_game_summary"
    for day in ALL_STAR:
        edit(
            params,
            f"INSERT INTO {table} BY NAME SELECT * REPLACE (DATE '{day}' AS game_date, 'RKS' AS team_abbr)"
            f" FROM {table} LIMIT 1",
        )
    coverage = read(params, "team_offense_game_summary")
    assert coverage.dates_in(DateState.UNEXPECTED) == ALL_STAR
    assert not set(ALL_STAR) & set(coverage.target)
    assert coverage.ratio == 1.0
    assert coverage.dates_with_data == len(calendar.dates()) + 2


def test_rows_in_the_bootstrap_are_unexpected_in_phase4(
    copy_warehouse: Callable[[], Params], calendar: Calendar
) -> None:
    params, day = copy_warehouse(), calendar.days[3].day
    table = "nba_precompute.player_daily_cache"
    edit(
        params,
        f"INSERT INTO {table} BY NAME SELECT * REPLACE (DATE '{day}' AS cache_date) FROM {table} LIMIT 2",
    )
    assert read(params, "player_daily_cache").dates_in(DateState.UNEXPECTED) == (day,)


def test_extra_rows_are_no_fault_where_the_table_allows_them(
    copy_warehouse: Callable[[], Params], whole: dict[str, Coverage]
) -> None:
    name, params = "player_shot_zone_analysis", copy_warehouse()
    day, table = whole[name].target[0], CATALOG.tables[name]
    row = f"INSERT INTO {table.full_name} BY NAME SELECT * REPLACE ({{}}) FROM {table.full_name} LIMIT 1"
    edit(params, row.format(f"DATE '{day}' AS analysis_date, 'nobody' AS player_lookup"))
    assert on(read(params, name), day)["state"] is DateState.COMPLETE


@pytest.mark.parametrize("name", PHASE3 + PHASE4)
def test_an_empty_table_misses_every_target_date(
    copy_warehouse: Callable[[], Params], whole: dict[str, Coverage], name: str
) -> None:
    params = copy_warehouse()
    edit(params, f"DELETE FROM {CATALOG.tables[name].full_name}")
    coverage = read(params, name)
    assert coverage.covered == ()
    assert coverage.missing == coverage.target == whole[name].target
    assert coverage.ratio == 0.0
    assert coverage.expected_rows == whole[name].expected_rows
    assert coverage.found_rows == coverage.dates_with_data == 0


RAW_BOXES = ("nbac_team_boxscore", "nbac_gamebook_player_stats", "bdl_player_boxscores")


def test_dates_without_raw_rows_are_gaps_of_the_source_not_of_the_tables(
    copy_warehouse: Callable[[], Params], calendar: Calendar
) -> None:
    params, day = copy_warehouse(), calendar.dates(after_bootstrap=True)[60]
    edit(params, *(f"DELETE FROM nba_raw.{raw} WHERE game_date = DATE '{day}'" for raw in RAW_BOXES))
    for name in ("team_offense_game_summary", "team_defense_game_summary", "player_game_summary"):
        edit(params, f"DELETE FROM nba_analytics.{name} WHERE game_date = DATE '{day}'")
        coverage = read(params, name)
        assert coverage.dates_in(DateState.SOURCE_GAP) == (day,)
        assert coverage.record()["dates"]["no source"] == [day.isoformat()]
        # The runbook's own metric knows no such excuse.
        assert coverage.missing == (day,)
        assert coverage.dates_in(DateState.MISSING, DateState.PARTIAL) == ()


def test_players_that_no_source_knows_are_unexpected(copy_warehouse: Callable[[], Params], calendar: Calendar) -> None:
    params, day = copy_warehouse(), calendar.dates()[60]
    edit(params, *(f"DELETE FROM nba_raw.{raw} WHERE game_date = DATE '{day}'" for raw in RAW_BOXES))
    coverage = read(params, "player_game_summary")
    assert on(coverage, day)["expected_rows"] == 0
    assert on(coverage, day)["state"] is DateState.UNEXPECTED


def test_rows_without_a_source_that_are_doubled_are_no_mere_gap(
    copy_warehouse: Callable[[], Params], calendar: Calendar
) -> None:
    params, day = copy_warehouse(), calendar.dates()[60]
    table = "nba_analytics.team_offense_game_summary"
    edit(
        params,
        *(f"DELETE FROM nba_raw.{raw} WHERE game_date = DATE '{day}'" for raw in RAW_BOXES),
        f"INSERT INTO {table} SELECT * FROM {table} WHERE game_date = DATE '{day}' LIMIT 1",
    )
    assert on(read(params, "team_offense_game_summary"), day)["state"] is DateState.PARTIAL


DAY = date(2024, 3, 5)


def later(name: str, day: date, hours: int = 24) -> str:
    """Return a statement after which a row of a table was written later than everything else."""
    table = CATALOG.tables[name]
    return (
        f"UPDATE {table.full_name} SET processed_at = processed_at + TO_HOURS({hours})"
        f" WHERE {table.date_column} = DATE '{day}' AND {table.entity_column} ="
        f" (SELECT MIN({table.entity_column}) FROM {table.full_name} WHERE {table.date_column} = DATE '{day}')"
    )


def all_later(name: str, day: date) -> str:
    """Return a statement after which all rows of a date were written later than everything else."""
    table = CATALOG.tables[name]
    return (
        f"UPDATE {table.full_name} SET processed_at = processed_at + TO_HOURS(24) WHERE {table.date_column} = '{day}'"
    )


def rest_of_season(calendar: Calendar) -> list[date]:
    return [item.day for item in calendar.days if item.day > DAY and item.season == 2023]


def since(params: Params, name: str, of: str, where: str = "TRUE") -> list[date]:
    """Return the dates after DAY, to the end of the season, on which whoever stands first on DAY has a row."""
    table, whose = CATALOG.tables[name], CATALOG.tables[of]
    who = f"SELECT MIN({whose.entity_column}) FROM {whose.full_name} WHERE {whose.date_column} = DATE '{DAY}'"
    with duckdb.connect(params.warehouse.path, read_only=True) as connection:
        rows = connection.execute(
            f"SELECT DISTINCT {table.date_column} AS day FROM {table.full_name} WHERE {table.entity_column} = ({who})"
            f" AND {where} AND day > DATE '{DAY}' AND day < DATE '2024-07-01' ORDER BY day"
        ).fetchall()
    return [day for (day,) in rows]


HAS_ZONES = "paint_attempts IS NOT NULL AND mid_range_attempts IS NOT NULL"


def zone_dates_of_the_player(params: Params) -> list[date]:
    """Return the dates on which one player's zones look back at DAY: up to his twentieth later game with zones."""
    games = since(params, "player_game_summary", "player_game_summary", HAS_ZONES)
    days = since(params, "player_shot_zone_analysis", "player_game_summary")
    return [day for day in days if sum(game < day for game in games) < 20]


def zone_dates_of_the_teams(params: Params, calendar: Calendar) -> list[date]:
    """Return the dates on which the zones of teams look back at one team's game on DAY."""
    games = since(params, "team_defense_game_summary", "team_defense_game_summary")
    days = rest_of_season(calendar)
    return [day for day in days if (day - DAY).days <= 30 or sum(game < day for game in games) < 15]


@pytest.mark.parametrize(
    ("newer", "name", "stale"),
    [
        ("team_offense_game_summary", "player_game_summary", "the date"),
        ("team_offense_game_summary", "upcoming_player_game_context", "ten games of the team"),
        ("team_offense_game_summary", "player_daily_cache", "ten games of the team"),
        ("team_offense_game_summary", "ml_feature_store_v2", "the season"),
        ("team_defense_game_summary", "team_defense_zone_analysis", "thirty days or fifteen games of the team"),
        ("team_defense_game_summary", "player_game_summary", "nothing"),
        ("player_game_summary", "ml_feature_store_v2", "the date and the season"),
        ("player_game_summary", "player_shot_zone_analysis", "twenty games of the player with zones"),
        ("player_game_summary", "team_offense_game_summary", "nothing"),
        ("upcoming_team_game_context", "player_composite_factors", "the date"),
        ("player_shot_zone_analysis", "player_daily_cache", "the date"),
        ("player_daily_cache", "ml_feature_store_v2", "the date"),
        ("player_daily_cache", "player_daily_cache", "nothing"),
        ("ml_feature_store_v2", "player_daily_cache", "nothing"),
    ],
)
def test_a_date_is_stale_if_an_input_within_its_look_back_is_newer(
    copy_warehouse: Callable[[], Params], calendar: Calendar, newer: str, name: str, stale: str
) -> None:
    params = copy_warehouse()
    edit(params, later(newer, DAY))
    declared = next((edge.window for edge in CATALOG.tables[name].edges if edge.table.name == newer), ())
    of_the_date = [DAY] if "same date" in declared else []
    expected = {
        "nothing": list,
        "the date": lambda: [DAY],
        "the season": lambda: rest_of_season(calendar),
        "the date and the season": lambda: [DAY, *rest_of_season(calendar)],
        "ten games of the team": lambda: since(params, "team_offense_game_summary", newer)[:10],
        "thirty days or fifteen games of the team": lambda: zone_dates_of_the_teams(params, calendar),
        "twenty games of the player with zones": lambda: [*of_the_date, *zone_dates_of_the_player(params)],
    }[stale]()
    coverage = read(params, name)
    assert list(coverage.dates_in(DateState.STALE)) == expected
    assert set(coverage.frame.loc[coverage.frame["state"] == DateState.STALE, "why"]) == (
        {f"older than {newer}"} if expected else set()
    )
    # The rows are all there: nothing else changes.
    assert coverage.ratio == 1.0
    assert coverage.record()["dates"]["stale"] == [day.isoformat() for day in expected]


def stale_by(params: Params, calendar: Calendar, edge: Edge) -> tuple[date, ...]:
    table = replace(CATALOG.tables["upcoming_team_game_context"], edges=(edge,))
    return read_coverage(DuckDBWarehouse(Path(params.warehouse.path)), table, calendar).dates_in(DateState.STALE)


@pytest.mark.parametrize(
    ("window", "first", "last"),
    [
        ("same date", DAY, DAY),
        ("1 days", DAY + timedelta(days=1), DAY + timedelta(days=1)),
        ("7 days", DAY + timedelta(days=1), DAY + timedelta(days=7)),
        ("30 days", DAY + timedelta(days=1), DAY + timedelta(days=30)),
        ("season", DAY + timedelta(days=1), date(2024, 7, 1)),
    ],
)
def test_each_window_looks_back_as_far_as_it_says(
    copy_warehouse: Callable[[], Params], calendar: Calendar, window: str, first: date, last: date
) -> None:
    params = copy_warehouse()
    edit(params, later("team_defense_game_summary", DAY))
    found = stale_by(params, calendar, Edge(CATALOG.tables["team_defense_game_summary"], (window,)))
    assert found == tuple(day for day in calendar.dates() if first <= day <= last)


@pytest.mark.parametrize("count", [1, 2, 10, 200])
@pytest.mark.parametrize("counting", ["", "home_game"])
def test_a_window_of_games_counts_those_of_the_team_that_count(
    copy_warehouse: Callable[[], Params], calendar: Calendar, count: int, counting: str
) -> None:
    params, name = copy_warehouse(), "team_defense_game_summary"
    edit(params, later(name, DAY))
    found = stale_by(params, calendar, Edge(CATALOG.tables[name], (f"{count} games",), "team_abbr", counting))
    counted = since(params, name, name, counting or "TRUE")
    assert list(found) == [day for day in since(params, name, name) if sum(game < day for game in counted) < count]
    assert DAY not in found


def test_all_newer_inputs_are_named(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, later("player_shot_zone_analysis", DAY), later("upcoming_player_game_context", DAY))
    row = on(read(params, "player_daily_cache"), DAY)
    assert row["state"] is DateState.STALE
    assert row["why"] == "older than player_shot_zone_analysis, upcoming_player_game_context"


def test_one_old_row_makes_a_date_stale(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, later("player_game_summary", DAY, hours=-1))
    assert read(params, "player_game_summary").dates_in(DateState.STALE) == (DAY,)


def test_rows_that_do_not_count_make_nothing_stale(copy_warehouse: Callable[[], Params], calendar: Calendar) -> None:
    params = copy_warehouse()
    table = CATALOG.tables["team_offense_game_summary"].full_name
    days = [*ALL_STAR, date(2024, 2, 21)]  # no game on any of them
    assert not set(days) & set(calendar.dates())
    edit(
        params,
        *(
            f"INSERT INTO {table} BY NAME SELECT * REPLACE (DATE '{day}' AS game_date,"
            f" processed_at + INTERVAL 1 DAY AS processed_at) FROM {table} LIMIT 1"
            for day in days
        ),
    )
    for name in ("player_game_summary", "upcoming_player_game_context", "player_daily_cache"):
        assert read(params, name).dates_in(DateState.STALE) == ()


def test_what_is_not_complete_is_not_called_stale(copy_warehouse: Callable[[], Params], calendar: Calendar) -> None:
    params, days = copy_warehouse(), calendar.dates()
    at = days.index(DAY)
    table = CATALOG.tables["player_game_summary"].full_name
    gone, thinned = days[at + 1], days[at + 2]
    edit(
        params,
        *(later("team_offense_game_summary", day) for day in (DAY, gone, thinned)),
        f"DELETE FROM {table} WHERE game_date = DATE '{gone}'",
        f"DELETE FROM {table} WHERE game_date = DATE '{thinned}' AND points > 10",
    )
    coverage = read(params, "player_game_summary")
    assert coverage.dates_in(DateState.STALE) == (DAY,)
    assert coverage.dates_in(DateState.MISSING) == (gone,)
    assert coverage.dates_in(DateState.PARTIAL) == (thinned,)
    assert on(coverage, gone)["why"] == on(coverage, thinned)["why"] == ""


def test_staleness_is_seen_from_inputs_before_the_range_too(copy_warehouse: Callable[[], Params]) -> None:
    params = copy_warehouse()
    edit(params, all_later("player_game_summary", DAY))
    week = params.range.model_copy(update={"start": date(2024, 4, 1), "end": date(2024, 4, 7)})
    short = params.model_copy(update={"range": week})
    coverage = read(short, "player_shot_zone_analysis")
    assert coverage.dates_in(DateState.STALE) == coverage.target
    before = params.range.model_copy(update={"end": DAY - timedelta(days=1)})
    assert (
        read(params.model_copy(update={"range": before}), "player_shot_zone_analysis").dates_in(DateState.STALE) == ()
    )


def test_dates_without_rows_say_which_rule_makes_them_empty(whole: dict[str, Coverage], calendar: Calendar) -> None:
    bootstrap = set(calendar.dates()) - set(calendar.dates(after_bootstrap=True))
    for name in PHASE4:
        frame = whole[name].frame
        empty = frame[frame["state"] == DateState.EMPTY_BY_RULE]
        assert set(empty.loc[empty["day"].isin(bootstrap), "why"]) == {"bootstrap"}
        assert set(empty.loc[~empty["day"].isin(bootstrap), "why"]) <= {"too little history"}
        assert set(frame.loc[frame["state"] == DateState.COMPLETE, "why"]) == {""}
    zones = whole["team_defense_zone_analysis"].frame
    assert "too little history" in set(zones["why"])


def test_all_tables_and_dates_fit_into_one_tidy_frame(copy_warehouse: Callable[[], Params], calendar: Calendar) -> None:
    params = copy_warehouse()
    table = CATALOG.tables["team_offense_game_summary"].full_name
    edit(
        params,
        f"INSERT INTO {table} BY NAME SELECT * REPLACE (DATE '{ALL_STAR[0]}' AS game_date) FROM {table} LIMIT 1",
        later("team_offense_game_summary", DAY),
    )
    names = ("team_offense_game_summary", "player_game_summary", "player_daily_cache")
    warehouse = DuckDBWarehouse(Path(params.warehouse.path))
    frame = tidy(read_all(warehouse, [CATALOG.tables[name] for name in names], calendar), calendar)
    assert list(frame.columns) == ["table", "season", "day", "state", *COUNTS, "oldest_row", "why"]
    assert len(frame) == len(names) * len(calendar.dates()) + 1
    assert not frame.duplicated(["table", "day"]).any()
    assert set(frame["state"]) == {"complete", "stale", "unexpected", "empty by rule"}
    stale = frame[frame["state"] == "stale"].iloc[0]
    assert (stale["table"], stale["day"], stale["season"]) == ("player_game_summary", DAY, 2023)
    # A season is a whole number also beside dates that belong to none.
    assert set(frame["season"].dropna().astype(str)) == {"2023", "2024"}
    assert list(frame.loc[frame["season"].isna(), "state"]) == ["unexpected"]


@pytest.mark.parametrize("name", ["team_offense_game_summary", "player_daily_cache"])
def test_some_dates_are_read_as_the_whole_range_reads_them(
    league_warehouse: Path, calendar: Calendar, whole: dict[str, Coverage], name: str
) -> None:
    some = [whole[name].target[i] for i in (40, 3, 70)]
    warehouse = DuckDBWarehouse(league_warehouse)
    coverage = read_coverage(warehouse, CATALOG.tables[name], calendar, some)
    assert coverage.target == tuple(sorted(some))
    both = whole[name].frame[whole[name].frame["day"].isin(some)].reset_index(drop=True)
    assert coverage.frame[["day", *COUNTS]].equals(both[["day", *COUNTS]])


def test_a_range_inside_a_season_expects_what_the_whole_range_expects(
    league_warehouse: Path, warehouse_params: Params, whole: dict[str, Coverage]
) -> None:
    inside = warehouse_params.range.model_copy(update={"start": date(2024, 3, 1), "end": date(2024, 3, 31)})
    params = warehouse_params.model_copy(update={"range": inside})
    for name in PHASE3 + PHASE4:
        coverage = read(params, name)
        both = whole[name].frame[whole[name].frame["day"].between(inside.start, inside.end)].reset_index(drop=True)
        assert coverage.frame[["day", *COUNTS]].equals(both[["day", *COUNTS]])
        assert coverage.ratio == 1.0


def test_a_range_of_bootstrap_dates_only_has_no_ratio(league_warehouse: Path, warehouse_params: Params) -> None:
    first = warehouse_params.range.start
    short = warehouse_params.range.model_copy(update={"end": first + timedelta(days=6)})
    params = warehouse_params.model_copy(update={"range": short})
    for name in (*PHASE3, *PHASE4):
        coverage = read(params, name)
        assert coverage.target == ()
        assert coverage.ratio is None
        assert coverage.record()["coverage"] is None


def test_a_raw_table_has_no_coverage(league_warehouse: Path, calendar: Calendar) -> None:
    with pytest.raises(ValueError, match="nbac_schedule declares no expectation"):
        read_coverage(DuckDBWarehouse(league_warehouse), CATALOG.tables["nbac_schedule"], calendar)
