"""The folder of a run: nothing is overwritten, nothing is left out."""

import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from courtbook.errors import CourtbookError, ExitCode
from courtbook.evidence import bundle
from courtbook.evidence.bundle import (
    new_attempt,
    new_run,
    recorded_values,
    write_json,
    write_once,
)

RUNNER = """
import sys
from pathlib import Path
from courtbook.evidence.bundle import new_run
for _ in range(10):
    print(new_run(Path(sys.argv[1]), "try").name)
"""


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.mark.parametrize("text", ["", "one line\n", "Zo\u00eb \U0001f3c0\r\n"])
def test_a_file_is_written_as_it_was_given(tmp_path: Path, text: str) -> None:
    write_once(tmp_path / "page.md", text)
    assert (tmp_path / "page.md").read_bytes() == text.encode()
    assert names(tmp_path) == ["page.md"]


def test_a_file_is_never_overwritten(tmp_path: Path) -> None:
    write_once(tmp_path / "page.md", "first")
    with pytest.raises(CourtbookError, match="never overwritten") as caught:
        write_once(tmp_path / "page.md", "second")
    assert caught.value.exit_code is ExitCode.USAGE
    assert (tmp_path / "page.md").read_text() == "first"
    assert names(tmp_path) == ["page.md"]


def test_text_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    for _ in range(2):
        with pytest.raises(UnicodeEncodeError):
            write_once(tmp_path / "page.md", "fine so far \ud800")
    assert names(tmp_path) == []


def test_a_full_disk_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(bundle.os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        write_once(tmp_path / "page.md", "text")
    assert names(tmp_path) == []


@pytest.mark.parametrize("bad", [{"value": float("nan")}, {"value": object()}], ids=["NaN", "object"])
def test_json_that_cannot_be_written_leaves_nothing(tmp_path: Path, bad: object) -> None:
    with pytest.raises((ValueError, TypeError)):
        write_json(tmp_path / "result.json", bad)
    assert names(tmp_path) == []


def test_json_reads_back(tmp_path: Path) -> None:
    content = {"b": [1, None, "\u2713"], "a": {"x": 0.1}}
    write_json(tmp_path / "result.json", content)
    assert json.loads((tmp_path / "result.json").read_text(encoding="utf-8")) == content


def test_runs_of_the_same_second_get_names_of_their_own(tmp_path: Path) -> None:
    made = [new_run(tmp_path / "runs", "try") for _ in range(12)]
    assert len({run.name for run in made}) == 12
    assert all(run.is_dir() and "-try" in run.name for run in made)
    assert names(tmp_path / "runs") == sorted(run.name for run in made)


def test_runs_of_several_processes_never_share_a_folder(tmp_path: Path) -> None:
    runners = [
        subprocess.Popen([sys.executable, "-c", RUNNER, str(tmp_path / "runs")], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    made = [name for runner in runners for name in runner.communicate(timeout=60)[0].split()]
    assert len(made) == len(set(made)) == 30


def test_attempts_number_up(tmp_path: Path) -> None:
    assert [new_attempt(tmp_path, "00_preflight").name for _ in range(11)] == [f"attempt-{n}" for n in range(1, 12)]
    assert new_attempt(tmp_path, "10_phase3_backfill").name == "attempt-1"


def test_an_attempt_never_reuses_a_folder_even_with_a_gap(tmp_path: Path) -> None:
    (tmp_path / "00_preflight" / "attempt-2").mkdir(parents=True)
    made = new_attempt(tmp_path, "00_preflight")
    assert made.name == "attempt-3"
    assert names(made) == []


def test_attempts_that_begin_at_once_get_folders_of_their_own(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(lambda _: new_attempt(tmp_path, "00_preflight"), range(24)))
    assert len({folder.name for folder in made}) == 24


def test_the_lock_of_a_run_lies_beside_it_so_that_a_sealed_folder_never_changes(tmp_path: Path) -> None:
    run = new_run(tmp_path / "runs", "try")
    assert run not in bundle.run_lock(run).parents
    assert bundle.run_lock(run) != bundle.run_lock(new_run(tmp_path / "runs", "try"))


def conclude(run: Path, step: str, **values: float | None) -> Path:
    """Write the result of an attempt at a step, as a step that concludes does."""
    results = [{"id": name, "value": value} for name, value in values.items()]
    attempt = new_attempt(run, step)
    content = {"time": "2026-01-05T09:00:00+00:00", "attempt": attempt.name}
    write_json(attempt / "result.json", {**content, "step": step, "gates": [{"gate": "a gate", "results": results}]})
    return attempt


def test_the_values_of_all_steps_of_a_run_are_found(tmp_path: Path) -> None:
    conclude(tmp_path, "20_phase3_validation", usage_rate=0.97, points=1.0, empty=None)
    conclude(tmp_path, "40_phase4_validation", **{"rows.player_daily_cache": 0.99})
    assert recorded_values(tmp_path) == {"usage_rate": 0.97, "points": 1.0, "rows.player_daily_cache": 0.99}


def test_the_newest_attempt_counts_by_number_not_by_letters(tmp_path: Path) -> None:
    for number in range(1, 12):
        conclude(tmp_path, "20_phase3_validation", usage_rate=number / 100)
    assert recorded_values(tmp_path) == {"usage_rate": 0.11}


def test_what_the_newest_attempt_could_not_measure_has_no_older_value(tmp_path: Path) -> None:
    conclude(tmp_path, "20_phase3_validation", usage_rate=0.97, points=1.0)
    conclude(tmp_path, "20_phase3_validation", usage_rate=None, points=0.5)
    assert recorded_values(tmp_path) == {"points": 0.5}


def test_a_copied_run_has_the_same_values_whatever_its_files_say_about_their_age(tmp_path: Path) -> None:
    for number in (1, 2):
        conclude(tmp_path, "20_phase3_validation", usage_rate=number / 10)
    os.utime(tmp_path / "20_phase3_validation" / "attempt-1" / "result.json")
    assert recorded_values(tmp_path) == {"usage_rate": 0.2}


def test_a_damaged_baseline_is_refused(tmp_path: Path) -> None:
    attempt = conclude(tmp_path, "20_phase3_validation", usage_rate=0.97)
    (attempt / "result.json").write_text('{"time": "2026', encoding="utf-8")
    with pytest.raises(CourtbookError, match="cannot be read") as caught:
        recorded_values(tmp_path)
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("content", ["nothing", "an attempt without a verdict", "a step without checks", "no folder"])
def test_a_baseline_without_results_is_refused(tmp_path: Path, content: str) -> None:
    run = tmp_path / "runs" / "20260105T090000Z-try"
    if content != "no folder":
        run.mkdir(parents=True)
    if content == "an attempt without a verdict":
        new_attempt(run, "20_phase3_validation")
    if content == "a step without checks":
        conclude(run, "20_phase3_validation")
    with pytest.raises(CourtbookError, match="recorded no check") as caught:
        recorded_values(run)
    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.where == f"baseline: {run}"
