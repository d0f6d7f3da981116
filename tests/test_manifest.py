"""The seal of a run: every file, what it was made with, and nothing that changes afterwards."""

import hashlib
import os
import sys
from importlib import metadata
from pathlib import Path

import pytest
from courtbook.errors import CourtbookError, ExitCode
from courtbook.evidence.bundle import sha256
from courtbook.evidence.ledger import Ledger, ledger_files
from courtbook.evidence.manifest import Manifest, Seal, environment, page_files, read_manifest, read_manifests, seal

CONTENTS = {
    "empty": b"",
    "00_preflight/attempt-1/result.json": b"\x00\xff" * 700_000,
    ".hidden": b"seen",
    "n\u00e4me with blanks": b"x",
}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder with a ledger of one event and some files."""
    for name, content in CONTENTS.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    Ledger(tmp_path / "ledger.jsonl").append("run_started")
    return tmp_path


def page(manifest: Manifest) -> str:
    return f"<!doctype html><title>{manifest.digest}</title>"


def test_the_seal_lists_every_file_with_its_digest(run: Path) -> None:
    (run / "no_files_here").mkdir()
    written = seal(run, Seal.RUN, {"verdict": "GO"}, page)
    read = read_manifest(run / "manifest.json")
    assert read == written
    assert read.evidence["verdict"] == "GO"
    assert set(read.files) == {*CONTENTS, "ledger.jsonl", "index.html"}
    for name, content in CONTENTS.items():
        assert read.files[name] == {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    assert all(sha256(run / name) == entry["sha256"] for name, entry in read.files.items())
    assert read.evidence["ledger"] == {"events": 1, "head": Ledger(run / "ledger.jsonl").events()[-1]["hash"]}


def test_the_page_shows_the_digest_of_the_seal_that_lists_it(run: Path) -> None:
    manifest = seal(run, Seal.RUN, {}, page)
    assert manifest.digest in (run / "index.html").read_text()
    assert list(manifest.pages) == ["index.html"]
    assert "index.html" not in manifest.evidence["files"]


def test_every_seal_stays_and_the_next_one_covers_it(run: Path) -> None:
    seal(run, Seal.RUN, {"verdict": "INTERRUPTED"}, page)
    before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    ledger = Ledger(run / "ledger.jsonl")
    ledger.append("run_resumed")
    seal(run, Seal.RUN, {"verdict": "GO"}, page)
    ledger.append("signed")
    seal(run, Seal.SIGNATURE, {"verdict": "GO"}, page)
    assert all(path.read_bytes() == content for path, content in before.items()), "what is sealed does not change"
    assert [path.name for path in ledger_files(run)] == ["ledger.jsonl", "ledger-2.jsonl", "ledger-3.jsonl"]
    assert [path.name for path in page_files(run)] == ["index.html", "index-2.html", "index-3.html"]
    first, second, third = read_manifests(run)
    assert [item.kind for item in (first, second, third)] == [Seal.RUN, Seal.RUN, Seal.SIGNATURE]
    assert second.files["manifest.json"]["sha256"] == sha256(first.path)
    assert set(third.files) - set(second.files) == {"manifest-2.json", "ledger-3.jsonl", "index-3.html"}
    assert len(Ledger(run / "ledger.jsonl").events()) == 3, "the files are one chain"


def test_a_page_that_cannot_be_made_does_not_keep_the_run_from_being_sealed(run: Path) -> None:
    def broken(_: Manifest) -> str:
        raise ValueError("no figure")

    with pytest.raises(ValueError, match="no figure"):
        seal(run, Seal.RUN, {"verdict": "NO-GO"}, broken)
    assert read_manifest(run / "manifest.json").evidence["verdict"] == "NO-GO"
    assert not (run / "index.html").exists()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"digest": "", "evidence": {"kind": "x", "files": {}}, "pages": {}}']
)
def test_what_is_no_manifest_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CourtbookError, match="no manifest") as caught:
        read_manifests(tmp_path)
    assert caught.value.exit_code is ExitCode.USAGE


def test_the_environment_names_what_the_run_was_made_with(tmp_path: Path) -> None:
    made = environment(tmp_path)
    assert (made["git_commit"], made["git_clean"], made["lock"]) == (None, None, None)
    assert {"courtbook", "duckdb", "papermill", "pandas"} <= set(made["packages"])
    assert made["packages"]["papermill"] == metadata.version("papermill")
    assert made["python"] == ".".join(str(part) for part in sys.version_info[:3])
    (tmp_path / "requirements.lock").write_text("papermill==2.7.0\n")
    assert environment(tmp_path)["lock"] == hashlib.sha256(b"papermill==2.7.0\n").hexdigest()


def test_the_environment_without_git_is_still_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", os.devnull)
    assert environment(tmp_path)["git_commit"] is None
