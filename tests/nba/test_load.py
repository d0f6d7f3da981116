"""The loader of real data: what it refuses, what it converts, which gaps it names."""

import csv
import datetime as dt
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from courtbook.catalog import Layer, load_catalog
from courtbook.errors import CourtbookError, ExitCode, Reason
from courtbook.nba import load, names
from courtbook.nba.layout import FILES, STATS
from courtbook.nba.load import BadFiles, RawData, read_folder
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

ROOT = Path(__file__).parents[2]
REAL = ROOT.parent / "shared" / "data" / "nba"
FORMATS = ("parquet", "csv")
Rows = list[dict[str, Any]]
Tables = dict[str, Rows]

ONE, TWO, THREE = "0022400001", "0022400002", "0032400001"
DAY, NEXT = dt.date(2024, 10, 22), dt.date(2024, 10, 23)


@pytest.fixture(autouse=True)
def one_engine_for_small_folders(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    # To start an engine takes as long as to check a small folder. Each load still has a session of its own.
    if "real" not in request.fixturenames:
        monkeypatch.setattr(load, "duckdb", SimpleNamespace(connect=lambda _: duckdb.cursor()))


def game(game_id: str, day: dt.date, away: str | None, home: str | None, scores: tuple[Any, Any], kind: str) -> Any:
    return {
        "game_id": game_id,
        "game_date": day,
        "season_year": 2024,
        "season_type": kind,
        "home_team_abbr": home,
        "away_team_abbr": away,
        "home_score": scores[1],
        "away_score": scores[0],
    }


def player(game_id: str, day: dt.date, team: str, number: int, name: str, **values: Any) -> dict[str, Any]:
    row: dict[str, Any] = {"game_id": game_id, "game_date": day, "player_id": number, "player_name": name}
    stats = dict.fromkeys((*STATS, "pts", "plus_minus"), 0)
    return row | {"team_abbr": team, "minutes": 48, "minutes_decimal": None} | stats | values


SHOTS = {"fgm": 10, "fga": 20, "fg3m": 2, "fg3a": 6, "ftm": 3, "fta": 4, "pts": 25}
FEW = {"fgm": 4, "fga": 9, "fg3m": 1, "fg3a": 3, "ftm": 0, "fta": 0, "pts": 9}


def tables() -> Tables:
    """Two counted games (the second with one overtime) and an All-Star game without anything."""
    box = [
        player(ONE, DAY, "BOS", 1, "Luka Dončić", **SHOTS, minutes_decimal=40.5, oreb=1, dreb=5, reb=6, plus_minus=16),
        player(ONE, DAY, "BOS", 2, "Jaren Jackson Jr.", **FEW, minutes=0, reb=2, dreb=2),
        player(ONE, DAY, "BOS", 3, "Bench Man", minutes=0),
        player(ONE, DAY, "NYK", 4, "Al Smith", **FEW, oreb=None, dreb=None, reb=7, plus_minus=-16),
        player(ONE, DAY, "NYK", 5, "Bo Jones", **FEW, minutes=20, oreb=2, dreb=1, reb=3),
    ]
    for number in range(10):
        team, values = ("BOS", SHOTS) if number < 5 else ("LAL", FEW)
        name = "Luka Dončić" if number == 0 else f"Player {'abcdefghij'[number]}"
        box.append(player(TWO, NEXT, team, 1 if number == 0 else 10 + number, name, **values, minutes=53))
    zones = {f"{zone}_{what}": 1 for zone in ("paint", "mid_range", "three") for what in ("makes", "attempts")}
    return {
        "games": [
            game(ONE, DAY, "NYK", "BOS", (18, 34), "Regular Season"),
            game(TWO, NEXT, "BOS", "LAL", (125, 45), "Playoffs"),
            game(THREE, dt.date(2025, 2, 16), None, None, (None, None), "All-Star"),
        ],
        "player_boxscores": box,
        "game_lines": [
            {
                "game_id": ONE,
                "game_date": DAY,
                "home_team_abbr": "BOS",
                "away_team_abbr": "NYK",
                "home_spread": -5.5,
                "total": 221.0,
            },
            {
                "game_id": TWO,
                "game_date": NEXT,
                "home_team_abbr": "LAL",
                "away_team_abbr": "BOS",
                "home_spread": None,
                "total": 230.5,
            },
        ],
        "shot_zones": [
            {"game_id": ONE, "game_date": DAY, "player_id": 1, "team_abbr": "BOS", **zones, "paint_attempts": 9}
        ],
    }


def write(folder: Path, content: Tables, ending: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, rows in content.items():
        if ending == "csv":
            with (folder / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, rows[0], lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        else:
            columns = {column: [row[column] for row in rows] for column in rows[0]}
            pq.write_table(pa.table(columns), folder / f"{name}.parquet")
    return folder


def refused(folder: Path) -> BadFiles:
    with pytest.raises(BadFiles) as caught:
        read_folder(folder)
    error = caught.value
    assert isinstance(error, CourtbookError)
    assert error.reason is Reason.BAD_FILE
    assert error.exit_code is ExitCode.USAGE
    assert error.problems
    assert all("\n" not in problem for problem in error.problems)
    assert all(problem in str(error) for problem in error.problems)
    return error


def edit(file: str, row: int, **values: Any) -> Callable[[Tables], None]:
    return lambda content: content[file][row].update(values)


def again(file: str, row: int, **values: Any) -> Callable[[Tables], None]:
    return lambda content: content[file].append(content[file][row] | values)


def both(*edits: Callable[[Tables], None]) -> Callable[[Tables], None]:
    def apply(content: Tables) -> None:
        for one in edits:
            one(content)

    return apply


BOX, GAMES, LINES, ZONE = "player_boxscores", "games", "game_lines", "shot_zones"

# Change, file, column, words, example.
VALUE_PROBLEMS: dict[str, tuple[Callable[[Tables], None], str, str, str, str]] = {
    "duplicate game": (again(GAMES, 0), GAMES, "game_id", "duplicate key", ONE),
    "duplicate player": (again(BOX, 0), BOX, "game_id + player_id", "duplicate key", "player_id 1"),
    "duplicate line": (again(LINES, 0), LINES, "game_id", "duplicate key", ONE),
    "duplicate zones": (again(ZONE, 0), ZONE, "game_id + player_id", "duplicate key", "player_id 1"),
    "short id": (edit(GAMES, 2, game_id="32400001"), GAMES, "game_id", "keep the leading zeros", "32400001"),
    "unknown home": (edit(GAMES, 0, home_team_abbr="XXX"), GAMES, "home_team_abbr", "unknown team", "XXX"),
    "no away": (edit(GAMES, 0, away_team_abbr=None), GAMES, "away_team_abbr", "unknown team", "NULL"),
    "same teams": (edit(GAMES, 0, away_team_abbr="BOS"), GAMES, "home_team_abbr", "are the same", "BOS"),
    "season type": (edit(GAMES, 2, season_type="Finals"), GAMES, "season_type", "is not one of", "Finals"),
    "season": (edit(GAMES, 2, game_date=dt.date(2025, 10, 1)), GAMES, "game_date", "outside its season", "2025-10-01"),
    "too early": (edit(GAMES, 2, game_date=dt.date(2024, 6, 30)), GAMES, "game_date", "outside its", "2024-06-30"),
    "season year": (edit(GAMES, 2, season_year=20242), GAMES, "season_year", "is above 2100", "20242"),
    "tie": (edit(GAMES, 0, home_score=18), GAMES, "home_score", "cannot end in a tie", "home_score 18"),
    "twice": (
        again(GAMES, 0, game_id="0022400009", home_team_abbr="MIA"),
        GAMES,
        "game_date",
        "plays twice",
        "0022400009",
    ),
    "no date": (edit(GAMES, 2, game_date=None), GAMES, "game_date", "is empty", "data row 3"),
    "negative score": (edit(GAMES, 0, home_score=-1), GAMES, "home_score", "is negative", "home_score -1"),
    "negative count": (edit(BOX, 0, ast=-2), BOX, "ast", "is negative", "ast -2"),
    "minutes": (edit(BOX, 0, minutes=81), BOX, "minutes", "is above 80", "minutes 81"),
    "decimal": (edit(BOX, 0, minutes_decimal=80.5), BOX, "minutes_decimal", "is above 80", "80.5"),
    "fgm": (edit(BOX, 0, fga=9), BOX, "fgm", "makes above attempts", "fgm 10, fga 9"),
    "fg3m": (edit(BOX, 0, fg3a=1), BOX, "fg3m", "makes above attempts", "fg3m 2, fg3a 1"),
    "ftm": (edit(BOX, 0, fta=2), BOX, "ftm", "makes above attempts", "ftm 3, fta 2"),
    "threes": (edit(BOX, 0, fg3m=11, fg3a=11, pts=34), BOX, "fg3m", "threes above", "fg3m 11, fgm 10"),
    "points": (edit(BOX, 0, pts=26), BOX, "pts", "points are not", "pts 26, fgm 10, fg3m 2, ftm 3"),
    "no points": (edit(BOX, 0, pts=None), BOX, "pts", "is empty", "data row 1"),
    "no player": (edit(BOX, 2, player_id=None), BOX, "player_id", "is empty", "data row 3"),
    "no letters": (edit(BOX, 2, player_name="?!"), BOX, "player_name", "no letters", "?!"),
    "other team": (edit(BOX, 2, team_abbr="MIA"), BOX, "team_abbr", "not one of the two teams", "MIA"),
    "other date": (edit(BOX, 2, game_date=NEXT), BOX, "game_date", "not the date that games has", "2024-10-23"),
    "other game": (edit(BOX, 2, game_id="0022400077"), BOX, "game_id", "not in games", "0022400077"),
    "All-Star box": (
        again(BOX, 2, game_id=THREE, game_date=dt.date(2025, 2, 16)),
        BOX,
        "game_id",
        "does not name both teams",
        THREE,
    ),
    "same name": (edit(BOX, 2, player_name="LUKA Doncic"), BOX, "player_name", "same name", "LUKA Doncic"),
    "zone makes": (edit(ZONE, 0, paint_makes=10), ZONE, "paint_makes", "makes above attempts", "paint_attempts 9"),
    "zone player": (edit(ZONE, 0, player_id=99), ZONE, "player_id", "no row of this player", "player_id 99"),
    "zone team": (edit(ZONE, 0, team_abbr="NYK"), ZONE, "team_abbr", "not the player's team", "box_team BOS"),
    "zone game": (edit(ZONE, 0, game_id="0022400077"), ZONE, "game_id", "not in games", "0022400077"),
    "zone date": (edit(ZONE, 0, game_date=NEXT), ZONE, "game_date", "not the date", "2024-10-23"),
    "line game": (edit(LINES, 0, game_id="0022400077"), LINES, "game_id", "not in games", "0022400077"),
    "line date": (edit(LINES, 0, game_date=NEXT), LINES, "game_date", "not the date", "2024-10-23"),
    "line home": (edit(LINES, 0, home_team_abbr="NYK"), LINES, "home_team_abbr", "not the home team", "NYK"),
    "line away": (edit(LINES, 0, away_team_abbr="MIA"), LINES, "away_team_abbr", "not the away team", "MIA"),
    "spread": (edit(LINES, 0, home_spread=-555.0), LINES, "home_spread", "is below -100", "-555.0"),
    "total": (edit(LINES, 0, total=-1.0), LINES, "total", "is negative", "-1.0"),
}


@pytest.mark.parametrize("ending", FORMATS)
@pytest.mark.parametrize("name", VALUE_PROBLEMS)
def test_values_that_cannot_be_are_refused(tmp_path: Path, name: str, ending: str) -> None:
    change, file, column, words, example = VALUE_PROBLEMS[name]
    content = tables()
    change(content)
    problems = refused(write(tmp_path, content, ending)).problems
    start = f"{file}.{ending}: {column}: "
    hits = [problem for problem in problems if problem.startswith(start) and words in problem]
    assert len(hits) == 1, problems
    assert example in hits[0]
    assert "data row" in hits[0]


@pytest.mark.parametrize(
    ("file", "column", "ending"),
    # Half of the columns in each format; the check is the same for both.
    [(file.name, column.name, FORMATS[n % 2]) for file in FILES for n, column in enumerate(file.columns)],
)
def test_each_missing_column_is_named_once_and_nothing_else(
    tmp_path: Path, file: str, column: str, ending: str
) -> None:
    content = tables()
    for row in content[file]:
        del row[column]
    assert refused(write(tmp_path, content, ending)).problems == (f"{file}.{ending}: {column}: missing column",)


# File, column, all cells of it in Parquet, words, example.
TYPE_PROBLEMS: dict[str, tuple[str, str, Callable[[Any], Any], str, str]] = {
    "id as number": (GAMES, "game_id", int, "game ids are text; keep the leading zeros", "22400001"),
    "box id as number": (BOX, "game_id", int, "game ids are text; keep the leading zeros", "22400001"),
    "text for number": (BOX, "fgm", lambda cell: f"{cell} made", "text where a whole number is needed", "10 made"),
    "text for decimal": (LINES, "total", lambda _: "pick", "text where a number is needed", "pick"),
    "fraction": (BOX, "ast", lambda _: 1.5, "is not a whole number", "1.5"),
    "truth for number": (BOX, "ast", lambda _: True, "is not a whole number", "True"),
    "endless": (LINES, "total", lambda _: float("inf"), "is not a number", "inf"),
    "number for name": (BOX, "player_name", lambda _: 7, "where text is needed", "7"),
    "number for date": (GAMES, "game_date", lambda _: 20241022, "is not a date", "20241022"),
    "no such day": (BOX, "game_date", lambda _: "2024-02-30", "is not a date", "2024-02-30"),
    "time of day": (
        GAMES,
        "game_date",
        lambda _: dt.datetime(2024, 10, 22, 19),
        "is not a date",
        "2024-10-22 19:00:00",
    ),
    "time zone": (
        GAMES,
        "game_date",
        lambda _: dt.datetime(2024, 10, 22, tzinfo=dt.UTC),
        "is not a date",
        "00:00:00+00:00",
    ),
    "list for number": (BOX, "pts", lambda _: [1], "is not a whole number", "[1]"),
}


@pytest.mark.parametrize("name", TYPE_PROBLEMS)
def test_wrong_types_in_parquet_are_refused(tmp_path: Path, name: str) -> None:
    file, column, change, words, example = TYPE_PROBLEMS[name]
    content = tables()
    for row in content[file]:
        row[column] = change(row[column])
    if name == "id as number":
        # With no usable id in games, the rows of the other files are not blamed for it.
        assert len(refused(write(tmp_path / "alone", content, "parquet")).problems) == 1
    problems = refused(write(tmp_path, content, "parquet")).problems
    hits = [p for p in problems if p.startswith(f"{file}.parquet: {column}: ") and words in p]
    assert len(hits) == 1, problems
    assert example in hits[0]
    assert f"{len(content[file])} row(s)" in hits[0]


@pytest.mark.parametrize(
    ("file", "column", "cell", "words"),
    [
        (BOX, "fgm", "ten", "is not a whole number"),
        (BOX, "fgm", "10.5", "is not a whole number"),
        (BOX, "fgm", "1e400", "is not a whole number"),
        (BOX, "player_id", "99999999999999999999", "is not a whole number"),
        (LINES, "total", "2,5", "is not a number"),
        (GAMES, "game_date", "22.10.2024", "is not a date"),
        (GAMES, "game_date", "2024-13-01", "is not a date"),
        (GAMES, "game_date", "0000-01-01", "is not a date"),
        (GAMES, "game_id", "22400001", "keep the leading zeros"),
    ],
)
def test_single_bad_cells_in_csv_are_refused(tmp_path: Path, file: str, column: str, cell: str, words: str) -> None:
    content = tables()
    content[file][1][column] = cell
    problems = refused(write(tmp_path, content, "csv")).problems
    hits = [p for p in problems if p.startswith(f"{file}.csv: {column}: ") and words in p]
    assert len(hits) == 1, problems
    assert cell in hits[0]
    assert "1 row(s)" in hits[0]
    assert "(data row 2)" in hits[0]


def test_values_that_python_cannot_hold_are_refused(tmp_path: Path) -> None:
    write(tmp_path, tables(), "parquet")
    for name, column, cells in (
        (GAMES, "game_date", pa.array([10**9] * 3, pa.int32()).cast(pa.date32())),
        (LINES, "game_date", pa.array([10**6] * 2, pa.int32()).cast(pa.date32())),
        (ZONE, "player_id", pa.array([2**64 - 1], pa.uint64())),
    ):
        table = pq.read_table(tmp_path / f"{name}.parquet")
        place = table.column_names.index(column)
        pq.write_table(table.set_column(place, column, cells), tmp_path / f"{name}.parquet")
    games, lines, zones = refused(tmp_path).problems
    assert games.startswith("games.parquet: game_date: is not a date (YYYY-MM-DD): 3 row(s)")
    assert lines.startswith("game_lines.parquet: game_date: is not a date (YYYY-MM-DD): 2 row(s)")
    assert zones.startswith("shot_zones.parquet: player_id: is not a whole number: 1 row(s)")


def test_problems_of_all_files_come_together(tmp_path: Path) -> None:
    content = tables()
    both(
        edit(GAMES, 2, season_type="Finals"),
        edit(BOX, 0, minutes=99),
        edit(BOX, 3, pts=77),
        edit(LINES, 0, home_team_abbr="MIA"),
        edit(ZONE, 0, paint_makes=10),
    )(content)
    for row in content[BOX]:
        row["tov"] = "many"
        row["stl"] = -1
    for row in content[LINES]:
        del row["total"]
    problems = refused(write(tmp_path, content, "parquet")).problems
    starts = sorted(": ".join(problem.split(": ")[:2]) for problem in problems)
    assert starts == [
        "game_lines.parquet: home_team_abbr",
        "game_lines.parquet: total",
        "games.parquet: season_type",
        "player_boxscores.parquet: minutes",
        "player_boxscores.parquet: pts",
        "player_boxscores.parquet: stl",
        "player_boxscores.parquet: tov",
        "shot_zones.parquet: paint_makes",
    ]
    (steals,) = [problem for problem in problems if ": stl: " in problem]
    assert "15 row(s)" in steals
    assert steals.count("data row") == 3


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "does not exist" in refused(tmp_path / "nowhere").problems[0]

    empty = tmp_path / "empty"
    empty.mkdir()
    problems = refused(empty).problems
    assert [problem.split(":")[0] for problem in problems] == [GAMES, BOX]
    assert all("missing" in problem for problem in problems)

    damaged = write(tmp_path / "damaged", tables(), "parquet")
    whole = (damaged / "games.parquet").read_bytes()
    (damaged / "games.parquet").write_bytes(whole[: len(whole) // 2])
    (damaged / "game_lines.parquet").write_bytes(b"")
    (damaged / "shot_zones.parquet").unlink()
    (damaged / "shot_zones.parquet").mkdir()
    problems = refused(damaged).problems
    assert [problem.split(":")[0] for problem in problems] == [
        "games.parquet",
        "game_lines.parquet",
        "shot_zones.parquet",
    ]
    assert all("cannot be read" in problem for problem in problems)

    texts = write(tmp_path / "texts", tables(), "csv")
    (texts / "games.csv").write_text((texts / "games.csv").read_text(encoding="utf-8") + "1,2,3\n", encoding="utf-8")
    (texts / "game_lines.csv").write_text("", encoding="utf-8")
    (texts / "shot_zones.csv").write_bytes((texts / "shot_zones.csv").read_bytes().replace(b"BOS", b"B\xd6S"))
    problems = refused(texts).problems
    assert [problem.split(":")[0] for problem in problems] == ["games.csv", "game_lines.csv", "shot_zones.csv"]
    assert "line 5" in problems[0]


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_named_once(tmp_path: Path, separator: str) -> None:
    write(tmp_path, tables(), "csv")
    expected = []
    for name, decimal in ((GAMES, "."), (LINES, ",")):
        frame = pd.DataFrame(tables()[name])
        frame.to_csv(tmp_path / f"{name}.csv", index=False, sep=separator, decimal=decimal, encoding="utf-8-sig")
        words = f"the file looks separated by {separator!r}, expected ','"
        expected.append(f"{name}.csv: cannot be read: {words}")
    assert refused(tmp_path).problems == tuple(expected)


def test_commas_with_semicolons_in_the_cells_are_read(tmp_path: Path) -> None:
    content = tables()
    edit(BOX, 0, player_name="Luka; Doncic")(content)
    for row in content[BOX]:
        row["a;b;note"] = "x;y"
    assert isinstance(read_folder(write(tmp_path, content, "csv")), RawData)


@pytest.mark.parametrize("ending", FORMATS)
def test_files_without_rows_are_refused(tmp_path: Path, ending: str) -> None:
    write(tmp_path, tables(), ending)
    for file in FILES:
        path = tmp_path / f"{file.name}.{ending}"
        if ending == "csv":
            path.write_text(path.read_text(encoding="utf-8").splitlines()[0] + "\n", encoding="utf-8")
        else:
            pq.write_table(pq.read_table(path).slice(0, 0), path)
    assert refused(tmp_path).problems == tuple(f"{file.name}.{ending}: holds no rows" for file in FILES)


def test_two_files_of_one_name_and_two_columns_of_one_name(tmp_path: Path) -> None:
    write(tmp_path, tables(), "csv")
    write(tmp_path, {GAMES: tables()[GAMES]}, "parquet")
    lines = (tmp_path / "game_lines.csv").read_text(encoding="utf-8").splitlines()
    doubled = [f"{line},{last}" for line, last in zip(lines, ("total", "1", "2"), strict=True)]
    (tmp_path / "game_lines.csv").write_text("\n".join(doubled), encoding="utf-8")
    assert refused(tmp_path).problems == (
        "games: both games.parquet and games.csv are there; keep one",
        "game_lines.csv: total: occurs 2 times",
    )


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_cell_leads_to_data_or_to_a_list_of_problems(tmp_path: Path, data: st.DataObject) -> None:
    content = tables()
    file = data.draw(st.sampled_from(FILES))
    column = data.draw(st.sampled_from(file.columns))
    row = data.draw(st.integers(0, len(content[file.name]) - 1))
    content[file.name][row][column.name] = data.draw(st.text(max_size=12) | st.integers() | st.floats() | st.none())
    try:
        assert isinstance(read_folder(write(tmp_path, content, "csv")), RawData)
    except BadFiles as error:
        assert any(problem.startswith(f"{file.name}.csv: ") for problem in error.problems)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=60), ending=st.sampled_from(FORMATS))
def test_any_bytes_lead_to_a_list_of_problems(tmp_path: Path, content: bytes, ending: str) -> None:
    write(tmp_path, tables(), "parquet")
    (tmp_path / "shot_zones.parquet").unlink(missing_ok=True)
    path = tmp_path / f"shot_zones.{ending}"
    path.write_bytes(content)
    try:
        assert any("shot_zones" in problem for problem in refused(tmp_path).problems)
    finally:
        path.unlink()


# Conversions ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RawData:
    return read_folder(write(tmp_path_factory.mktemp("small"), tables(), "parquet"))


def rows(data: RawData, table: str, **where: Any) -> Rows:
    found = data.tables[table].to_pylist()
    return [row for row in found if all(row[name] == value for name, value in where.items())]


def check_tables(data: RawData) -> None:
    expected = load_catalog().layer(Layer.RAW)
    assert list(data.tables) == [table.name for table in expected]
    for table in expected:
        content = data.tables[table.name]
        assert content.schema == table.arrow_schema(), table.name
        content.validate(full=True)
        for name in table.key:
            assert content.column(name).null_count == 0, (table.name, name)
        assert content.select(list(table.key)).group_by(list(table.key)).aggregate([]).num_rows == content.num_rows


def test_tables_are_those_of_the_catalog(small: RawData) -> None:
    check_tables(small)
    for name in ("odds_api_player_points_props", "nbac_injury_report", "bdl_player_boxscores"):
        assert small.tables[name].num_rows == 0


def test_parquet_and_csv_give_the_same(tmp_path: Path, small: RawData) -> None:
    other = read_folder(write(tmp_path, tables(), "csv"))
    assert other.gaps == small.gaps
    for name, table in small.tables.items():
        assert other.tables[name].equals(table), name


def test_whole_numbers_may_come_as_floats_and_texts_as_categories(tmp_path: Path, small: RawData) -> None:
    for name, content in tables().items():
        frame = pd.DataFrame(content)
        frame["game_id"] = frame["game_id"].astype("category")
        frame["game_date"] = pd.to_datetime(frame["game_date"])
        for column in frame.select_dtypes("number"):
            frame[column] = frame[column].astype("float64")
        frame.to_parquet(tmp_path / f"{name}.parquet")
    other = read_folder(tmp_path)
    for name, table in small.tables.items():
        assert other.tables[name].equals(table), name


def test_schedule(small: RawData) -> None:
    first, second, third = rows(small, "nbac_schedule")
    assert first == {
        "game_id": ONE,
        "game_code": "20241022/NYKBOS",
        "game_date": DAY,
        "season_year": 2024,
        "game_status": 3,
        "home_team_tricode": "BOS",
        "away_team_tricode": "NYK",
        "home_team_score": 34,
        "away_team_score": 18,
        "is_regular_season": True,
        "is_play_in": False,
        "is_playoffs": False,
        "is_cup_final": False,
        "is_all_star": False,
        "is_preseason": False,
    }
    assert (second["is_playoffs"], second["is_regular_season"]) == (True, False)
    assert (third["game_status"], third["game_code"], third["home_team_tricode"]) == (1, None, None)
    assert third["is_all_star"] is True


def test_season_types_become_flags(tmp_path: Path) -> None:
    flags = {
        "Regular Season": "is_regular_season",
        "Play-In": "is_play_in",
        "Playoffs": "is_playoffs",
        "NBA Cup Final": "is_cup_final",
        "All-Star": "is_all_star",
        "Preseason": "is_preseason",
    }
    content = tables()
    for number, kind in enumerate(flags):
        day = dt.date(2024, 11, 1 + number)
        again(GAMES, 1, game_id=f"009240000{number}", game_date=day, season_type=kind)(content)
    data = read_folder(write(tmp_path, content, "parquet"))
    for number, flag in enumerate(flags.values()):
        (row,) = rows(data, "nbac_schedule", game_id=f"009240000{number}")
        assert [name for name, value in row.items() if value is True] == [flag]


def test_player_rows(small: RawData) -> None:
    raw_id = names.game_id(DAY, "NYK", "BOS")
    (luka,) = rows(small, "nbac_gamebook_player_stats", game_id=raw_id, player_lookup="lukadoncic")
    assert luka == {
        "game_id": "20241022_NYK_BOS",
        "game_date": DAY,
        "season_year": 2024,
        "home_team_abbr": "BOS",
        "away_team_abbr": "NYK",
        "team_abbr": "BOS",
        "player_name": "Luka Dončić",
        "player_lookup": "lukadoncic",
        "player_status": "active",
        "minutes": "40:30",
        "minutes_decimal": 40.5,
        "points": 25,
        "field_goals_made": 10,
        "field_goals_attempted": 20,
        "three_pointers_made": 2,
        "three_pointers_attempted": 6,
        "free_throws_made": 3,
        "free_throws_attempted": 4,
        "offensive_rebounds": 1,
        "defensive_rebounds": 5,
        "total_rebounds": 6,
        "assists": 0,
        "steals": 0,
        "blocks": 0,
        "turnovers": 0,
        "personal_fouls": 0,
        "plus_minus": 16,
    }
    found = {row["player_lookup"]: row for row in rows(small, "nbac_gamebook_player_stats", game_id=raw_id)}
    assert (found["jarenjacksonjr"]["player_status"], found["jarenjacksonjr"]["minutes"]) == ("active", "00:00")
    assert found["benchman"]["player_status"] == "dnp"
    assert (found["alsmith"]["minutes"], found["alsmith"]["minutes_decimal"]) == ("48:00", 48.0)
    assert (found["alsmith"]["offensive_rebounds"], found["alsmith"]["total_rebounds"]) == (None, 7)


def test_minutes_and_status_without_minutes(tmp_path: Path) -> None:
    content = tables()
    both(
        edit(BOX, 0, minutes=None, minutes_decimal=None),
        edit(BOX, 1, minutes=9, minutes_decimal=9.9999),
        edit(BOX, 2, minutes=None, plus_minus=-2),
        edit(BOX, 4, minutes=7, minutes_decimal=6.125),
    )(content)
    found = rows(read_folder(write(tmp_path, content, "csv")), "nbac_gamebook_player_stats", game_date=DAY)
    assert {row["player_lookup"]: (row["player_status"], row["minutes"], row["minutes_decimal"]) for row in found} == {
        "lukadoncic": ("active", None, None),
        "jarenjacksonjr": ("active", "10:00", 9.9999),
        "benchman": ("active", None, None),
        "alsmith": ("active", "48:00", 48.0),
        "bojones": ("active", "06:08", 6.125),
    }


def test_team_rows(small: RawData) -> None:
    away, home, second, third = rows(small, "nbac_team_boxscore")
    assert away == {
        "game_id": "20241022_NYK_BOS",
        "nba_game_id": ONE,
        "game_date": DAY,
        "season_year": 2024,
        "team_abbr": "NYK",
        "is_home": False,
        "minutes": "240:00",
        "fg_made": 8,
        "fg_attempted": 18,
        "three_pt_made": 2,
        "three_pt_attempted": 6,
        "ft_made": 0,
        "ft_attempted": 0,
        "offensive_rebounds": None,
        "defensive_rebounds": None,
        "total_rebounds": 10,
        "assists": 0,
        "steals": 0,
        "blocks": 0,
        "turnovers": 0,
        "personal_fouls": 0,
        "points": 18,
        "plus_minus": -16,
    }
    assert (home["team_abbr"], home["is_home"], home["points"], home["plus_minus"]) == ("BOS", True, 34, 16)
    assert (home["offensive_rebounds"], home["defensive_rebounds"], home["total_rebounds"]) == (1, 7, 8)
    assert (second["minutes"], second["points"], second["plus_minus"]) == ("265:00", 125, 80)
    assert (third["team_abbr"], third["is_home"], third["plus_minus"]) == ("LAL", True, -80)


def test_a_game_with_one_team_only_has_no_team_rows(tmp_path: Path) -> None:
    content = tables()
    content[BOX] = [row for row in content[BOX] if row["team_abbr"] != "LAL"]
    data = read_folder(write(tmp_path, content, "parquet"))
    assert {row["nba_game_id"] for row in rows(data, "nbac_team_boxscore")} == {ONE}
    (gap,) = [gap for gap in data.gaps if gap.kind == "one_team_only"]
    assert (gap.count, gap.examples) == (1, (TWO,))


def test_lines(small: RawData) -> None:
    first = rows(small, "odds_api_game_lines", game_date=DAY)
    assert [(row["market_key"], row["outcome_name"], row["outcome_point"]) for row in first] == [
        ("spreads", "Boston Celtics", -5.5),
        ("spreads", "New York Knicks", 5.5),
        ("totals", "Over", 221.0),
        ("totals", "Under", 221.0),
    ]
    assert {(row["home_team_abbr"], row["away_team_abbr"], row["bookmaker_key"]) for row in first} == {
        ("BOS", "NYK", "consensus")
    }
    assert {row["snapshot_timestamp"] for row in first} == {dt.datetime(2024, 10, 22, 23)}
    assert [row["market_key"] for row in rows(small, "odds_api_game_lines", game_date=NEXT)] == ["totals", "totals"]


def test_zones(small: RawData) -> None:
    assert rows(small, "player_shot_zones") == [
        {
            "game_id": "20241022_NYK_BOS",
            "game_date": DAY,
            "player_lookup": "lukadoncic",
            "team_abbr": "BOS",
            "paint_makes": 1,
            "paint_attempts": 9,
            "mid_range_makes": 1,
            "mid_range_attempts": 1,
            "three_pt_makes": 1,
            "three_pt_attempts": 1,
            "assisted_fg_makes": None,
        }
    ]


def test_a_player_keeps_one_key_and_two_players_never_share_one(tmp_path: Path) -> None:
    content = tables()
    content[BOX][0]["player_name"] = "Luka Doncic II"
    content[BOX].append(player(TWO, NEXT, "LAL", 77, "Luka Doncic II", minutes=5, plus_minus=-1))
    both(edit(BOX, 3, player_name="Same Name"), edit(BOX, -2, player_name="same name"))(content)
    content[BOX].append(player(TWO, NEXT, "BOS", 1001, "Third Spelling", minutes=5, plus_minus=1))
    data = read_folder(write(tmp_path, content, "parquet"))
    check_tables(data)
    found = rows(data, "nbac_gamebook_player_stats")
    assert {row["player_lookup"] for row in found if row["player_name"].lower() == "same name"} == {
        "samename",
        "samename19",
    }
    # One game each way: the first in the alphabet.
    assert len([row for row in found if row["player_lookup"] == "lukadoncic"]) == 2
    assert [row["team_abbr"] for row in found if row["player_lookup"] == "lukadoncicii"] == ["LAL"]
    assert rows(data, "player_shot_zones")[0]["player_lookup"] == "lukadoncic"
    gaps = {gap.kind: gap for gap in data.gaps}
    assert gaps["same_name"].examples == ("samename19",)
    assert gaps["name_spelling"].examples == ("lukadoncic",)


# Gaps -------------------------------------------------------------------------------------------------------


def test_gaps_of_the_small_folder(small: RawData) -> None:
    found = [
        (gap.kind, gap.words.split(":")[0], gap.count, gap.examples) for gap in small.gaps if gap.kind != "starter"
    ]
    assert found == [
        ("no_score", "2024-25 All-Star", 1, ("2025-02-16",)),
        ("null_values", "2024-25 Regular Season", 1, ("oreb 1", "dreb 1")),
        ("whole_minutes", "2024-25 Playoffs", 10, ()),
        ("whole_minutes", "2024-25 Regular Season", 4, ()),
        ("zero_minutes", "active", 1, ("2024-10-22 Jaren Jackson Jr.",)),
        ("zero_minutes", "dnp", 1, ("2024-10-22 Bench Man",)),
        ("no_dnp_rows", "games without a row for any player who did not play", 1, ()),
        ("no_lines", "2024-25 Playoffs", 1, ("2024-10-23",)),
        ("no_zones", "2024-25 Playoffs", 1, ("2024-10-23",)),
        ("no_source", "bdl_player_boxscores", 1, ("bdl_player_boxscores",)),
        ("no_source", "nbac_injury_report", 1, ("nbac_injury_report",)),
        ("no_source", "odds_api_player_points_props", 1, ("odds_api_player_points_props",)),
    ]


def test_missing_optional_files_are_gaps(tmp_path: Path) -> None:
    content = {name: part for name, part in tables().items() if name in (GAMES, BOX)}
    data = read_folder(write(tmp_path, content, "csv"))
    check_tables(data)
    kinds = [gap.kind for gap in data.gaps]
    assert [gap.examples for gap in data.gaps if gap.kind == "missing_file"] == [(LINES,), (ZONE,)]
    assert not {"no_lines", "no_zones"} & set(kinds)


def test_scores_and_box_scores_that_do_not_meet_are_gaps(tmp_path: Path) -> None:
    content = tables()
    both(
        edit(GAMES, 0, home_score=35),
        edit(GAMES, 1, home_score=None, away_score=None),
        again(GAMES, 0, game_id="0052400101", game_date=dt.date(2025, 4, 15), season_type="Play-In"),
    )(content)
    data = read_folder(write(tmp_path, content, "parquet"))
    gaps = {
        gap.kind: gap for gap in data.gaps if gap.kind in {"score_differs", "boxscore_without_score", "no_boxscore"}
    }
    assert gaps["score_differs"].examples == (ONE,)
    assert gaps["boxscore_without_score"].examples == ("2024-10-23",)
    assert gaps["no_boxscore"].words.startswith("2024-25 Play-In")
    assert gaps["no_boxscore"].examples == ("2025-04-15",)
    margins = {(row["nba_game_id"], row["team_abbr"]): row["plus_minus"] for row in rows(data, "nbac_team_boxscore")}
    assert margins == {(ONE, "BOS"): 17, (ONE, "NYK"): -17, (TWO, "BOS"): 80, (TWO, "LAL"): -80}


def test_the_document_names_every_column_and_every_gap(small: RawData) -> None:
    text = (ROOT / "docs" / "real_data.md").read_text(encoding="utf-8")
    for file in FILES:
        assert f"| `{file.name}` |" in text
        part = text.split(f"### {file.name}\n")[1].split("\n##")[0]
        for column in file.columns:
            assert f"`{column.name}`" in part, (file.name, column.name)
    for gap in small.gaps:
        assert f"| `{gap.kind}` |" in text


# The real folder --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def seconds() -> list[float]:
    """How long the real folder took to load."""
    return []


@pytest.fixture(scope="module")
def real(seconds: list[float]) -> RawData:
    if not REAL.is_dir():
        if os.environ.get("CI"):
            pytest.fail("the folder with real data is missing, and CI must have it")
        pytest.skip("the folder with real data (shared/data/nba next to the repository) is not here")
    start = time.perf_counter()
    data = read_folder(REAL)
    seconds.append(time.perf_counter() - start)
    return data


def test_real_folder_loads_quickly(real: RawData, seconds: list[float]) -> None:
    assert seconds[0] < 5
    check_tables(real)
    assert {name: table.num_rows for name, table in real.tables.items() if table.num_rows} == {
        "nbac_schedule": 6774,
        "nbac_gamebook_player_stats": 140_685,
        "nbac_team_boxscore": 2 * 6589,
        "player_shot_zones": 49_606,
        "odds_api_game_lines": 2 * 5283 + 2 * 5281,
    }


def test_real_folder_as_csv_gives_the_same(real: RawData, tmp_path: Path) -> None:
    for file in FILES:
        table = pq.read_table(REAL / f"{file.name}.parquet", columns=[column.name for column in file.columns])
        pa.csv.write_csv(table, tmp_path / f"{file.name}.csv")
    other = read_folder(tmp_path)
    assert other.gaps == real.gaps
    for name, table in real.tables.items():
        assert other.tables[name].equals(table), name


def test_real_gaps(real: RawData) -> None:
    counts: dict[str, int] = {}
    for gap in real.gaps:
        counts[gap.kind] = counts.get(gap.kind, 0) + gap.count
    assert counts == {
        "no_boxscore": 173,
        "no_score": 12,
        "null_values": 32_212,
        "whole_minutes": 52_329,
        "zero_minutes": 171,
        "no_dnp_rows": 6509,
        "starter": 140_685,
        "name_spelling": 4,
        "no_lines": 1324,
        "no_zones": 4295,
        "no_source": 3,
    }
    play_in = [gap for gap in real.gaps if gap.kind == "no_boxscore" and "Play-In" in gap.words]
    assert [day for gap in play_in for day in gap.examples] == [
        *("2022-04-12", "2022-04-13", "2022-04-15"),
        *("2023-04-11", "2023-04-12", "2023-04-14"),
    ]


def test_real_rows_agree_with_each_other(real: RawData) -> None:
    with duckdb.connect() as con:
        for name, table in real.tables.items():
            con.register(name, table)

        def one(sql: str) -> Any:
            return con.execute(sql).fetchall()[0][0]

        final = "nbac_schedule AS s JOIN nbac_team_boxscore AS t ON s.game_id = t.nba_game_id"
        assert one(f"SELECT count(*) FROM {final} WHERE points <> if(is_home, home_team_score, away_team_score)") == 0
        margin = "if(is_home, 1, -1) * (home_team_score - away_team_score)"
        assert one(f"SELECT count(*) FROM {final} WHERE plus_minus <> {margin}") == 0
        assert one("SELECT count(*) FROM nbac_team_boxscore WHERE minutes = '240:00'") == 12_518
        assert one("SELECT count(*) FROM nbac_team_boxscore WHERE minutes = '315:00'") == 4
        box = "nbac_gamebook_player_stats"
        assert one(f"SELECT count(DISTINCT player_lookup) FROM {box}") == 1030
        assert one(f"SELECT count(*) FROM {box} WHERE player_status = 'dnp'") == 95
        assert one(f"SELECT count(*) FROM player_shot_zones ANTI JOIN {box} USING (game_id, player_lookup)") == 0
        assert one(f"SELECT count(*) FROM {box} WHERE minutes IS NULL OR minutes_decimal IS NULL") == 0


def test_a_change_in_the_real_folder_is_found(real: RawData, tmp_path: Path) -> None:
    assert real
    for file in FILES:
        shutil.copyfile(REAL / f"{file.name}.parquet", tmp_path / f"{file.name}.parquet")
    table = pq.read_table(REAL / "games.parquet")
    path = tmp_path / "games.parquet"
    path.unlink()
    pq.write_table(table.slice(1), path)
    problems = refused(tmp_path).problems
    assert {problem.split(":")[0] for problem in problems} == {f"{file.name}.parquet" for file in FILES[1:]}
    assert all("not in games" in problem and "0022100001" in problem for problem in problems)
