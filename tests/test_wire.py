"""The whole chain over HTTP, by Google's own clients: it ends with the tables that DuckDB ends with, row by row."""

import json
import math
from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest
from courtbook.catalog import Layer, load_catalog
from emulator import start_emulator
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from small_run import ROOT, Small

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("wire")]
TABLES = load_catalog().tables.values()
ARTIFACTS = ROOT / "test-artifacts"


@pytest.fixture(scope="module")
def emulator(tmp_path_factory):
    running = start_emulator(tmp_path_factory.mktemp("emulator"), ARTIFACTS / "wire-requests.log")
    yield running
    running.stop()


@pytest.fixture(scope="module")
def ended(emulator, tmp_path_factory):
    """The same league prepared in both warehouses in the incident's state, repaired and judged by the whole chain."""
    there = {"engine": "bigquery", "project": emulator.project, "endpoint": emulator.url, "anonymous": True}
    folders = [tmp_path_factory.mktemp(name) for name in ("embedded", "bigquery")]
    path = f"{{path: {folders[1]}/small.duckdb}}"
    short = {"2024-12-31": "2024-12-08"}
    projects = [Small.make(folders[0], **short), Small.make(folders[1], **{path: json.dumps(there)}, **short)]

    def chain(small):
        done = small.courtbook("prepare", small.params)
        assert done.returncode == 0, done.stderr
        run = small.start()
        try:
            return run.communicate(timeout=900), run.returncode
        finally:
            run.kill()

    with ThreadPoolExecutor() as pool:
        return list(zip(projects, pool.map(chain, projects), strict=True))


def rows_of(table, arrow):
    """Return rows without the time at which they were made, in an order that does not depend on digits of numbers."""
    rows = arrow.select([name for name in table.columns if name != "processed_at"]).to_pylist()
    exact = [name for name in rows[0] if "FLOAT64" not in table.columns[name]] if rows else []
    return sorted(rows, key=lambda row: [str(row[name]) for name in (*table.key, *exact)])


def same(one, other):
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=0, abs_tol=1e-9) or (math.isnan(one) and math.isnan(other))
    return one == other


def test_the_chain_ends_in_go_on_both(ended):
    for _, (output, status) in ended:
        assert status == 0, output


def test_every_table_holds_the_same_rows(ended, emulator):
    client = bigquery.Client(emulator.project, AnonymousCredentials(), client_options={"api_endpoint": emulator.url})
    lines, unequal = [f"{'table':<44}{'duckdb':>8}{'bigquery':>10}{'equal':>8}"], []
    with duckdb.connect(str(ended[0][0].warehouse), read_only=True) as connection:
        for table in TABLES:
            ours = rows_of(table, connection.sql(f"FROM {table.full_name}").to_arrow_table())
            theirs = rows_of(table, client.list_rows(table.full_name).to_arrow(create_bqstorage_client=False))
            equal = sum(
                all(same(row[name], other[name]) for name in row) for row, other in zip(ours, theirs, strict=False)
            )
            lines.append(f"{table.full_name:<44}{len(ours):>8}{len(theirs):>10}{equal:>8}")
            if not len(ours) == len(theirs) == equal or (not ours and table.edges):
                unequal.append(table.full_name)
    client.close()
    (ARTIFACTS / "wire.txt").write_text("\n".join(lines) + "\n")
    assert unequal == [], "\n".join(lines)
    assert len(lines) == 19


def test_every_check_measures_the_same(ended):
    measured = []
    for small, _ in ended:
        records = [json.loads(file.read_text()) for file in sorted(small.latest.glob("*/attempt-1/result.json"))]
        assert len(records) == 7
        results = [result for record in records for gate in record["gates"] for result in gate["results"]]
        told = ("id", "status", "numerator", "denominator", "value", "detail", "dates")
        measured.append([{name: result[name] for name in told} for result in results])
    ours, theirs = measured
    assert len(ours) > 200
    for one, other in zip(ours, theirs, strict=True):
        assert all(map(same, one.values(), other.values())), (one, other)


def test_a_slice_is_copied_into_a_local_file_once_its_cost_is_accepted(ended, tmp_path):
    (embedded, _), (there, _) = ended
    mine = Small.make(tmp_path)
    slice_of = ("--tables", "raw,phase3", "--dates", "2024-11-01..2024-11-10")
    asked = ("copy", "--from", there.params, "--to", mine.params, *slice_of)
    refused = there.courtbook(*asked)
    assert refused.returncode == 4
    assert "nobody said yes" in refused.stderr
    assert "in all: " in refused.stdout, "the cost is shown before anything is read"
    assert not mine.warehouse.exists()
    done = there.courtbook(*asked, "--yes")
    assert done.returncode == 0, done.stderr
    with duckdb.connect(str(mine.warehouse), read_only=True) as connection:
        connection.execute(f"ATTACH '{embedded.warehouse}' AS embedded (READ_ONLY)")
        for table in TABLES:
            if table.layer is Layer.PHASE4:
                continue
            days = f"WHERE {table.date_column} BETWEEN DATE '2024-11-01' AND DATE '2024-11-10'"
            ours = rows_of(table, connection.sql(f"FROM embedded.{table.full_name} {days}").to_arrow_table())
            copied = rows_of(table, connection.sql(f"FROM {table.full_name}").to_arrow_table())
            assert len(copied) > 0, table.full_name
            assert len(copied) == len(ours), table.full_name
            assert all(same(one[name], other[name]) for one, other in zip(ours, copied, strict=True) for name in one)
