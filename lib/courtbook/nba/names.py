"""Teams, game ids and player keys in the spelling of the warehouse, and the files that the domain declares."""

import datetime as dt
import unicodedata
from functools import cache
from importlib import resources
from typing import Any

import yaml


def read_text(name: str) -> str:
    """Return the text of a file of the domain."""
    return (resources.files("courtbook.nba") / name).read_text(encoding="utf-8")


@cache
def read_yaml(name: str) -> dict[Any, Any]:
    """Return the content of a YAML file of the domain; callers share it and leave it as it is."""
    content: dict[Any, Any] = yaml.safe_load(read_text(name))
    return content


_CONFERENCES = read_yaml("league.yaml")["teams"]
EAST, WEST = map(frozenset, _CONFERENCES.values())
TEAM_NAMES: dict[str, str] = dict(sorted((_CONFERENCES["east"] | _CONFERENCES["west"]).items()))
TEAMS: tuple[str, ...] = tuple(TEAM_NAMES)

_LETTERS_WITHOUT_DECOMPOSITION = str.maketrans(
    {"ł": "l", "ø": "o", "đ": "d", "ß": "ss", "æ": "ae", "œ": "oe", "ı": "i", "ð": "d", "þ": "th"}
)


def player_lookup(name: str) -> str:
    """Return the key of a player: lower case, without accents, blanks and punctuation.

    >>> player_lookup("Luka Dončić"), player_lookup("Jaren Jackson Jr.")
    ('lukadoncic', 'jarenjacksonjr')
    """
    plain = unicodedata.normalize("NFKD", name.lower().translate(_LETTERS_WITHOUT_DECOMPOSITION))
    return "".join(letter for letter in plain if letter.isascii() and letter.isalnum())


def game_id(day: dt.date, away: str, home: str) -> str:
    """Return the game id of layers 3 and 4, ``YYYYMMDD_AWAY_HOME``."""
    return f"{day:%Y%m%d}_{away}_{home}"
