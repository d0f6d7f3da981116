"""Problems: what the rules of the layout find in the sheets of a folder."""

from collections.abc import Mapping

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from courtbook.nba.convert import load_sql
from courtbook.nba.layout import FILES, STATS, File, Rule
from courtbook.nba.names import TEAM_NAMES, player_lookup
from courtbook.nba.sheets import MAX_EXAMPLES, MAX_WIDTH, Sheet


def find_problems(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, Sheet]) -> list[str]:
    """Make one table for each sheet, for the conversion too, and return what the rules find in it."""
    for name, sheet in sheets.items():
        con.register(f"{name}_sheet", sheet.table)
    spellings = pc.unique(sheets["player_boxscores"].table["player_name"]).drop_null()
    keys = pa.array([player_lookup(name) for name in spellings.to_pylist()], pa.string())
    con.register("lookups", pa.table({"player_name": spellings, "lookup": keys}))
    con.execute(f"SET VARIABLE stats = {list(STATS)}; SET VARIABLE team_names = MAP {TEAM_NAMES}")
    con.execute(load_sql("prepare.sql"))
    return [line for file in FILES for line in _broken(con, sheets, file)]


def _broken(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, Sheet], file: File) -> list[str]:
    sound = {f"{name}.{column}" for name, sheet in sheets.items() for column in sheet.sound}
    asked = [rule for rule in file.rules if sound.issuperset(rule.needs)]
    # One pass for all rules; examples are only fetched for those that are broken.
    tests = ", ".join(f"count_if({rule.where})" for rule in asked)
    (counts,) = con.execute(f"FROM {file.name} SELECT {tests}").fetchall()
    return [
        f"{sheets[file.name].label}: {rule.column}: {rule.words}: {count} row(s), e.g. {_examples(con, file, rule)}"
        for rule, count in zip(asked, counts, strict=True)
        if count
    ]


def _examples(con: duckdb.DuckDBPyConnection, file: File, rule: Rule) -> str:
    wanted = ", ".join(f"CAST({name} AS VARCHAR)" for name in ("row", *rule.show))
    sql = f"FROM {file.name} SELECT {wanted} WHERE {rule.where} ORDER BY row LIMIT {MAX_EXAMPLES}"
    return "; ".join(
        ", ".join(f"{name} {_short(cell)}" for name, cell in zip(rule.show, cells, strict=True)) + f" (data row {row})"
        for row, *cells in con.execute(sql).fetchall()
    )


def _short(cell: str | None) -> str:
    """Return a cell for a message, on one line."""
    return "NULL" if cell is None else " ".join(cell.split())[:MAX_WIDTH]
