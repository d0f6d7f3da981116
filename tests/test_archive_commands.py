"""The commands for runs that have ended, as a person gives them."""

import json
import shutil
import subprocess
from pathlib import Path

import pytest
from courtbook.evidence.signatures import Meaning
from made_keys import OLGA, RITA, make_key, make_signers
from made_run import check, make_run
from small_run import ROOT, Small

NAME = "20250102T030405Z-made"


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    make_run(tmp_path / "runs")
    return tmp_path / "runs"


def give(*arguments: object) -> subprocess.CompletedProcess[str]:
    """Give a command in the project's folder."""
    return Small(ROOT).here(*map(str, arguments))


def verify(runs: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return give("verify", NAME, "--runs-dir", runs, *more)


def test_verify_says_what_it_looked_at_and_that_it_holds(runs: Path) -> None:
    done = verify(runs)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{NAME}  GO  not signed" in done.stdout
    assert "14 files, 14 events, 2 notebooks, 2 cells, 2 checks, 0 signatures" in done.stdout
    assert "HOLDS" in done.stdout.splitlines()[-1]


def test_verify_names_what_was_changed_and_fails(runs: Path) -> None:
    (runs / NAME / "00_preflight" / "attempt-1" / "log.txt").write_text("nothing happened\n")
    done = verify(runs)
    assert done.returncode == 1
    assert "DOES NOT HOLD  1 finding\n" in done.stdout
    assert "00_preflight/attempt-1/log.txt  was changed: 0 bytes were sealed, 17 are there" in done.stdout
    told = json.loads(verify(runs, "--json").stdout)
    assert (told["holds"], told["findings"][0]["where"]) == (False, "00_preflight/attempt-1/log.txt")


@pytest.mark.parametrize("name", [NAME, ""], ids=["by name", "the newest"])
def test_a_run_is_found(runs: Path, name: str) -> None:
    assert give("verify", *([name] if name else []), "--runs-dir", runs).returncode == 0


def test_against_a_warehouse_that_is_gone_it_says_so(runs: Path) -> None:
    (runs / NAME / "tables-after.json").write_text("{}")
    done = verify(runs, "--against-warehouse")
    assert done.returncode == 3
    assert "/data/made.duckdb: The warehouse file does not exist." in done.stderr


def test_against_the_warehouse_needs_fingerprints(runs: Path) -> None:
    done = verify(runs, "--against-warehouse")
    assert done.returncode == 2
    assert "kept no fingerprints" in done.stderr


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_key(folder, name.split()[0].lower()) for name in (OLGA, RITA)}


@pytest.fixture(scope="module")
def signers(keys: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_signers(tmp_path_factory.mktemp("signers"), keys)


def sign(runs: Path, who: str, key: Path, signers: Path, *more: object) -> subprocess.CompletedProcess[str]:
    return give(
        "sign", NAME, "--runs-dir", runs, "--as", who, "--role", "engineer", "--key", key,
        "--signers", signers, *more,
    )  # fmt: skip


def test_two_people_sign_a_run_off_and_everybody_sees_it(runs: Path, keys: dict[str, Path], signers: Path) -> None:
    first = sign(runs, OLGA, keys[OLGA], signers, "--meaning", "executed")
    assert first.returncode == 0, first.stderr
    assert "signature 1: executed by Olga Operator" in first.stdout
    assert "SIGNED OFF" not in first.stdout
    second = sign(runs, RITA, keys[RITA], signers, "--meaning", "approved", "--comment", "all looked at")
    assert second.returncode == 0, second.stderr
    assert second.stdout.splitlines()[-1] == f"{NAME}: SIGNED OFF"
    done = verify(runs, "--signers", signers)
    assert done.returncode == 0, done.stdout
    assert f"{NAME}  GO  SIGNED OFF" in done.stdout
    assert f"signature 2 approved by {RITA} (engineer)" in done.stdout
    for page in (runs / NAME / "index-3.html", runs / "index.html"):
        assert "SIGNED OFF" in page.read_text()
        assert RITA in page.read_text()
    digest = json.loads((runs / NAME / "manifest.json").read_text())["digest"]
    assert f"sha256:{digest}" in done.stdout
    assert digest in (runs / NAME / "index-3.html").read_text(), "what was signed, not the seal of the signature"
    assert "SIGNED OFF" in (runs / NAME / "sign-off-2.md").read_text()


def test_a_signature_that_nobody_vouches_for_counts_for_nothing_and_does_not_hold(
    runs: Path, tmp_path: Path, keys: dict[str, Path]
) -> None:
    nobody = tmp_path / "allowed_signers"
    nobody.write_text("")
    done = sign(runs, OLGA, keys[OLGA], nobody, "--meaning", "executed")
    assert done.returncode == 0
    assert "unauthenticated" in done.stdout
    assert "ssh-ed25519" in done.stderr, "the line that would vouch for it"
    assert "not signed" in done.stdout.splitlines()[-1]
    told = verify(runs)
    assert told.returncode == 1
    assert "unauthenticated" in told.stdout


@pytest.mark.parametrize(
    ("more", "code", "said"),
    [
        ((), 2, "Say what the signature means"),
        (("--meaning", "agreed"), 2, "--meaning agreed"),
        (("--meaning", Meaning.REVOKED.value), 2, "--revokes and a number"),
        (("--meaning", "executed", "--revokes", "1"), 2, "Say what the signature means"),
        (("--meaning", "approved"), 5, "Nobody has signed yet as who executed"),
        (("--revokes", "1", "--comment", "no"), 5, "There is no signature 1"),
    ],
)
def test_what_may_not_be_signed_is_refused(
    runs: Path, keys: dict[str, Path], signers: Path, more: tuple[str, ...], code: int, said: str
) -> None:
    done = sign(runs, RITA, keys[RITA], signers, *more)
    assert (done.returncode, said in done.stderr) == (code, True), done.stderr
    assert not (runs / NAME / "signatures").exists()


def test_a_file_of_signers_that_is_not_there_is_no_empty_one(runs: Path) -> None:
    done = verify(runs, "--signers", runs / "nowhere")
    assert done.returncode == 2
    assert "There is no such file" in done.stderr


def test_two_runs_are_compared_in_the_terminal_and_as_a_page(runs: Path, tmp_path: Path) -> None:
    failed = check("keys", status="FAIL", value=0.5)
    make_run(runs, "20250103T030405Z-made", steps={"phase3_validation": "NO-GO"}, checks=[failed], operator="Nina New")
    both = (NAME, "20250103T030405Z-made", "--runs-dir", runs)
    done = give("diff", *both)
    assert done.returncode == 0, done.stderr
    assert "Nina New" in done.stdout
    assert "keys" in done.stdout
    assert "NO-GO" in done.stdout
    page = tmp_path / "diff.html"
    assert give("diff", *both, "--html", page).returncode == 0
    assert "Nina New" in page.read_text()
    again = give("diff", *both, "--html", page)
    assert again.returncode == 2, "nothing is overwritten"


@pytest.mark.parametrize("command", [("close",), ("publish", "--to", "file:///elsewhere")])
def test_what_is_published_is_not_changed(command: tuple[str, ...]) -> None:
    done = give(command[0], "gs://bucket/runs/some", *command[1:])
    assert done.returncode == 2
    assert "needs the run's own folder" in done.stderr


def test_a_sealed_run_cannot_be_closed(runs: Path) -> None:
    done = give("close", NAME, "--runs-dir", runs)
    assert done.returncode == 2
    assert "has ended and is sealed" in done.stderr


def test_a_run_is_published_once_listed_and_verified_from_there(
    runs: Path, tmp_path: Path, keys: dict[str, Path]
) -> None:
    url = f"file://{tmp_path}/remote"
    nobody = tmp_path / "nobody"
    nobody.touch()
    assert sign(runs, OLGA, keys[OLGA], nobody, "--meaning", "executed").returncode == 0
    done = give("publish", NAME, "--to", url, "--runs-dir", runs)
    assert done.returncode == 0, done.stderr
    assert "20 files sent, 0 there already" in done.stdout
    assert "0 files sent, 20 there already" in give("publish", NAME, "--to", url, "--runs-dir", runs).stdout
    # Somebody else publishes from another machine, where the first run is not.
    shutil.rmtree(runs / NAME)
    make_run(runs, "20250103T030405Z-made")
    assert give("publish", "20250103T030405Z-made", "--to", url, "--runs-dir", runs).returncode == 0
    listed = (tmp_path / "remote" / "index.html").read_text()
    assert NAME in listed
    assert "20250103T030405Z-made" in listed
    assert "cannot be read" not in listed
    assert "executed by Olga Operator (unauthenticated)" in listed, "a signature is judged by the whole run"
    for address in ((f"{url}/{NAME}",), (NAME, "--runs-dir", url)):
        done = give("verify", *address)
        assert "DOES NOT HOLD  1 finding\n" in done.stdout, "nobody vouches for the key, and nothing else is wrong"
    (tmp_path / "remote" / NAME / "params.yaml").write_text("name: other\n")
    assert give("verify", f"{url}/{NAME}").returncode == 1


def test_a_run_with_a_secret_is_not_published_and_the_secret_not_shown(tmp_path: Path) -> None:
    key = "AIza" + "Sy0123456789abcdefghijklmnopqrstu-x"
    make_run(tmp_path / "runs", checks=[check("keys", detail=f"asked with {key}")])
    done = give("publish", NAME, "--to", f"file://{tmp_path}/remote", "--runs-dir", tmp_path / "runs")
    assert done.returncode == 5
    assert "result.json" in done.stderr
    assert key not in done.stdout + done.stderr
    assert not (tmp_path / "remote").exists()


@pytest.mark.slow
def test_a_run_goes_to_a_remote_archive_when_it_ends_also_when_it_fails(
    prepared: dict[str, Small], tmp_path: Path
) -> None:
    small = Small.make(tmp_path, warehouse=prepared["incident"].warehouse, more="first_step: phase4_backfill")
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    (tmp_path / "params").mkdir()
    done = small.here("run", small.params, "--runs-dir", f"file://{tmp_path}/remote")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "published: file://" in done.stdout
    (sent,) = (tmp_path / "remote").glob("2*Z-small")
    assert give("verify", f"file://{sent}").returncode == 0
    assert "NO-GO" in (tmp_path / "remote" / "index.html").read_text()
    assert (tmp_path / "runs" / sent.name / "manifest.json").read_bytes() == (sent / "manifest.json").read_bytes()


@pytest.mark.slow
def test_without_fingerprints_a_run_holds_and_says_why_nothing_can_be_compared(
    prepared: dict[str, Small], tmp_path: Path
) -> None:
    small = Small.make(tmp_path, warehouse=prepared["complete"].warehouse, more="fingerprints: false")
    assert small.run("--to", "preflight").returncode == 0
    assert "They are not asked for. Set it to true." in (small.latest / "manifest.json").read_text()
    assert small.here("verify", "--runs-dir", str(small.runs)).returncode == 0
    done = small.here("verify", "--runs-dir", str(small.runs), "--against-warehouse")
    assert done.returncode == 2
    assert "This run kept no fingerprints of the tables at its end." in done.stderr


def test_against_the_warehouse_it_names_the_dates_that_are_not_what_they_were(
    prepared: dict[str, Small], tmp_path: Path
) -> None:
    small = Small.make(tmp_path, warehouse=prepared["complete"].warehouse, more="last_step: preflight")
    assert small.here("run", small.params, "--runs-dir", str(small.runs)).returncode == 0
    look = ("verify", "LATEST", "--against-warehouse", "--runs-dir", str(small.runs))
    before = small.here(*look)
    assert (before.returncode, "every table holds what it held" in before.stdout) == (0, True), before.stdout
    small.edit("UPDATE nba_analytics.player_game_summary SET points = points + 1 WHERE game_date = DATE '2024-11-20'")
    after = small.here(*look)
    assert after.returncode == 1
    assert "warehouse   player_game_summary: 1 date changed (2024-11-20)" in after.stdout
    assert "HOLDS       the archive is what was sealed" in after.stdout, "the archive itself is whole"
    assert json.loads(small.here(*look, "--json").stdout)["changed_tables"]
