"""The conversion of checked sheets to the raw tables of the catalog."""

import duckdb
import pyarrow as pa

from courtbook.catalog import Layer, load_catalog
from courtbook.nba.layout import STATS
from courtbook.nba.names import TEAM_NAMES

SOURCES = {
    "nbac_schedule": """
        SELECT game_id, strftime(game_date, '%Y%m%d/') || away_team_abbr || home_team_abbr AS game_code, game_date,
            season_year, CASE WHEN home_score IS NULL OR away_score IS NULL THEN 1 ELSE 3 END AS game_status,
            home_team_abbr AS home_team_tricode, away_team_abbr AS away_team_tricode,
            home_score AS home_team_score, away_score AS away_team_score,
            season_type = 'Regular Season' AS is_regular_season, season_type = 'Play-In' AS is_play_in,
            season_type = 'Playoffs' AS is_playoffs, season_type = 'NBA Cup Final' AS is_cup_final,
            season_type = 'All-Star' AS is_all_star, season_type = 'Preseason' AS is_preseason
        FROM games ORDER BY game_date, game_id""",
    "nbac_gamebook_player_stats": """
        SELECT raw_id(scheduled, away, home) AS game_id, game_date, season_year, home AS home_team_abbr,
            away AS away_team_abbr, team_abbr, player_name, player_lookup,
            CASE WHEN active THEN 'active' ELSE 'dnp' END AS player_status,
            clock(round(played * 60)::BIGINT) AS minutes, round(played, 4) AS minutes_decimal, pts AS points,
            fgm AS field_goals_made, fga AS field_goals_attempted, fg3m AS three_pointers_made,
            fg3a AS three_pointers_attempted, ftm AS free_throws_made, fta AS free_throws_attempted,
            oreb AS offensive_rebounds, dreb AS defensive_rebounds, reb AS total_rebounds, ast AS assists,
            stl AS steals, blk AS blocks, tov AS turnovers, pf AS personal_fouls, plus_minus
        FROM player_boxscores ORDER BY game_date, game_id, team_abbr, player_lookup""",
    "nbac_team_boxscore": """
        SELECT raw_id(game_date, away, home) AS game_id, game_id AS nba_game_id, game_date, season_year, team_abbr,
            team_abbr = home AS is_home, (240 + 25 * overtimes) || ':00' AS minutes,
            fgm AS fg_made, fga AS fg_attempted, fg3m AS three_pt_made, fg3a AS three_pt_attempted,
            ftm AS ft_made, fta AS ft_attempted, oreb AS offensive_rebounds, dreb AS defensive_rebounds,
            reb AS total_rebounds, ast AS assists, stl AS steals, blk AS blocks, tov AS turnovers,
            pf AS personal_fouls, pts AS points, margin AS plus_minus
        FROM teams WHERE both_teams ORDER BY game_date, nba_game_id, is_home""",
    "player_shot_zones": """
        SELECT raw_id(scheduled, away, home) AS game_id, game_date, player_lookup, team_abbr, paint_makes,
            paint_attempts, mid_range_makes, mid_range_attempts, three_makes AS three_pt_makes,
            three_attempts AS three_pt_attempts, NULL AS assisted_fg_makes
        FROM shot_zones ORDER BY game_date, game_id, player_lookup""",
    "odds_api_game_lines": """
        WITH sides AS (
            SELECT *, unnest([
                {'market': 'spreads', 'outcome': full_name(home), 'point': home_spread},
                {'market': 'spreads', 'outcome': full_name(away), 'point': 0 - home_spread},
                {'market': 'totals', 'outcome': 'Over', 'point': total},
                {'market': 'totals', 'outcome': 'Under', 'point': total}]) AS side
            FROM game_lines)
        SELECT game_date, home AS home_team_abbr, away AS away_team_abbr, 'consensus' AS bookmaker_key,
            side.market AS market_key, side.outcome AS outcome_name, side.point AS outcome_point,
            game_date + INTERVAL 23 HOUR AS snapshot_timestamp
        FROM sides WHERE side.point IS NOT NULL ORDER BY game_date, game_id, market_key, outcome_name""",
}

# A team's sum is unknown as soon as one of its parts is.
_HELPERS = """
CREATE TEMP MACRO season(y) AS y || '-' || lpad(((y + 1) % 100)::VARCHAR, 2, '0');
CREATE TEMP MACRO raw_id(day, away, home) AS strftime(day, '%Y%m%d_') || away || '_' || home;
CREATE TEMP MACRO clock(s) AS lpad((s // 60)::VARCHAR, 2, '0') || ':' || lpad((s % 60)::VARCHAR, 2, '0');
CREATE TEMP MACRO full_name(team) AS coalesce(($names)[team], team);
CREATE TEMP MACRO whole(x) AS CASE WHEN count(*) = count(x) THEN sum(x)::BIGINT END;
CREATE TEMP TABLE teams AS
    WITH sums AS (
        SELECT game_id, scheduled AS game_date, season_year, team_abbr, home, away, home_score, away_score,
            sum(played) AS played, whole(pts) AS pts, $sums
        FROM player_boxscores WHERE active GROUP BY ALL)
    SELECT *, count(*) OVER game = 2 AS both_teams,
        greatest(0, round((coalesce(played, 240) - 240) / 25))::BIGINT AS overtimes,
        CASE WHEN team_abbr = home THEN home_score ELSE away_score END AS score,
        CASE WHEN team_abbr = home THEN home_score - away_score ELSE away_score - home_score END AS by_score,
        coalesce(by_score, 2 * pts - sum(pts) OVER game)::BIGINT AS margin
    FROM sums WINDOW game AS (PARTITION BY game_id);
"""


def convert(con: duckdb.DuckDBPyConnection) -> dict[str, pa.Table]:
    """Return the raw tables by name; a table without a source is empty."""
    sums = ", ".join(f"whole({name}) AS {name}" for name in STATS)
    con.execute(_HELPERS.replace("$names", f"MAP {TEAM_NAMES}").replace("$sums", sums))
    return {table.name: _converted(con, table.name, table.arrow_schema()) for table in load_catalog().layer(Layer.RAW)}


def _converted(con: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> pa.Table:
    if name not in SOURCES:
        return schema.empty_table()
    return con.sql(SOURCES[name]).to_arrow_table().select(schema.names).cast(schema)
