"""The layout of a folder with real data: its files, columns, keys, and the rules that every row must keep."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from courtbook.nba.names import read_yaml

# What the cells of a column hold, as a message names it.
Kind = Literal["text", "a whole number", "a number", "a date (YYYY-MM-DD)"]


@dataclass(frozen=True)
class Column:
    """One column that the conversion needs. ``low`` and ``high`` are inclusive."""

    name: str
    kind: Kind
    nullable: bool = False
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class Rule:
    """What must not be in a file, as layout.yaml explains it; ``show`` nothing: the column and the game."""

    column: str
    words: str
    where: str
    show: Sequence[str] = ()
    needs: Sequence[str] = ()


@dataclass(frozen=True)
class File:
    """One file of the folder: ``name.parquet`` or ``name.csv``."""

    name: str
    required: bool
    columns: Sequence[Column]
    rules: Sequence[Rule]


def _file(name: str, required: bool, key: list[str], columns: list[Any], rules: list[Any]) -> File:
    made = [column for group in columns for column in _columns(**group)]
    return File(name, required, made, [*_general_rules(key, made), *(Rule(**rule) for rule in rules)])


def _columns(names: list[str], **more: Any) -> list[Column]:
    return [Column(name, **more) for name in names]


def _general_rules(key: list[str], columns: list[Column]) -> Iterator[Rule]:
    """Yield the rules for ids, keys and the bounds of each column."""
    words = "is not a league id of ten digits; game ids are text; keep the leading zeros"
    yield Rule("game_id", words, "NOT regexp_full_match(game_id, '[0-9]{10}')")
    whole_key = " AND ".join(f"{name} IS NOT NULL" for name in key)
    yield Rule(" + ".join(key), "duplicate key", f"same_key > 1 AND {whole_key}", show=key)
    for column in columns:
        if column.low is not None:
            words = "is negative" if column.low == 0 else f"is below {column.low}"
            yield Rule(column.name, words, f"{column.name} < {column.low}")
        if column.high is not None:
            yield Rule(column.name, f"is above {column.high}", f"{column.name} > {column.high}")


_LAYOUT = read_yaml("layout.yaml")
STATS: list[str] = _LAYOUT["stats"]
NO_SOURCE: list[str] = _LAYOUT["no_source"]
FILES = tuple(_file(**given) for given in _LAYOUT["files"])
