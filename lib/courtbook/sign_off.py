"""Signs a sealed run: refuses what must not be signed, writes the signature, seals the run anew."""

import re
import tempfile
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence import ssh
from courtbook.evidence.binding import CLOCKS, read_archive
from courtbook.evidence.bundle import sha256, write_once
from courtbook.evidence.ledger import Ledger, manifest_files
from courtbook.evidence.manifest import Manifest
from courtbook.evidence.record import Run
from courtbook.evidence.refusals import listed, refusal, refuse
from courtbook.evidence.signatures import FOLDER, Meaning, Signature, Standing, read_signatures
from courtbook.evidence.statement import Stated, make_statement, tidy, wrong_name, wrong_text
from courtbook.evidence.unfinished import Shown, seal_signature, settle
from courtbook.verify import verify
from courtbook.work import hold_run


def default_signers(root: Path) -> Path:
    """Return the signers file of a project: which key belongs to whom."""
    return root / "params" / "allowed_signers"


def sign_run(
    folder: Path,
    *,
    name: str,
    role: str,
    meaning: Meaning,
    comment: str,
    key: Path,
    signers: Path | None,
    revokes: int | None = None,
    shown: Shown | None = None,
    tell: Callable[[str], None],
) -> Signature:
    """Sign a sealed run.

    Parameters
    ----------
    key : Path
        A private SSH key, or the public half of one in the agent.
    signers : Path or None
        The file that says which key belongs to whom. Who does not stand there may sign, but it counts for nothing.
    revokes : int or None
        The number of the own signature that is taken back; with ``Meaning.REVOKED`` only.
    shown : Shown, optional
        Makes the run's page for its new manifest, and the sign-off document.

    Raises
    ------
    CourtbookError
        If the run must not be signed like this. Nothing of the signature is then in the run's folder.
    """
    folder = folder.resolve()  # the lock is that of the run, whatever link it was called by
    if not (folder / "ledger.jsonl").is_file():
        raise CourtbookError(
            Reason.BAD_FILE, "There is no run here.", where=str(folder), next_action="Name the folder of a run."
        )
    with _writing(folder), hold_run(folder):
        run, known = _sound_run(folder, signers, shown, tell)
        stated = _state(run, known, (name, role, comment), meaning, revokes)
        words = (stated.name, stated.role, meaning, stated.comment, stated.time)
        file = f"{FOLDER}/{stated.number:02d}-{meaning.value}-{_slug(stated.name)}.json"
        one = Signature(stated.number, *words, "", file, Standing.UNCHECKED, revokes=revokes)
        refuse(run, known, one)
        text = make_statement(run, _seal_of(run), stated)
        signed = ssh.sign(text.encode(), key)
        one = _authenticated(one, text, signed, stated, signers)
        refuse(run, known, one)  # once more, since now the key is known
        _write(run, stated, one, (text, signed), shown)
        if one.standing is not Standing.VALID:
            tell(f"signature {one.number} counts for nothing yet: {one.why}; the line that would vouch for it is:")
            tell(ssh.signers_line(one.name, signed))
        return next(item for item in read_signatures(folder, signers) if item.file == file)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise CourtbookError(
            Reason.SIGN_FAILED,
            f"The signature cannot be written: {error.strerror}.",
            where=str(error.filename or folder),
            next_action="See to permissions and room, then sign again: that clears what is half there.",
        ) from error


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "signer"


def _sound_run(
    folder: Path, signers: Path | None, shown: Shown | None, tell: Callable[[str], None]
) -> tuple[Run, tuple[Signature, ...]]:
    """Return the run and its signatures, refused unless it ended, is sealed, and is what was sealed."""
    again = "Take another copy of the run; this one must not be signed."
    if not manifest_files(folder):
        raise refusal(
            folder.name,
            "The run is not sealed: it was killed, or was never run as a whole.",
            "Go on with 'courtbook run --resume RUN', which seals it at its end.",
        )
    try:
        settle(folder, shown, tell)
        archive = read_archive(folder)
    except CourtbookError as error:
        if error.reason not in (Reason.LEDGER_BROKEN, Reason.BAD_FILE):
            raise
        raise refusal(folder.name, f"The archive does not verify: {error.what}", again) from error
    if archive.later or archive.run.ended is None or archive.run.seal is None:
        raise refusal(
            folder.name,
            "The run went on since it was sealed, and has not come to its end.",
            "Go on with 'courtbook run --resume RUN', which seals it at its end.",
        )
    found = verify(folder, signers)
    # Whoever is not vouched for has signed nothing that counts, but has not harmed the archive either.
    apart = {item.file for item in found.signatures if item.standing is Standing.UNAUTHENTICATED}
    if wrong := [f"{item.where} {item.what}" for item in found.findings if item.where not in apart]:
        raise refusal(folder.name, f"The archive does not verify: {listed(wrong)}.", again)
    return archive.run, found.signatures


def _seal_of(run: Run) -> Manifest:
    assert run.seal is not None  # noqa: S101 - a run that is not sealed was refused
    return run.seal


def _state(
    run: Run, known: Sequence[Signature], words: tuple[str, str, str], meaning: Meaning, revokes: int | None
) -> Stated:
    """Return what is going to be signed, refused unless its words can be shown and its time believed."""
    sealed, now = _seal_of(run), datetime.now(UTC)
    name, role, comment = (tidy(item) for item in words)
    wrong = {"name": wrong_name(name), "role": "" if role else "it is empty"}
    wrong["role"], wrong["comment"] = wrong["role"] or wrong_text(role), wrong_text(comment)
    if meaning in (Meaning.REJECTED, Meaning.REVOKED) and not comment:
        wrong["comment"] = f"it is empty, and whoever reads '{meaning.value}' needs to know why"
    for what, why in wrong.items():
        if why:
            raise refusal(f"--{what}", f"The {what} cannot be signed: {why}.", f"Give another --{what}, in one line.")
    if now < datetime.fromisoformat(sealed.evidence["sealed"]) - CLOCKS:
        raise refusal(
            run.name,
            f"By this machine's clock it is {now:%Y-%m-%d %H:%M} UTC, before the run was sealed.",
            "Set the clock, then sign again.",
        )
    return Stated(
        run.name,
        sealed.digest,
        sealed.evidence["ledger"]["head"],
        1 + max((item.number for item in known), default=0),
        name,
        role,
        meaning,
        comment,
        now.isoformat(timespec="seconds"),
        sha256(run.folder / f"{known[-1].file}.sig") if known else "",
        revokes,
    )


def _authenticated(one: Signature, text: str, signed: str, stated: Stated, signers: Path | None) -> Signature:
    """Return a signature that is not written yet with its key, and what the signers file says of it."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "sig"
        file.write_text(signed, encoding="ascii")
        key = ssh.check(text.encode(), file) or ""
        why = "no signers file was given"
        if signers is not None:
            why = ssh.vouched(text.encode(), file, one.name, signers, stated.moment)
    return replace(one, fingerprint=key, standing=Standing.UNAUTHENTICATED if why else Standing.VALID, why=why)


def _write(run: Run, stated: Stated, one: Signature, content: tuple[str, str], shown: Shown | None) -> None:
    """Write a signature, put it on record and seal the run anew, in this order: settle() relies on it."""
    (run.folder / FOLDER).mkdir(exist_ok=True)
    files = dict(zip((one.file, f"{one.file}.sig"), content, strict=True))
    for name, text in files.items():
        write_once(run.folder / name, text)
    digests = {name: sha256(run.folder / name) for name in files}
    Ledger(run.folder / "ledger.jsonl").append(
        "signed", **stated.record(), key=one.fingerprint, file=one.file, files=digests
    )
    seal_signature(run.folder, one.number, run.verdict, shown)
