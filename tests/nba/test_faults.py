"""Faults: each turns the checks that it has to turn, and no other."""

import hashlib
import sys
import textwrap
from collections import defaultdict
from collections.abc import Callable, Iterable
from datetime import date
from fnmatch import fnmatchcase
from importlib import resources
from itertools import zip_longest
from pathlib import Path

import duckdb
import pytest
from courtbook.catalog import Severity, load_catalog
from courtbook.checks.result import Status
from courtbook.errors import ParameterError
from courtbook.nba.faults import Fault, Rehearsal, find_fault, load_faults, rehearse, statuses
from courtbook.params import Params, RangeParams
from courtbook.params_warehouse import BigQueryParams

# One worker, so that what the table at the end shows is all in one place.
pytestmark = [pytest.mark.thorough, pytest.mark.xdist_group("faults")]
CATALOG = load_catalog()
FAULTS = load_faults()
DONE: list[Rehearsal] = []


@pytest.fixture(scope="module")
def sound(league_warehouse: Path, warehouse_params: Params) -> dict[str, Status]:
    """The statuses of all checks over the undamaged league."""
    return statuses(warehouse_params)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_fault_turns_the_right_checks_and_no_other(
    warehouse_params: Params, sound: dict[str, Status], tmp_path: Path, fault: Fault
) -> None:
    copy = tmp_path / "copy.duckdb"
    done = rehearse(warehouse_params, fault, copy, sound)
    DONE.append(done)
    copy.unlink()
    assert (done.missed, done.unrelated) == ((), ())
    assert done.as_expected
    assert set(done.turned) == set(done.expected)
    if fault.timeout or fault.id.startswith("dropped"):
        assert Status.ERROR.value in done.turned.values()


def test_every_fault_is_declared_and_written() -> None:
    files = (resources.files("courtbook.nba") / "sql" / "faults").iterdir()
    assert sorted(file.name for file in files) == sorted(f"{name}.sql" for name in FAULTS)
    ids = [check.id for check in CATALOG.checks]
    for name, fault in FAULTS.items():
        assert fault.id == name
        assert fault.title
        assert fault.seen
        assert [pattern for pattern in fault.red if not any(fnmatchcase(one, pattern) for one in ids)] == []


@pytest.mark.parametrize("gate", dict.fromkeys(check.phase for check in CATALOG.checks))
def test_every_gate_is_closed_by_some_fault(gate: str) -> None:
    blocking = {check.id for check in CATALOG.checks_of(gate) if check.severity is Severity.CRITICAL}
    assert [name for name, fault in FAULTS.items() if blocking & set(Rehearsal(fault, {}).expected)]


def test_only_the_copy_is_damaged_and_the_state_before_is_read_where_it_is_not_given(
    league_warehouse: Path, warehouse_params: Params, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.duckdb"
    digest = hashlib.sha256(league_warehouse.read_bytes()).hexdigest()
    done = rehearse(warehouse_params, find_fault("usage_overflow"), copy)
    assert done.turned == {"usage_outliers": "FAIL"}
    assert hashlib.sha256(league_warehouse.read_bytes()).hexdigest() == digest
    for file, highest in ((league_warehouse, False), (copy, True)):
        with duckdb.connect(str(file), read_only=True) as connection:
            found = connection.execute("SELECT MAX(usage_rate) FROM nba_analytics.player_game_summary").fetchone()
        assert found is not None
        assert (found[0] == 1329.8) is highest


@pytest.mark.parametrize(
    ("turned", "missed", "unrelated"),
    [
        (("points", "assists"), (), ()),
        (("points",), ("assists",), ()),
        (("points", "assists", "rebounds"), (), ("rebounds",)),
        ((), ("points", "assists"), ()),
    ],
)
def test_what_is_as_expected(turned: tuple[str, ...], missed: tuple[str, ...], unrelated: tuple[str, ...]) -> None:
    fault = Fault("a_fault", "A fault", "here", ("points", "assist[s]"))
    done = Rehearsal(fault, dict.fromkeys(turned, "FAIL"))
    assert (done.missed, done.unrelated) == (missed, unrelated)
    assert done.as_expected is (not missed and not unrelated)


def test_a_fault_that_turns_nothing_is_not_as_expected() -> None:
    assert not Rehearsal(Fault("a_fault", "A fault", "here", ()), {}).as_expected


@pytest.mark.parametrize(("name", "nearest"), [("usage_nul", "usage_null"), ("Empty-Table", "empty_table")])
def test_an_unknown_fault_names_the_nearest(name: str, nearest: str) -> None:
    with pytest.raises(ParameterError, match=f"did you mean '{nearest}'") as caught:
        find_fault(name)
    assert caught.value.where == name
    assert "months_missing" in caught.value.next_action


def test_a_warehouse_without_phase_4_is_refused(copy_warehouse: Callable[[], Params], tmp_path: Path) -> None:
    first_week = RangeParams(start=date(2023, 10, 24), end=date(2023, 10, 31))
    params = copy_warehouse().model_copy(update={"range": first_week})
    with pytest.raises(ParameterError, match="No date of the range has rows in all tables of Phase 4"):
        rehearse(params, find_fault("usage_null"), tmp_path / "damaged.duckdb", {})


def test_only_an_embedded_warehouse_is_copied(warehouse_params: Params, tmp_path: Path) -> None:
    remote = BigQueryParams(engine="bigquery", project="some-project")
    params = warehouse_params.model_copy(update={"warehouse": remote})
    with pytest.raises(ParameterError, match="embedded"):
        rehearse(params, find_fault("usage_null"), tmp_path / "damaged.duckdb", {})
    assert list(tmp_path.iterdir()) == []


def in_short(ids: Iterable[str]) -> str:
    """Return ids in short: a table all of whose checks are there, then families, with their tables if these are few."""
    left, parts = list(ids), []
    for table in CATALOG.processed:
        own = [check.id for check in CATALOG.checks if check.id.endswith(f".{table.name}")]
        if set(own) <= set(left):
            parts.append(f"*.{table.name} ({len(own)})")
            left = [name for name in left if name not in own]
    tables: dict[str, list[str]] = defaultdict(list)
    for name in left:
        family, _, table_name = name.partition(".")
        tables[family].append(table_name)
    for family, found in tables.items():
        parts.append(f"{family}.{found[0]}".rstrip(".") if len(found) == 1 else f"{family} ({len(found)} tables)")
    return ", ".join(parts) or "-"


def test_the_table_of_faults(capsys: pytest.CaptureFixture[str]) -> None:
    if {done.fault.id for done in DONE} != set(FAULTS):
        pytest.skip("not all faults were rehearsed in this run")
    lines = []
    for done in (None, *DONE):
        cells = (
            (["fault"], ["turned red"], ["expected"])
            if done is None
            else ([done.fault.id], textwrap.wrap(in_short(done.turned), 62), textwrap.wrap(in_short(done.expected), 62))
        )
        lines += [f"{a:<20} {b:<62} {c}".rstrip() for a, b, c in zip_longest(*cells, fillvalue="")]
    with capsys.disabled():  # to stderr: what a worker of xdist writes to stdout is lost
        sys.stderr.write("\n" + "\n".join(lines) + "\n")
    assert all(done.as_expected for done in DONE)
