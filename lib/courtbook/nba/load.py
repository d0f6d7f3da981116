"""Load a folder with real data: read, check everything, then convert to the raw tables; all or nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from courtbook.catalog import Layer, load_catalog
from courtbook.errors import CourtbookError, Reason
from courtbook.nba.layout import COUNTED_TYPES, FILES, RULES, STATS, Column, File, Kind, Rule
from courtbook.nba.names import TEAM_NAMES, player_lookup

_ARROW = {Kind.TEXT: pa.string(), Kind.WHOLE: pa.int64(), Kind.NUMBER: pa.float64(), Kind.DATE: pa.date32()}
_NULLS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
_PLAIN_NUMBER = r"^[+-]?(\d{1,15}(\.\d{0,20})?|\.\d{1,20})([eE][+-]?\d{1,2})?$"
_MAX_EXAMPLES = 3
_MAX_WIDTH = 60
_MAX_GAP_EXAMPLES = 16
# Days from 1970: the years 1000 to 2999; what lies outside is no date, and Python cannot hold much of it.
_FIRST_DAY, _LAST_DAY = -354_286, 376_200


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


class BadFiles(CourtbookError):  # noqa: N818 - the name says it; the other refusals have no suffix either
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


@dataclass(frozen=True)
class _Sheet:
    """A file as read: typed columns (NULL where a cell is unusable) and the names of the sound columns."""

    label: str
    table: pa.Table
    sound: frozenset[str]


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
    problems: list[str] = []
    gaps: list[Gap] = []
    sheets = {file.name: _read_file(folder, file, problems, gaps) for file in FILES}
    with duckdb.connect(":memory:") as con:
        _prepare(con, sheets)
        problems += [line for name in sheets for line in _broken(con, sheets, name)]
        if problems:
            raise BadFiles(folder, problems)
        names = "MAP " + str(TEAM_NAMES)
        sums = ", ".join(f"whole({name}) AS {name}" for name in STATS)
        con.execute(_HELPERS.replace("$names", names).replace("$sums", sums))
        tables = {
            table.name: _converted(con, table.name, table.arrow_schema()) for table in load_catalog().layer(Layer.RAW)
        }
        gaps += _find_gaps(con, [name for name in tables if name not in _CONVERT])
    return RawData(tables, tuple(gaps))


# Reading ----------------------------------------------------------------------------------------------------


def _read_file(folder: Path, file: File, problems: list[str], gaps: list[Gap]) -> _Sheet:
    """Read one file of the layout; what is wrong with it goes to ``problems``."""
    empty = pa.schema([(c.name, _ARROW[c.kind]) for c in file.columns] + [("row", pa.int64())]).empty_table()
    nothing = _Sheet(file.name, empty, frozenset())
    found = [path for ending in ("parquet", "csv") if (path := folder / f"{file.name}.{ending}").exists()]
    if len(found) != 1:
        if found:
            problems.append(f"{file.name}: both {found[0].name} and {found[1].name} are there; keep one")
        elif file.required:
            problems.append(f"{file.name}: the file is missing ({file.name}.parquet or {file.name}.csv)")
        else:
            gaps.append(Gap("missing_file", f"no file {file.name}; its table stays empty", 1, (file.name,)))
        return nothing
    path = found[0]
    is_csv = path.suffix == ".csv"
    try:
        raw = _read_csv(path, file) if is_csv else _read_parquet(path, file)
        raw.validate(full=True)
    except (OSError, pa.ArrowException, UnicodeError) as error:
        problems.append(f"{path.name}: cannot be read: {' '.join(str(error).split())[:300]}")
        return nothing
    if not raw.num_rows:
        problems.append(f"{path.name}: holds no rows")
    columns: dict[str, pa.Array] = {}
    sound: set[str] = set()
    for column in file.columns:
        times = raw.column_names.count(column.name)
        if times != 1:
            problems.append(f"{path.name}: {column.name}: " + (f"occurs {times} times" if times else "missing column"))
            columns[column.name] = pa.nulls(raw.num_rows, _ARROW[column.kind])
            continue
        cells = raw.column(column.name).combine_chunks()
        columns[column.name], complaints = _typed(cells, column, is_csv=is_csv)
        problems += [_line(path.name, column.name, words, bad, cells) for words, bad in complaints]
        if not any(pc.all(bad).as_py() for _, bad in complaints):
            sound.add(column.name)
    columns["row"] = pa.array(range(1, raw.num_rows + 1), pa.int64())
    return _Sheet(path.name, pa.table(columns), frozenset(sound if raw.num_rows else ()))


def _read_parquet(path: Path, file: File) -> pa.Table:
    wanted = {column.name for column in file.columns}
    with pq.ParquetFile(path) as source:
        return source.read(columns=[name for name in dict.fromkeys(source.schema_arrow.names) if name in wanted])


def _read_csv(path: Path, file: File) -> pa.Table:
    malformed: list[int] = []

    def note(row: pa.csv.InvalidRow) -> str:
        malformed.append(row.number or 0)
        return "skip"

    table = pa.csv.read_csv(
        path,
        # Row numbers are only known to a single reader.
        read_options=pa.csv.ReadOptions(use_threads=False),
        parse_options=pa.csv.ParseOptions(invalid_row_handler=note),
        convert_options=pa.csv.ConvertOptions(
            column_types={column.name: pa.string() for column in file.columns},
            strings_can_be_null=True,
            null_values=_NULLS,
        ),
    )
    if malformed:
        lines = ", ".join(str(number) for number in malformed[:_MAX_EXAMPLES])
        raise pa.ArrowInvalid(f"{len(malformed)} line(s) with a wrong number of cells, e.g. line {lines}")
    return table


def _typed(cells: pa.Array, column: Column, *, is_csv: bool) -> tuple[pa.Array, list[tuple[str, pa.Array]]]:
    """Return the cells in the type of the column, and complaints: words and which cells they concern."""
    target = _ARROW[column.kind]
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    is_text = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
    if is_text:
        cells = pc.if_else(pc.equal(pc.utf8_trim_whitespace(cells), ""), None, cells)
    elif pa.types.is_floating(cells.type):
        # A missing number is NaN in files written from data frames.
        cells = pc.if_else(pc.is_nan(cells), None, cells)
    filled = pc.is_valid(cells)
    complaints = [] if column.nullable else [("is empty", pc.invert(filled))]
    try:
        if pa.types.is_null(cells.type):
            values, words = pa.nulls(len(cells), target), ""
        elif column.kind is Kind.TEXT:
            values = cells.cast(target) if is_text else pa.nulls(len(cells), target)
            words = f"{cells.type} where text is needed"
            words += "; game ids are text; keep the leading zeros" if column.name == "game_id" else ""
        elif column.kind is Kind.DATE:
            values, words = _dates(cells, is_text=is_text), f"is not {column.kind.value}"
        else:
            values = _numbers(cells, column.kind, is_text=is_text and is_csv)
            wrong_type = is_text and not is_csv
            words = f"text where {column.kind.value} is needed" if wrong_type else f"is not {column.kind.value}"
    except pa.ArrowException:
        values, words = pa.nulls(len(cells), target), f"{cells.type} where {column.kind.value} is needed"
    complaints.append((words, pc.and_(filled, pc.is_null(values))))
    return values, [(words, bad) for words, bad in complaints if pc.any(bad).as_py()]


def _dates(cells: pa.Array, *, is_text: bool) -> pa.Array:
    if is_text:
        plain = pc.if_else(pc.match_substring_regex(cells, r"^[12]\d{3}-\d{2}-\d{2}$"), cells, None)
        days = pd.to_datetime(plain.to_pandas(), format="%Y-%m-%d", errors="coerce")
        return pa.array(days.dt.date, pa.date32(), from_pandas=True)
    usable: pa.Array | bool = True
    if pa.types.is_timestamp(cells.type) and cells.type.tz is None:
        # A time of day means an instant, and its date depends on the time zone.
        usable = pc.equal(pc.floor_temporal(cells, unit="day"), cells)
    elif not pa.types.is_date(cells.type):
        return pa.nulls(len(cells), pa.date32())
    days = cells.cast(pa.date32(), safe=False)
    numbers = days.cast(pa.int32())
    usable = pc.and_(usable, pc.and_(pc.greater(numbers, _FIRST_DAY), pc.less(numbers, _LAST_DAY)))
    return pc.if_else(usable, days, None)


def _numbers(cells: pa.Array, kind: Kind, *, is_text: bool) -> pa.Array:
    if is_text:
        cells = pc.if_else(pc.match_substring_regex(cells, _PLAIN_NUMBER), cells, None)
    elif not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type)):
        return pa.nulls(len(cells), _ARROW[kind])
    if pa.types.is_float32(cells.type):
        # Through text, 40.13 stays 40.13 instead of 40.130001068.
        cells = cells.cast(pa.string())
    numbers = cells.cast(pa.float64(), safe=False)
    # Above 2^53 a float no longer holds every whole number.
    usable = pc.less(pc.abs(numbers), 2.0**53)
    if kind is Kind.WHOLE:
        usable = pc.and_(usable, pc.equal(pc.floor(numbers), numbers))
    return pc.if_else(usable, numbers, None).cast(_ARROW[kind])


def _line(label: str, column: str, words: str, bad: pa.Array, cells: pa.Array) -> str:
    rows = pc.indices_nonzero(bad)
    numbers = rows[:_MAX_EXAMPLES].to_pylist()
    shown = [f"{_python(cells[number])[:_MAX_WIDTH]} (data row {number + 1})" for number in numbers]
    return f"{label}: {column}: {words}: {len(rows)} row(s), e.g. {'; '.join(shown)}"


def _python(cell: pa.Scalar) -> str:
    """Return a cell as read, for a message."""
    try:
        value = cell.as_py()
        return repr(value) if isinstance(value, str) else str(value)
    except (ValueError, OverflowError, LookupError):
        return f"{cell.type} beyond the calendar"


def _short(cell: str | None) -> str:
    """Return a cell for a message, on one line."""
    return "NULL" if cell is None else " ".join(cell.split())[:_MAX_WIDTH]


# Checking ---------------------------------------------------------------------------------------------------

_PREPARE = """
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


def _prepare(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, _Sheet]) -> None:
    """Make one table for each file: its typed rows and what the rules ask about them."""
    for name, sheet in sheets.items():
        con.register(f"{name}_sheet", sheet.table)
    con.register("players", _players(sheets["player_boxscores"].table))
    counted = str(COUNTED_TYPES)
    con.execute(_PREPARE.replace("$counted", counted).replace("$stats", ", ".join(STATS)))


def _players(box: pa.Table) -> pa.Table:
    """Give each player id one key: of its most frequent spelling, made unique where two ids share it."""
    frame = (
        box.select(["player_id", "player_name", "game_date"]).to_pandas().dropna(subset=["player_id", "player_name"])
    )
    frame["lookup"] = frame["player_name"].map({name: player_lookup(name) for name in frame["player_name"].unique()})
    counts = frame.groupby(["player_id", "lookup"]).size().rename("n").reset_index()
    counts = counts.sort_values(["player_id", "n", "lookup"], ascending=[True, False, True])
    one = counts.groupby("player_id")["lookup"].agg(["first", "nunique"])
    one["since"] = frame.groupby("player_id")["game_date"].min()
    one = one.reset_index().sort_values(["since", "player_id"])
    later = one.duplicated("first")
    ids = one["player_id"].astype("int64")
    return pa.table(
        {
            "player_id": pa.array(ids, pa.int64()),
            "base_lookup": pa.array(one["first"], pa.string()),
            "player_lookup": pa.array(one["first"].where(~later, one["first"] + ids.astype(str)), pa.string()),
            "spellings": pa.array(one["nunique"], pa.int64()),
        }
    )


def _broken(con: duckdb.DuckDBPyConnection, sheets: Mapping[str, _Sheet], file: str) -> list[str]:
    """Return the problems that the rules of a file find."""
    asked = [
        rule
        for rule in RULES
        if rule.file == file and all(c in sheets[f].sound for f, c in (need.split(".") for need in rule.needs))
    ]
    table = con.table(file)
    # One pass for all rules; examples are only fetched for those that are broken.
    (counts,) = table.aggregate(", ".join(f"count(*) FILTER (WHERE {rule.where})" for rule in asked)).fetchall()
    return [
        f"{sheets[file].label}: {rule.column}: {rule.words}: {count} row(s), e.g. {_examples(table, rule)}"
        for rule, count in zip(asked, counts, strict=True)
        if count
    ]


def _examples(table: duckdb.DuckDBPyRelation, rule: Rule) -> str:
    show = rule.show or tuple(dict.fromkeys((rule.column, "game_id")))
    wanted = ", ".join(f"CAST({name} AS VARCHAR)" for name in ("row", *show))
    rows = table.filter(rule.where).order("row").limit(_MAX_EXAMPLES).project(wanted).fetchall()
    return "; ".join(
        ", ".join(f"{name} {_short(cell)}" for name, cell in zip(show, cells, strict=True)) + f" (data row {row})"
        for row, *cells in rows
    )


# Converting -------------------------------------------------------------------------------------------------

_CONVERT = {
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


def _converted(con: duckdb.DuckDBPyConnection, name: str, schema: pa.Schema) -> pa.Table:
    """Return one raw table; without a source it is empty."""
    if name not in _CONVERT:
        return schema.empty_table()
    return con.sql(_CONVERT[name]).to_arrow_table().select(schema.names).cast(schema)


# Gaps -------------------------------------------------------------------------------------------------------

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
