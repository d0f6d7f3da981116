"""Load a folder with real data: read, check everything, then convert to the raw tables; all or nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from courtbook.errors import CourtbookError, Reason
from courtbook.nba.convert import convert, has_source, load_sql
from courtbook.nba.layout import FILES
from courtbook.nba.problems import find_problems
from courtbook.nba.sheets import read_sheet


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
        problems = [problem for sheet in sheets.values() for problem in sheet.problems] + find_problems(con, sheets)
        if problems:
            raise BadFiles(folder, problems)
        tables = convert(con)
        empty = [name for name in tables if not has_source(name)]
        lacks = con.execute(load_sql("gaps.sql"), {"empty": empty}).fetchall()
    missing = [name for name, sheet in sheets.items() if sheet.missing]
    gaps = [Gap("missing_file", f"no file {name}; its table stays empty", 1, (name,)) for name in missing]
    gaps += [Gap(kind, words, count, tuple(examples)) for kind, words, count, examples in lacks]
    return RawData(tables, tuple(gaps))
