"""The platform's own tables, as ``production_columns.yaml`` lists them, in a DuckDB file: empty, or with our rows."""

from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import nbformat
import pandas as pd
import yaml
from courtbook.catalog import Table, load_catalog
from courtbook.warehouse.statement import to_duckdb
from small_run import ROOT

COLUMNS = Path(__file__).with_name("production_columns.yaml")
DEFAULTS = {"STRING": "''", "INT64": "0", "BOOL": "FALSE", "TIMESTAMP": "NOW()", "DATE": "DATE '1970-01-01'"}
# Their features are computed from rows as they are stored: with scaled numbers.
FEATURES = {
    0: "c.points_avg_last_5", 1: "c.points_avg_last_10", 2: "c.points_avg_season", 3: "c.points_std_last_10",
    6: "p.shot_zone_mismatch_score", 7: "p.pace_score", 8: "p.usage_spike_score", 13: "d.defensive_rating_last_15",
    14: "d.opponent_pace", 18: "z.paint_rate_last_10 / 100", 19: "z.mid_range_rate_last_10 / 100",
    20: "z.three_pt_rate_last_10 / 100", 22: "c.team_pace_last_10", 23: "c.team_off_rating_last_10",
}  # fmt: skip
OTHERWISE = {
    ("player_game_summary", "is_active"): "TRUE",
    ("upcoming_team_game_context", "game_id"): """(
        SELECT s.game_id FROM ours.nba_raw.nbac_schedule AS s
        WHERE s.game_date = o.game_date AND o.team_abbr IN (s.home_team_tricode, s.away_team_tricode))""",
    ("player_composite_factors", "missing_data_fields"): "NULLIF(ARRAY_TO_STRING(o.missing_data_fields, ','), '')",
    ("ml_feature_store_v2", "updated_at"): "o.processed_at",
    ("ml_feature_store_v2", "features"): "[{}]".format(
        ", ".join(f"COALESCE({FEATURES.get(n, 'NULL')}::DOUBLE, o.features[{n + 1}])" for n in range(25))
    ),
}
STORE = """
    LEFT JOIN nba_precompute.player_daily_cache AS c ON c.cache_date = o.game_date AND c.player_lookup = o.player_lookup
    LEFT JOIN nba_precompute.player_composite_factors AS p
      ON p.game_date = o.game_date AND p.player_lookup = o.player_lookup
    LEFT JOIN nba_precompute.player_shot_zone_analysis AS z
      ON z.analysis_date = o.game_date AND z.player_lookup = o.player_lookup
    LEFT JOIN nba_precompute.team_defense_zone_analysis AS d
      ON d.analysis_date = o.game_date AND d.team_abbr = o.opponent_team_abbr"""


def _by_column(kinds: Mapping[str, str], prefix: str = "") -> dict[str, str]:
    return {prefix + name: kind for kind, names in kinds.items() for name in names.split()}


@cache
def production_tables() -> Mapping[str, Mapping[str, Any]]:
    """Return what is listed about each table, by full name; ``columns`` are all of them, with their types."""
    content = yaml.safe_load(COLUMNS.read_text())
    source = content["blocks"]["source"]
    found = {}
    for name, entry in content["tables"].items():
        columns = _by_column(entry["columns"]) | _by_column(entry.get("completeness", {}))
        for prefix in entry.get("sources", "").split():
            columns |= _by_column(source, prefix)
        found[name] = {**entry, "listed": len(columns), "columns": columns | _by_column(entry.get("altered", {}))}
    return found


def ddl(name: str) -> str:
    """Return the GoogleSQL that makes one of the tables."""
    entry = production_tables()[name]
    columns = ",\n  ".join(f"{column} {kind.replace('!', ' NOT NULL')}" for column, kind in entry["columns"].items())
    cluster = f"\nCLUSTER BY {', '.join(entry['cluster'].split())}" if "cluster" in entry else ""
    options = "\nOPTIONS (require_partition_filter = TRUE)" if entry.get("filter") else ""
    return f"CREATE TABLE {name} (\n  {columns}\n)\nPARTITION BY {entry['partition']}{cluster}{options}"


def build_production(path: Path, ours: Path | None = None) -> None:
    """Make the tables in a new file; filled, as far as the columns are the same, with the rows of a file of ours."""
    with duckdb.connect(str(path)) as connection:
        connection.execute("SET TimeZone = 'UTC'")
        for name in production_tables():
            connection.execute(f"CREATE SCHEMA IF NOT EXISTS {name.partition('.')[0]}")
            connection.execute(to_duckdb(ddl(name))[0])
        if ours:
            connection.execute(f"ATTACH '{ours}' AS ours (READ_ONLY)")
            for table in load_catalog().tables.values():  # the feature store comes last
                if table.full_name in production_tables():
                    _fill(connection, table)


def _fill(connection: duckdb.DuckDBPyConnection, table: Table) -> None:
    listed = []
    for column, kind in production_tables()[table.full_name]["columns"].items():
        value = OTHERWISE.get((table.name, column), f"o.{column}" if column in table.columns else "NULL")
        if kind.endswith("!"):
            value = f"COALESCE({value}, {DEFAULTS[kind[:-1]]})"
        listed.append(f"{value} AS {column}")
    joins = STORE if table.name == "ml_feature_store_v2" else ""
    connection.execute(
        f"INSERT INTO {table.full_name} BY NAME SELECT {', '.join(listed)} FROM ours.{table.full_name} AS o {joins}"
    )


class DecimalRows:
    """A result of DuckDB whose scaled numbers come as Decimal, as from BigQuery's clients."""

    def __init__(self, result: duckdb.DuckDBPyConnection) -> None:
        self._result = result

    def df(self) -> pd.DataFrame:
        scaled = [name for name, kind, *_ in self._result.description if str(kind).startswith("DECIMAL")]
        frame = self._result.df()
        for name in scaled:
            values = [None if pd.isna(value) else Decimal(str(value)) for value in frame[name]]
            frame[name] = pd.Series(values, index=frame.index, dtype=object)
        return frame


def run_cells(notebook: str, **given: str) -> None:
    """Run the cells of a notebook here, without a kernel; ``given`` replaces its parameters."""
    cells = nbformat.read(ROOT / "notebooks" / f"{notebook}.ipynb", as_version=4).cells
    first, *others = [cell.source for cell in cells if cell.cell_type == "code"]
    names: dict[str, Any] = {}
    exec(first, names)
    names |= given
    for source in others:
        exec(compile(source, notebook, "exec"), names)
