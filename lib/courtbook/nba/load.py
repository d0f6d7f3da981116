"""Load a folder with real data: read, check everything, then convert to the raw tables; all or nothing."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from courtbook.catalog import Layer, Table, load_catalog
from courtbook.errors import CourtbookError, Reason
from courtbook.nba.layout import FILES, NO_SOURCE, STATS, File, Rule
from courtbook.nba.names import TEAM_NAMES, player_lookup, read_text
from courtbook.nba.sheets import MAX_EXAMPLES, MAX_WIDTH, Sheet, problem, read_sheet


@dataclass(frozen=True)
class Gap:
    """Something real data lacks and that is let through: what, how often, and some examples."""

    kind: str
    words: str
    count: int
    examples: tuple[str, ...]


@dataclass(frozen=True)
class RawData:
    """The raw tables of the catalog, and the gaps found on the way."""

    tables: dict[str, pa.Table]
    gaps: tuple[Gap, ...]


class BadFiles(CourtbookError):
    """The folder breaks the layout. ``problems`` holds every problem of every file, one line each."""

    def __init__(self, folder: Path, problems: Iterable[str]) -> None:
        self.problems = tuple(problems)
        lines = "".join(f"\n  - {problem}" for problem in self.problems)
        super().__init__(
            Reason.BAD_FILE,
            f"nothing was loaded; {len(self.problems)} problem(s):{lines}\n",
            where=str(folder),
            next_action="Mend the files and load again; docs/real_data.md describes the layout.",
        )


def read_folder(folder: Path) -> RawData:
    """Read, check and convert a folder that follows the layout.

    Parameters
    ----------
    folder : Path
        Folder with one Parquet or CSV file for each name of the layout.

    Returns
    -------
    RawData
        All raw tables, with the schemas of the catalog, and the gaps.

    Raises
    ------
    BadFiles
        The folder or any file breaks the layout; lists every problem.
    """
    if not folder.is_dir():
        raise BadFiles(folder, [f"{folder.name}: the folder does not exist"])
    sheets = {file.name: read_sheet(folder, file) for file in FILES}
    with duckdb.connect(":memory:") as con:
        _prepare(con, sheets)
        problems = [line for sheet in sheets.values() for line in sheet.problems]
        problems += [line for file in FILES for line in _broken(con, sheets, file)]
        if problems:
            raise BadFiles(folder, problems)
        con.execute(read_text("real_data/convert.sql"))
        tables = {table.name: _converted(con, table) for table in load_catalog().layer(Layer.RAW)}
        lacks = con.execute(read_text("real_data/gaps.sql"), {"empty": NO_SOURCE}).fetchall()
    missing = [name for name, sheet in sheets.items() if not sheet.sound]
    gaps = [Gap("missing_file", f"no file {name}; its table stays empty", 1, (name,)) for name in missing]
    gaps += [Gap(kind, words, count, tuple(examples)) for kind, words, count, examples in lacks]
    return RawData(tables, tuple(gaps))


def _prepare(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, Sheet]) -> None:
    """Make one table for each sheet, for the rules and for the conversion."""
    for name, sheet in sheets.items():
        con.register(f"{name}_sheet", sheet.table)
    spellings = pc.unique(sheets["player_boxscores"].table["player_name"]).drop_null()
    keys = pa.array([player_lookup(name) for name in spellings.to_pylist()], pa.string())
    con.register("lookups", pa.table({"player_name": spellings, "lookup": keys}))
    con.execute(f"SET VARIABLE stats = {STATS}; SET VARIABLE team_names = MAP {TEAM_NAMES}")
    con.execute(read_text("real_data/prepare.sql"))


def _broken(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, Sheet], file: File) -> Iterator[str]:
    """Yield what the rules find in a file."""
    sound = {f"{name}.{column}" for name, sheet in sheets.items() for column in sheet.sound}
    asked = [rule for rule in file.rules if sound.issuperset(rule.needs)]
    # One pass for all rules; examples are only fetched for those that are broken.
    tests = ", ".join(f"count_if({rule.where})" for rule in asked)
    (counts,) = con.execute(f"FROM {file.name} SELECT {tests}").fetchall()
    for rule, count in zip(asked, counts, strict=True):
        if count:
            examples = _examples(con, file.name, rule)
            yield problem(sheets[file.name].label, rule.column, rule.words, count, examples)


def _examples(con: duckdb.DuckDBPyConnection, file: str, rule: Rule) -> Iterator[str]:
    names = rule.show or dict.fromkeys((rule.column, "game_id"))
    wanted = ", ".join(f"CAST({name} AS VARCHAR)" for name in ("row", *names))
    sql = f"FROM {file} SELECT {wanted} WHERE {rule.where} ORDER BY row LIMIT {MAX_EXAMPLES}"
    for row, *cells in con.execute(sql).fetchall():
        short = ("NULL" if cell is None else " ".join(cell.split())[:MAX_WIDTH] for cell in cells)
        yield ", ".join(f"{name} {cell}" for name, cell in zip(names, short, strict=True)) + f" (data row {row})"


def _converted(con: duckdb.DuckDBPyConnection, table: Table) -> pa.Table:
    schema = table.arrow_schema()
    if table.name in NO_SOURCE:
        return schema.empty_table()
    return con.sql(read_text(f"real_data/raw/{table.name}.sql")).to_arrow_table().select(schema.names).cast(schema)
