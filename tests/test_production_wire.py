"""Preflight of the platform's own tables over HTTP: what is asked, under which labels and caps."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from courtbook.catalog import load_catalog
from courtbook.checks.result import Status
from courtbook.step import Step
from emulator import start_emulator
from google.auth.credentials import AnonymousCredentials
from google.auth.transport.requests import AuthorizedSession
from google.cloud import bigquery
from production_shape import build_production, ddl, production_tables
from small_run import ROOT, Small

pytestmark = [pytest.mark.slow, pytest.mark.thorough]
PROJECT = "nba-props-platform"
Request = tuple[str, str, dict[str, Any]]


@pytest.fixture
def production(prepared: dict[str, Small], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The address of an emulator that holds the platform's tables, filled as far as our own incident goes."""
    shape = tmp_path / "shape.duckdb"
    build_production(shape, prepared["incident"].warehouse)
    running = start_emulator(tmp_path, ROOT / "test-artifacts" / "production-requests.log")
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", running.url)
    client = bigquery.Client(PROJECT, AnonymousCredentials(), client_options={"api_endpoint": running.url})
    append = bigquery.LoadJobConfig(source_format="PARQUET", write_disposition="WRITE_APPEND")
    with duckdb.connect(str(shape), read_only=True) as connection:
        for name in production_tables():
            client.create_dataset(name.partition(".")[0], exists_ok=True)
            client.query(ddl(name), job_retry=None).result()
            file = tmp_path / "rows.parquet"
            connection.execute(f"COPY {name} TO '{file}' (FORMAT parquet)")
            with file.open("rb") as rows:
                client.load_table_from_file(rows, f"{PROJECT}.{name}", job_config=append).result()
    client.close()
    yield running.url
    running.stop()


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Every request that Google's clients send: method, path, body."""
    seen: list[Request] = []
    send = AuthorizedSession.request

    def request(self: Any, method: str, url: str, data: Any = None, **more: Any) -> Any:
        seen.append((method, re.sub(r"^https?://[^/]+|\?.*$", "", url), json.loads(data) if data else {}))
        return send(self, method, url, data, **more)

    monkeypatch.setattr(AuthorizedSession, "request", request)
    return seen


def line(request: Request) -> str:
    """Write a request in a line: of a job its labels, its cap, and the tables that it reads."""
    method, path, body = request
    if not body:
        return f"{method:<5}{path}"
    job = body["configuration"]
    labels = " ".join(f"{name}={value}" for name, value in sorted(job["labels"].items()))
    read = sorted(set(re.findall(r"(?:FROM|JOIN) (nba_\w+\.\w+)", job["query"]["query"])))
    return f"{method:<5}{path}  {labels}  at most {job['query']['maximumBytesBilled']} bytes of {' '.join(read)}"


def test_a_production_preflight_reads_little_and_says_what_it_lacks(
    production: str, asked: list[Request], tmp_path: Path
) -> None:
    here = {"warehouse.endpoint": production, "warehouse.anonymous": True}
    days = {"range.start": "2024-10-22", "range.end": "2024-12-31"}
    step = Step.open(
        "preflight", params_file="params/production.yaml", run_dir=str(tmp_path / "run"), overrides={**here, **days}
    )
    read = step.coverage()
    decision = step.check("preflight")
    assert [name for name, item in read.items() if item.ratio == 1] == [
        "team_offense_game_summary",
        "player_game_summary",
    ]
    wrong = {r.check.id: r.status for r in decision.results if r.status is not Status.PASS}
    assert wrong == {
        "processors_ready": Status.FAIL,  # the platform's scripts are not beside this project
        "raw_duplicates.player_shot_zones": Status.NO_DATA,  # a table that only our own processors read
    }
    (ROOT / "test-artifacts" / "production-preflight.txt").write_text("\n".join(map(line, asked)) + "\n")
    jobs = [body["configuration"] for method, path, body in asked if method == "POST" and path.endswith("/jobs")]
    assert all(method == "GET" or path.endswith("/jobs") for method, path, _ in asked), "nothing else is sent"
    assert len(jobs) <= 1 + 10 + 16, "the calendar, coverage, at most one for each check"
    for job in jobs:
        assert job["query"]["query"].startswith(("--", "WITH", "SELECT")), "only reading"
        assert job["query"]["maximumBytesBilled"] == "20000000000"
        assert job["labels"]["tool"] == "courtbook"
        assert job["query"]["queryParameters"] or "@" not in job["query"]["query"], "values are parameters"
    tables = {table.name for table in load_catalog().processed}
    assert tables <= {job["labels"].get("table") for job in jobs if job["labels"].get("step") == "preflight"}
