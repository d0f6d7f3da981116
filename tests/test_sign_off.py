"""Who may sign a run and who may not, and what becomes of a signature that is cut short."""

import errno
import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.bundle import write_once
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import Manifest, Seal, seal
from courtbook.evidence.signatures import Meaning, Signature, SignOff, Standing, read_signatures, sign_off
from courtbook.evidence.unfinished import Shown
from courtbook.sign_off import default_signers, sign_run
from courtbook.verify import verify
from courtbook.work import hold_run
from made_keys import ALAN, OLGA, RITA, make_key, make_signers, vouch
from made_run import check, load, make_run

REFUSED: dict[str, tuple[int, str]] = {}
OTHER = "Olaf Other"
SHOWN = Shown(lambda manifest: f"{manifest.digest}\n", lambda: "# Sign-off\n")


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("keys")
    return {name: make_key(folder, name.split()[0]) for name in (OLGA, RITA, ALAN, OTHER)}


@dataclass
class Desk:
    """A run and the people who may sign it."""

    run: Path
    keys: dict[str, Path]
    signers: Path

    def sign(self, name: str, meaning: str, comment: str = "seen", **changed: Any) -> Signature:
        given = {
            "role": "engineer",
            "key": self.keys.get(name),
            "signers": self.signers,
            "shown": SHOWN,
            "tell": print,
            "folder": self.run,
        }
        return sign_run(name=name, meaning=Meaning(meaning), comment=comment, **{**given, **changed})

    def again(self, **made: Any) -> None:
        """Make the run anew, in another state."""
        shutil.rmtree(self.run)
        self.run = make_run(self.run.parent, **made)

    def files(self) -> dict[str, bytes]:
        return {str(path.relative_to(self.run)): path.read_bytes() for path in self.run.rglob("*") if path.is_file()}


@pytest.fixture
def desk(tmp_path: Path, keys: dict[str, Path]) -> Desk:
    return Desk(make_run(tmp_path / "runs"), keys, make_signers(tmp_path, keys))


# What is refused: how the run came to be, who signs what, with what, and the words of the refusal


Arrange = Callable[[Desk], None]
STEPS = {"preflight": "GO", "phase3_validation": "GO"}


def nothing(desk: Desk) -> None:
    assert desk.run.is_dir()


def executed(desk: Desk) -> None:
    desk.sign(OTHER, "executed")


def checks(*wanted: dict[str, Any], verdict: str = "GO", **more: Any) -> Arrange:
    def arrange(desk: Desk) -> None:
        desk.again(checks=list(wanted), steps={**STEPS, "phase3_validation": verdict}, **more)
        executed(desk)

    return arrange


def first(*signatures: tuple[str, str], **more: Any) -> Arrange:
    def arrange(desk: Desk) -> None:
        for name, meaning in signatures:
            desk.sign(name, meaning, **more)

    return arrange


def resumed(desk: Desk) -> None:
    Ledger(desk.run / "ledger.jsonl").append("run_resumed", step="phase3_validation")


def resealed(desk: Desk) -> None:
    executed(desk)
    resumed(desk)
    Ledger(desk.run / "ledger.jsonl").append("run_ended", verdict="GO", steps=1)
    seal(desk.run, Seal.RUN, {**load(desk.run / "manifest.json")["evidence"], "verdict": "GO"})


def changed(name: str, old: str, new: str) -> Arrange:
    def arrange(desk: Desk) -> None:
        text = (desk.run / name).read_text()
        assert old in text
        (desk.run / name).write_text(text.replace(old, new))

    return arrange


def added(desk: Desk) -> None:
    executed(desk)
    (desk.run / "index-9.html").write_text("look here\n")


def changed_signature(desk: Desk) -> None:
    executed(desk)
    changed(FIRST, "seen", "read")(desk)


def same_key(desk: Desk) -> None:
    executed(desk)
    desk.signers.write_text(desk.signers.read_text() + vouch(RITA, desk.keys[OTHER]))
    desk.keys = {**desk.keys, RITA: desk.keys[OTHER]}


def same_name(desk: Desk) -> None:
    executed(desk)
    name = OTHER.upper()
    desk.signers.write_text(desk.signers.read_text() + vouch(name, desk.keys[RITA]))
    desk.keys = {**desk.keys, name: desk.keys[RITA]}


def unvouched_executor(desk: Desk) -> None:
    desk.signers.write_text(vouch(RITA, desk.keys[RITA]))
    executed(desk)
    desk.signers.write_text(vouch(RITA, desk.keys[RITA]) + vouch(OTHER, desk.keys[ALAN]))
    desk.keys = {**desk.keys, OTHER: desk.keys[ALAN]}


def rejected(desk: Desk) -> None:
    executed(desk)
    desk.sign(ALAN, "rejected", "the wrong season")


def unchecked(desk: Desk) -> None:
    desk.again(steps={"preflight": "GO"}, checks=[])
    executed(desk)


def revoked(desk: Desk) -> None:
    executed(desk)
    desk.sign(OTHER, "revoked", revokes=1)


LOW = {"value": 0.5, "numerator": 50.0}
FAIL = check("f", status="FAIL", **LOW)
MARGINAL = check("m", status="WARN", floor=0.4, **LOW)
WARN = check("w", status="WARN", severity="warning", **LOW)
WAIVED = {**WARN, "excuse": "waived by Wim until 2025-12-31: known"}
EMPTY = check("n", status="NO_DATA", severity="warning", value=None, numerator=None)
OVERRIDE = {"gate": "phase3", "by": "Boss", "reason": "hurry"}
EXECUTES, REVIEWS, APPROVES, TAKES_BACK = (
    (OLGA, "executed"),
    (RITA, "reviewed"),
    (RITA, "approved"),
    (OTHER, "revoked"),
)
RESULT, FIRST = "20_phase3_validation/attempt-1/result.json", "signatures/01-executed-olaf-other.json"
REFUSALS: list[tuple[str, Arrange, tuple[str, str], dict[str, Any], str]] = [
    ("run not sealed", lambda desk: desk.again(sealed=False), EXECUTES, {}, "was never sealed"),
    ("run was resumed and goes on", resumed, EXECUTES, {}, "as it was sealed"),
    ("a result was changed", changed(RESULT, "GO", "go"), EXECUTES, {}, "as it was sealed"),
    ("the ledger was changed", changed("ledger.jsonl", "GO", "go"), EXECUTES, {}, "as it was sealed"),
    ("the manifest was changed", changed("manifest.json", "{", "["), EXECUTES, {}, "as it was sealed"),
    ("a file was added", added, REVIEWS, {}, "as it was sealed"),
    ("a signature was changed", changed_signature, REVIEWS, {}, "as it was sealed"),
    ("operator reviews", executed, (OLGA, "reviewed"), {}, "Who operates a run"),
    (
        "operator approves, spelled otherwise",
        executed,
        ("OLGA  operator ", "approved"),
        {"key": "ALAN"},
        "Who operates a run",
    ),
    ("executor reviews", executed, (OTHER, "reviewed"), {}, "same name or key"),
    ("executor approves with another key", same_name, (OTHER.upper(), "approved"), {}, "same name or key"),
    ("executor approves under another name", same_key, APPROVES, {}, "same name or key"),
    ("executor nobody vouches for approves", unvouched_executor, (OTHER, "approved"), {}, "same name or key"),
    ("executor takes it back and approves", revoked, (OTHER, "approved"), {}, "same name or key"),
    ("executor of what was resumed approves", resealed, (OTHER, "approved"), {}, "same name or key"),
    ("reviewer executes", first((OLGA, "executed"), (RITA, "reviewed")), (RITA, "executed"), {}, "has reviewed"),
    ("approver executes", first((OLGA, "executed"), (RITA, "approved")), (RITA, "executed"), {}, "has approved"),
    ("review before execution", nothing, REVIEWS, {}, "Nobody has signed yet"),
    ("approval before execution", nothing, APPROVES, {}, "Nobody has signed yet"),
    ("approval when execution was taken back", revoked, APPROVES, {}, "Nobody has signed yet"),
    ("approval when execution is void", resealed, APPROVES, {}, "Nobody has signed yet"),
    ("approval of NO-GO", checks(FAIL, verdict="NO-GO"), APPROVES, {}, "the verdict is NO-GO"),
    ("approval of MARGINAL", checks(MARGINAL, verdict="MARGINAL"), APPROVES, {}, "the verdict is MARGINAL"),
    ("approval of DEGRADED", checks(FAIL, verdict="DEGRADED", override=OVERRIDE), APPROVES, {}, "overridden by Boss"),
    (
        "approval of INTERRUPTED",
        checks(check("a"), verdict="INTERRUPTED"),
        APPROVES,
        {},
        "phase3_validation is INTERRUPTED",
    ),
    (
        "approval with a check in ERROR",
        checks(check("a"), check("e", status="ERROR"), verdict="NO-GO"),
        APPROVES,
        {},
        "phase3/e is ERROR",
    ),
    ("approval with NO_DATA", checks(check("a"), EMPTY), APPROVES, {}, "baseline"),
    (
        "approval with waived NO_DATA",
        checks(check("a"), {**EMPTY, "excuse": "waived by Wim"}),
        APPROVES,
        {},
        "baseline",
    ),
    ("approval with a warning", checks(check("a"), WARN), APPROVES, {}, "nobody waived it"),
    ("approval of nothing", unchecked, APPROVES, {}, "no check was made"),
    ("approval of what was rejected", rejected, APPROVES, {}, "the wrong season"),
    ("no name", nothing, (" ", "executed"), {"key": "OLGA"}, "the name is empty"),
    ("no role", nothing, EXECUTES, {"role": ""}, "the role is empty"),
    (
        "rejection without a comment",
        nothing,
        (OLGA, "rejected"),
        {"comment": " "},
        "the comment is empty",
    ),
    ("revocation without a comment", executed, TAKES_BACK, {"comment": "", "revokes": 1}, "the comment is empty"),
    ("line break in a name", nothing, ("Olga\nOperator", "executed"), {"key": "OLGA"}, "line break"),
    ("line break in a comment", nothing, EXECUTES, {"comment": "a\n\nAPPROVED"}, "line break"),
    ("escape sequence in a role", nothing, EXECUTES, {"role": "\x1b[2Jboss"}, "U+001B"),
    ("invisible letter in a name", nothing, ("Olga\u200bOperator", "executed"), {"key": "OLGA"}, "U+200B"),
    ("text that turns around", nothing, EXECUTES, {"comment": "ok \u202eton"}, "U+202E"),
    ("broken encoding in a name", nothing, ("Olga \udcff", "executed"), {"key": "OLGA"}, "U+DCFF"),
    ("wildcard as a name", nothing, ("*", "executed"), {"key": "OLGA"}, "signers file reads"),
    ("comma in a name", nothing, ("Operator, Olga", "executed"), {"key": "OLGA"}, "signers file reads"),
    ("the same twice", executed, (OTHER, "executed"), {}, "signed this already"),
    ("the same twice, another key", same_name, (OTHER.upper(), "executed"), {}, "signed this already"),
    ("the same twice, another name", same_key, (RITA, "executed"), {}, "signed this already"),
    ("revocation of nothing", executed, TAKES_BACK, {"revokes": 7}, "no signature 7 that"),
    ("revocation of none named", executed, TAKES_BACK, {}, "A revocation names"),
    ("revocation of what is revoked", revoked, TAKES_BACK, {"revokes": 1}, "it is revoked"),
    ("revocation of a revocation", revoked, TAKES_BACK, {"revokes": 2}, "A revocation stays"),
    ("revocation of what is void", resealed, TAKES_BACK, {"revokes": 1}, "it is void"),
    ("revocation of somebody else's", rejected, (RITA, "revoked"), {"revokes": 2}, f"is that of {ALAN}"),
    (
        "revocation under a borrowed name",
        rejected,
        (ALAN, "revoked"),
        {"revokes": 2, "key": "RITA"},
        f"is that of {ALAN}",
    ),
    ("a meaning and a revocation", executed, REVIEWS, {"revokes": 1}, "no other meaning does"),
]


@pytest.mark.parametrize(
    ("title", "arrange", "who", "given", "words"), REFUSALS, ids=[item[0].replace(" ", "-") for item in REFUSALS]
)
def test_refused(
    desk: Desk, title: str, arrange: Arrange, who: tuple[str, str], given: dict[str, Any], words: str
) -> None:
    arrange(desk)
    before = desk.files()
    people = {"OLGA": OLGA, "RITA": RITA, "ALAN": ALAN}
    more = {**given, "key": desk.keys[people[given["key"]]]} if "key" in given else given
    with pytest.raises(CourtbookError, match=re.escape(words)) as caught:
        desk.sign(*who, **more)
    assert caught.value.reason is Reason.SIGN_REFUSED
    assert desk.files() == before
    REFUSED[title] = (int(caught.value.exit_code), caught.value.what)


def test_the_table_of_refusals(capsys: pytest.CaptureFixture[str]) -> None:
    if len(REFUSED) < len(REFUSALS):
        pytest.skip("not all refusals were tried in this run")
    lines = [f"{'refusal':<44} {'exit':>4}  message"]
    lines += [f"{title:<44} {status:>4}  {' '.join(what.split()[:12])}" for title, (status, what) in REFUSED.items()]
    with capsys.disabled():  # to stderr: what a worker of xdist writes to stdout is lost
        sys.stderr.write("\n" + "\n".join(lines).encode("ascii", "backslashreplace").decode() + "\n")
    assert {status for status, _ in REFUSED.values()} == {5}


def test_nothing_is_signed_while_the_run_goes_on_by_whatever_path(desk: Desk) -> None:
    latest = desk.run.parent / "LATEST"
    latest.symlink_to(desk.run.name)
    with hold_run(desk.run), pytest.raises(CourtbookError) as caught:
        desk.sign(OLGA, "executed", folder=latest)
    assert caught.value.reason is Reason.RUN_HELD
    assert desk.sign(OLGA, "executed", folder=latest).standing is Standing.VALID


def test_a_clock_before_the_seal_is_refused(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    from datetime import datetime, timedelta

    class Behind(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.now(tz) - timedelta(hours=1)

    monkeypatch.setattr("courtbook.sign_off.datetime", Behind)
    with pytest.raises(CourtbookError, match="clock") as caught:
        desk.sign(OLGA, "executed")
    assert caught.value.reason is Reason.SIGN_REFUSED


@pytest.mark.skipif(os.geteuid() == 0, reason="nothing is read-only for root")
def test_a_folder_that_cannot_be_written_is_said_to_be(desk: Desk) -> None:
    desk.run.chmod(0o555)
    with pytest.raises(CourtbookError, match="cannot be written"):
        desk.sign(OLGA, "executed")
    desk.run.chmod(0o755)
    assert desk.sign(OLGA, "executed").standing is Standing.VALID


# What is not refused


@pytest.mark.parametrize(
    ("verdict", "found", "more"),
    [
        ("NO-GO", FAIL, {}),
        ("MARGINAL", MARGINAL, {}),
        ("INTERRUPTED", FAIL, {}),
        ("DEGRADED", FAIL, {"override": OVERRIDE}),
    ],
)
def test_a_run_that_is_not_go_can_be_signed_reviewed_and_rejected(
    desk: Desk, verdict: str, found: dict[str, Any], more: dict[str, Any]
) -> None:
    desk.again(steps={**STEPS, "phase3_validation": verdict}, checks=[found], **more)
    desk.sign(OLGA, "executed", "")
    desk.sign(RITA, "reviewed", "")
    desk.sign(ALAN, "rejected", "too little")
    signatures = read_signatures(desk.run, desk.signers)
    assert {item.standing for item in signatures} == {Standing.VALID}
    assert sign_off(signatures) is SignOff.REJECTED


def test_warnings_that_were_waived_by_name_can_be_approved(desk: Desk) -> None:
    checks(check("a"), WAIVED)(desk)
    assert desk.sign(RITA, "approved").standing is Standing.VALID
    assert load(desk.run / "signatures" / "02-approved-rita-rehor.json")["predicate"]["result"] == "WARNED"


def test_a_rejection_may_come_first_and_is_taken_back_by_its_key_under_any_name(desk: Desk) -> None:
    desk.sign(ALAN, "rejected", "no")
    desk.sign("Alan A.", "revoked", "yes", revokes=1, key=desk.keys[ALAN])
    desk.sign(ALAN, "rejected", "no, after all")
    found = read_signatures(desk.run, desk.signers)
    assert [item.standing for item in found] == [Standing.REVOKED, Standing.UNAUTHENTICATED, Standing.VALID]


def test_who_uses_a_name_that_is_not_his_does_not_keep_its_owner_from_signing(desk: Desk) -> None:
    desk.sign(OTHER, "executed", key=desk.keys[ALAN])
    assert desk.sign(OTHER, "executed").standing is Standing.VALID


@pytest.mark.parametrize("name", ["Ørsted Ångström", "王小明", "o'neil & söhne", "-n", "a" * 200, "Ann/../../e"])
def test_a_name_may_be_written_in_any_letters(desk: Desk, name: str) -> None:
    desk.signers.write_text(vouch(name, desk.keys[OLGA]), encoding="utf-8")
    one = desk.sign(name, "executed", key=desk.keys[OLGA])
    assert (one.name, one.standing) == (name, Standing.VALID)
    assert {path.parent for path in desk.run.rglob("*01-*")} == {desk.run / "signatures"}
    assert verify(desk.run, desk.signers).findings == ()


def test_a_name_that_is_composed_otherwise_is_the_same(desk: Desk) -> None:
    assert (
        desk.sign("Rita R\u030cehor\u030c".replace("R\u030c", "\u0158"), "executed", key=desk.keys[RITA]).standing
        is Standing.VALID
    )


def test_the_page_of_a_signed_run_shows_the_new_seal_and_the_signature(desk: Desk) -> None:
    def page(manifest: Manifest) -> str:
        return f"{manifest.digest} {[item.name for item in read_signatures(desk.run, desk.signers)]}\n"

    desk.sign(OLGA, "executed", shown=Shown(page, lambda: "# Sign-off\n"))
    assert (desk.run / "index-2.html").read_text() == f"{load(desk.run / 'manifest-2.json')['digest']} ['{OLGA}']\n"
    assert verify(desk.run, desk.signers).findings == ()


def test_where_the_signers_of_a_project_stand(tmp_path: Path) -> None:
    assert default_signers(tmp_path) == tmp_path / "params" / "allowed_signers"


# What is cut short


def cut(desk: Desk, number: int, how: str) -> int:
    """Sign in a process that is cut off before its nth change of the run's folder; return how it ended."""
    inside = str(desk.run)
    count = 0

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        nonlocal count
        changes = event in ("os.link", "os.remove", "os.mkdir") or (event == "open" and arguments[2] & os.O_CREAT)
        if changes and any(
            isinstance(item, (str, os.PathLike)) and os.fspath(item).startswith(inside) for item in arguments
        ):  # type: ignore[union-attr]
            count += 1
            if count == number and how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if count == number:
                raise OSError(errno.ENOSPC, "No space left on device")

    if child := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    status = 99
    try:
        sys.addaudithook(hook)
        desk.sign(RITA, "approved")
        status = 0 if count < number else 3  # a fault that did no harm: there was nothing to make room for
    except CourtbookError as error:
        status = int(error.exit_code)
    finally:
        os._exit(status)


@pytest.mark.slow
@pytest.mark.parametrize(("how", "ends"), [("killed", -signal.SIGKILL), ("no room", 3)])
def test_a_signature_that_is_cut_short_anywhere_is_cleared_or_finished(desk: Desk, how: str, ends: int) -> None:
    desk.sign(OLGA, "executed")
    pure = desk.run.rename(desk.run.parent / "pure")
    seen: set[str] = set()
    number = 0
    while True:
        number += 1
        shutil.copytree(pure, desk.run)
        ended = cut(desk, number, how)
        if ended == 0:
            break
        assert ended == ends
        told: list[str] = []
        try:  # again
            desk.sign(RITA, "approved", tell=told.append)
        except CourtbookError as error:
            assert "signed this already" in error.what  # it was on record, and counts
        seen |= {" ".join(line.split()[:2]) for line in told}
        found = read_signatures(desk.run, desk.signers)
        assert [item.standing for item in found] == [Standing.VALID] * 2, (number, told)
        assert verify(desk.run, desk.signers).findings == (), (number, told)
        shutil.rmtree(desk.run)
    assert number > 12
    assert {"cleared what", "sealed a"} <= seen


def test_an_event_that_was_half_written_is_cleared(desk: Desk) -> None:
    write_once(desk.run / "ledger-2.jsonl", '{"data":{"name":"Ol')
    (desk.run / "signatures").mkdir()
    write_once(desk.run / "signatures" / "01-executed-olga-operator.json", "{}")
    told: list[str] = []
    desk.sign(OLGA, "executed", tell=told.append)
    assert "ledger-2.jsonl" in told[0]
    assert verify(desk.run, desk.signers).findings == ()


@pytest.mark.parametrize(
    "name",
    [
        "signatures/07-executed-olga.json",
        "signatures/01-executed-olga.txt",
        "signatures/01-executed-olga.json.bak",
        "ledger-3.jsonl",
        "index-3.html",
        "notes.txt",
        "00_preflight/attempt-1/.result.json.0123456789abcdef0123456789abcdef",
    ],
)
def test_a_file_that_signing_would_not_have_written_is_never_cleared(desk: Desk, name: str) -> None:
    (desk.run / "signatures").mkdir()
    write_once(desk.run / "signatures" / "01-executed-olga.json", "{}")
    write_once(desk.run / name, "mine\n")
    before = desk.files()
    with pytest.raises(CourtbookError, match="as it was sealed"):
        desk.sign(OLGA, "executed")
    assert desk.files() == before


def test_a_signature_that_was_cut_short_and_forged_is_not_finished(desk: Desk) -> None:
    desk.sign(OLGA, "executed")
    (desk.run / "manifest-2.json").unlink()
    file = desk.run / "signatures" / "01-executed-olga-operator.json"
    file.write_text(file.read_text().replace("seen", "read"))
    before = desk.files()
    with pytest.raises(CourtbookError, match="as it was sealed"):
        desk.sign(RITA, "approved")
    assert desk.files() == before


def test_a_signature_that_was_cut_short_beside_another_one_is_not_finished(desk: Desk) -> None:
    desk.sign(OLGA, "executed")
    (desk.run / "manifest-2.json").unlink()
    write_once(desk.run / "signatures" / "01-approved-rita.json", "{}")
    before = desk.files()
    with pytest.raises(CourtbookError, match="as it was sealed"):
        desk.sign(RITA, "approved")
    assert desk.files() == before


def test_a_link_is_neither_cleared_nor_finished(desk: Desk, tmp_path: Path) -> None:
    (desk.run / "signatures").mkdir()
    link = desk.run / "signatures" / "01-executed-olga-operator.json"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CourtbookError, match="as it was sealed"):
        desk.sign(OLGA, "executed")
    assert link.is_symlink()


def test_work_that_went_on_is_not_cleared_as_a_signature(desk: Desk) -> None:
    resumed(desk)
    before = desk.files()
    with pytest.raises(CourtbookError, match="as it was sealed"):
        desk.sign(OLGA, "executed")
    assert desk.files() == before


def test_two_who_sign_at_once_get_a_number_each(desk: Desk) -> None:
    desk.sign(OLGA, "executed")
    children = []
    for name in (RITA, ALAN):
        if child := os.fork():
            children.append(child)
            continue
        status = 99
        try:
            while status == 99:
                try:
                    desk.sign(name, "reviewed")
                    status = 0
                except CourtbookError as error:
                    status = 99 if error.reason is Reason.RUN_HELD else 1
        finally:
            os._exit(status)
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0, 0]
    found = read_signatures(desk.run, desk.signers)
    assert [item.number for item in found] == [1, 2, 3]
    assert {item.standing for item in found} == {Standing.VALID}
    assert verify(desk.run, desk.signers).findings == ()
