"""The documents of a run: from the record alone, for every way to end, and safe against whatever people typed."""

import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import mistune
import pytest
import typer
from bs4 import BeautifulSoup
from courtbook.catalog import load_catalog
from courtbook.checks.result import Verdict
from courtbook.cli import app
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.record import Run, read_run
from courtbook.evidence.signatures import Meaning, Signature, SignOff, Standing
from courtbook.report.documents import documents, sign_off_page, so_far
from made_run import DAYS, check, coverage, make_run

CATALOG = load_catalog()
OVERRIDE = {"gate": "phase3", "by": "Ann Boss", "reason": "the model is due"}
BOX = next(box for box in CATALOG.checklist if "usage_rate" in box.checks)
PROOF = [item.id for item in CATALOG.checks_of("phase3") if item.id.partition(".")[0] in BOX.checks]
HOSTILE = (
    "Eve <script>alert(1)</script> [x](http://e.org) ![i](y) **b** `c` | d\n# H1\n- item\n```\n\x1b[31mred\u202e &lt;"
)


def texts(folder: Path, **changed: Any) -> dict[str, str]:
    """Return the documents of a run, with some of its parameters changed."""
    run = read_run(folder)
    return dict(documents(replace(run, params={**run.params, **changed})))


def fences(text: str) -> Iterator[str]:
    """Return what stands in the fences of a document."""
    return (found[1] for found in re.finditer(r"^```\n(.*?)\n```$", text, re.MULTILINE | re.DOTALL))


def commands(handoff: str) -> list[list[str]]:
    """Return the commands of a handoff document, as a shell would split them."""
    told = "\n".join(fences(handoff.partition("## Next")[2])).replace("\\\n", " ")
    return [shlex.split(line) for line in told.splitlines()]


def rendered(text: str) -> BeautifulSoup:
    """Return a document as a Markdown reader shows it that lets HTML through."""
    return BeautifulSoup(
        str(mistune.create_markdown(escape=False, plugins=["table", "task_lists"])(text)), "html.parser"
    )


def box_line(text: str, box: str) -> str:
    """Return a box of a checklist in one line."""
    lines = re.sub(r"\n {6}", " ", text).splitlines()
    return next(line for line in lines if line.startswith("- [") and box in line)


def test_a_run_that_ended_in_go_gets_results_checklist_and_handoff(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    told = texts(folder)
    assert set(told) == {"phase3-validation.md", "checklist.md", "handoff.md"}
    assert told["phase3-validation.md"].startswith("# Phase 3 validation: GO\n")
    run = read_run(folder)
    assert run.seal is not None
    assert not [name for name, text in told.items() if run.seal.digest in text], "they are sealed with the run"


def test_a_run_whose_first_step_was_interrupted_gets_a_checklist_and_a_handoff(tmp_path: Path) -> None:
    told = texts(make_run(tmp_path, steps={"preflight": "INTERRUPTED"}))
    assert set(told) == {"checklist.md", "handoff.md"}
    assert told["handoff.md"].startswith("# Handoff: INTERRUPTED\n")
    assert "preflight ended in INTERRUPTED: the kernel died" in told["handoff.md"]
    assert "00_preflight/attempt-1" in told["handoff.md"]
    assert "[x]" not in told["checklist.md"]
    assert f"0 of {len(CATALOG.checklist)} boxes ticked: INTERRUPTED" in told["checklist.md"]
    assert "no results of the gate phase4 are on record" in box_line(told["checklist.md"], "The bootstrap is empty")


def test_a_run_in_which_no_step_began_says_so(tmp_path: Path) -> None:
    folder = make_run(tmp_path, sealed=False)
    run = read_run(folder)
    told = documents(replace(run, events=(run.events[0],), attempts=()))["handoff.md"]
    assert "no step was begun" in told
    assert "what is left is not known" in told
    assert "The next step is preflight" in told


def test_a_gate_whose_step_was_killed_before_its_result_is_told_with_what_blocks(tmp_path: Path) -> None:
    steps = {"preflight": "GO", "phase3_validation": "NO-GO"}
    folder = make_run(tmp_path, steps=steps, checks=[check("keys", status="FAIL"), check("rows")], sealed=False)
    (folder / "20_phase3_validation/attempt-1/result.json").unlink()
    told = texts(folder)
    assert told["phase3-validation.md"].startswith("# Phase 3 validation: NO-GO\n")
    assert "the step did not come to its end; what blocks: keys." in told["phase3-validation.md"]
    assert "- [x]" not in told["checklist.md"]


def test_an_attempt_that_was_cut_short_does_not_hide_what_an_earlier_one_found(tmp_path: Path) -> None:
    folder = make_run(tmp_path, sealed=False)
    ledger = Ledger(folder / "ledger.jsonl")
    ledger.append("attempt_started", step="phase3_validation", attempt="attempt-2")
    ledger.append("run_ended", verdict="INTERRUPTED", steps=1)
    text = texts(folder)["phase3-validation.md"]
    assert text.startswith("# Phase 3 validation: GO\n")
    assert re.search(r"PASS +keys +100.0 % +100 / 100", text)


def test_checks_stand_worst_first_with_value_bounds_base_and_rule(tmp_path: Path) -> None:
    results = [
        check("fine"),
        check("odd", status="WARN", severity="warning", value=0.98, numerator=98.0),
        check(
            "wrong", status="FAIL", value=0.5, numerator=50.0, rule="half of all rows", detail="2024-11-04, 2024-11-05"
        ),
        check("broken", status="ERROR", value=None, numerator=None, denominator=None),
    ]
    folder = make_run(tmp_path, steps={"preflight": "GO", "phase3_validation": "NO-GO"}, checks=results)
    text = texts(folder)["phase3-validation.md"]
    places = [text.index(f"  {name} ") for name in ("ERROR", "FAIL", "WARN", "PASS")]
    assert places == sorted(places)
    assert "asked for ≥ 99 %: half of all rows\n  FAIL  wrong  50.0 %  50 / 100\n" in text
    assert "wrong: 2024-11-04, 2024-11-05" in text
    assert "Nothing." in text.partition("## Accepted by name")[2]


def test_what_was_accepted_and_which_thresholds_were_changed_is_named(tmp_path: Path) -> None:
    results = [
        check("odd", status="WARN", severity="warning", excuse="accepted by Wim: known"),
        check("low", overridden=True),
    ]
    text = texts(make_run(tmp_path, checks=results))["phase3-validation.md"]
    assert "- odd: accepted by Wim: known" in text
    assert "- low: ≥ 99 % (overridden)" in text


def test_every_decision_of_a_gate_is_listed_and_the_last_one_counts(tmp_path: Path) -> None:
    folder = make_run(tmp_path, sealed=False)
    ledger = Ledger(folder / "ledger.jsonl")
    first = ledger.data("gate")[0]
    later = {
        **first,
        "step": "sign_off",
        "verdict": "NO-GO",
        "blockers": ["keys"],
        "results": {"keys": "FAIL", "rows": "PASS"},
    }
    ledger.append("gate", **later)
    text = texts(folder)["phase3-validation.md"]
    assert text.startswith("# Phase 3 validation: NO-GO\n")
    assert re.findall(r"- decided: \S+ (.*)", text) == ["phase3_validation: GO", "sign_off: NO-GO"]


def test_a_box_is_ticked_only_by_all_of_its_checks(tmp_path: Path) -> None:
    told = texts(make_run(tmp_path, checks=[check(name) for name in PROOF]))
    for name in ("checklist.md", "phase3-validation.md"):
        assert box_line(told[name], BOX.item).startswith("- [x]")
    assert f"1 of {len(CATALOG.checklist)} boxes" in told["checklist.md"].splitlines()[0]


@pytest.mark.parametrize("status", ["WARN", "NO_DATA", "FAIL", "ERROR"])
def test_a_box_with_anything_but_pass_stays_open_and_says_why(tmp_path: Path, status: str) -> None:
    results = [check(PROOF[0], status=status, severity="warning", excuse="known"), *(check(name) for name in PROOF[1:])]
    line = box_line(texts(make_run(tmp_path, checks=results))["checklist.md"], BOX.item)
    assert line.startswith("- [ ]")
    assert f"Open: {status} {PROOF[0]}" in line
    assert "accepted: known" in line


def test_a_box_of_which_a_check_did_not_report_stays_open(tmp_path: Path) -> None:
    line = box_line(texts(make_run(tmp_path, checks=[check(name) for name in PROOF[1:]]))["checklist.md"], BOX.item)
    assert line.startswith("- [ ]")
    assert f"no report of {PROOF[0]}" in line


def test_a_box_that_a_changed_threshold_ticked_says_so(tmp_path: Path) -> None:
    results = [check(PROOF[0], overridden=True), *(check(name) for name in PROOF[1:])]
    line = box_line(texts(make_run(tmp_path, checks=results))["checklist.md"], BOX.item)
    assert line.startswith("- [x]")
    assert f"changed the threshold of {PROOF[0]}" in line


def test_behind_an_overridden_gate_no_document_says_go(tmp_path: Path) -> None:
    steps = {"preflight": "GO", "phase3_validation": "DEGRADED", "sign_off": "DEGRADED"}
    told = texts(make_run(tmp_path, steps=steps, checks=[check("keys", status="FAIL")], override=OVERRIDE))
    for name, text in told.items():
        assert text.splitlines()[0].endswith(": DEGRADED"), name
        assert "overridden by Ann Boss: the model is due" in " ".join(text.split()), name
    assert "without the override" in " ".join(told["handoff.md"].split())


def test_a_run_that_says_go_behind_an_overridden_gate_is_not_believed(tmp_path: Path) -> None:
    steps = {"phase3_validation": "DEGRADED", "sign_off": "GO"}
    told = texts(make_run(tmp_path, steps=steps, checks=[check("keys", status="FAIL")], override=OVERRIDE))
    assert told["handoff.md"].startswith("# Handoff: DEGRADED\n")
    assert "courtbook sign" not in told["handoff.md"]


def test_what_is_left_leaves_out_what_was_written_after_coverage_was_read(tmp_path: Path) -> None:
    text = texts(make_run(tmp_path, steps={"preflight": "NO-GO"}))["handoff.md"]
    left = text.partition("## What is left")[2].partition("## Next")[0]
    assert f"- lines: 4 dates missing: {DAYS[0]} .. {DAYS[3]}" in left
    assert "- orders" not in left
    assert "written after coverage was read last: 4 dates of orders" in left


def test_dates_that_failed_after_all_are_left_and_named_with_the_reason(tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps={"preflight": "NO-GO"}, sealed=False)
    about = {
        "step": "preflight",
        "attempt": "attempt-1",
        "table": "orders",
        "executor": "sql",
        "rows": 0,
        "seconds": 0.1,
    }
    Ledger(folder / "ledger.jsonl").append("dates", **about, done=[], failed=[DAYS[1]], why={DAYS[1]: "no | source"})
    text = texts(folder)["handoff.md"]
    assert f"- 1 dates of orders failed: {DAYS[1]}: no \\| source" in text
    assert f"- orders: 1 dates missing: {DAYS[1]}" in text


def test_dates_that_are_still_missing_after_they_were_written_are_left(tmp_path: Path) -> None:
    folder = make_run(tmp_path)
    (folder / "20_phase3_validation/attempt-1/coverage.json").write_text(json.dumps(coverage(4)))
    text = texts(folder)["handoff.md"]
    assert f"- orders: 4 dates missing: {DAYS[0]} .. {DAYS[3]}" in text
    assert "written after coverage" not in text


def test_tables_that_were_never_read_are_not_called_complete(tmp_path: Path) -> None:
    text = texts(make_run(tmp_path))["handoff.md"]
    assert "Nothing in what was read." in text
    assert "ml_feature_store_v2" in text.partition("and so not known:")[2].partition("## Next")[0]


STOPPED = {"preflight": "GO", "phase3_validation": "NO-GO"}
FAILED = [check("keys", status="FAIL", command="courtbook run PARAMS --set range.start=DAY", dates=[DAYS[2], DAYS[5]])]


def test_a_closed_gate_names_the_repair_with_its_dates_then_the_way_back(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "my runs", steps=STOPPED, checks=FAILED)
    text = texts(folder)["handoff.md"]
    assert commands(text) == [
        ["courtbook", "run", str(folder / "params.yaml"), "--set", f"range.start={DAYS[2]}"],
        ["courtbook", "run", "--resume", str(folder)],
    ]
    assert "The next step is phase3_validation, once more." in text


def test_a_long_command_is_broken_where_a_shell_takes_it_for_one(tmp_path: Path) -> None:
    words = ["courtbook", "run", *(f"--set thresholds.check_{number}.minimum=0.5" for number in range(9))]
    text = texts(make_run(tmp_path, steps=STOPPED, checks=[check("keys", status="FAIL", command=" ".join(words))]))[
        "handoff.md"
    ]
    assert commands(text)[0] == " ".join(words).split()
    assert max(len(line) for line in text.splitlines() if "--set" in line) <= 100


def test_an_interrupted_run_is_resumed(tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps={"preflight": "GO", "phase3_backfill": "INTERRUPTED"})
    assert commands(texts(folder)["handoff.md"]) == [["courtbook", "run", "--resume", str(folder)]]


def test_a_dry_run_is_followed_by_one_that_writes(tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps={"preflight": "GO", "phase3_backfill": "NO-GO"})
    (command,) = commands(texts(folder, dry_run=True)["handoff.md"])
    assert command[-2:] == ["--set", "dry_run=false"]


def test_a_chain_that_ended_early_in_go_goes_on_to_the_end(tmp_path: Path) -> None:
    (command,) = commands(texts(make_run(tmp_path))["handoff.md"])
    assert command[-4:] == ["--from", "phase4_backfill", "--to", "sign_off"]


WHOLE = {"preflight": "GO", "phase3_validation": "GO", "sign_off": "GO"}


def test_after_go_the_archive_is_verified_and_signed_by_two(tmp_path: Path) -> None:
    text = texts(make_run(tmp_path, steps=WHOLE, sealed=False))["handoff.md"]
    assert [(command[1], command[-1]) for command in commands(text)] == [
        ("verify", str(tmp_path / "20250102T030405Z-made")),
        ("sign", "executed"),
        ("sign", "approved"),
    ]
    assert "Train the model" in text


def test_what_stands_against_an_approval_is_told_before_anybody_tries(tmp_path: Path) -> None:
    results = [
        check("keys"),
        check("rows", severity="warning", status="WARN"),
        check("old", severity="warning", status="NO_DATA"),
    ]
    text = texts(make_run(tmp_path, steps=WHOLE, checks=results, sealed=False))["handoff.md"]
    assert "- phase3/rows is WARN and nobody waived it by name" in text
    assert "- phase3/old is NO_DATA" in text
    assert [command[-1] for command in commands(text)][1:] == ["executed"]


def test_notebooks_that_a_person_opened_are_opened_again_not_resumed(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, steps=STOPPED, checks=FAILED))
    text = documents(replace(run, events=tuple(e for e in run.events if e["kind"] != "run_started")))["handoff.md"]
    assert "open 20_phase3_validation and run it from its top" in " ".join(text.split())
    assert "--resume" not in text


def test_a_single_repair_is_repeated_not_resumed(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, steps={"phase3_backfill": "NO-GO"}))
    begun = {**run.events[0], "data": {**run.events[0]["data"], "repair": "orders"}}
    text = documents(replace(run, events=(begun, *run.events[1:])))["handoff.md"]
    assert commands(text)[0][-4:] == ["--table", "orders", "--dates", "DATES"]
    assert "--resume" not in text


@pytest.mark.parametrize(
    "steps", [STOPPED, {"preflight": "INTERRUPTED"}, {"preflight": "GO", "sign_off": "GO"}, {"preflight": "GO"}]
)
def test_the_command_line_takes_every_command_of_a_handoff(tmp_path: Path, steps: dict[str, str]) -> None:
    known: Any = typer.main.get_command(app)
    for command in commands(texts(make_run(tmp_path, steps=steps, checks=FAILED))["handoff.md"]):
        words = [{"ROLE": "reviewer", "KEY": __file__}.get(word, word) for word in command]
        known.commands[words[1]].make_context(words[1], words[2:])


def test_the_operator_is_named_and_called_unauthenticated(tmp_path: Path) -> None:
    text = texts(make_run(tmp_path))["handoff.md"]
    asked = text.partition("## Who to ask")[2]
    assert "Olga Operator" in asked
    assert "unauthenticated" in asked


def hostile(tmp_path: Path) -> Run:
    results = [
        check("keys", status="FAIL", detail=HOSTILE, causes=HOSTILE, rule=HOSTILE, repair=HOSTILE, excuse=HOSTILE),
        check("rows", status="WARN", severity="warning", detail="half \ud800 a letter"),
    ]
    run = read_run(make_run(tmp_path, steps=STOPPED, checks=[check("keys")], sealed=False))
    attempts = tuple(replace(item, why=HOSTILE) for item in run.attempts)
    attempts[-1].result["gates"][0].update(results=results, words=HOSTILE)
    given = {"gate": "phase3", "by": HOSTILE, "reason": HOSTILE}
    events = tuple({**e, "data": {**e["data"], "override": given}} if e["kind"] == "gate" else e for e in run.events)
    return replace(run, params={**run.params, "operator": HOSTILE}, attempts=attempts, events=events)


def test_what_people_typed_stays_text(tmp_path: Path) -> None:
    for name, text in documents(hostile(tmp_path)).items():
        assert not set(text) & {"\x1b", "\u202e", "\ud800"}, name
        assert text.count("```") % 2 == 0, name
        page = rendered(text)
        assert not page.find_all(["script", "a", "img"]), name
        assert len(page.find_all("h1")) == 1, name
        assert not [strong for strong in page.find_all("strong") if strong.text == "b"], name
        assert "<script>alert(1)</script> [x](http://e.org)" in page.text, f"{name}: it reads as it was typed"
        assert "&lt;" in page.text, f"{name}: an entity is not resolved"


@pytest.mark.parametrize("word", ["1.", "2)", "#", "-", "+", "===", "---", ">", "*"])
def test_no_word_becomes_markup_because_a_line_begins_with_it(tmp_path: Path, word: str) -> None:
    run = read_run(make_run(tmp_path, steps={"preflight": "INTERRUPTED"}, sealed=False))
    said = " ".join([f"{word} word"] * 40)
    text = documents(replace(run, attempts=(replace(run.attempts[0], why=said),)))["handoff.md"]
    assert said in " ".join(rendered(text).text.split())
    assert len(rendered(text).find_all(["ol", "blockquote", "hr", "h1"])) == 1


def test_documents_read_well_at_a_hundred_columns(tmp_path: Path) -> None:
    sentence = "rows that do not agree with the raw box score " * 6
    results = [check(f"keys.{'long' * 9}", status="FAIL", rule=sentence, detail=sentence, causes=sentence)]
    told = texts(make_run(tmp_path, steps=STOPPED, checks=[*results, *(check(name) for name in PROOF)]))
    for name, text in {**told, "hostile": documents(hostile(tmp_path / "other"))["handoff.md"]}.items():
        wide = [line for line in text.splitlines() if len(line) > 100 and max(map(len, line.split())) < 60]
        assert not wide, name


def test_a_step_that_is_not_concluded_has_the_documents_that_the_run_will_have(tmp_path: Path) -> None:
    folder = make_run(tmp_path, steps=STOPPED, checks=FAILED, sealed=False)
    ended = documents(read_run(folder))
    file = folder / "20_phase3_validation/attempt-1/result.json"
    record = json.loads(file.read_text())["gates"][0]
    file.unlink()
    lines = (folder / "ledger.jsonl").read_text().splitlines(keepends=True)
    (folder / "ledger.jsonl").write_text("".join(lines[:-3]))  # neither step_concluded nor anything after it
    step: Any = SimpleNamespace(
        run=folder,
        definition=CATALOG.step("phase3_validation"),
        attempt=file.parent,
        decisions=[SimpleNamespace(record=lambda results: record if results else {})],
        verdict=lambda: (Verdict.NO_GO, "phase3: all critical checks passed"),
    )
    now = so_far(step)
    assert now["phase3-validation.md"] == ended["phase3-validation.md"]
    assert now["checklist.md"] == ended["checklist.md"]
    assert now["handoff.md"].partition("## State")[2] == ended["handoff.md"].partition("## State")[2]


def signature(number: int, meaning: Meaning, standing: Standing, **more: Any) -> Signature:
    told = {"name": f"Person {number}", "role": "reviewer", "comment": "", "why": ""} | more
    return Signature(
        number=number, meaning=meaning, time="2025-01-02T03:04:05+00:00", fingerprint=f"SHA256:key{number}",
        file=f"signatures/{number:02d}.json", standing=standing, **told,
    )  # fmt: skip


def test_a_sign_off_page_says_who_signed_what_and_that_nothing_is_missing(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path))
    assert run.seal is not None
    signed = [signature(1, Meaning.EXECUTED, Standing.VALID), signature(2, Meaning.APPROVED, Standing.VALID)]
    text = sign_off_page(run, signed, SignOff.SIGNED_OFF)
    assert text.startswith("# Sign-off: SIGNED OFF\n")
    assert re.search(r"2 +Person 2 +reviewer +approved +2025-01-02T03:04:05Z +valid", text)
    assert run.seal.digest in text
    assert text.endswith("## Missing for SIGNED OFF\n\n- nothing\n")


def test_a_sign_off_page_says_what_is_missing_and_which_signature_does_not_count(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path, steps=STOPPED, checks=FAILED))
    why = "no line in the signers file vouches for this key"
    signed = [
        signature(1, Meaning.EXECUTED, Standing.VALID, comment=HOSTILE),
        signature(2, Meaning.APPROVED, Standing.UNAUTHENTICATED, why=why),
        signature(3, Meaning.REVOKED, Standing.VALID, revokes=1),
    ]
    text = sign_off_page(run, signed, SignOff.EXECUTED)
    missing = " ".join(text.partition("## Missing for SIGNED OFF")[2].split())
    assert "- a valid approval by somebody else" in missing
    assert f"2, Person 2: {why}; key SHA256:key2" in " ".join(text.split())
    assert "- against approval: the verdict is NO-GO" in missing
    assert "revokes 1" in text
    assert not rendered(text).find_all(["script", "a", "img"])


@pytest.mark.parametrize("sign_off", list(SignOff))
def test_every_state_of_sign_off_says_what_is_missing(tmp_path: Path, sign_off: SignOff) -> None:
    text = sign_off_page(read_run(make_run(tmp_path)), [], sign_off)
    assert text.startswith(f"# Sign-off: {sign_off.value}\n")
    assert len(text.partition("## Missing for SIGNED OFF\n\n- ")[2]) > 5
