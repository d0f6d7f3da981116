"""Load a folder with real data: read, check everything, then convert to the raw tables; all or nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from courtbook.errors import CourtbookError, Reason
from courtbook.nba.convert import SOURCES, convert
from courtbook.nba.layout import FILES, STATS
from courtbook.nba.problems import find_problems
from courtbook.nba.sheets import read_sheet

_MAX_GAP_EXAMPLES = 16


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
        missing = [name for name, sheet in sheets.items() if sheet.missing]
        gaps = [Gap("missing_file", f"no file {name}; its table stays empty", 1, (name,)) for name in missing]
        gaps += _find_gaps(con, [name for name in tables if name not in SOURCES])
    return RawData(tables, tuple(gaps))


_GAP_WORDS = {
    "no_boxscore": "final games without a box score",
    "no_score": "games without a score, taken as not final",
    "boxscore_without_score": "games with a box score but without a final score",
    "one_team_only": "games with the box score of one team only; no team rows",
    "score_differs": "games whose score is not the sum of the player points",
    "null_values": "player rows with NULL among the counts",
    "whole_minutes": "player rows with whole minutes only",
    "zero_minutes": "player rows with zero or no minutes",
    "no_dnp_rows": "games without a row for any player who did not play",
    "starter": "player rows; who started is not loaded, the raw tables have no such column",
    "name_spelling": "players with more than one spelling; the most frequent one is the key",
    "same_name": "players who share a name with another one of the same season; the id is part of the key",
    "no_lines": "counted games without a spread or without a total",
    "no_zones": "counted games without shot zones",
    "no_source": "table without a source; it stays empty",
}
_FIND_GAPS = """
WITH marked AS (
    SELECT *, home_score + away_score IS NOT NULL AS final, game_id IN (SELECT game_id FROM player_boxscores) AS box,
        EXISTS (FROM game_lines) AND game_id NOT IN (
            SELECT game_id FROM game_lines WHERE home_spread + total IS NOT NULL) AS no_lines,
        EXISTS (FROM shot_zones) AND game_id NOT IN (SELECT game_id FROM shot_zones) AS no_zones
    FROM games),
kinds AS (
    SELECT *, unnest([CASE WHEN final AND NOT box THEN 'no_boxscore' END, CASE WHEN NOT final THEN 'no_score' END,
        CASE WHEN box AND NOT final THEN 'boxscore_without_score' END,
        CASE WHEN counted AND no_lines THEN 'no_lines' END, CASE WHEN counted AND no_zones THEN 'no_zones' END]) AS kind
    FROM marked),
box AS (
    SELECT *, season(season_year) || ' ' || season_type AS label,
        list_count([$measures]) < len([$measures]) AS lacking
    FROM player_boxscores),
spans AS (
    SELECT base_lookup, player_lookup, min(season_year) AS a, max(season_year) AS z FROM player_boxscores GROUP BY ALL)
SELECT kind, season(season_year) || ' ' || season_type AS label, count(*) AS n,
    list(DISTINCT game_date::VARCHAR ORDER BY game_date::VARCHAR) AS examples
FROM kinds WHERE kind IS NOT NULL GROUP BY ALL
UNION ALL SELECT 'one_team_only', '', count(*), list(game_id ORDER BY game_id) FROM teams WHERE NOT both_teams
UNION ALL SELECT 'score_differs', '', count(DISTINCT game_id), list(DISTINCT game_id ORDER BY game_id)
    FROM teams WHERE score <> pts
UNION ALL SELECT 'null_values', label, count(*) FILTER (WHERE lacking),
    list_filter([$null_counts], lambda x: x IS NOT NULL) FROM box GROUP BY label
UNION ALL SELECT 'whole_minutes', label, count(*) FILTER (WHERE minutes_decimal IS NULL), [] FROM box GROUP BY label
UNION ALL SELECT 'zero_minutes', CASE WHEN active THEN 'active' ELSE 'dnp' END, count(*),
    list(game_date || ' ' || player_name ORDER BY game_date, player_name)
    FROM box WHERE coalesce(played, 0) = 0 GROUP BY ALL
UNION ALL SELECT 'no_dnp_rows', '', count(*), []
    FROM (SELECT game_id FROM box GROUP BY game_id HAVING bool_and(active))
UNION ALL SELECT 'starter', '', count(*), [] FROM box
UNION ALL SELECT 'name_spelling', '', count(*), list(player_lookup ORDER BY player_lookup)
    FROM players WHERE spellings > 1
UNION ALL SELECT 'same_name', '', count(*), list(player_lookup ORDER BY player_lookup) FROM spans AS x
    WHERE player_lookup <> base_lookup AND EXISTS (FROM spans AS y WHERE x.base_lookup = y.base_lookup
        AND x.player_lookup <> y.player_lookup AND x.a <= y.z AND y.a <= x.z)
UNION ALL SELECT 'no_source', name, 1, [name] FROM (SELECT unnest($empty) AS name)
"""


def _find_gaps(con: duckdb.DuckDBPyConnection, empty: list[str]) -> list[Gap]:
    """Count what the files lack; ``empty`` are the tables for which no file is meant."""
    measures = (*STATS, "plus_minus")
    counts = [f"CASE WHEN count(*) > count({m}) THEN '{m} ' || (count(*) - count({m})) END" for m in measures]
    sql = _FIND_GAPS.replace("$measures", ", ".join(measures)).replace("$null_counts", ", ".join(counts))
    order = list(_GAP_WORDS)
    rows = con.execute(sql.replace("$empty", str(empty))).fetchall()
    return [
        Gap(kind, f"{label}: {_GAP_WORDS[kind]}".removeprefix(": "), count, tuple(examples[:_MAX_GAP_EXAMPLES]))
        for kind, label, count, examples in sorted(rows, key=lambda row: (order.index(row[0]), row[1]))
        if count
    ]
