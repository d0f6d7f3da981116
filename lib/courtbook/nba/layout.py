"""The layout of a folder with real data: its files, columns, keys, and the rules that every row must keep."""

from dataclasses import dataclass
from enum import Enum

from courtbook.nba.names import TEAMS

COUNTED_TYPES = ("Regular Season", "Play-In", "Playoffs", "NBA Cup Final")
SEASON_TYPES = (*COUNTED_TYPES, "All-Star", "Preseason")


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
    nullable: bool = False
    low: int | None = None
    high: int | None = None


@dataclass(frozen=True)
class File:
    """One file of the folder: ``name.parquet`` or ``name.csv``."""

    name: str
    required: bool
    key: tuple[str, ...]
    columns: tuple[Column, ...]


@dataclass(frozen=True)
class Rule:
    """What must not be: a predicate over the rows of a file as ``problems`` prepares them.

    ``show`` are the columns that an example prints. ``needs`` are columns (``file.column``) without which
    the rule would complain about every row; where one is missing, the rule is not asked.
    """

    file: str
    column: str
    words: str
    where: str
    show: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()


def _count(name: str, high: int = 300, *, nullable: bool = True, low: int = 0) -> Column:
    return Column(name, Kind.WHOLE, nullable=nullable, low=low, high=high)


_GAME = (Column("game_id", Kind.TEXT), Column("game_date", Kind.DATE))
STATS = ("fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb", "dreb", "reb", "ast", "stl", "blk", "tov", "pf")
ZONES = ("paint", "mid_range", "three")

FILES: tuple[File, ...] = (
    File(
        "games",
        required=True,
        key=("game_id",),
        columns=(
            *_GAME,
            Column("season_year", Kind.WHOLE, low=1946, high=2100),
            Column("season_type", Kind.TEXT),
            Column("home_team_abbr", Kind.TEXT, nullable=True),
            Column("away_team_abbr", Kind.TEXT, nullable=True),
            _count("home_score"),
            _count("away_score"),
        ),
    ),
    File(
        "player_boxscores",
        required=True,
        key=("game_id", "player_id"),
        columns=(
            *_GAME,
            Column("player_id", Kind.WHOLE, low=0),
            Column("player_name", Kind.TEXT),
            Column("team_abbr", Kind.TEXT),
            _count("minutes", 80),
            Column("minutes_decimal", Kind.NUMBER, nullable=True, low=0, high=80),
            *(_count(name) for name in STATS),
            _count("pts", nullable=False),
            _count("plus_minus", low=-300),
        ),
    ),
    File(
        "game_lines",
        required=False,
        key=("game_id",),
        columns=(
            *_GAME,
            Column("home_team_abbr", Kind.TEXT),
            Column("away_team_abbr", Kind.TEXT),
            Column("home_spread", Kind.NUMBER, nullable=True, low=-100, high=100),
            Column("total", Kind.NUMBER, nullable=True, low=0, high=500),
        ),
    ),
    File(
        "shot_zones",
        required=False,
        key=("game_id", "player_id"),
        columns=(
            *_GAME,
            Column("player_id", Kind.WHOLE, low=0),
            Column("team_abbr", Kind.TEXT),
            *(_count(f"{zone}_{what}") for zone in ZONES for what in ("makes", "attempts")),
        ),
    ),
)


def _general(file: File) -> tuple[Rule, ...]:
    """Keys, ids and the bounds of each column."""
    rules = [
        Rule(
            file.name,
            "game_id",
            "is not a league id of ten digits; game ids are text; keep the leading zeros",
            "NOT regexp_full_match(game_id, '[0-9]{10}')",
        ),
        Rule(
            file.name,
            " + ".join(file.key),
            "duplicate key",
            " AND ".join(["same_key > 1", *(f"{name} IS NOT NULL" for name in file.key)]),
            show=file.key,
        ),
    ]
    for column in file.columns:
        if column.low is not None:
            words = "is negative" if column.low == 0 else f"is below {column.low}"
            rules.append(Rule(file.name, column.name, words, f"{column.name} < {column.low}"))
        if column.high is not None:
            rules.append(Rule(file.name, column.name, f"is above {column.high}", f"{column.name} > {column.high}"))
    return tuple(rules)


def _makes(file: str, *pairs: tuple[str, str], words: str = "makes above attempts") -> tuple[Rule, ...]:
    return tuple(Rule(file, low, words, f"{low} > {high}", show=(low, high, "game_id")) for low, high in pairs)


def _against_games(file: str) -> tuple[Rule, ...]:
    return (
        Rule(file, "game_id", "the game is not in games", "NOT in_games", needs=("games.game_id",)),
        Rule(
            file,
            "game_date",
            "is not the date that games has for this game",
            "game_date <> scheduled",
            show=("game_id", "game_date", "scheduled"),
        ),
        Rule(
            file,
            "game_id",
            "games does not name both teams of this game",
            "game_id IS NOT NULL AND in_games AND (home IS NULL OR away IS NULL)",
            needs=("games.home_team_abbr", "games.away_team_abbr"),
        ),
    )


_TEAM_LIST = ", ".join(f"'{team}'" for team in TEAMS)
_TYPE_LIST = ", ".join(f"'{name}'" for name in SEASON_TYPES)

RULES: tuple[Rule, ...] = (
    *(rule for file in FILES for rule in _general(file)),
    Rule("games", "season_type", "is not one of " + ", ".join(SEASON_TYPES), f"season_type NOT IN ({_TYPE_LIST})"),
    Rule(
        "games",
        "game_date",
        "is outside its season (1 July of season_year to 30 September of the next year)",
        "CASE WHEN month(game_date) <= 6 THEN season_year <> year(game_date) - 1"
        " WHEN month(game_date) <= 9 THEN season_year NOT IN (year(game_date), year(game_date) - 1)"
        " ELSE season_year <> year(game_date) END",
        show=("game_id", "game_date", "season_year"),
    ),
    *(
        Rule(
            "games",
            column,
            "unknown team in a game that is counted",
            f"counted AND ({column} IS NULL OR {column} NOT IN ({_TEAM_LIST}))",
            show=(column, "game_id"),
            needs=(f"games.{column}",),
        )
        for column in ("home_team_abbr", "away_team_abbr")
    ),
    Rule(
        "games",
        "home_team_abbr",
        "home and away team are the same",
        "home_team_abbr = away_team_abbr",
        show=("game_id", "home_team_abbr"),
    ),
    Rule(
        "games",
        "home_score",
        "a game that is counted cannot end in a tie; leave the scores empty until it is over",
        "counted AND home_score = away_score",
        show=("game_id", "home_score", "away_score"),
    ),
    Rule(
        "games",
        "game_date",
        "a team plays twice on this date",
        "team_twice",
        show=("game_date", "game_id", "home_team_abbr", "away_team_abbr"),
    ),
    *(rule for file in FILES[1:] for rule in _against_games(file.name)),
    *_makes("player_boxscores", ("fgm", "fga"), ("fg3m", "fg3a"), ("ftm", "fta")),
    *_makes("player_boxscores", ("fg3m", "fgm"), ("fg3a", "fga"), words="threes above all field goals"),
    Rule(
        "player_boxscores",
        "pts",
        "points are not 2 x fgm + fg3m + ftm",
        "pts::DOUBLE <> 2 * fgm::DOUBLE + fg3m::DOUBLE + ftm::DOUBLE",
        show=("pts", "fgm", "fg3m", "ftm", "game_id"),
    ),
    Rule(
        "player_boxscores",
        "team_abbr",
        "is not one of the two teams of the game",
        "team_abbr NOT IN (home, away)",
        show=("team_abbr", "game_id"),
    ),
    Rule("player_boxscores", "player_name", "has no letters that make a key", "base_lookup = ''"),
    Rule(
        "player_boxscores",
        "player_name",
        "two players of one team and game have the same name",
        "same_name",
        show=("player_name", "player_id", "team_abbr", "game_id"),
    ),
    *_makes("shot_zones", *((f"{zone}_makes", f"{zone}_attempts") for zone in ZONES)),
    Rule(
        "shot_zones",
        "player_id",
        "player_boxscores has no row of this player in this game",
        "in_games AND NOT in_box",
        show=("player_id", "game_id"),
        needs=("player_boxscores.game_id", "player_boxscores.player_id", "games.game_id"),
    ),
    Rule(
        "shot_zones",
        "team_abbr",
        "is not the player's team in player_boxscores",
        "team_abbr <> box_team",
        show=("team_abbr", "box_team", "game_id"),
    ),
    *(
        Rule(
            "game_lines",
            f"{side}_team_abbr",
            f"is not the {side} team that games has for this game",
            f"{side}_team_abbr <> {side}",
            show=(f"{side}_team_abbr", "game_id"),
        )
        for side in ("home", "away")
    ),
)
