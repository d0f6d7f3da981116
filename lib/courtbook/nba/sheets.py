"""Sheets: the files of a folder as read, with typed columns and what is wrong with their cells."""

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
_ARROW = {Kind.TEXT: pa.string(), Kind.WHOLE: pa.int64(), Kind.NUMBER: pa.float64(), Kind.DATE: pa.date32()}
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

    @property
    def missing(self) -> bool:
        """Whether there is no such file and none is needed."""
        return not self.problems and not self.sound


def read_sheet(folder: Path, file: File) -> Sheet:
    """Read one file of the layout."""
    found = [path for ending in ("parquet", "csv") if (path := folder / f"{file.name}.{ending}").exists()]
    if len(found) > 1:
        return _no_sheet(file, f"{file.name}: both {found[0].name} and {found[1].name} are there; keep one")
    if not found and file.required:
        return _no_sheet(file, f"{file.name}: the file is missing ({file.name}.parquet or {file.name}.csv)")
    if not found:
        return _no_sheet(file)
    (path,) = found
    is_csv = path.suffix == ".csv"
    try:
        raw = _read_csv(path, file) if is_csv else _read_parquet(path, file)
        raw.validate(full=True)
    except (OSError, pa.ArrowException, UnicodeError) as error:
        return _no_sheet(file, f"{path.name}: cannot be read: {' '.join(str(error).split())[:300]}")
    problems = [] if raw.num_rows else [f"{path.name}: holds no rows"]
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
        if raw.num_rows and not any(pc.all(bad).as_py() for _, bad in complaints):
            sound.add(column.name)
    columns["row"] = pa.array(range(1, raw.num_rows + 1), pa.int64())
    return Sheet(path.name, pa.table(columns), frozenset(sound), tuple(problems))


def _no_sheet(file: File, *problems: str) -> Sheet:
    schema = pa.schema([(column.name, _ARROW[column.kind]) for column in file.columns] + [("row", pa.int64())])
    return Sheet(file.name, schema.empty_table(), frozenset(), problems)


def _read_parquet(path: Path, file: File) -> pa.Table:
    wanted = {column.name for column in file.columns}
    with pq.ParquetFile(path) as source:
        return source.read(columns=[name for name in dict.fromkeys(source.schema_arrow.names) if name in wanted])


def _read_csv(path: Path, file: File) -> pa.Table:
    _check_separator(path, file)
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
        lines = ", ".join(str(number) for number in malformed[:MAX_EXAMPLES])
        raise pa.ArrowInvalid(f"{len(malformed)} line(s) with a wrong number of cells, e.g. line {lines}")
    return table


def _check_separator(path: Path, file: File) -> None:
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        header = lines.readline(_LONGEST_HEADER).strip().replace('"', "")
    names = {column.name for column in file.columns}
    for other in ";\t|":
        if len(names & set(header.split(other))) > len(names & set(header.split(","))):
            raise pa.ArrowInvalid(f"the file looks separated by {other!r}, expected ','")


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
    numbers = rows[:MAX_EXAMPLES].to_pylist()
    shown = [f"{_python(cells[number])[:MAX_WIDTH]} (data row {number + 1})" for number in numbers]
    return f"{label}: {column}: {words}: {len(rows)} row(s), e.g. {'; '.join(shown)}"


def _python(cell: pa.Scalar) -> str:
    """Return a cell as read, for a message."""
    try:
        value = cell.as_py()
        return repr(value) if isinstance(value, str) else str(value)
    except (ValueError, OverflowError, LookupError):
        return f"{cell.type} beyond the calendar"
