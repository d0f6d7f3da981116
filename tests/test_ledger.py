"""The ledger: a chain that shows every change, safe with several writers."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from courtbook.errors import CourtbookError, ExitCode, Reason
from courtbook.evidence.ledger import Ledger, canonical_json
from hypothesis import given
from hypothesis import strategies as st

APPENDER = """
import sys
from pathlib import Path
from courtbook.evidence.ledger import Ledger
ledger = Ledger(Path(sys.argv[1]))
for number in range(60):
    ledger.append("count", writer=sys.argv[2], number=number)
"""
ROUNDS = 5


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    """A ledger of some events."""
    made = Ledger(tmp_path / "ledger.jsonl")
    for number in range(ROUNDS):
        made.append("gate", gate="phase3", verdict="NO-GO", number=number)
    return made


def lines(ledger: Ledger) -> list[str]:
    return ledger.path.read_text(encoding="utf-8").splitlines(keepends=True)


def assert_broken(ledger: Ledger) -> None:
    fresh = Ledger(ledger.path)  # what a Ledger has verified once it does not read again
    for read in (fresh.events, lambda: fresh.last("gate"), lambda: fresh.append("gate")):
        with pytest.raises(CourtbookError) as caught:
            read()
        assert caught.value.reason is Reason.LEDGER_BROKEN
        assert caught.value.exit_code is ExitCode.ENGINE
        assert caught.value.where == str(ledger.path)


def test_events_come_back_in_order(ledger: Ledger) -> None:
    events = ledger.events()
    assert [event["data"]["number"] for event in events] == list(range(ROUNDS))
    assert all(event["kind"] == "gate" and event["time"].endswith("+00:00") for event in events)
    assert len({event["previous"] for event in events}) == ROUNDS


def test_a_ledger_that_was_never_written_is_empty(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "none.jsonl")
    assert ledger.events() == ()
    assert ledger.last("gate") is None
    assert not ledger.path.exists()


@pytest.mark.parametrize("number", range(ROUNDS))
def test_a_changed_line_is_found(ledger: Ledger, number: int) -> None:
    found = lines(ledger)
    found[number] = found[number].replace("NO-GO", "GO")
    ledger.path.write_text("".join(found), encoding="utf-8")
    assert_broken(ledger)


@pytest.mark.parametrize("number", range(ROUNDS - 1))
def test_a_removed_line_is_found(ledger: Ledger, number: int) -> None:
    found = lines(ledger)
    del found[number]
    ledger.path.write_text("".join(found), encoding="utf-8")
    assert_broken(ledger)


@pytest.mark.parametrize(("one", "other"), [(0, 1), (1, 3), (3, 4)])
def test_reordered_lines_are_found(ledger: Ledger, one: int, other: int) -> None:
    found = lines(ledger)
    found[one], found[other] = found[other], found[one]
    ledger.path.write_text("".join(found), encoding="utf-8")
    assert_broken(ledger)


@pytest.mark.parametrize("number", range(ROUNDS))
def test_an_inserted_or_repeated_line_is_found(ledger: Ledger, number: int) -> None:
    found = lines(ledger)
    found.insert(number, found[number])
    ledger.path.write_text("".join(found), encoding="utf-8")
    assert_broken(ledger)


@pytest.mark.parametrize("line", ["{torn", "", "5", "[]", "null", "{}", '"text"', '{"kind": "gate"}'])
@pytest.mark.parametrize("number", [0, ROUNDS - 1])
def test_a_line_that_is_no_event_is_found(ledger: Ledger, line: str, number: int) -> None:
    found = lines(ledger)
    found[number] = line + "\n"
    ledger.path.write_text("".join(found), encoding="utf-8")
    assert_broken(ledger)


def test_bytes_that_are_not_text_are_found(ledger: Ledger) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes()[:-5] + b"\xff\xfe\n")
    assert_broken(ledger)


@pytest.mark.parametrize("cut", [1, 20, 150])
def test_a_torn_last_line_is_cut_off_and_that_is_on_record(ledger: Ledger, cut: int) -> None:
    ledger.path.write_bytes(ledger.path.read_bytes()[:-cut])
    reader = Ledger(ledger.path)
    assert [event["data"]["number"] for event in reader.events()] == list(range(ROUNDS - 1))
    Ledger(ledger.path).append("gate", number=99)
    kinds = [event["kind"] for event in reader.events()]
    assert kinds == ["gate"] * (ROUNDS - 1) + ["torn_line", "gate"]
    assert reader.last("torn_line")["bytes"] > 0  # type: ignore[index]
    assert reader.last("gate") == {"number": 99}


def test_a_writer_that_is_killed_at_any_moment_leaves_a_ledger_that_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    code = APPENDER.replace("range(60)", "range(10**6)")
    for _ in range(3):
        before = len(Ledger(path).events())
        writer = subprocess.Popen([sys.executable, "-c", code, str(path), "a"])
        while len(Ledger(path).events()) < before + 20:
            assert writer.poll() is None
        writer.kill()
        writer.wait()
        Ledger(path).append("after", before=before)
        assert Ledger(path).last("after") == {"before": before}


FULL = """
import resource, signal, sys
from pathlib import Path
from courtbook.errors import CourtbookError
from courtbook.evidence.ledger import Ledger
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
ledger = Ledger(Path(sys.argv[1]))
resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.path.stat().st_size + 500, -1))
try:
    for number in range(10):
        ledger.append("note", number=number)
except CourtbookError as error:
    print(error.reason.code, number)
"""


def test_a_disk_that_is_full_tears_no_line(ledger: Ledger) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, str(ledger.path)], capture_output=True, text=True, check=True)
    reason, number = done.stdout.split()
    assert reason == "disk_full"
    assert int(number) >= 1
    assert ledger.path.read_bytes().endswith(b"\n")
    ledger.append("note", number="there is room again")
    noted = [event["data"]["number"] for event in Ledger(ledger.path).events()[ROUNDS:]]
    assert noted == [*range(int(number)), "there is room again"]


@pytest.mark.parametrize(
    "text",
    ["line\nbreak", "carriage\rreturn", "next\x85line", "line\u2028separator", "paragraph\u2029separator",
     "\x0b\x0c\x1c", "Zo\u00eb \U0001f3c0", '"quoted" \\', ""],
    ids=ascii,
)  # fmt: skip
def test_any_text_survives(ledger: Ledger, text: str) -> None:
    ledger.append("note", text=text)
    ledger.append("note", text="after it")
    assert [event["data"]["text"] for event in ledger.events()[ROUNDS:]] == [text, "after it"]


def test_what_is_no_json_leaves_no_trace(ledger: Ledger) -> None:
    before = ledger.path.read_bytes()
    for bad in (float("nan"), object(), {1, 2}):
        with pytest.raises((ValueError, TypeError)):
            ledger.append("note", value=bad)
    assert ledger.path.read_bytes() == before


def test_two_processes_that_append_at_once_lose_nothing(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    writers = [subprocess.Popen([sys.executable, "-c", APPENDER, str(path), name]) for name in ("a", "b", "c")]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0, 0]
    events = Ledger(path).events()
    assert len(events) == 180
    for name in ("a", "b", "c"):
        assert [e["data"]["number"] for e in events if e["data"]["writer"] == name] == list(range(60))


def test_last_finds_the_newest_event_that_agrees(ledger: Ledger) -> None:
    ledger.append("gate", gate="preflight", verdict="GO", number=7)
    ledger.append("gate", gate="phase3", verdict="GO", number=8)
    ledger.append("other", gate="phase3", number=9)
    assert ledger.last("gate", gate="phase3") == {"gate": "phase3", "verdict": "GO", "number": 8}
    assert ledger.last("gate", gate="phase3", verdict="NO-GO") == {"gate": "phase3", "verdict": "NO-GO", "number": 4}
    assert ledger.last("gate", gate="ml") is None
    assert ledger.last("gate", absent="x") is None


@given(st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3), max_size=5))
def test_canonical_json_does_not_depend_on_the_order_of_keys(value: dict[str, object]) -> None:
    backwards = dict(reversed(list(value.items())))
    assert canonical_json(value) == canonical_json(backwards)
    assert json.loads(canonical_json(value)) == value
