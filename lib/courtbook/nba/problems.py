"""Problems: what the rules of the layout find in the sheets of a folder."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from courtbook.nba.layout import COUNTED_TYPES, RULES, STATS, Rule
from courtbook.nba.names import player_lookup
from courtbook.nba.sheets import MAX_EXAMPLES, MAX_WIDTH, Sheet

# One table for each file: its typed rows and what the rules ask about them. A player id has one key, of its most
# frequent spelling; where two ids share it, the one who came later gets the id appended.
_PREPARE = """
CREATE TEMP TABLE players AS
    WITH spelled AS (
        SELECT player_id, lookup, count(*) AS n, min(game_date) AS since
        FROM player_boxscores_sheet JOIN lookups USING (player_name) WHERE player_id IS NOT NULL GROUP BY ALL),
    one AS (
        SELECT player_id, first(lookup ORDER BY n DESC, lookup) AS base_lookup, count(*) AS spellings,
            row_number() OVER (PARTITION BY base_lookup ORDER BY min(since) NULLS LAST, player_id) > 1 AS later
        FROM spelled GROUP BY player_id)
    SELECT player_id, base_lookup, spellings, if(later, base_lookup || player_id, base_lookup) AS player_lookup
    FROM one;
CREATE TEMP TABLE one_game AS
    SELECT DISTINCT ON (game_id) * EXCLUDE (row) FROM games_sheet WHERE game_id IS NOT NULL ORDER BY game_id, row;
CREATE TEMP TABLE played_in AS
    SELECT game_id FROM player_boxscores_sheet UNION SELECT game_id FROM game_lines_sheet;
CREATE TEMP TABLE games AS
    WITH typed AS (
        SELECT *, count(*) OVER (PARTITION BY game_id) AS same_key, season_type IN $counted AS counted,
            coalesce(counted, false) OR EXISTS (FROM played_in AS p WHERE p.game_id = games_sheet.game_id) AS used
        FROM games_sheet),
    teams AS (SELECT game_id, game_date, unnest([home_team_abbr, away_team_abbr]) AS team FROM typed WHERE used),
    twice AS (SELECT game_date, team FROM teams GROUP BY ALL HAVING count(DISTINCT game_id) > 1)
    SELECT *, used AND EXISTS (
        FROM twice WHERE twice.game_date = typed.game_date AND team IN (home_team_abbr, away_team_abbr)) AS team_twice
    FROM typed;
CREATE TEMP TABLE player_boxscores AS
    SELECT b.*, count(*) OVER (PARTITION BY b.game_id, b.player_id) AS same_key, base_lookup, player_lookup,
        b.game_id IS NULL OR g.game_id IS NOT NULL AS in_games, g.game_date AS scheduled,
        home_team_abbr AS home, away_team_abbr AS away, season_year, season_type, home_score, away_score,
        base_lookup <> '' AND min(player_id) OVER same <> max(player_id) OVER same AS same_name,
        coalesce(minutes_decimal, minutes) AS played,
        played > 0 OR list_sum([pts, $stats]) > 0 OR coalesce(plus_minus, 0) <> 0 AS active
    FROM player_boxscores_sheet AS b LEFT JOIN one_game AS g USING (game_id) LEFT JOIN players USING (player_id)
    WINDOW same AS (PARTITION BY b.game_id, team_abbr, base_lookup);
CREATE TEMP TABLE game_lines AS
    SELECT l.*, count(*) OVER (PARTITION BY l.game_id) AS same_key, g.game_date AS scheduled,
        l.game_id IS NULL OR g.game_id IS NOT NULL AS in_games, g.home_team_abbr AS home, g.away_team_abbr AS away
    FROM game_lines_sheet AS l LEFT JOIN one_game AS g USING (game_id);
CREATE TEMP TABLE shot_zones AS
    WITH box AS (SELECT DISTINCT ON (game_id, player_id) game_id, player_id, team_abbr AS box_team, player_lookup
        FROM player_boxscores ORDER BY ALL)
    SELECT z.*, count(*) OVER (PARTITION BY z.game_id, z.player_id) AS same_key, box_team, player_lookup,
        z.game_id IS NULL OR g.game_id IS NOT NULL AS in_games, g.game_date AS scheduled,
        g.home_team_abbr AS home, g.away_team_abbr AS away,
        z.game_id IS NULL OR z.player_id IS NULL OR box.game_id IS NOT NULL AS in_box
    FROM shot_zones_sheet AS z LEFT JOIN one_game AS g USING (game_id) LEFT JOIN box USING (game_id, player_id);
"""


def find_problems(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, Sheet]) -> list[str]:
    """Make one table for each sheet, for the conversion too, and return what the rules find in it."""
    for name, sheet in sheets.items():
        con.register(f"{name}_sheet", sheet.table)
    spellings = pc.unique(sheets["player_boxscores"].table["player_name"]).drop_null()
    keys = pa.array([player_lookup(name) for name in spellings.to_pylist()], pa.string())
    con.register("lookups", pa.table({"player_name": spellings, "lookup": keys}))
    con.execute(_PREPARE.replace("$counted", str(COUNTED_TYPES)).replace("$stats", ", ".join(STATS)))
    return [line for name in sheets for line in _broken(con, sheets, name)]


def _broken(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, Sheet], file: str) -> list[str]:
    asked = [
        rule
        for rule in RULES
        if rule.file == file and all(c in sheets[f].sound for f, c in (need.split(".") for need in rule.needs))
    ]
    # One pass for all rules; examples are only fetched for those that are broken.
    counts = con.execute(f"FROM {file} SELECT " + ", ".join(f"count_if({rule.where})" for rule in asked)).fetchall()
    return [
        f"{sheets[file].label}: {rule.column}: {rule.words}: {count} row(s), e.g. {_examples(con, rule)}"
        for rule, count in zip(asked, counts[0], strict=True)
        if count
    ]


def _examples(con: duckdb.DuckDBPyConnection, rule: Rule) -> str:
    show = rule.show or tuple(dict.fromkeys((rule.column, "game_id")))
    wanted = ", ".join(f"CAST({name} AS VARCHAR)" for name in ("row", *show))
    sql = f"FROM {rule.file} SELECT {wanted} WHERE {rule.where} ORDER BY row LIMIT {MAX_EXAMPLES}"
    return "; ".join(
        ", ".join(f"{name} {_short(cell)}" for name, cell in zip(show, cells, strict=True)) + f" (data row {row})"
        for row, *cells in con.execute(sql).fetchall()
    )


def _short(cell: str | None) -> str:
    """Return a cell for a message, on one line."""
    return "NULL" if cell is None else " ".join(cell.split())[:MAX_WIDTH]
