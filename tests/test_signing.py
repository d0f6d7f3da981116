"""What a signature of a run is worth: statement, key, name, and everything that may happen to them afterwards."""

import hashlib
import json
import os
import pty
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from courtbook import sign_off as signing
from courtbook.errors import CourtbookError, Reason
from courtbook.evidence import ssh
from courtbook.evidence.binding import Archive
from courtbook.evidence.bundle import sha256
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import Seal, seal
from courtbook.evidence.record import read_run
from courtbook.evidence.signatures import Meaning, Signature, SignOff, Standing, read_signatures, sign_off
from courtbook.evidence.signatures import told as tell
from courtbook.evidence.statement import Stated, make_statement, read_statement
from courtbook.evidence.unfinished import Shown
from courtbook.sign_off import sign_run
from courtbook.verify import verify
from made_keys import ALAN, OLGA, RITA, make_key, make_signers, vouch
from made_run import check, load, make_run

SHOWN = Shown(lambda manifest: f"{manifest.digest}\n", lambda: "# Sign-off\n")
TEXT = "Größe ✓\r\nzwei".encode()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("the keys")
    return {name: make_key(folder, f"key {number}") for number, name in enumerate((OLGA, RITA, ALAN))}


@pytest.fixture
def signers(tmp_path: Path, keys: dict[str, Path]) -> Path:
    return make_signers(tmp_path, keys)


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make_run(tmp_path / "all runs")


@pytest.fixture
def sign(run: Path, keys: dict[str, Path], signers: Path) -> Callable[..., Signature]:
    """Sign the run; every argument may be given another value."""

    def signed(name: str, meaning: str, comment: str = "seen", **changed: Any) -> Signature:
        given = {"role": "engineer", "key": keys.get(name), "signers": signers, "tell": print, "folder": run}
        return sign_run(name=name, meaning=Meaning(meaning), comment=comment, shown=SHOWN, **{**given, **changed})

    return signed


@pytest.fixture
def signed(run: Path, sign: Callable[..., Signature]) -> Path:
    sign(OLGA, "executed")
    sign(RITA, "approved")
    return run


def forge(
    run: Path,
    key: Path,
    name: str,
    meaning: str,
    *,
    lie: tuple[str, str] = ("", ""),
    told_key: str = "",
    **changed: Any,
) -> None:
    """Sign as somebody does who walks past every refusal.

    Parameters
    ----------
    lie : tuple
        Words of the statement, and what stands there instead.
    told_key : str
        The key as the ledger has it, if not the right one.
    """
    told, known = read_run(run), read_signatures(run, None)
    assert told.seal is not None
    stated = Stated(
        told.name,
        told.seal.digest,
        told.seal.evidence["ledger"]["head"],
        len(known) + 1,
        name,
        "forger",
        Meaning(meaning),
        "forged",
        datetime.now(UTC).isoformat(timespec="seconds"),
        sha256(run / f"{known[-1].file}.sig") if known else "",
    )
    stated = replace(stated, **changed)
    text = make_statement(told, told.seal, stated).replace(*lie).encode()
    signature = ssh.sign(text, key)
    file = f"signatures/{stated.number:02d}-{meaning}-forged.json"
    one = tell({**stated.record(), "key": told_key or ssh.check(text, signature)}, file)
    signing._write(Archive(told), stated, one, (text, signature), SHOWN)


def standings(run: Path, signers: Path | None) -> list[Standing]:
    return [item.standing for item in read_signatures(run, signers)]


# Keys


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
def test_each_kind_of_key_signs_and_says_whose_it_is(tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path, "key", kind)
    signature = ssh.sign(TEXT, key)
    told = subprocess.run(["ssh-keygen", "-l", "-f", key], capture_output=True, text=True, check=True).stdout
    assert ssh.check(TEXT, signature) == told.split()[1]
    assert ssh.check(TEXT + b".", signature) == ""
    signers = tmp_path / "signers"
    signers.write_text(ssh.signers_line("Jo Ünal", signature))
    assert ssh.vouched(TEXT, signature, "Jo Ünal", signers, datetime.now(UTC)) == ""


@pytest.fixture
def agent(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    socket = tmp_path_factory.mktemp("a") / "s"
    with subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()  # it listens
        monkeypatch.setenv("SSH_AUTH_SOCK", str(socket))
        yield
        process.send_signal(signal.SIGTERM)


@pytest.mark.usefixtures("agent")
@pytest.mark.parametrize("given", ["public half", "encrypted private half"])
def test_a_key_in_the_agent_signs(tmp_path: Path, given: str) -> None:
    key = make_key(tmp_path, "key")
    subprocess.run(["ssh-add", "-q", key], check=True)
    subprocess.run(["ssh-keygen", "-q", "-p", "-N", "secret", "-f", key], check=True, stdout=subprocess.DEVNULL)
    if given == "public half":
        key.unlink()
        key = key.with_suffix(".pub")
    signature = ssh.sign(TEXT, key)
    assert ssh.check(TEXT, signature)


def encrypted(folder: Path) -> Path:
    return make_key(folder, "key", passphrase="secret")


def readable(folder: Path) -> Path:
    key = make_key(folder, "key")
    key.chmod(0o644)
    return key


def filled(content: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        (folder / "key").write_text(content)
        return folder / "key"

    return make


def pipe(folder: Path) -> Path:
    os.mkfifo(folder / "key")
    return folder / "key"


def public_only(folder: Path) -> Path:
    key = make_key(folder, "key")
    key.unlink()
    return key.with_suffix(".pub")


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (encrypted, "passphrase"),
        (readable, "too open"),
        (filled(""), "cannot sign with this key"),
        (filled("no key\n"), "cannot sign with this key"),
        (lambda folder: folder / "no key", "no such file"),
        (lambda folder: folder, "no such file"),
        (pipe, "no such file"),
        (public_only, "No private key"),
    ],
    ids=["encrypted", "mode", "empty", "text", "missing", "folder", "pipe", "public"],
)
def test_a_key_that_cannot_sign_is_named_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Callable[[Path], Path], words: str
) -> None:
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    # Nobody is asked for a passphrase where nobody sits: this helper would answer.
    (tmp_path / "ask").write_text("#!/bin/sh\necho secret\n")
    (tmp_path / "ask").chmod(0o755)
    monkeypatch.setenv("SSH_ASKPASS", str(tmp_path / "ask"))
    monkeypatch.setenv("DISPLAY", ":0")
    key = make(tmp_path)
    with pytest.raises(CourtbookError, match=words) as caught:
        ssh.sign(TEXT, key)
    assert caught.value.reason is Reason.BAD_FILE
    assert caught.value.where == str(key)


@pytest.mark.parametrize(("typed", "status"), [(b"secret\n", 0), (b"wrong\n", 2), (b"", 2)])
def test_who_sits_at_a_terminal_is_asked_for_the_passphrase(tmp_path: Path, typed: bytes, status: int) -> None:
    key = make_key(tmp_path, "key", passphrase="secret")
    code = "\n".join(
        (
            "import sys",
            "from pathlib import Path",
            "from courtbook.errors import CourtbookError",
            "from courtbook.evidence import ssh",
            "try:",
            "    ssh.sign(b'x', Path(sys.argv[1]))",
            "except CourtbookError as error:",
            "    sys.exit(int(error.exit_code))",
        )
    )
    child, terminal = pty.fork()
    if child == 0:
        if not typed:  # a job of a terminal, with nobody at its input
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.execvpe(sys.executable, [sys.executable, "-c", code, str(key)], {**os.environ, "SSH_AUTH_SOCK": ""})
    shown = b""
    while typed and b"passphrase" not in shown:
        shown += os.read(terminal, 1000)
    os.write(terminal, typed)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.close(terminal)
    assert ended == status


def stand_in(folder: Path, script: str) -> None:
    (folder / "bin").mkdir()
    (folder / "bin" / "ssh-keygen").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "bin" / "ssh-keygen").chmod(0o755)


@pytest.mark.parametrize(
    ("script", "words"),
    [
        (None, "no ssh-keygen"),
        ("echo 'ssh-keygen: unknown option -- Y' >&2; exit 1", "too old"),
        ("echo 'Invalid option: verify-time' >&2; exit 1", "too old"),
        ("exec /bin/sleep 60", "did not answer"),
    ],
    ids=["none", "no -Y", "no verify-time", "hangs"],
)
def test_without_a_usable_ssh_keygen_nothing_is_signed_and_nothing_believed(
    signed: Path,
    signers: Path,
    keys: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str | None,
    words: str,
) -> None:
    if script:
        stand_in(tmp_path, script)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setattr(ssh, "_SECONDS", 0.05)
    found = read_signatures(signed, signers)
    assert [item.standing for item in found] == [Standing.UNCHECKED] * 2
    assert all(words in item.why for item in found)
    assert [item.name for item in found] == [OLGA, RITA]
    assert sign_off(found) is SignOff.UNCHECKED
    with pytest.raises(CourtbookError, match=words) as caught:
        ssh.sign(TEXT, keys[OLGA])
    assert caught.value.reason is Reason.SIGN_FAILED


# The statement


def test_a_statement_names_what_was_signed_and_can_be_checked_without_courtbook(signed: Path, signers: Path) -> None:
    file = signed / "signatures" / "02-approved-rita-rehor.json"
    content = load(file)
    assert content["_type"] == "https://in-toto.io/Statement/v1"
    assert content["predicateType"] == "https://in-toto.io/attestation/test-result/v0.1"
    named = {item["name"]: item["digest"]["sha256"] for item in content["subject"]}
    assert named == {name: hashlib.sha256((signed / name).read_bytes()).hexdigest() for name in named}
    wanted = {path.relative_to(signed).as_posix() for path in signed.glob("*/attempt-1/*.[ih]*") if path.is_file()}
    results = {path.relative_to(signed).as_posix() for path in signed.glob("*/*/result.json")}
    assert set(named) == {"manifest.json", "ledger.jsonl", *wanted, *results}
    predicate = content["predicate"]
    assert (predicate["result"], predicate["passedTests"]) == ("PASSED", ["phase3/keys", "phase3/rows"])
    assert [item["name"] for item in predicate["configuration"]] == ["params.yaml", "requirements.lock"]
    about = predicate["courtbook"]
    assert about["run"]["seal"] == load(signed / "manifest.json")["digest"]
    assert about["previous"] == sha256(signed / "signatures" / "01-executed-olga-operator.json.sig")
    command = ["ssh-keygen", "-Y", "verify", "-f", signers, "-I", RITA, "-n", "courtbook-sign-off", "-s", f"{file}.sig"]
    with file.open("rb") as text:
        subprocess.run(command, stdin=text, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("verdict", "checks", "result", "lists"),
    [
        ("GO", [check("a")], "PASSED", (["a"], [], [])),
        ("GO", [check("a"), check("w", status="WARN", excuse="waived by Jo")], "WARNED", (["a"], ["w"], [])),
        ("GO", [check("n", status="NO_DATA", severity="warning")], "WARNED", ([], ["n"], [])),
        (
            "NO-GO",
            [check("n", status="NO_DATA"), check("e", status="ERROR", severity="warning")],
            "FAILED",
            ([], [], ["e", "n"]),
        ),
        ("DEGRADED", [check("f", status="FAIL"), check("a")], "FAILED", (["a"], [], ["f"])),
        ("MARGINAL", [check("w", status="WARN")], "FAILED", ([], ["w"], [])),
        ("GO", [], "FAILED", ([], [], [])),
    ],
)
def test_the_result_of_a_statement_follows_from_the_checks(
    tmp_path: Path, verdict: str, checks: list[Any], result: str, lists: tuple[list[str], ...]
) -> None:
    run = read_run(make_run(tmp_path, steps={"preflight": "GO", "phase3_validation": verdict}, checks=checks))
    assert run.seal is not None
    stated = Stated("r", run.seal.digest, "h", 1, OLGA, "r", Meaning.EXECUTED, "", "2025-01-02T03:04:05+00:00", "")
    text = make_statement(run, run.seal, stated)
    assert text == make_statement(run, run.seal, stated)
    predicate = json.loads(text)["predicate"]
    told = [predicate[key] for key in ("passedTests", "warnedTests", "failedTests")]
    assert (predicate["result"], told) == (result, [[f"phase3/{name}" for name in names] for names in lists])
    assert read_statement(text) == stated


@pytest.mark.parametrize(
    "change",
    [
        lambda text: "",
        lambda text: "[]",
        lambda text: "[" * 100_000,
        lambda text: text.replace(":", ": ", 1),
        lambda text: text.replace('"number":1', '"number":1,"number":1'),
        lambda text: text.replace(OLGA, ""),
        lambda text: text.replace(OLGA, "Olga\u200b Operator"),
        lambda text: text.replace(OLGA, "*"),
        lambda text: text.replace('"executed"', '"adored"'),
        lambda text: text.replace("v0.1", "v0.2"),
        lambda text: text.replace("+00:00", ""),
        lambda text: text.replace('"format":1', '"format":2'),
    ],
)
def test_what_is_no_statement_is_refused_before_it_is_believed(run: Path, change: Callable[[str], str]) -> None:
    told = read_run(run)
    assert told.seal is not None
    stated = Stated("r", "d", "h", 1, OLGA, "role", Meaning.EXECUTED, "", "2025-01-02T03:04:05+00:00", "")
    text = make_statement(told, told.seal, stated)
    with pytest.raises(ValueError):
        read_statement(change(text))


# What a signature is worth


def test_executed_and_approved_by_two_people_is_signed_off(signed: Path, signers: Path) -> None:
    found = read_signatures(signed, signers)
    assert [(item.number, item.name, item.meaning, item.standing) for item in found] == [
        (1, OLGA, Meaning.EXECUTED, Standing.VALID),
        (2, RITA, Meaning.APPROVED, Standing.VALID),
    ]
    assert sign_off(found) is SignOff.SIGNED_OFF
    assert verify(signed, signers).findings == ()


def test_a_copy_of_a_run_under_another_name_is_signed_off_too(signed: Path, signers: Path, tmp_path: Path) -> None:
    copy = tmp_path / "a copy, ünicode"
    shutil.copytree(signed, copy)
    assert sign_off(read_signatures(copy, signers)) is SignOff.SIGNED_OFF


def edit(name: str, old: str, new: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        text = (run / name).read_text()
        assert old in text
        (run / name).write_text(text.replace(old, new, 1))

    return change


ONE = "signatures/01-executed-olga-operator.json"
TWO = "signatures/02-approved-rita-rehor.json"


def swap(run: Path) -> None:
    (run / f"{TWO}.sig").write_text((run / f"{ONE}.sig").read_text())


def rename(run: Path) -> None:
    for end in ("", ".sig"):
        (run / f"{ONE}{end}").rename(run / f"{ONE.replace('executed', 'reviewed')}{end}")


def link(run: Path) -> None:
    (run / ONE).rename(run.parent / "away.json")
    (run / ONE).symlink_to(run.parent / "away.json")


@pytest.mark.parametrize(
    ("change", "expected", "words"),
    [
        (
            edit("20_phase3_validation/attempt-1/result.json", '"verdict": "GO"', '"verdict": "go"'),
            (False, False),
            "changed after",
        ),
        (
            edit("20_phase3_validation/attempt-1/20_phase3_validation.ipynb", '"2"', '"3"'),
            (False, False),
            "changed after",
        ),
        (edit("params.yaml", "Olga", "Anna"), (False, False), "changed after"),
        (edit("index.html", "html", "HTML"), (False, False), "changed after"),
        (edit("manifest.json", "duckdb:", "duckDB:"), (False, False), "seal that was changed"),
        (edit(ONE, "seen", "read"), (False, True), "does not hold"),
        (edit(TWO, RITA, ALAN), (True, False), "does not hold"),
        (edit(f"{ONE}.sig", "-----\n", "-----\n\n"), (False, False), "ledger says otherwise"),
        (swap, (True, False), "does not hold"),
        (rename, (False, False, True), "missing"),
        (link, (False, True), "missing"),
        (lambda run: (run / TWO).unlink(), (True, False), "missing"),
        (lambda run: (run / f"{TWO}.sig").unlink(), (True, False), "missing"),
        (lambda run: (run / ONE).write_bytes(b"\xff"), (False, True), "no statement"),
    ],
)
def test_whatever_is_changed_afterwards_the_signature_does_not_hold(
    signed: Path, signers: Path, change: Callable[[Path], None], expected: tuple[bool, ...], words: str
) -> None:
    change(signed)
    found = read_signatures(signed, signers)
    assert tuple(item.standing is Standing.VALID for item in found) == expected
    wrong = [item for item in found if item.standing is Standing.INVALID]
    assert words in wrong[0].why
    assert sign_off(found) is SignOff.BROKEN
    assert str(signed.parent) not in "".join(item.why for item in found)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (edit("ledger.jsonl", "GO", "go"), "ledger was changed"),
        (lambda run: (run / "params.yaml").unlink(), "cannot be read"),
    ],
)
def test_of_a_run_that_cannot_be_read_no_signature_is_shown(
    signed: Path, signers: Path, change: Callable[[Path], None], words: str
) -> None:
    change(signed)
    with pytest.raises(CourtbookError, match=words):
        read_signatures(signed, signers)


def test_a_rejection_whose_file_is_gone_still_stands_against_the_run(
    signed: Path, sign: Callable[..., Signature], signers: Path
) -> None:
    one = sign(ALAN, "rejected", "the wrong season")
    assert sign_off(read_signatures(signed, signers)) is SignOff.REJECTED
    (signed / one.file).unlink()
    (signed / f"{one.file}.sig").unlink()
    found = read_signatures(signed, signers)
    assert (found[2].name, found[2].meaning, found[2].standing) == (ALAN, Meaning.REJECTED, Standing.INVALID)
    assert sign_off(found) is SignOff.BROKEN


def test_a_rejection_counts_though_nobody_vouches_for_its_key(
    signed: Path, sign: Callable[..., Signature], signers: Path, keys: dict[str, Path]
) -> None:
    sign(ALAN, "rejected", "the wrong season")
    signers.write_text("".join(vouch(name, keys[name]) for name in (OLGA, RITA)))
    assert standings(signed, signers) == [Standing.VALID, Standing.VALID, Standing.UNAUTHENTICATED]
    assert sign_off(read_signatures(signed, signers)) is SignOff.REJECTED


def test_a_rejection_counts_though_nobody_can_check_it(
    signed: Path, sign: Callable[..., Signature], signers: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sign(ALAN, "rejected", "the wrong season")
    monkeypatch.setenv("PATH", "")
    assert sign_off(read_signatures(signed, signers)) is SignOff.REJECTED


def test_signatures_of_another_run_are_worth_nothing(signed: Path, signers: Path, tmp_path: Path) -> None:
    other = make_run(tmp_path / "others")
    shutil.copytree(signed / "signatures", other / "signatures")
    found = read_signatures(other, signers)
    assert [item.standing for item in found] == [Standing.INVALID] * 2
    assert "another run" in found[0].why
    assert sign_off(found) is SignOff.BROKEN


def test_a_signature_made_for_another_purpose_does_not_count(
    signed: Path, signers: Path, keys: dict[str, Path]
) -> None:
    file = signed / TWO
    Path(f"{file}.sig").unlink()
    command = ["ssh-keygen", "-q", "-Y", "sign", "-f", keys[RITA], "-n", "file", file]
    subprocess.run(command, check=True, capture_output=True)
    found = read_signatures(signed, signers)
    assert (found[1].standing, "something else" in found[1].why) == (Standing.INVALID, True)


def resume(run: Path, *, ends: bool) -> None:
    ledger = Ledger(run / "ledger.jsonl")
    ledger.append("run_resumed", step="phase3_validation")
    if ends:
        ledger.append("run_ended", verdict="GO", steps=1)
        seal(run, Seal.RUN, {**load(run / "manifest.json")["evidence"], "verdict": "GO"})


def test_a_run_that_went_on_leaves_its_signatures_void_and_is_signed_anew(
    signed: Path, sign: Callable[..., Signature], signers: Path
) -> None:
    resume(signed, ends=False)
    assert standings(signed, signers) == [Standing.VOID] * 2
    resume(signed, ends=True)
    found = read_signatures(signed, signers)
    assert [item.standing for item in found] == [Standing.VOID] * 2
    assert sign_off(found) is SignOff.UNSIGNED
    assert "went on" in found[0].why
    sign(OLGA, "executed")
    assert sign(RITA, "approved").number == 4
    found = read_signatures(signed, signers)
    assert [item.standing for item in found] == [Standing.VOID] * 2 + [Standing.VALID] * 2
    assert sign_off(found) is SignOff.SIGNED_OFF
    assert verify(signed, signers).findings == ()


def test_what_is_wrong_with_a_signature_goes_before_its_being_void(signed: Path, signers: Path) -> None:
    resume(signed, ends=True)
    edit(ONE, "seen", "read")(signed)
    assert standings(signed, signers)[0] is Standing.INVALID


def test_a_void_signature_whose_seal_was_changed_is_invalid(signed: Path, signers: Path) -> None:
    resume(signed, ends=True)
    with (signed / "manifest.json").open("a") as file:
        file.write("\n")
    found = read_signatures(signed, signers)
    assert [item.standing for item in found] == [Standing.INVALID] * 2
    assert "seal that was changed" in found[0].why


def test_the_words_between_unsigned_and_signed_off(run: Path, sign: Callable[..., Signature], signers: Path) -> None:
    def amounts() -> SignOff:
        return sign_off(read_signatures(run, signers))

    assert amounts() is SignOff.UNSIGNED
    sign(OLGA, "executed")
    assert amounts() is SignOff.EXECUTED
    sign(RITA, "reviewed")
    assert amounts() is SignOff.REVIEWED
    sign(RITA, "approved")
    assert amounts() is SignOff.SIGNED_OFF
    sign(ALAN, "rejected", "no")
    assert amounts() is SignOff.REJECTED
    sign(ALAN, "revoked", "a mistake", revokes=4)
    assert amounts() is SignOff.SIGNED_OFF
    sign(OLGA, "revoked", "it was not me", revokes=1)
    assert amounts() is SignOff.UNSIGNED
    assert verify(run, signers).findings == ()
    found = read_signatures(run, signers)
    assert found[0].why == "revoked by signature 6: it was not me"


# What is forged past all refusals


@pytest.mark.parametrize(
    ("name", "meaning", "changed", "words"),
    [
        (RITA, "revoked", {"revokes": 1}, "that its signer may revoke"),
        (RITA, "revoked", {"revokes": 2}, "no signature before it"),
        (RITA, "revoked", {"revokes": None}, "a revocation names"),
        (OLGA, "approved", {}, "who operates a run"),
        (RITA, "reviewed", {"time": "2020-01-01T00:00:00+00:00"}, "before the run was sealed"),
        (RITA, "reviewed", {"head": "0" * 64}, "another run"),
        (RITA, "reviewed", {"previous": "0" * 64}, "does not follow"),
        (RITA, "reviewed", {"revokes": 1}, "no other meaning does"),
        (RITA, "reviewed", {"told_key": "SHA256:another"}, "ledger says otherwise: key"),
        (RITA, "reviewed", {"lie": ('"PASSED"', '"FAILED"')}, "not what the run says"),
        (RITA, "reviewed", {"lie": ('"phase3/rows"', '"phase3/more"')}, "not what the run says"),
    ],
)
def test_a_signature_that_should_have_been_refused_does_not_hold(
    run: Path,
    sign: Callable[..., Signature],
    signers: Path,
    keys: dict[str, Path],
    name: str,
    meaning: str,
    changed: dict[str, Any],
    words: str,
) -> None:
    sign(OLGA, "executed")
    forge(run, keys[name], name, meaning, **changed)
    found = read_signatures(run, signers)
    assert [item.standing for item in found] == [Standing.VALID, Standing.INVALID]
    assert words in found[1].why


def test_an_approval_of_a_run_that_is_not_go_does_not_hold(
    tmp_path: Path, signers: Path, keys: dict[str, Path]
) -> None:
    run = make_run(
        tmp_path, steps={"preflight": "GO", "phase3_validation": "NO-GO"}, checks=[check("a", status="FAIL")]
    )
    forge(run, keys[OLGA], OLGA, "executed")
    forge(run, keys[RITA], RITA, "approved")
    found = read_signatures(run, signers)
    assert found[1].standing is Standing.INVALID
    assert "the verdict is NO-GO" in found[1].why


def test_one_key_under_two_names_is_one_person(run: Path, signers: Path, keys: dict[str, Path]) -> None:
    signers.write_text(vouch("*@example.org", keys[OLGA]))
    forge(run, keys[OLGA], "o@example.org", "executed")
    forge(run, keys[OLGA], "r@example.org", "approved")
    assert standings(run, signers) == [Standing.VALID] * 2
    assert sign_off(read_signatures(run, signers)) is SignOff.EXECUTED


@pytest.mark.parametrize("name", ["OLGA  OPERATOR", "Ｏｌｇａ Operator", "olga operator"])
def test_one_name_with_two_keys_is_one_person(run: Path, signers: Path, keys: dict[str, Path], name: str) -> None:
    name = " ".join(name.split())
    told = read_run(run)
    assert told.params["operator"] == OLGA
    signers.write_text(vouch("Olga operatoR", keys[OLGA]) + vouch(name, keys[RITA]))
    forge(run, keys[OLGA], "Olga operatoR", "executed")
    forge(run, keys[RITA], name, "approved")
    assert standings(run, signers) == [Standing.VALID, Standing.INVALID]


# The signers file


def lines(*wanted: str) -> Callable[[Path], str]:
    return lambda key: "".join(
        line.replace("KEY", vouch("", key, "").removeprefix('""').strip()) + "\n" for line in wanted
    )


def day(offset: int) -> str:
    return f"{datetime.now(UTC) + timedelta(days=offset):%Y%m%d}"


@pytest.mark.parametrize(
    ("content", "standing", "words"),
    [
        (lines(f'"{OLGA}" KEY'), Standing.VALID, ""),
        (lines("# comment", "", f'"{OLGA}" KEY # comment'), Standing.VALID, ""),
        (lines('"Olga *" KEY'), Standing.VALID, ""),
        (lines('"Rita R","Olga *" KEY'), Standing.UNAUTHENTICATED, "does not say"),
        (lines(f'"Rita R,{OLGA}" KEY'), Standing.VALID, ""),
        (lines(f'"Olga *,!{OLGA}" KEY'), Standing.UNAUTHENTICATED, "allowed_signers"),
        (lines("no line at all", '"open', f'"{OLGA}" KEY'), Standing.VALID, ""),
        (lines(f'"{OLGA}" namespaces="git" KEY'), Standing.UNAUTHENTICATED, "namespace"),
        (lines(f'"{OLGA}" namespace="git" KEY'), Standing.UNAUTHENTICATED, "unknown key option"),
        (lines(f'"{OLGA}" valid-before="{day(-1)}" KEY'), Standing.UNAUTHENTICATED, "expired"),
        (lines(f'"{OLGA}" valid-after="{day(2)}" KEY'), Standing.UNAUTHENTICATED, "not yet valid"),
        (lines(f'"{OLGA}" valid-after="{day(-1)}",valid-before="{day(2)}" KEY'), Standing.VALID, ""),
        (lines('"olga operator" KEY'), Standing.UNAUTHENTICATED, "does not say"),
        (lines(f'"{OLGA}" ssh-ed25519 AAAA'), Standing.UNAUTHENTICATED, "invalid"),
        (lines(""), Standing.UNAUTHENTICATED, "does not say"),
        (lambda key: "\0\x01\xff", Standing.UNAUTHENTICATED, ""),
    ],
)
def test_what_a_signers_file_may_say(
    run: Path,
    sign: Callable[..., Signature],
    signers: Path,
    keys: dict[str, Path],
    content: Callable[[Path], str],
    standing: Standing,
    words: str,
) -> None:
    sign(OLGA, "executed")
    signers.write_text(content(keys[OLGA]), encoding="utf-8")
    (found,) = read_signatures(run, signers)
    assert found.standing is standing, found.why
    assert words in found.why
    assert str(signers.parent) not in found.why


def test_a_name_that_nobody_vouches_for_is_told_the_line_that_would(
    run: Path, sign: Callable[..., Signature], signers: Path
) -> None:
    told: list[str] = []
    signers.write_text("")
    assert sign(OLGA, "executed", tell=told.append).standing is Standing.UNAUTHENTICATED
    assert sign_off(read_signatures(run, signers)) is SignOff.UNSIGNED
    signers.write_text(told[-1] + "\n")
    assert standings(run, signers) == [Standing.VALID]


@pytest.mark.parametrize("given", ["none", "missing"])
def test_without_a_signers_file_nobody_is_authenticated(signed: Path, tmp_path: Path, given: str) -> None:
    file = tmp_path / "no such file" if given == "missing" else None
    assert standings(signed, file) == [Standing.UNAUTHENTICATED] * 2
    assert sign_off(read_signatures(signed, file)) is SignOff.UNSIGNED


def test_a_key_on_the_list_of_revoked_ones_counts_no_more(signed: Path, signers: Path, keys: dict[str, Path]) -> None:
    revoked = signers.with_name(ssh.REVOKED_SIGNERS)
    shutil.copy(f"{keys[RITA]}.pub", revoked)
    found = read_signatures(signed, signers)
    assert [item.standing for item in found] == [Standing.VALID, Standing.UNAUTHENTICATED]
    assert ssh.REVOKED_SIGNERS in found[1].why
    revoked.write_text("no key\n")
    assert standings(signed, signers) == [Standing.UNAUTHENTICATED] * 2


class Late(datetime):
    """A clock that is four minutes behind."""

    behind = timedelta(minutes=4)

    @classmethod
    def now(cls, tz: Any = None) -> datetime:
        return datetime.now(tz) - cls.behind


class Ahead(Late):
    behind = -timedelta(hours=1)


@pytest.mark.parametrize("zone", ["", "Z"])
def test_a_key_that_expired_after_it_signed_still_counts(
    run: Path,
    sign: Callable[..., Signature],
    signers: Path,
    keys: dict[str, Path],
    monkeypatch: pytest.MonkeyPatch,
    zone: str,
) -> None:
    monkeypatch.setattr(signing, "datetime", Late)
    sign(OLGA, "executed")
    until = f"{datetime.now(UTC) - timedelta(minutes=2):%Y%m%d%H%M%S}"
    signers.write_text(vouch(OLGA, keys[OLGA], f'valid-before="{until}{zone}"'))
    monkeypatch.setenv("TZ", "America/Los_Angeles")  # far behind UTC; dates in the file are UTC for everybody
    assert standings(run, signers) == [Standing.VALID]


def test_a_signature_from_the_future_does_not_count_yet(
    run: Path, sign: Callable[..., Signature], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(signing, "datetime", Ahead)
    one = sign(OLGA, "executed")
    assert (one.standing, one.why) == (Standing.UNAUTHENTICATED, "it is dated in the future")
