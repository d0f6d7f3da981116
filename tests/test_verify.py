"""Whoever changes anything in an archive is found out, and what was not changed holds."""

import json
import os
import random
import shutil
import sys
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from courtbook.archive import make_shown
from courtbook.errors import CourtbookError
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import Seal, read_manifest, seal
from courtbook.evidence.signatures import Meaning
from courtbook.sign_off import sign_run
from courtbook.verify import verify
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from made_keys import OLGA, RITA, make_key, make_signers
from made_run import check, load, make_run, rewrite

FAILED = check("keys", status="FAIL", value=0.5, numerator=50.0)
OVERRIDE = {"gate": "phase3", "by": "Ann Boss", "reason": "the model is due"}
_tried: Counter[str] = Counter()
_found: Counter[str] = Counter()


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("original"))


@pytest.fixture
def run(original: Path, tmp_path: Path) -> Path:
    """A copy of a sealed run, to be changed."""
    return Path(shutil.copytree(original, tmp_path / original.name))


def findings(run: Path, signers: Path | None = None) -> list[str]:
    return [f"{item.where}: {item.what}" for item in verify(run, signers).findings]


def found(kind: str, run: Path, told: str = "", signers: Path | None = None) -> None:
    """Assert that a change is found, and where."""
    _tried[kind] += 1
    said = findings(run, signers)
    assert said, kind
    assert not told or any(told in line for line in said), (told, said)
    _found[kind] += 1


def files(run: Path) -> list[str]:
    return sorted(path.relative_to(run).as_posix() for path in run.rglob("*") if path.is_file())


ARCHIVE = [
    "00_preflight/attempt-1/00_preflight.html", "00_preflight/attempt-1/00_preflight.ipynb",
    "00_preflight/attempt-1/coverage.json", "00_preflight/attempt-1/log.txt", "00_preflight/attempt-1/result.json",
    "20_phase3_validation/attempt-1/20_phase3_validation.html",
    "20_phase3_validation/attempt-1/20_phase3_validation.ipynb",
    "20_phase3_validation/attempt-1/coverage.json", "20_phase3_validation/attempt-1/log.txt",
    "20_phase3_validation/attempt-1/result.json", "index.html", "ledger.jsonl", "manifest.json", "params.yaml",
]  # fmt: skip


def test_all_kinds_of_files_are_tried(original: Path) -> None:
    assert files(original) == ARCHIVE


@pytest.mark.parametrize(
    "kinds",
    [
        {},
        {"steps": {"preflight": "INTERRUPTED"}},
        {"steps": {"preflight": "NO-GO"}},
        {"steps": {"preflight": "GO", "phase3_validation": "NO-GO"}, "checks": [FAILED]},
        {"steps": {"phase3_validation": "DEGRADED"}, "checks": [FAILED], "override": OVERRIDE},
        {"checks": [check("keys", severity="warning", status="WARN", value=0.5, excuse="waived by Wim")]},
        {"checks": [check("keys", severity="warning", status="NO_DATA", value=None, numerator=None)]},
    ],
    ids=["GO", "interrupted", "NO-GO", "failed check", "degraded", "waived", "no data"],
)
def test_what_was_sealed_holds_whatever_its_verdict(tmp_path: Path, kinds: dict[str, Any]) -> None:
    told = verify(make_run(tmp_path, **kinds), None)
    assert told.findings == ()
    assert told.verdict == list(kinds.get("steps", {"": "GO"}).values())[-1]
    assert told.counted["notebooks"] == told.counted["cells"] == len(kinds.get("steps", "12"))


@pytest.mark.parametrize("name", ARCHIVE)
def test_a_flipped_bit_is_found_in_every_file(run: Path, name: str) -> None:
    file = run / name
    content = file.read_bytes()
    places = {0, len(content) - 1, *random.Random(name).sample(range(len(content)), min(40, len(content)))}
    for place in sorted(place for place in places if place in range(len(content))):
        for bit in (0, 5):  # 5 turns capitals into small letters, and blanks into nothing that shows
            file.write_bytes(content[:place] + bytes([content[place] ^ 1 << bit]) + content[place + 1 :])
            found("a bit flipped", run, name if name != "manifest.json" else "")
    file.write_bytes(content)
    assert findings(run) == []


@pytest.mark.parametrize("name", ARCHIVE)
def test_a_file_that_is_gone_emptied_longer_or_linked_is_found(run: Path, name: str) -> None:
    file = run / name
    content = file.read_bytes()
    file.unlink()
    found("a file deleted", run, name)
    elsewhere = run.parent / "elsewhere"
    elsewhere.write_bytes(content)
    file.symlink_to(elsewhere)
    found("a file replaced by a link", run, name if name != "manifest.json" else "")
    file.unlink()
    file.write_bytes(content + b"\n")
    found("a file made longer", run, name)
    if content:
        file.write_bytes(b"")
        found("a file emptied", run, name)


@pytest.mark.parametrize(
    "name",
    ["notes.txt", "00_preflight/attempt-1/.hidden", "00_preflight/attempt-2/result.json", "ledger-2.jsonl",
     "manifest-2.json", "manifest-3.json", "index-2.html", "signatures/01-approved-ann.json"],
)  # fmt: skip
def test_a_file_that_was_added_is_found(run: Path, name: str) -> None:
    (run / name).parent.mkdir(exist_ok=True)
    (run / name).touch()
    found("a file added", run)


def test_what_is_no_plain_file_is_found(run: Path) -> None:
    os.mkfifo(run / "pipe")
    found("a pipe added", run, "pipe: was added")


def test_a_file_that_cannot_be_read_is_a_finding(run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(path: Path) -> str:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("courtbook.evidence.manifest.sha256", denied)
    found("a file unreadable", run, "cannot be read: Permission denied")


def test_files_that_were_swapped_are_found(run: Path) -> None:
    names = files(run)
    for one, other in pairwise(names):
        first, second = (run / one).read_bytes(), (run / other).read_bytes()
        if first != second:
            (run / one).write_bytes(second)
            (run / other).write_bytes(first)
            found("two files swapped", run)
            (run / one).write_bytes(first)
            (run / other).write_bytes(second)
    assert findings(run) == []


def reseal(run: Path) -> None:
    """Do what somebody does who knows the format: write a manifest anew that fits what is there now."""
    old = read_manifest(run / "manifest.json").evidence
    (run / "manifest.json").unlink()
    (run / "index.html").unlink(missing_ok=True)
    kept = {name: value for name, value in old.items() if name not in ("files", "ledger", "kind", "sealed")}
    seal(run, Seal.RUN, kept, lambda manifest: f"<!doctype html><title>{manifest.digest}</title>\n")


def lines(run: Path) -> list[str]:
    return (run / "ledger.jsonl").read_text().splitlines(keepends=True)


@pytest.mark.parametrize("sealed_again", [False, True], ids=["", "sealed again"])
def test_a_ledger_that_was_cut_reordered_or_doubled_is_found(run: Path, sealed_again: bool) -> None:
    whole = lines(run)
    changes: list[tuple[str, list[str]]] = [
        ("a line of the ledger removed", whole[:n] + whole[n + 1 :]) for n in range(len(whole))
    ]
    changes += [("ledger cut off", whole[:n]) for n in range(1, len(whole))]
    changes += [("ledger torn", [*whole[:-1], whole[-1][:n]]) for n in (1, 50, len(whole[-1]) - 1)]
    changes += [
        ("two lines of the ledger swapped", [*whole[:n], whole[n + 1], whole[n], *whole[n + 2 :]])
        for n in range(len(whole) - 1)
    ]
    changes += [("a line of the ledger doubled", [*whole[: n + 1], *whole[n:]]) for n in range(len(whole))]
    manifest, page = (run / "manifest.json").read_bytes(), (run / "index.html").read_bytes()
    for kind, changed in changes:
        (run / "ledger.jsonl").write_text("".join(changed))
        if sealed_again:
            try:
                reseal(run)
            except Exception:  # noqa: BLE001 - a broken chain cannot even be sealed
                (run / "manifest.json").write_bytes(manifest)
        found(f"{kind}{', sealed again' if sealed_again else ''}", run)
        (run / "manifest.json").write_bytes(manifest)
        (run / "index.html").write_bytes(page)
    (run / "ledger.jsonl").write_text("".join(whole))
    assert findings(run) == []


def edit(file: Path, change: Callable[[Any], None]) -> None:
    content = load(file)
    change(content)
    file.write_text(json.dumps(content, sort_keys=True, indent=1) + "\n")


VALIDATION = "20_phase3_validation/attempt-1"


def _pass(content: Any) -> None:
    content["gates"][0]["results"][0] |= {"status": "PASS", "value": 1.0, "numerator": 100.0}
    content["gates"][0] |= {"verdict": "GO", "blockers": []}
    content["verdict"] = "GO"


def test_a_failure_that_was_edited_away_is_found_though_sealed_again(tmp_path: Path) -> None:
    run = make_run(tmp_path, steps={"preflight": "GO", "phase3_validation": "NO-GO"}, checks=[FAILED])
    edit(run / VALIDATION / "result.json", _pass)
    reseal(run)
    found("result edited, sealed again", run, "it is not the one that the step wrote")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda n: n["cells"][1]["outputs"][0]["data"].update({"text/plain": "3"}), "not the one that was saved"),
        (lambda n: n["cells"][1].update(source="2 + 2"), "not those of the source notebook"),
        (lambda n: n["cells"][1].update(execution_count=2), "has the count 2"),
        (lambda n: n["cells"][1].update(outputs=[]), "shows nothing"),
        (lambda n: n["cells"].append({**n["cells"][1], "id": "more"}), "not those of the source notebook"),
        (lambda n: n["cells"].pop(), "not those"),
    ],
    ids=["another output", "another source", "another count", "no output", "a cell more", "a cell less"],
)
def test_an_executed_notebook_that_was_edited_is_found_though_sealed_again(run: Path, change: Any, told: str) -> None:
    edit(run / VALIDATION / "20_phase3_validation.ipynb", change)
    reseal(run)
    found("notebook edited, sealed again", run, told)


@pytest.mark.parametrize(
    ("kinds", "told"),
    [
        ({"checks": [check("keys", status="PASS", value=0.5)]}, "it says PASS, its numbers say FAIL"),
        ({"checks": [FAILED]}, "it says GO, its checks amount to NO-GO"),
        ({"checks": [check("keys", status="NO_DATA", value=None, numerator=None)]}, "amount to NO-GO"),
        ({"checks": [check("keys", status="ERROR", value=None, numerator=None)]}, "amount to NO-GO"),
        ({"checks": []}, "amount to INTERRUPTED"),
        ({"checks": [check("keys"), check("keys")]}, "twice"),
        ({"checks": [FAILED], "override": OVERRIDE}, "DEGRADED"),
        ({"steps": {"phase3_validation": "NO-GO"}}, "it says NO-GO, its checks amount to GO"),
    ],
    ids=["pass without reason", "GO with a failure", "GO without data", "GO with an error", "nothing checked", "twice",
         "overridden and GO", "NO-GO without reason"],
)  # fmt: skip
def test_a_verdict_that_does_not_follow_from_the_numbers_is_found(
    tmp_path: Path, kinds: dict[str, Any], told: str
) -> None:
    found("verdict without reason", make_run(tmp_path, **kinds), told)


def _rewrite(run: Path, change: Callable[[dict[str, Any]], None]) -> None:
    events = [dict(event) for event in Ledger(run / "ledger.jsonl").events()]
    for event in events:
        change(event)
    rewrite(run, events)
    reseal(run)


@pytest.mark.parametrize(
    ("kind", "change", "told"),
    [
        ("run_started", {"declared": {"phase3": {"keys": "critical"}}}, "reported and was not declared"),
        (
            "run_started",
            {"declared": {"phase3": {"keys": "critical", "rows": "warning", "more": "critical"}}},
            "was declared and did not report",
        ),
        (
            "run_started",
            {"declared": {"phase3": {"keys": "warning", "rows": "warning"}}},
            "severity is not the declared one",
        ),
        ("run_started", {"operator": "x", "params": "0" * 64}, "digest"),
        ("attempt_ended", {"verdict": "NO-GO"}, "the ledger NO-GO"),
        ("run_ended", {"verdict": "NO-GO"}, "the run ended as NO-GO, its steps amount to GO"),
        ("gate", {"results": {"keys": "PASS"}}, "not those that the ledger has"),
    ],
)
def test_parts_that_contradict_each_other_are_found_though_all_hashes_were_made_anew(
    run: Path, kind: str, change: dict[str, Any], told: str
) -> None:
    _rewrite(run, lambda event: event["data"].update(change) if event["kind"] == kind else None)
    found("ledger rewritten", run, told)


def test_other_parameters_are_found_though_sealed_again(run: Path) -> None:
    text = (run / "params.yaml").read_text()
    (run / "params.yaml").write_text(text.replace("Olga Operator", "Nobody"))
    reseal(run)
    found("parameters edited, sealed again", run, "not the parameters that the run started with")


def test_an_excuse_that_nobody_gave_is_found(tmp_path: Path) -> None:
    run = make_run(
        tmp_path, checks=[check("keys", severity="warning", status="WARN", value=0.5, excuse="waived by Wim")]
    )
    text = (run / "params.yaml").read_text()
    (run / "params.yaml").write_text(text[: text.index("waivers:")] + "waivers: {}\n" + text[text.index("accept:") :])
    reseal(run)
    found("excuse without a waiver", run, "accepted by nobody")


def test_a_manifest_of_another_run_is_found(run: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "other", operator="Somebody Else")
    shutil.copyfile(other / "manifest.json", run / "manifest.json")
    found("manifest transplanted", run, "was changed")


def test_a_later_manifest_that_covers_up_a_change_is_found(run: Path) -> None:
    (run / VALIDATION / "log.txt").write_text("it all went well\n")
    Ledger(run / "ledger.jsonl").append("signed")
    seal(run, Seal.SIGNATURE, {"verdict": "GO"})
    found("change covered by a later seal", run, "seals another")


def test_a_run_that_never_ended_says_so(tmp_path: Path) -> None:
    said = findings(make_run(tmp_path, sealed=False))
    assert any("never sealed" in line for line in said)


def test_a_folder_that_is_no_run_is_no_archive(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert findings(tmp_path / "empty")


@given(st.data())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_change_of_any_file_is_found(run: Path, data: st.DataObject) -> None:
    file = run / data.draw(st.sampled_from(ARCHIVE))
    content = file.read_bytes()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 20)))
    changed = content[:start] + data.draw(st.binary(max_size=20)) + content[end:]
    file.write_bytes(changed)
    try:
        if changed == content:
            assert findings(run) == []
        else:
            found("bytes replaced, cut or put in", run)
    finally:
        file.write_bytes(content)


@pytest.fixture(scope="module")
def signed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Two runs that two people signed off, and the file that says who they are."""
    folder = tmp_path_factory.mktemp("signed")
    keys = {name: make_key(folder, name.split()[0].lower()) for name in (OLGA, RITA)}
    signers = make_signers(folder, keys)
    runs = [make_run(folder, f"20250102T03040{number}Z-made") for number in (5, 6)]
    for run in runs:
        for name, meaning in ((OLGA, Meaning.EXECUTED), (RITA, Meaning.APPROVED)):
            sign_run(
                run, name=name, role="engineer", meaning=meaning, comment="seen", key=keys[name], signers=signers,
                shown=make_shown(run, signers), tell=str,
            )  # fmt: skip
    assert all(findings(run, signers) == [] for run in runs)
    return runs[0], runs[1], signers


@pytest.fixture
def signed_run(signed: tuple[Path, Path, Path], tmp_path: Path) -> Path:
    return Path(shutil.copytree(signed[0], tmp_path / signed[0].name))


def test_a_flipped_bit_is_found_in_everything_that_signing_adds(
    signed: tuple[Path, Path, Path], signed_run: Path
) -> None:
    added = sorted(set(files(signed_run)) - set(ARCHIVE))
    assert len(added) == 12, "two statements and signatures, documents, pages, manifests, parts of the ledger"
    for name in added:
        file = signed_run / name
        content = file.read_bytes()
        for place in random.Random(name).sample(range(len(content)), 12):
            file.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
            found("a bit flipped in what signing adds", signed_run, signers=signed[2])
        file.unlink()
        found("what signing added deleted", signed_run, signers=signed[2])
        file.write_bytes(content)
    assert findings(signed_run, signed[2]) == []


@pytest.mark.parametrize("sealed_again", [False, True], ids=["", "sealed again"])
def test_a_signature_of_another_run_is_found(
    signed: tuple[Path, Path, Path], signed_run: Path, sealed_again: bool
) -> None:
    names = [name for name in files(signed_run) if name.startswith("signatures/")]
    assert len(names) == 4
    for wanted in (names, [name for name in names if "approved" in name], [n for n in names if n.endswith(".sig")]):
        before = {path: path.read_bytes() for path in signed_run.rglob("*") if path.is_file()}
        for name in wanted:
            shutil.copyfile(signed[1] / name, signed_run / name)
        if sealed_again:
            for path in (signed_run / "manifest-2.json", signed_run / "manifest-3.json"):
                path.unlink()
            (signed_run / "ledger-2.jsonl").write_bytes((signed[1] / "ledger-2.jsonl").read_bytes())
            for _ in range(2):
                try:
                    seal(signed_run, Seal.SIGNATURE, {"verdict": "GO"})
                except CourtbookError:  # the ledger of the other run does not follow this one's
                    (signed_run / "ledger-2.jsonl").write_bytes(before[signed_run / "ledger-2.jsonl"])
        found("signature transplanted", signed_run, signers=signed[2])
        for path, content in before.items():
            path.write_bytes(content)


def test_what_is_said_names_the_file_and_how_it_differs(run: Path) -> None:
    (run / VALIDATION / "log.txt").write_text("more")
    assert findings(run) == [f"{VALIDATION}/log.txt: was changed: 0 bytes were sealed, 4 are there"]


def test_the_record_of_a_verification_is_json(run: Path) -> None:
    told = json.loads(json.dumps(verify(run, None).record()))
    assert (told["holds"], told["verdict"], told["sign_off"]) == (True, "GO", "not signed")
    assert told["counted"] == {"files": 14, "events": 14, "notebooks": 2, "cells": 2, "checks": 2, "signatures": 0}


def test_the_table_of_changes(capsys: pytest.CaptureFixture[str]) -> None:
    """The last test of this file: how many changes of each kind the others tried, and how many were found."""
    assert sum(_tried.values()) > 1000
    assert _tried == _found
    lines = [f"{'changes to an archive':<46}  tried  found"]
    lines += [f"{kind:<46} {number:>6} {_found[kind]:>6}" for kind, number in _tried.items()]
    lines.append(f"{'all':<46} {sum(_tried.values()):>6} {sum(_found.values()):>6}")
    with capsys.disabled():  # to stderr: what a worker of xdist writes to stdout is lost
        sys.stderr.write("\n" + "\n".join(lines) + "\n")
