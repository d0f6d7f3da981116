"""The synthetic league: identities of box scores, real counts, and history that predicts."""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from courtbook.catalog import Layer, load_catalog
from courtbook.nba.league import make_league
from courtbook.nba.names import TEAM_NAMES, TEAMS, player_lookup

END = dt.date(2026, 1, 3)
OPENINGS = ("2021-10-19", "2022-10-18", "2023-10-24", "2024-10-22", "2025-10-21")
SMALL_END = dt.date(2024, 12, 31)
STATS = [
    "points",
    "field_goals_made",
    "field_goals_attempted",
    "three_pointers_made",
    "three_pointers_attempted",
    "free_throws_made",
    "free_throws_attempted",
    "offensive_rebounds",
    "defensive_rebounds",
    "assists",
    "steals",
    "blocks",
    "turnovers",
    "personal_fouls",
]
Frames = dict[str, pd.DataFrame]


@pytest.fixture(scope="session")
def tables() -> dict[str, pa.Table]:
    return make_league()


@pytest.fixture(scope="session")
def small() -> dict[str, pa.Table]:
    return make_league(7, seasons=[2024], end=SMALL_END)


@pytest.fixture(scope="session")
def frames(tables: dict[str, pa.Table]) -> Frames:
    frames = {name: table.to_pandas() for name, table in tables.items()}
    for frame in frames.values():
        frame["game_date"] = pd.to_datetime(frame["game_date"])
    return frames


@pytest.fixture(scope="session")
def counted(frames: Frames) -> pd.DataFrame:
    plan = frames["nbac_schedule"]
    plan = plan[~plan.is_all_star & ~plan.is_preseason & (plan.game_status == 3)].copy()
    plan["key"] = plan.game_date.dt.strftime("%Y%m%d") + "_" + plan.away_team_tricode + "_" + plan.home_team_tricode
    return plan


@pytest.fixture(scope="session")
def active(frames: Frames) -> pd.DataFrame:
    """Active rows of the gamebook, and of the games that only the second source has."""
    book = frames["nbac_gamebook_player_stats"]
    bdl = frames["bdl_player_boxscores"].rename(columns={"rebounds": "total_rebounds"})
    extra = bdl[~bdl.game_id.isin(book.game_id)].drop(columns="minutes")
    rows = pd.concat([book[book.player_status == "active"], extra], ignore_index=True)
    return rows.sort_values(["game_date", "game_id", "team_abbr"], ignore_index=True)


def test_tables_are_those_of_the_catalog(tables: dict[str, pa.Table], small: dict[str, pa.Table]) -> None:
    raw = load_catalog().layer(Layer.RAW)
    assert list(tables) == [table.name for table in raw]
    for table in raw:
        for made in (tables[table.name], small[table.name]):
            assert made.schema == table.arrow_schema()
            assert made.num_rows
            made.validate(full=True)
            assert all(made[column].null_count == 0 for column in table.key)
            assert made.group_by(list(table.key)).aggregate([]).num_rows == made.num_rows


def test_dates_are_the_real_ones(counted: pd.DataFrame) -> None:
    dates = counted.game_date.drop_duplicates()
    assert len(dates) == 918
    assert dates.min() == pd.Timestamp("2021-10-19") and dates.max() == pd.Timestamp(END)
    first = [sum((dates >= day) & (dates < pd.Timestamp(day) + pd.Timedelta(days=14))) for day in OPENINGS]
    assert sum(first) == 70
    kinds = ["is_regular_season", "is_play_in", "is_playoffs", "is_cup_final"]
    by_season = [
        [group[group[kind]].game_date.nunique() for kind in kinds] for _, group in counted.groupby("season_year")
    ]
    assert by_season == [[165, 3, 45, 0], [164, 3, 45, 0], [160, 3, 44, 0], [163, 3, 47, 0], [72, 0, 0, 1]]


def test_schedule_knows_scores_only_of_finished_games(frames: Frames) -> None:
    plan = frames["nbac_schedule"]
    done = plan.game_date <= pd.Timestamp(END)
    assert (plan.game_status == np.where(done, 3, 1)).all()
    assert (plan.home_team_score.notna() == done).all() and (plan.away_team_score.notna() == done).all()
    flags = ["is_regular_season", "is_play_in", "is_playoffs", "is_cup_final", "is_all_star", "is_preseason"]
    assert (plan[flags].sum(axis=1) == 1).all()
    assert (plan[plan.is_regular_season].groupby("season_year").size() == 1230).all()
    prefix = plan[flags].idxmax(axis=1).map(dict(zip(flags, ["002", "005", "004", "006", "003", "001"], strict=True)))
    assert (plan.game_id.str[:3] == prefix).all() and (plan.game_id.str.len() == 10).all()
    assert (plan.game_id.str[3:5].astype(int) == plan.season_year % 100).all()
    code = plan.game_date.dt.strftime("%Y%m%d") + "/" + plan.away_team_tricode + plan.home_team_tricode
    assert (plan.game_code == code).all()
    assert (~plan[~done].is_playoffs & ~plan[~done].is_play_in).all()


def test_all_star_games_stand_in_two_tables_only(frames: Frames) -> None:
    stars = frames["nbac_schedule"].query("is_all_star")
    assert not (set(stars.home_team_tricode) | set(stars.away_team_tricode)) & set(TEAMS)
    assert len(stars) == stars.game_date.nunique() == 10
    box = frames["nbac_team_boxscore"]
    rows = box[~box.team_abbr.isin(TEAMS)]
    assert sorted(rows.game_date.dt.strftime("%Y-%m-%d").unique()) == [
        "2022-02-18",
        "2022-02-20",
        "2023-02-17",
        "2023-02-19",
        "2024-02-16",
        "2024-02-18",
    ]
    assert len(rows) == 12
    for name in ("nbac_gamebook_player_stats", "bdl_player_boxscores", "player_shot_zones"):
        assert not frames[name].game_date.isin(stars.game_date).any()


def test_playoff_winners_are_those_of_the_box_scores(counted: pd.DataFrame) -> None:
    games = counted[counted.is_playoffs].sort_values("game_date").copy()
    games["winner"] = np.where(
        games.home_team_score > games.away_team_score, games.home_team_tricode, games.away_team_tricode
    )
    games["series"] = [
        "".join(sorted(pair)) for pair in zip(games.home_team_tricode, games.away_team_tricode, strict=True)
    ]
    series = games.groupby(["season_year", "series"]).winner
    assert (series.size().groupby("season_year").size() == 15).all()
    assert series.size().between(4, 7).all()
    assert (series.agg(lambda wins: (wins == wins.iloc[-1]).sum()) == 4).all()


def test_player_numbers_agree_with_themselves(active: pd.DataFrame) -> None:
    assert (active.points == 2 * active.field_goals_made + active.three_pointers_made + active.free_throws_made).all()
    for kind in ("field_goals", "three_pointers", "free_throws"):
        assert (active[f"{kind}_made"] <= active[f"{kind}_attempted"]).all()
    assert (active.three_pointers_attempted <= active.field_goals_attempted).all()
    twos = active.field_goals_attempted - active.three_pointers_attempted
    assert (active.field_goals_made - active.three_pointers_made <= twos).all()
    assert (active.total_rebounds == active.offensive_rebounds + active.defensive_rebounds).all()
    assert active.personal_fouls.between(0, 6).all()
    assert (active[STATS] >= 0).all(axis=None)


def test_numbers_are_null_exactly_for_those_who_did_not_play(frames: Frames) -> None:
    book = frames["nbac_gamebook_player_stats"]
    assert set(book.player_status) == {"active", "dnp", "inactive"}
    idle = book.player_status != "active"
    for column in ["minutes", "minutes_decimal", "plus_minus", "total_rebounds", *STATS]:
        assert (book[column].isna() == idle).all(), column
    clock = book[~idle].minutes.str.split(":", expand=True).astype(int)
    assert (clock[1] < 60).all() and book[~idle].minutes.str.fullmatch(r"\d\d:\d\d").all()
    assert np.allclose(clock[0] + clock[1] / 60, book[~idle].minutes_decimal)
    assert (book[~idle].minutes_decimal > 0).all()
    bdl = frames["bdl_player_boxscores"]
    assert bdl.minutes.str.fullmatch(r"[1-9]\d*").all()


def test_team_rows_are_sums_of_player_rows(frames: Frames, active: pd.DataFrame, counted: pd.DataFrame) -> None:
    box = frames["nbac_team_boxscore"]
    box = box[box.team_abbr.isin(TEAMS)].set_index(["game_id", "team_abbr"])
    names = {"field_goals": "fg", "three_pointers": "three_pt", "free_throws": "ft"}
    sums = active.groupby(["game_id", "team_abbr"])[[*STATS, "total_rebounds"]].sum()
    for name in sums:
        start, _, end = name.rpartition("_")
        other = f"{names[start]}_{end}" if start in names else name
        assert (sums[name].loc[box.index] == box[other]).all(), name
    margin = box.points - box.groupby("game_id").points.transform("sum") + box.points
    assert (box.plus_minus == margin).all() and (margin != 0).all()
    scores = counted.set_index("key")
    points = sums.points.unstack()
    home = [points.loc[game, team] for game, team in scores.home_team_tricode.items()]
    assert (scores.home_team_score == home).all() and len(points) == len(scores)
    assert set(box.nba_game_id) <= set(scores.game_id)
    plus = active.groupby(["game_id", "team_abbr"]).plus_minus.sum(min_count=1).loc[box.index]
    assert (plus.dropna() == 5 * margin[plus.notna()]).all() and plus.notna().mean() > 0.98


def test_minutes_fill_the_game_and_overtime_is_close(frames: Frames) -> None:
    book = frames["nbac_gamebook_player_stats"].query("player_status == 'active'")
    box = frames["nbac_team_boxscore"]
    box = box[box.team_abbr.isin(TEAMS)].set_index(["game_id", "team_abbr"])
    seconds = (book.minutes_decimal * 60).round().groupby([book.game_id, book.team_abbr]).sum()
    periods = (seconds - 14_400) / 1_500
    assert set(periods) == {0, 1, 2}
    both = box.index.intersection(periods.index)
    assert (box.loc[both].minutes == (240 + 25 * periods[both]).astype(int).astype(str) + ":00").all()
    extra = periods.loc[both] > 0
    assert 0.04 < extra.mean() < 0.08
    assert box.loc[both].plus_minus[extra].abs().max() <= 9
    longest = book.groupby("game_id").minutes_decimal.max()
    assert (longest <= 48 + 5 * periods.groupby("game_id").first()).all()


def test_level_of_play_is_that_of_the_league(frames: Frames, active: pd.DataFrame, counted: pd.DataFrame) -> None:
    assert 118_000 <= len(active) <= 125_000
    home = counted[~counted.is_cup_final]
    assert 0.52 <= (home.home_team_score > home.away_team_score).mean() <= 0.60
    assert 109 <= pd.concat([home.home_team_score, home.away_team_score]).mean() <= 116
    assert 10.5 <= pd.concat([home.home_team_score, home.away_team_score]).std() <= 13.5
    box = frames["nbac_team_boxscore"]
    box = box[box.team_abbr.isin(TEAMS) & (box.minutes == "240:00")]
    possessions = box.fg_attempted + 0.44 * box.ft_attempted + box.turnovers - box.offensive_rebounds
    assert 95 <= possessions.mean() <= 104
    assert 108 <= 100 * box.points.sum() / possessions.sum() <= 120
    book = frames["nbac_gamebook_player_stats"].query("player_status == 'active'")
    plays = book.field_goals_attempted + 0.44 * book.free_throws_attempted + book.turnovers
    sides = [book.game_id, book.team_abbr]
    team_plays, minutes = plays.groupby(sides).transform("sum"), book.minutes_decimal.groupby(sides).transform("sum")
    usage = 100 * plays * minutes / 5 / (book.minutes_decimal * team_plays)
    starters = book.minutes_decimal.groupby(sides).rank(ascending=False, method="first") <= 5
    assert 20 <= usage[starters].mean() <= 32 and usage[~starters].mean() < 20
    assert (usage > 60).mean() < 0.002
    season = active.groupby(["player_lookup", "season_year"]).points.agg(["mean", "size"])
    best = season[season["size"] > 40].groupby("season_year")["mean"].max()
    assert best.between(27, 35).all()
    assert 2.5 <= season[season["size"] > 20]["mean"].quantile(0.1) <= 6


def test_history_predicts_points(active: pd.DataFrame) -> None:
    history = active.groupby("player_lookup").points.transform(lambda points: points.shift().rolling(10).mean())
    known = history.notna()
    error = (active.points - history)[known].abs().mean()
    plain = (active.points - active.groupby("season_year").points.transform("mean"))[known].abs().mean()
    assert 4.0 <= error <= 5.2
    assert error < 0.75 * plain


def test_players_have_one_name_and_one_team_a_day(frames: Frames) -> None:
    book = frames["nbac_gamebook_player_stats"]
    pairs = book[["player_name", "player_lookup"]].drop_duplicates()
    assert pairs.player_lookup.is_unique and pairs.player_name.is_unique
    assert [player_lookup(name) for name in pairs.player_name] == list(pairs.player_lookup)
    assert not book.duplicated(["game_date", "player_lookup"]).any()
    teams = book.groupby(["season_year", "player_lookup"]).team_abbr.nunique()
    moved = (teams == 2).groupby("season_year").sum()
    assert (moved.loc[2021:2024] >= 6).all() and teams.max() <= 2 and not moved.loc[2025]
    assert (book.groupby(["game_id", "team_abbr"]).size() == 15).all()
    first, last = (set(book[book.season_year == year].player_lookup) for year in (2021, 2025))
    assert 100 < len(last - first) < 350


def test_gaps_between_sources(frames: Frames, counted: pd.DataFrame) -> None:
    games = set(counted.key)
    book = set(frames["nbac_gamebook_player_stats"].game_id)
    bdl = set(frames["bdl_player_boxscores"].game_id)
    team = set(frames["nbac_team_boxscore"].game_id)
    assert book <= games and bdl <= games
    assert games - book <= bdl and 0.008 <= len(games - book) / len(games) <= 0.012
    assert 0.02 <= len(bdl & book) / len(games) <= 0.04
    assert 0.003 <= len(games - team) / len(games) <= 0.007
    assert games - team <= book


def test_shot_zones_add_up_and_cover_half(frames: Frames, active: pd.DataFrame) -> None:
    zones = frames["player_shot_zones"]
    rows = active.merge(zones, on=["game_id", "player_lookup"], how="left", suffixes=("", "_zone"))
    covered = rows.paint_makes.notna()
    assert (covered.groupby(rows.game_id).nunique() == 1).all()
    assert covered.sum() == len(zones)
    assert 0.45 <= covered.mean() <= 0.55
    assert covered.groupby(rows.season_year).mean().between(0.45, 0.55).all()
    assert covered.groupby([rows.season_year, rows.team_abbr]).mean().between(0.3, 0.7).all()
    rows = rows[covered]
    assert (rows.team_abbr == rows.team_abbr_zone).all()
    for end, whole in (("attempts", "attempted"), ("makes", "made")):
        parts = rows[f"paint_{end}"] + rows[f"mid_range_{end}"] + rows[f"three_pt_{end}"]
        assert (parts == rows[f"field_goals_{whole}"]).all()
        assert (rows[f"three_pt_{end}"] == rows[f"three_pointers_{whole}"]).all()
    for zone in ("paint", "mid_range"):
        assert (rows[f"{zone}_makes"].between(0, rows[f"{zone}_attempts"])).all()
    assert (rows.assisted_fg_makes <= rows.field_goals_made).all()
    assert (
        rows.paint_makes.sum() / rows.paint_attempts.sum() > rows.mid_range_makes.sum() / rows.mid_range_attempts.sum()
    )


def test_game_lines_follow_the_margin(frames: Frames, counted: pd.DataFrame) -> None:
    lines = frames["odds_api_game_lines"]
    keys = ["game_date", "home_team_abbr", "bookmaker_key", "snapshot_timestamp"]
    assert (2 * lines.outcome_point % 1 == 0).all()
    assert set(lines.snapshot_timestamp - lines.game_date) == {pd.Timedelta(hours=15), pd.Timedelta(hours=23)}
    spreads = lines[lines.market_key == "spreads"]
    assert set(spreads.outcome_name) == set(TEAM_NAMES.values())
    assert (spreads.groupby(keys).outcome_point.sum() == 0).all() and (spreads.groupby(keys).size() == 2).all()
    totals = lines[lines.market_key == "totals"]
    assert set(totals.outcome_name) == {"Over", "Under"} and (totals.groupby(keys).outcome_point.nunique() == 1).all()
    home = spreads[spreads.outcome_name == spreads.home_team_abbr.map(TEAM_NAMES)]
    assert len(home) == len(spreads) / 2
    spread = home.groupby(["game_date", "home_team_abbr"]).outcome_point.mean()
    games = counted.set_index(["game_date", "home_team_tricode"])
    assert 0.94 <= len(spread) / len(games) <= 0.98
    games = games.loc[spread.index]
    margin = games.home_team_score - games.away_team_score
    assert -0.6 <= np.corrcoef(spread, margin)[0, 1] <= -0.4
    points = totals.groupby(["game_date", "home_team_abbr"]).outcome_point.mean()
    assert abs((games.home_team_score + games.away_team_score - points.loc[games.index]).mean()) < 2


def test_props_are_close_and_unbiased(frames: Frames, active: pd.DataFrame) -> None:
    props = frames["odds_api_player_points_props"]
    assert (props.points_line % 1 == 0.5).all()
    late = props[props.snapshot_timestamp - props.game_date == pd.Timedelta(hours=23)]
    line = late.groupby(["game_date", "player_lookup"]).points_line.median().rename("line")
    assert (props.groupby(["game_date", "player_lookup"]).size() == 4).all()
    rows = active.merge(line.reset_index(), on=["game_date", "player_lookup"])
    assert len(rows) == len(line)
    assert 0.55 <= len(rows) / len(active) <= 0.65
    decided = rows[rows.points != rows.line]
    assert 0.44 <= (decided.points > decided.line).mean() <= 0.52
    low, high = (decided[decided.line.between(*bounds)] for bounds in ((0, 9), (20, 60)))
    for part in (low, high):
        assert 0.4 <= (part.points > part.line).mean() <= 0.56


def test_injury_report_agrees_with_who_plays(frames: Frames, active: pd.DataFrame, counted: pd.DataFrame) -> None:
    report = frames["nbac_injury_report"]
    assert set(report.report_hour) == {12, 17}
    last = report[report.report_hour == 17]
    assert len(last.groupby(["game_date", "player_lookup"])) == len(report.groupby(["game_date", "player_lookup"]))
    rows = last.merge(
        active[["game_date", "player_lookup", "team_abbr"]], on=["game_date", "player_lookup"], how="left"
    )
    plays = rows.team_abbr.notna()
    rate = plays.groupby(rows.injury_status).mean()
    assert rate["out"] == rate["doubtful"] == 0 and rate["probable"] == rate["available"] == 1
    assert 0.4 <= rate["questionable"] <= 0.6
    assert (rows.team == rows.team_abbr)[plays].all()
    assert 0.08 <= plays.sum() / len(active) <= 0.12
    reported = set(zip(last.game_date, last.team, strict=True))
    games = zip(counted.game_date, counted.home_team_tricode, counted.away_team_tricode, strict=True)
    assert all((day, home) in reported or (day, away) in reported for day, home, away in games)


def test_equal_seeds_make_equal_tables(small: dict[str, pa.Table]) -> None:
    again = make_league(7, seasons=[2024], end=SMALL_END)
    other = make_league(8, seasons=[2024], end=SMALL_END)
    assert all(again[name].equals(table) for name, table in small.items())
    assert not any(other[name].equals(table) for name, table in small.items())


def test_part_of_a_season(small: dict[str, pa.Table]) -> None:
    plan = small["nbac_schedule"].to_pandas()
    assert set(plan.season_year) == {2024}
    assert not plan.is_playoffs.any() and not plan.is_play_in.any() and plan.is_regular_season.sum() == 1230
    played = plan[(plan.game_status == 3) & plan.is_regular_season]
    for name, table in small.items():
        if name != "nbac_schedule":
            dates = table["game_date"].to_pandas()
            assert set(dates) <= set(played.game_date), name
        if name in ("nbac_gamebook_player_stats", "nbac_team_boxscore", "nbac_injury_report"):
            assert set(dates) == set(played.game_date), name
    assert played.game_date.max() <= SMALL_END


def test_an_end_within_the_playoffs_keeps_what_was_played() -> None:
    end = dt.date(2024, 5, 1)
    plan = make_league(3, seasons=[2023], end=end)["nbac_schedule"].to_pandas()
    assert plan.is_play_in.sum() == 6 and plan.is_playoffs.sum() > 20
    assert plan.game_date.max() == end and (plan.game_status == 3).all()


def test_an_end_before_the_opening_leaves_only_a_schedule() -> None:
    tables = make_league(3, seasons=[2025], end=dt.date(2025, 9, 1))
    assert tables["nbac_schedule"].num_rows > 1230
    assert all(table.num_rows == 0 for name, table in tables.items() if name != "nbac_schedule")
