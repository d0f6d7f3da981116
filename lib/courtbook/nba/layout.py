"""The layout of a folder with real data: its files, columns, keys, and the rules that every row must keep."""

from dataclasses import dataclass
from enum import Enum
from importlib import resources
from typing import Any

import yaml


class Kind(Enum):
    """What the cells of a column hold; the value is how a message names it."""

    TEXT = "text"
    WHOLE = "a whole number"
    NUMBER = "a number"
    DATE = "a date (YYYY-MM-DD)"


@dataclass(frozen=True)
class Column:
    """One column that the conversion needs. ``low`` and ``high`` are inclusive."""

    name: str
    kind: Kind
    nullable: bool
    low: int | None
    high: int | None


@dataclass(frozen=True)
class Rule:
    """What must not be in a file, as layout.yaml explains it."""

    column: str
    words: str
    where: str
    show: tuple[str, ...]
    needs: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """One file of the folder: ``name.parquet`` or ``name.csv``."""

    name: str
    required: bool
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    rules: tuple[Rule, ...]


def _file(given: dict[str, Any]) -> File:
    columns = tuple(column for group in given["columns"] for column in _columns(**group))
    key = tuple(given["key"])
    rules = (*_general_rules(key, columns), *(_rule(**rule) for rule in given["rules"]))
    return File(given["name"], given["required"], key, columns, rules)


def _columns(
    names: list[str], kind: str, *, nullable: bool = False, low: int | None = None, high: int | None = None
) -> list[Column]:
    return [Column(name, Kind(kind), nullable, low, high) for name in names]


def _rule(column: str, words: str, where: str, show: tuple[str, ...] = (), needs: tuple[str, ...] = ()) -> Rule:
    return Rule(column, words, where, tuple(show or dict.fromkeys((column, "game_id"))), tuple(needs))


def _general_rules(key: tuple[str, ...], columns: tuple[Column, ...]) -> list[Rule]:
    """Return the rules for ids, keys and the bounds of each column."""
    whole_key = " AND ".join(f"{name} IS NOT NULL" for name in key)
    rules = [
        _rule(
            "game_id",
            "is not a league id of ten digits; game ids are text; keep the leading zeros",
            "NOT regexp_full_match(game_id, '[0-9]{10}')",
        ),
        _rule(" + ".join(key), "duplicate key", f"same_key > 1 AND {whole_key}", show=key),
    ]
    for column in columns:
        if column.low is not None:
            words = "is negative" if column.low == 0 else f"is below {column.low}"
            rules.append(_rule(column.name, words, f"{column.name} < {column.low}"))
        if column.high is not None:
            rules.append(_rule(column.name, f"is above {column.high}", f"{column.name} > {column.high}"))
    return rules


_LAYOUT = yaml.safe_load(resources.files("courtbook.nba").joinpath("layout.yaml").read_text(encoding="utf-8"))
STATS: tuple[str, ...] = tuple(_LAYOUT["stats"])
FILES: tuple[File, ...] = tuple(_file(given) for given in _LAYOUT["files"])
