"""Sheets: the files of a folder as read, with typed columns and what is wrong with their cells."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from courtbook.nba.layout import Column, File, Kind

MAX_EXAMPLES = 3
MAX_WIDTH = 60
_LONGEST_HEADER = 10_000
_ARROW: dict[Kind, pa.DataType] = {
    "text": pa.string(), "a whole number": pa.int64(), "a number": pa.float64(), "a date (YYYY-MM-DD)": pa.date32()
}  # fmt: skip
_NULLS = ["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None", "<NA>"]
_PLAIN_NUMBER = r"^[+-]?(\d{1,15}(\.\d{0,20})?|\.\d{1,20})([eE][+-]?\d{1,2})?$"
# Days from 1970: the years 1000 to 2999; what lies outside is no date, and Python cannot hold much of it.
_FIRST_DAY, _LAST_DAY = -354_286, 376_200


@dataclass(frozen=True)
class Sheet:
    """A file as read: typed columns (NULL where a cell is unusable), the names of the sound ones, the problems."""

    label: str
    table: pa.Table
    sound: frozenset[str]
    problems: tuple[str, ...]


def read_sheet(folder: Path, file: File) -> Sheet:
    """Read one file of the layout; one that is not there, and need not be, has no problems and no sound columns."""
    label, raw, problems = _read(folder, file)
    columns: dict[str, pa.Array] = {}
    sound: set[str] = set()
    for column in file.columns:
        times = raw.column_names.count(column.name)
        if times != 1:
            problems.append(f"{label}: {column.name}: " + (f"occurs {times} times" if times else "missing column"))
            columns[column.name] = pa.nulls(raw.num_rows, _ARROW[column.kind])
            continue
        cells = raw.column(column.name).combine_chunks()
        columns[column.name], complaints = _typed(cells, column, is_csv=label.endswith(".csv"))
        for words, bad in complaints:
            rows = pc.indices_nonzero(bad)
            examples = [f"{_shown(cells[row])} (data row {row + 1})" for row in rows[:MAX_EXAMPLES].to_pylist()]
            problems.append(problem(label, column.name, words, len(rows), examples))
        if raw.num_rows and not any(pc.all(bad).as_py() for _, bad in complaints):
            sound.add(column.name)
    columns["row"] = pa.array(range(1, raw.num_rows + 1), pa.int64())
    return Sheet(label, pa.table(columns), frozenset(sound), tuple(problems))


def problem(label: str, column: str, words: str, count: int, examples: Iterable[str]) -> str:
    """Return the line for what is wrong in some rows of a column."""
    return f"{label}: {column}: {words}: {count} row(s), e.g. {'; '.join(examples)}"


def _read(folder: Path, file: File) -> tuple[str, pa.Table, list[str]]:
    """Return the name of a file, the columns of the layout that it holds, and what is wrong with it as a whole."""
    nothing = pa.table({column.name: pa.nulls(0) for column in file.columns})
    found = [path for ending in ("parquet", "csv") if (path := folder / f"{file.name}.{ending}").exists()]
    if len(found) > 1:
        return file.name, nothing, [f"{file.name}: both {found[0].name} and {found[1].name} are there; keep one"]
    if not found:
        missing = f"{file.name}: the file is missing ({file.name}.parquet or {file.name}.csv)"
        return file.name, nothing, [missing] if file.required else []
    (path,) = found
    try:
        raw = _read_csv(path, file) if path.suffix == ".csv" else _read_parquet(path, file)
        raw.validate(full=True)
    except (OSError, pa.ArrowException, UnicodeError) as error:
        return path.name, nothing, [f"{path.name}: cannot be read: {' '.join(str(error).split())[:300]}"]
    return path.name, raw, [] if raw.num_rows else [f"{path.name}: holds no rows"]


def _read_parquet(path: Path, file: File) -> pa.Table:
    wanted = {column.name for column in file.columns}
    with pq.ParquetFile(path) as source:
        return source.read(columns=[name for name in dict.fromkeys(source.schema_arrow.names) if name in wanted])


def _read_csv(path: Path, file: File) -> pa.Table:
    columns = {column.name: pa.string() for column in file.columns}
    with path.open(encoding="utf-8-sig", errors="replace") as source:
        header = source.readline(_LONGEST_HEADER).strip().replace('"', "")
    for other in ";\t|":
        if len(columns.keys() & header.split(other)) > len(columns.keys() & header.split(",")):
            raise pa.ArrowInvalid(f"the file looks separated by {other!r}, expected ','")
    malformed: list[int] = []

    def note(row: pa.csv.InvalidRow) -> str:
        malformed.append(row.number or 0)
        return "skip"

    table = pa.csv.read_csv(
        path,
        # Row numbers are only known to a single reader.
        read_options=pa.csv.ReadOptions(use_threads=False),
        parse_options=pa.csv.ParseOptions(invalid_row_handler=note),
        convert_options=pa.csv.ConvertOptions(column_types=columns, strings_can_be_null=True, null_values=_NULLS),
    )
    if malformed:
        lines = ", ".join(str(number) for number in malformed[:MAX_EXAMPLES])
        raise pa.ArrowInvalid(f"{len(malformed)} line(s) with a wrong number of cells, e.g. line {lines}")
    return table


def _typed(cells: pa.Array, column: Column, *, is_csv: bool) -> tuple[pa.Array, list[tuple[str, pa.Array]]]:
    """Return the cells in the type of the column, and complaints: words and which cells they concern."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    is_text = pa.types.is_string(cells.type) or pa.types.is_large_string(cells.type)
    if is_text:
        cells = pc.if_else(pc.equal(pc.utf8_trim_whitespace(cells), ""), None, cells)
    elif pa.types.is_floating(cells.type):
        # A missing number is NaN in files written from data frames.
        cells = pc.if_else(pc.is_nan(cells), None, cells)
    target = _ARROW[column.kind]
    values, words = pa.nulls(len(cells), target), f"is not {column.kind}"
    try:
        if pa.types.is_date(target):
            values = _dates(cells, is_text=is_text)
        elif pa.types.is_string(target):
            leading_zeros = "; game ids are text; keep the leading zeros" if column.name == "game_id" else ""
            words = f"{cells.type} where text is needed{leading_zeros}"
            values = cells.cast(target) if is_text else values
        elif is_text and not is_csv:
            words = f"text where {column.kind} is needed"
        else:
            values = _numbers(cells, target, is_text=is_text)
    except pa.ArrowException:
        words = f"{cells.type} where {column.kind} is needed"
    complaints = []
    if cells.null_count and not column.nullable:
        complaints.append(("is empty", pc.is_null(cells)))
    if values.null_count > cells.null_count:
        complaints.append((words, pc.and_(pc.is_valid(cells), pc.is_null(values))))
    return values, complaints


def _dates(cells: pa.Array, *, is_text: bool) -> pa.Array:
    if is_text:
        plain = pc.if_else(pc.match_substring_regex(cells, r"^[12]\d{3}-\d{2}-\d{2}$"), cells, None)
        days = pd.to_datetime(plain.to_pandas(), format="%Y-%m-%d", errors="coerce")
        return pa.array(days.dt.date, pa.date32(), from_pandas=True)
    if pa.types.is_timestamp(cells.type) and cells.type.tz is None:
        # A time of day means an instant, and its date depends on the time zone.
        cells = pc.if_else(pc.equal(pc.floor_temporal(cells, unit="day"), cells), cells, None)
    elif not pa.types.is_date(cells.type):
        return pa.nulls(len(cells), pa.date32())
    numbers = cells.cast(pa.date32(), safe=False).cast(pa.int32())
    usable = pc.and_(pc.greater(numbers, _FIRST_DAY), pc.less(numbers, _LAST_DAY))
    return pc.if_else(usable, numbers, None).cast(pa.date32())


def _numbers(cells: pa.Array, target: pa.DataType, *, is_text: bool) -> pa.Array:
    if is_text:
        cells = pc.if_else(pc.match_substring_regex(cells, _PLAIN_NUMBER), cells, None)
    elif not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type) or pa.types.is_decimal(cells.type)):
        return pa.nulls(len(cells), target)
    if pa.types.is_float32(cells.type):
        # Through text, 40.13 stays 40.13 instead of 40.130001068.
        cells = cells.cast(pa.string())
    numbers = cells.cast(pa.float64(), safe=False)
    # Above 2^53 a float no longer holds every whole number.
    usable = pc.less(pc.abs(numbers), 2.0**53)
    if pa.types.is_integer(target):
        usable = pc.and_(usable, pc.equal(pc.floor(numbers), numbers))
    return pc.if_else(usable, numbers, None).cast(target)


def _shown(cell: pa.Scalar) -> str:
    """Return the beginning of a cell as read, for a message."""
    try:
        value = cell.as_py()
    except (ValueError, OverflowError, LookupError):
        return f"{cell.type} beyond the calendar"[:MAX_WIDTH]
    return (repr(value) if isinstance(value, str) else str(value))[:MAX_WIDTH]
