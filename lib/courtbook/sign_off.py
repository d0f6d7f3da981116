"""Signs a sealed run: refuses what must not be signed, writes the signature, seals the run anew."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence import ssh
from courtbook.evidence.binding import Archive, listed
from courtbook.evidence.bundle import sha256, write_once
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import Manifest
from courtbook.evidence.record import read_run
from courtbook.evidence.refusals import refusals
from courtbook.evidence.signatures import FOLDER, Meaning, Signature, Standing, authenticated, told
from courtbook.evidence.statement import Stated, make_statement, tidy, wrong_words
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
    shown: Shown,
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
    shown : Shown
        Makes the run's page for its new manifest, and the sign-off document.

    Raises
    ------
    CourtbookError
        If the run must not be signed like this. Nothing of the signature is then in the run's folder.
    """
    folder = folder.resolve()  # the lock is that of the run, whatever link it was called by
    with _writing(folder), hold_run(folder):
        archive, seal, known = _sound(folder, signers, shown, tell)
        stated = Stated(
            folder.name,
            seal.digest,
            seal.evidence["ledger"]["head"],
            1 + max((item.number for item in known), default=0),
            name,
            role,
            meaning,
            comment,
            datetime.now(UTC).isoformat(timespec="seconds"),
            sha256(folder / f"{known[-1].file}.sig") if known else "",
            revokes,
        )
        if wrong := wrong_words(stated):
            raise _refusal(folder, f"These words cannot be signed: {wrong}.", "Give others, in one line each.")
        stated = replace(stated, name=tidy(name), role=tidy(role), comment=tidy(comment))
        one = told(stated.record(), f"{FOLDER}/{stated.number:02d}-{meaning.value}-{_slug(stated.name)}.json")
        _refuse(archive, known, stated, one)
        text = make_statement(archive.run, seal, stated).encode()
        signature = ssh.sign(text, key)
        one = authenticated(replace(one, fingerprint=ssh.check(text, signature)), text, signature, signers)
        _refuse(archive, known, stated, one)  # once more, since now the key is known
        _write(archive, stated, one, (text, signature), shown)
        if one.standing is not Standing.VALID:
            tell(f"signature {one.number} counts for nothing yet: {one.why}; the line that would vouch for it is:")
            tell(ssh.signers_line(one.name, signature))
        return one


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


def _refusal(folder: Path, what: str, next_action: str) -> CourtbookError:
    return CourtbookError(Reason.SIGN_REFUSED, what, where=folder.name, next_action=next_action)


def _slug(name: str) -> str:
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:40].strip("-") or "signer"


def _sound(
    folder: Path, signers: Path | None, shown: Shown, tell: Callable[[str], None]
) -> tuple[Archive, Manifest, tuple[Signature, ...]]:
    """Return a run, its seal and its signatures, refused unless it has ended and is what was sealed."""
    try:
        settle(folder, shown, tell)
        found, archive = verify(folder, signers), Archive(read_run(folder))
        # Whoever is not vouched for has signed nothing that counts, but has not harmed the archive either.
        apart = {item.file for item in found.signatures if item.standing is Standing.UNAUTHENTICATED}
        wrong = [f"{item.where} {item.what}" for item in found.findings if item.where not in apart]
    except CourtbookError as error:
        wrong = [error.what]
    if wrong or archive.run.seal is None or archive.later:
        raise _refusal(
            folder,
            f"This is no run that has ended and is as it was sealed: {listed(wrong) or 'it went on'}.",
            "If it was killed or resumed, 'courtbook run --resume RUN' brings it to its end; else take another copy.",
        )
    return archive, archive.run.seal, found.signatures


def _refuse(archive: Archive, known: Sequence[Signature], stated: Stated, one: Signature) -> None:
    for what, next_action in (*archive.against(stated), *refusals(known, one)):
        raise _refusal(archive.run.folder, f"{what[0].upper()}{what[1:]}.", next_action)


def _write(archive: Archive, stated: Stated, one: Signature, content: tuple[bytes, bytes], shown: Shown) -> None:
    """Write a signature, put it on record and seal the run anew, in this order: settle() relies on it."""
    folder = archive.run.folder
    (folder / FOLDER).mkdir(exist_ok=True)
    files = dict(zip((one.file, f"{one.file}.sig"), content, strict=True))
    for name, text in files.items():
        write_once(folder / name, text.decode())
    digests = {name: sha256(folder / name) for name in files}
    recorded = {**stated.record(), "key": one.fingerprint, "file": one.file, "files": digests}
    Ledger(folder / "ledger.jsonl").append("signed", **recorded)
    seal_signature(folder, one.number, archive.run.verdict, shown)
