"""The embedded warehouse: what it does when all is well, and what it says when it is not."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from courtbook.catalog import Layer, Table, load_catalog
from courtbook.errors import ExitCode, Reason, WarehouseError
from courtbook.params import Params
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement

TABLE = Table(
    name="things",
    dataset="somewhere",
    layer=Layer.RAW,
    date_column="day",
    key=("day", "name"),
    columns={"day": "DATE", "name": "STRING", "number": "INT64", "parts": "ARRAY<STRING>"},
)
DAY = date(2024, 10, 22)
COUNT = Statement("count.sql", "SELECT COUNT(*) AS n FROM somewhere.things")
INSERT = Statement("insert.sql", "INSERT INTO somewhere.things (day, name, number) VALUES (@day, @name, @number)")
BROKEN = Statement("broken.sql", "SELECT nowhere FROM somewhere.things")
HOLDER = """
import duckdb, sys
connection = duckdb.connect(sys.argv[1], read_only=sys.argv[2] == "read")
print("held", flush=True)
sys.stdin.read()
"""


def rows(*names: str) -> list[tuple[Statement, dict[str, object]]]:
    return [(INSERT, {"day": DAY, "name": name, "number": number}) for number, name in enumerate(names)]


def count(warehouse: DuckDBWarehouse) -> int:
    return int(warehouse.query(COUNT)["n"].iloc[0])


def is_free(path: Path) -> bool:
    """Tell whether a process of its own can open the file for writing."""
    done = subprocess.run(
        [sys.executable, "-c", "import duckdb, sys; duckdb.connect(sys.argv[1]).close()", str(path)],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0


@contextmanager
def held(path: Path, mode: str) -> Iterator[int]:
    """Let another process hold the file open."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path), mode], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process.pid
        finally:
            process.communicate()


@pytest.fixture
def warehouse(tmp_path: Path) -> DuckDBWarehouse:
    """A warehouse with one empty table."""
    made = DuckDBWarehouse(tmp_path / "w.duckdb", create=True)
    made.create([TABLE])
    return made


def test_a_missing_file_is_named_and_not_made(tmp_path: Path) -> None:
    path = tmp_path / "absent.duckdb"
    with pytest.raises(WarehouseError) as caught:
        DuckDBWarehouse(path)
    assert caught.value.reason is Reason.WAREHOUSE_MISSING
    assert caught.value.exit_code is ExitCode.ENGINE
    assert caught.value.where == str(path)
    assert "courtbook prepare" in caught.value.next_action
    assert not path.exists()


def test_a_folder_is_no_warehouse(tmp_path: Path) -> None:
    with pytest.raises(WarehouseError) as caught:
        DuckDBWarehouse(tmp_path)
    assert caught.value.reason is Reason.WAREHOUSE_MISSING


@pytest.mark.parametrize("act", [count, lambda warehouse: warehouse.columns(), lambda w: w.apply(rows("a"))])
def test_a_locked_file_names_the_process_that_holds_it(
    warehouse: DuckDBWarehouse, act: Callable[[DuckDBWarehouse], object]
) -> None:
    with held(warehouse.path, "write") as pid, pytest.raises(WarehouseError) as caught:
        act(warehouse)
    assert caught.value.reason is Reason.WAREHOUSE_LOCKED
    assert caught.value.exit_code is ExitCode.REFUSED
    assert caught.value.exit_code == 5
    assert f"(PID {pid})" in caught.value.what
    assert caught.value.where == str(warehouse.path)
    assert count(warehouse) == 0


def test_readers_share_the_file_and_keep_writers_out(warehouse: DuckDBWarehouse) -> None:
    with held(warehouse.path, "read") as pid:
        assert count(warehouse) == 0
        with pytest.raises(WarehouseError) as caught:
            warehouse.apply(rows("a"))
    assert caught.value.reason is Reason.WAREHOUSE_LOCKED
    assert f"(PID {pid})" in caught.value.what
    assert count(warehouse) == 0


@pytest.mark.parametrize("mode", [True, False], ids=["read", "write"])
def test_a_file_that_this_process_holds_itself_is_not_called_damaged(warehouse: DuckDBWarehouse, mode: bool) -> None:
    # What an analyst's own connection in the same notebook does.
    with duckdb.connect(str(warehouse.path), read_only=mode), pytest.raises(WarehouseError) as caught:
        warehouse.apply(rows("a"))
    assert caught.value.reason is Reason.WAREHOUSE_LOCKED
    assert "--fresh" not in caught.value.next_action


@pytest.mark.parametrize("content", [b"", b"short", b"\x00" * 20_000, b"garbage " * 5_000], ids=len)
@pytest.mark.parametrize("act", [count, lambda warehouse: warehouse.columns(), lambda w: w.apply(rows("a"))])
def test_garbage_is_called_damaged(tmp_path: Path, content: bytes, act: Callable[[DuckDBWarehouse], object]) -> None:
    path = tmp_path / "garbage.duckdb"
    path.write_bytes(content)
    with pytest.raises(WarehouseError) as caught:
        act(DuckDBWarehouse(path))
    assert caught.value.reason is Reason.WAREHOUSE_CORRUPT
    assert caught.value.exit_code is ExitCode.ENGINE
    assert str(path) in caught.value.where
    assert path.read_bytes() == content


@pytest.mark.parametrize("share", [0.0005, 0.02, 0.2, 0.5, 0.9])
def test_a_truncated_copy_never_gives_fewer_rows(league_warehouse: Path, tmp_path: Path, share: float) -> None:
    content = league_warehouse.read_bytes()
    cut = DuckDBWarehouse(tmp_path / "cut.duckdb", create=True)
    cut.path.write_bytes(content[: int(share * len(content))])
    failures = 0
    for table in load_catalog().tables.values():
        largest = ", ".join(f"MAX({c}) AS {c}" for c, kind in table.columns.items() if not kind.startswith("ARRAY"))
        whole = Statement(f"{table.name}.sql", f"SELECT COUNT(*) AS n, {largest} FROM {table.full_name}")
        try:
            found = cut.query(whole)
        except WarehouseError as error:
            assert error.reason is Reason.WAREHOUSE_CORRUPT
            assert str(cut.path) in error.where
            failures += 1
        else:
            assert found.equals(DuckDBWarehouse(league_warehouse).query(whole))
    assert failures


def test_a_failed_query_names_the_statement(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(WarehouseError) as caught:
        warehouse.query(BROKEN)
    assert caught.value.reason is Reason.QUERY_FAILED
    assert caught.value.exit_code is ExitCode.ENGINE
    assert caught.value.where == f"broken.sql on {warehouse.path}"
    assert "nowhere" in caught.value.what
    assert "\n" not in caught.value.what


def test_a_query_that_fails_while_its_rows_are_read_names_the_statement(warehouse: DuckDBWarehouse) -> None:
    warehouse.apply(rows("1", "two"))
    with pytest.raises(WarehouseError) as caught:
        warehouse.query(Statement("cast.sql", "SELECT CAST(name AS INT64) AS n FROM somewhere.things"))
    assert caught.value.reason is Reason.QUERY_FAILED
    assert caught.value.where.startswith("cast.sql")


def test_a_parameter_that_was_not_given_is_named(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(WarehouseError) as caught:
        warehouse.apply([(INSERT, {"day": DAY})])
    assert "['name', 'number']" in caught.value.what
    assert caught.value.where == "insert.sql"


def test_parameters_that_a_statement_does_not_use_do_no_harm(warehouse: DuckDBWarehouse) -> None:
    assert int(warehouse.query(COUNT, {"day": DAY, "unused": 3})["n"].iloc[0]) == 0


@pytest.mark.parametrize("name", ["'); DROP TABLE somewhere.things; --", "it's", "@day", "$day", "{{ x }}", ""])
def test_values_are_never_read_as_sql(warehouse: DuckDBWarehouse, name: str) -> None:
    warehouse.apply(rows(name))
    found = warehouse.query(Statement("t.sql", "SELECT name FROM somewhere.things WHERE name = @name"), {"name": name})
    assert list(found["name"]) == [name]


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_transaction_happens_as_a_whole(warehouse: DuckDBWarehouse, position: int) -> None:
    warehouse.apply(rows("kept"))
    statements = [*rows("a", "b")]
    statements.insert(position, (BROKEN, {}))
    with pytest.raises(WarehouseError):
        warehouse.apply(statements)
    assert list(warehouse.query(Statement("t.sql", "SELECT name FROM somewhere.things"))["name"]) == ["kept"]
    assert is_free(warehouse.path)


def test_an_interrupt_between_statements_rolls_back(warehouse: DuckDBWarehouse) -> None:
    def interrupted() -> Iterator[tuple[Statement, dict[str, object]]]:
        yield from rows("a")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        warehouse.apply(interrupted())
    assert count(warehouse) == 0
    assert is_free(warehouse.path)


def test_a_transaction_that_failed_leaves_an_outer_session_usable(warehouse: DuckDBWarehouse) -> None:
    with warehouse.session(write=True):
        with pytest.raises(WarehouseError):
            warehouse.apply([*rows("a"), (BROKEN, {})])
        assert count(warehouse) == 0
        warehouse.apply(rows("b"))
    assert count(warehouse) == 1


def test_nested_sessions_share_one_connection_until_the_outer_one_ends(warehouse: DuckDBWarehouse) -> None:
    with warehouse.session(write=True):
        with warehouse.session():
            warehouse.apply(rows("a"))
        assert count(warehouse) == 1
        assert not is_free(warehouse.path)
    assert is_free(warehouse.path)


def test_a_session_that_reads_does_not_write(warehouse: DuckDBWarehouse) -> None:
    with warehouse.session():
        with pytest.raises(RuntimeError):
            warehouse.apply(rows("a"))
        assert count(warehouse) == 0
    warehouse.apply(rows("a"))
    assert count(warehouse) == 1


def test_a_query_cannot_write(warehouse: DuckDBWarehouse) -> None:
    with pytest.raises(WarehouseError):
        warehouse.query(Statement("delete.sql", "DELETE FROM somewhere.things WHERE TRUE"))


@pytest.mark.parametrize("write", [False, True])
def test_the_file_is_free_after_a_session_that_failed(warehouse: DuckDBWarehouse, write: bool) -> None:
    with pytest.raises(WarehouseError), warehouse.session(write=write):
        warehouse.query(BROKEN)
    assert is_free(warehouse.path)
    assert count(warehouse) == 0


def test_nothing_stays_open_after_single_calls(warehouse: DuckDBWarehouse) -> None:
    warehouse.apply(rows("a"))
    count(warehouse)
    warehouse.columns()
    assert is_free(warehouse.path)


def test_create_keeps_what_is_there(warehouse: DuckDBWarehouse) -> None:
    warehouse.apply(rows("a"))
    warehouse.create([TABLE])
    assert count(warehouse) == 1
    assert warehouse.columns() == {"somewhere.things": TABLE.columns}


def test_refill_replaces_all_rows_and_goes_by_column_names(warehouse: DuckDBWarehouse) -> None:
    warehouse.apply(rows("old", "older"))
    new = pa.table({"parts": [["x", "y"]], "number": [5], "name": ["new"], "day": [DAY]})
    warehouse.refill([(TABLE, new)])
    found = warehouse.query(Statement("t.sql", "SELECT name, number, ARRAY_LENGTH(parts) AS n FROM somewhere.things"))
    assert found.to_dict("records") == [{"name": "new", "number": 5, "n": 2}]


@pytest.mark.parametrize(
    "bad",
    [
        pa.table({"day": [DAY], "nome": ["x"]}),
        pa.table({"day": [DAY], "number": ["many"]}),
    ],
    ids=["unknown column", "wrong type"],
)
def test_a_refill_that_fails_keeps_the_old_rows(warehouse: DuckDBWarehouse, bad: pa.Table) -> None:
    warehouse.apply(rows("old"))
    good = pa.table({"day": [DAY], "name": ["new"]})
    with pytest.raises(WarehouseError) as caught:
        warehouse.refill([(TABLE, good), (TABLE, bad)])
    assert caught.value.where.startswith("refill of somewhere.things")
    assert list(warehouse.query(Statement("t.sql", "SELECT name FROM somewhere.things"))["name"]) == ["old"]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("VARCHAR", "STRING"),
        ("BIGINT", "INT64"),
        ("INTEGER", "INT64"),
        ("SMALLINT", "INT64"),
        ("DOUBLE", "FLOAT64"),
        ("FLOAT", "FLOAT64"),
        ("BOOLEAN", "BOOL"),
        ("DATE", "DATE"),
        ("TIMESTAMPTZ", "TIMESTAMP"),
        ("TIMESTAMP", "DATETIME"),
        ("DECIMAL(10, 2)", "NUMERIC(10,2)"),
        ("VARCHAR[]", "ARRAY<STRING>"),
        ("DOUBLE[]", "ARRAY<FLOAT64>"),
        ("HUGEINT", "HUGEINT"),
    ],
)
def test_types_are_named_as_googlesql_names_them(warehouse: DuckDBWarehouse, kind: str, expected: str) -> None:
    with duckdb.connect(str(warehouse.path)) as connection:
        connection.execute(f"ALTER TABLE somewhere.things ADD COLUMN more {kind}")
    assert warehouse.columns()["somewhere.things"]["more"] == expected


def test_every_table_of_the_catalog_is_created_with_the_types_that_it_declares(tmp_path: Path) -> None:
    made = DuckDBWarehouse(tmp_path / "all.duckdb", create=True)
    tables = load_catalog().tables.values()
    made.create(tables)
    assert made.columns() == {table.full_name: table.columns for table in tables}


ENDLESS = (
    "SELECT SUM(MOD(a * b, 7)) AS n"
    " FROM UNNEST(GENERATE_ARRAY(1, {0})) AS a CROSS JOIN UNNEST(GENERATE_ARRAY(1, {0})) AS b"
)
SLOW = Statement("slow.sql", ENDLESS.format(1_000_000))


def test_a_statement_over_its_time_is_stopped_and_the_connection_goes_on(warehouse: DuckDBWarehouse) -> None:
    warehouse.timeout = 1
    with warehouse.session():
        with pytest.raises(WarehouseError) as caught:
            warehouse.query(SLOW)
        assert count(warehouse) == 0
    assert caught.value.reason is Reason.QUERY_TIMEOUT
    assert caught.value.exit_code is ExitCode.ENGINE
    assert caught.value.what == "The statement took longer than 1 s and was stopped."
    assert caught.value.where == f"slow.sql on {warehouse.path}"
    assert "warehouse.timeout" in caught.value.next_action
    assert is_free(warehouse.path)


def test_a_write_over_its_time_leaves_nothing_behind(warehouse: DuckDBWarehouse) -> None:
    warehouse.timeout = 1
    many = Statement("many.sql", f"INSERT INTO somewhere.things (number) {SLOW.sql}")
    with warehouse.session(write=True):
        with pytest.raises(WarehouseError) as caught:
            warehouse.apply([*rows("a"), (many, {})])
        assert caught.value.reason is Reason.QUERY_TIMEOUT
        assert count(warehouse) == 0
        warehouse.apply(rows("b"))
    assert count(warehouse) == 1


def test_time_counts_for_each_statement_alone(warehouse: DuckDBWarehouse) -> None:
    warehouse.timeout = 1
    short = Statement("short.sql", ENDLESS.format(900))
    started = time.monotonic()
    with warehouse.session():
        while time.monotonic() - started < 1.5:
            assert len(warehouse.query(short)) == 1


ELSEWHERE = """
import sys
from datetime import datetime
from pathlib import Path
from courtbook.warehouse.duckdb import DuckDBWarehouse
from courtbook.warehouse.statement import Statement
warehouse = DuckDBWarehouse(Path(sys.argv[1]))
insert = "INSERT INTO somewhere.things (name, number) SELECT CAST(CAST(t AS DATE) AS STRING), UNIX_SECONDS(t)"
given = "FROM (SELECT CAST(@t AS TIMESTAMP) AS t) AS given"
warehouse.apply([(Statement("t.sql", f"{insert} {given}"), {"t": datetime(2024, 10, 22, 23, 30)})])
"""


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
def test_times_are_utc_wherever_the_machine_stands(warehouse: DuckDBWarehouse, zone: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(warehouse.path)],
        env={**os.environ, "TZ": zone},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = warehouse.query(Statement("t.sql", "SELECT name, number FROM somewhere.things")).to_dict("records")
    assert found == [{"name": "2024-10-22", "number": datetime(2024, 10, 22, 23, 30, tzinfo=UTC).timestamp()}]


def test_every_query_has_a_name_of_its_own_and_is_counted(warehouse: DuckDBWarehouse) -> None:
    before = warehouse.queries
    jobs = [warehouse.query(COUNT).attrs["job"] for _ in range(3)]
    assert len(set(jobs)) == 3
    assert all(str(os.getpid()) in job for job in jobs)
    assert warehouse.queries == before + 3
    warehouse.columns()
    warehouse.apply(rows("a", "b"))
    assert warehouse.queries == before + 6


def test_the_identity_names_engine_and_file(warehouse_params: Params, league_warehouse: Path) -> None:
    assert DuckDBWarehouse(league_warehouse).identity == f"duckdb:{warehouse_params.warehouse.path}"


def test_a_memory_limit_that_makes_no_sense_is_not_called_damage(league_warehouse: Path) -> None:
    with pytest.raises(WarehouseError) as caught:
        DuckDBWarehouse(league_warehouse, memory="much").columns()
    assert caught.value.reason is not Reason.WAREHOUSE_CORRUPT
