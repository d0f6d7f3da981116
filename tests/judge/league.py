"""A league small enough for the reference evaluator, in which every rule has something to say; and damage to a copy."""

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
from courtbook.catalog import load_catalog
from courtbook.nba.prepare import build
from courtbook.params import Params
from courtbook.warehouse.statement import render, to_duckdb

CATALOG = load_catalog()
Row = tuple[Any, ...]
# All games of two teams: fifteen of each and more in a row, the All-Star days, play-in and playoffs, another season.
KEPT = """
(home_team_tricode IN ('PHI', 'WAS') OR away_team_tricode IN ('PHI', 'WAS') OR is_all_star)
AND (game_date BETWEEN '2023-10-24' AND '2023-11-29' OR game_date BETWEEN '2024-02-16' AND '2024-02-18'
  OR game_date BETWEEN '2024-04-12' AND '2024-04-22' OR game_date BETWEEN '2024-10-22' AND '2024-11-02')
"""
# Half of the two teams' players are enough and quicker, and a quarter of the others; all where they make a team row.
PLAYERS = """(
LENGTH(r.player_lookup) % IF(p.team_abbr IN ('PHI', 'WAS'), 2, 4) = 0
OR r.game_date BETWEEN '2023-11-12' AND '2023-11-15' OR r.game_date = '2024-11-01')"""
# What sources are like: half a box score is missing, minutes come in all spellings, a report does not come at all.
SPOILED = """
UPDATE nbac_schedule SET is_regular_season = FALSE, is_cup_final = TRUE WHERE game_date = '2023-11-10';
DELETE FROM nbac_team_boxscore WHERE game_date BETWEEN '2023-11-12' AND '2023-11-15';
DELETE FROM nbac_team_boxscore WHERE game_date = '2024-11-01' AND team_abbr IN ('PHI', 'WAS');
UPDATE nbac_team_boxscore SET offensive_rebounds = NULL, personal_fouls = NULL WHERE game_date = '2023-11-17';
UPDATE nbac_team_boxscore SET minutes = NULL WHERE game_date = '2023-11-19';
UPDATE nbac_team_boxscore SET fg_attempted = 0, ft_attempted = 0, turnovers = 0 WHERE game_date = '2024-10-30';
UPDATE nbac_gamebook_player_stats
SET minutes = ['', '12', '7:5', '31:60', 'DNP', '-3', ' 20:10', '00:02'][1 + LENGTH(player_name) % 8]
WHERE game_date IN ('2023-11-04', '2023-11-12', '2024-10-25');
UPDATE nbac_gamebook_player_stats SET minutes = NULL, minutes_decimal = 17.125 WHERE LENGTH(player_lookup) = 10;
UPDATE nbac_gamebook_player_stats SET field_goals_attempted = NULL WHERE game_date = '2023-11-14';
UPDATE player_shot_zones SET paint_makes = NULL WHERE LENGTH(player_lookup) = 12;
UPDATE player_shot_zones SET mid_range_attempts = NULL WHERE LENGTH(player_lookup) = 14;
UPDATE odds_api_game_lines SET outcome_point = NULL WHERE bookmaker_key = 'fanduel' AND market_key = 'spreads';
UPDATE odds_api_player_points_props SET points_line = NULL WHERE bookmaker = 'fanduel' AND LENGTH(player_lookup) = 12;
DELETE FROM nbac_injury_report WHERE game_date = '2023-11-08';
"""


def cut(league: Mapping[str, pa.Table]) -> dict[str, pa.Table]:
    """Return the raw tables of the games that are kept, with what sources lack."""
    with duckdb.connect() as connection:
        for name, rows in league.items():
            connection.register(f"all_{name}", rows)
        connection.execute(f"CREATE TABLE nbac_schedule AS SELECT * FROM all_nbac_schedule WHERE {KEPT}")
        connection.execute(
            "CREATE VIEW played AS SELECT DISTINCT b.game_date, b.team_abbr, b.player_lookup"
            " FROM all_nbac_gamebook_player_stats AS b JOIN nbac_schedule AS s"
            " ON s.game_date = b.game_date AND b.team_abbr IN (s.home_team_tricode, s.away_team_tricode)"
        )
        for name in league:
            if name != "nbac_schedule":
                columns = CATALOG.tables[name].columns
                own = next((c for c in ("team_abbr", "home_team_abbr", "team") if c in columns), "")
                same = f"p.team_abbr = r.{own}" if own else "p.player_lookup = r.player_lookup"
                same += f" AND {PLAYERS}" if "player_lookup" in columns else ""
                connection.execute(
                    f"CREATE TABLE {name} AS SELECT * FROM all_{name} AS r"
                    f" WHERE EXISTS (SELECT 1 FROM played AS p WHERE p.game_date = r.game_date AND {same})"
                )
        connection.execute(SPOILED)
        return {
            name: connection.sql(f"SELECT * FROM {name}").to_arrow_table().cast(rows.schema)
            for name, rows in league.items()
        }


def make(path: Path, league: Mapping[str, pa.Table], params: Params) -> Params:
    """Build a warehouse file with the small league, all tables filled, and return its parameters."""
    warehouse = params.warehouse.model_copy(update={"path": str(path)})
    own = params.model_copy(update={"warehouse": warehouse})
    build(path, own, cut(league), lambda _: None)
    return own


def python(value: Any, kind: str) -> Any:
    """Return a value of DuckDB's as the evaluator would, which knows neither exact numbers nor zones."""
    if isinstance(value, Decimal):
        return float(value) if kind == "FLOAT64" else int(value)
    if isinstance(value, datetime):
        value = value.astimezone(UTC).replace(tzinfo=None) if value.tzinfo else value
        return value.date() if kind == "DATE" and value == datetime.combine(value, time()) else value
    return value


def rows(connection: duckdb.DuckDBPyConnection, sql: str, kinds: Iterable[str], values: Mapping[str, Any]) -> list[Row]:
    """Run a query in DuckDB's dialect."""
    found = connection.sql(sql, params=dict(values)).to_arrow_table()
    columns = zip(found.columns, kinds, strict=True)
    return list(zip(*([python(item, kind) for item in column.to_pylist()] for column, kind in columns), strict=True))


def contents(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Row]]:
    """Return the rows of all tables, by name."""
    return {
        table.name: rows(
            connection, f"SELECT {', '.join(table.columns)} FROM {table.full_name}", table.columns.values(), {}
        )
        for table in CATALOG.tables.values()
    }


def _place(row: Row) -> tuple[Any, ...]:
    """Return what rows are sorted by: all that is exact, then numbers, roughly."""
    return (
        [(item is None, str(item)) for item in row if not isinstance(item, float | list)],
        [f"{item:.6g}" for item in row if isinstance(item, float)],
        [str(item) for item in row if isinstance(item, list)],
    )


def _equal(one: Any, other: Any) -> bool:
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    if isinstance(one, float) and isinstance(other, float):
        same = one == other or (math.isnan(one) and math.isnan(other))
        return same or math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return type(one) is type(other) and one == other


def differences(columns: Iterable[str], google: list[Row], ours: list[Row]) -> list[str]:
    """Say in words where two sets of rows differ."""
    if len(google) != len(ours):
        return [f"{len(google)} rows against {len(ours)} of DuckDB"]
    return [
        f"{name}: {one!r} against {other!r} of DuckDB in {row}"
        for row, line in zip(sorted(google, key=_place), sorted(ours, key=_place), strict=True)
        for name, one, other in zip(columns, row, line, strict=True)
        if not _equal(one, other)
    ]


# What stands in a damaged cell, by type; each in turn.
BAD = {
    "STRING": ("NULL", "''"),
    "INT64": ("NULL", "0", "-{0}", "{0} + 1000"),
    "FLOAT64": ("NULL", "-{0}", "{0} + 0.25"),
    "BOOL": ("NULL", "NOT {0}"),
    "DATE": ("NULL", "DATE '2099-01-01'", "{0} + 1"),
    "TIMESTAMP": ("NULL", "{0} + INTERVAL 1 DAY"),
    "ARRAY<STRING>": ("NULL", "[]", "[NULL, 'missing_required']"),
    "ARRAY<FLOAT64>": ("NULL", "[]", "LIST_PREPEND(NULL, {0})"),
}
# Of what is no finite number engines make different means: processors are judged without, all that reads with them.
ODD = {
    "FLOAT64": ("CAST('nan' AS DOUBLE)", "CAST('inf' AS DOUBLE)", "CAST('-inf' AS DOUBLE)"),
    "ARRAY<FLOAT64>": ("[1.5, NULL, CAST('nan' AS DOUBLE)]",),  # nor infinite: their means differ too
}
FAULTS = ("leaked_points", "leaked_zones", "leaked_defense", "home_away_ids", "constant_feature", "date_missing")
EVERY = 211  # one of so many cells of a column is damaged in one way


def inject(connection: duckdb.DuckDBPyConnection, values: Mapping[str, Any]) -> None:
    """Do the damage of some rehearsals; one more game is not final."""
    for name in FAULTS:
        for part in re.split(r"(?m)^;$", render("nba", f"faults/{name}.sql").sql):
            sql, names = to_duckdb(part)
            connection.execute(sql, {name: values[name] for name in names})
    connection.execute(
        "UPDATE nba_raw.nbac_schedule SET game_status = 2"
        " WHERE game_date = (SELECT MAX(game_date) FROM nba_raw.nbac_schedule)"
    )


def damage(connection: duckdb.DuckDBPyConnection, bad: Mapping[str, Sequence[str]], doubles: str = "FALSE") -> None:
    """Spoil some cells of every column of every table, by type, and double some rows, by their number ``r``."""
    for table in CATALOG.tables.values():
        cells = []
        for place, (column, kind) in enumerate(table.columns.items()):
            cases = "".join(
                f" WHEN (r + {37 * place}) % {EVERY} = {number} THEN {cell.format(column)}"
                for number, cell in enumerate(bad.get(kind, ()))
            )
            cells.append(f"CASE{cases} ELSE {column} END AS {column}" if cases else column)
        numbered = f"SELECT *, ROW_NUMBER() OVER (ORDER BY {', '.join(table.columns)}) AS r FROM {table.full_name}"
        connection.execute(
            f"CREATE TEMP TABLE spoiled AS SELECT {', '.join(cells)} FROM ({numbered}), (VALUES (1), (2)) AS v(copy)"
            f" WHERE copy = 1 OR {doubles};"
            f"DELETE FROM {table.full_name}; INSERT INTO {table.full_name} SELECT * FROM spoiled; DROP TABLE spoiled"
        )
