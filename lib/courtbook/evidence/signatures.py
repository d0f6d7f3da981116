"""Signatures of a run, and what they amount to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path

from courtbook.errors import CourtbookError
from courtbook.evidence import ssh
from courtbook.evidence.binding import CLOCKS, Archive, read_archive
from courtbook.evidence.bundle import sha256
from courtbook.evidence.statement import Meaning as Meaning  # noqa: PLC0414 - others take it from here
from courtbook.evidence.statement import Stated, person, read_statement

FOLDER = "signatures"


class Standing(Enum):
    """What a signature is worth now."""

    VALID = "valid"
    UNAUTHENTICATED = "unauthenticated"
    VOID = "void"
    REVOKED = "revoked"
    INVALID = "invalid"
    UNCHECKED = "not checked"


class SignOff(Enum):
    """What the signatures of a run amount to."""

    UNSIGNED = "not signed"
    EXECUTED = "signed by who executed it, not approved"
    REVIEWED = "reviewed, not approved"
    REJECTED = "REJECTED"
    SIGNED_OFF = "SIGNED OFF"
    UNCHECKED = "signed, but the signatures could not be checked"
    BROKEN = "a signature does not hold"


@dataclass(frozen=True)
class Signature:
    """One signature of a run.

    Attributes
    ----------
    number : int
        1 for the first one of the run.
    time : str
        UTC, ISO 8601.
    fingerprint : str
        The key, as ``ssh-keygen -l`` names it: ``SHA256:...``.
    why : str
        Why its standing is not ``VALID``; empty if it is.
    revokes : int or None
        The number of the signature that this one revokes.
    """

    number: int
    name: str
    role: str
    meaning: Meaning
    comment: str
    time: str
    fingerprint: str
    file: str
    standing: Standing
    why: str = ""
    revokes: int | None = None

    @property
    def sound(self) -> bool:
        """Whether the key signed just this, of the run as it is, whoever the key belongs to."""
        return self.standing in (Standing.VALID, Standing.UNAUTHENTICATED)

    def same_person(self, other: "Signature") -> bool:
        """Tell whether two signatures are of one person: the same name, however spelled, or the same key."""
        return person(self.name) == person(other.name) or self.fingerprint == other.fingerprint != ""


FILE = re.compile(rf"{FOLDER}/(\d{{2,}})-({'|'.join(item.value for item in Meaning)})-[a-z0-9-]+\.json")


def read_signatures(run: Path, signers: Path | None) -> tuple[Signature, ...]:
    """Read the signatures of a run and say what each is worth now.

    Parameters
    ----------
    signers : Path or None
        The file that says which key belongs to whom. Without it no signature is better than unauthenticated.
    """
    try:
        archive, broken = read_archive(run), ""
    except CourtbookError as error:
        archive, broken = None, error.what.replace(str(run), run.name)  # a page shows it, elsewhere too
    own = {path.relative_to(run).as_posix() for path in run.glob(f"{FOLDER}/*.json")}
    files = {name for name in own if (run / f"{name}.sig").exists()} | set(archive.events if archive else ())
    reader = _Reader(run, archive, broken, signers)
    found: list[Signature] = []
    previous = ""
    for file in sorted((name for name in files if FILE.fullmatch(name)), key=lambda name: (_number(name), name)):
        found.append(reader.read(file, previous))
        beside = run / f"{file}.sig"
        previous = sha256(beside) if beside.is_file() else ""
    return _revoked(tuple(found))


def _number(file: str) -> int:
    return int(file.removeprefix(f"{FOLDER}/").partition("-")[0])


@dataclass(frozen=True)
class _Reader:
    """Reads signatures of one run, one by one; ``broken`` says why there is no archive."""

    run: Path
    archive: Archive | None
    broken: str
    signers: Path | None

    def read(self, file: str, previous: str) -> Signature:
        """Read one signature and judge it by itself."""
        event = self.archive.events.get(file, {}) if self.archive else {}
        name, role, comment, time, key = (
            str(event.get(item, "")) for item in ("name", "role", "comment", "time", "key")
        )
        meaning = Meaning(file.split("-")[1])
        known = Signature(_number(file), name, role, meaning, comment, time, key, file, Standing.INVALID)
        path, beside = self.run / file, self.run / f"{file}.sig"
        if any(item.is_symlink() or not item.is_file() for item in (path, beside)):
            return replace(known, why="one of its two files is missing")
        try:
            content = path.read_bytes()
            stated, subject = read_statement(content.decode())
        except (OSError, ValueError) as error:
            told = error.strerror if isinstance(error, OSError) else error  # not the path, which is this machine's
            return replace(known, why=f"it is no statement: {told}")
        said = replace(
            known, name=stated.name, role=stated.role, comment=stated.comment, time=stated.time, revokes=stated.revokes
        )
        if self.archive is None:
            return replace(said, why=self.broken)
        try:
            key = ssh.check(content, beside) or ""
            said, unchecked = replace(said, fingerprint=key), ""
        except CourtbookError as error:
            unchecked = error.what
        if (stated.number, stated.meaning) != (said.number, meaning):
            wrong = "its file has another name than it was signed under"
        elif stated.previous != previous:
            wrong = "it does not follow the signature before it"
        elif not unchecked and not said.fingerprint:
            wrong = "its signature does not hold for what it says, or was made for something else"
        elif event and event.get("key") != said.fingerprint:
            wrong = "the ledger says otherwise: key"
        else:
            wrong = self._contradiction(self.archive, stated, subject, content, file)
        if wrong or unchecked:
            return replace(said, standing=Standing.INVALID if wrong else Standing.UNCHECKED, why=wrong or unchecked)
        if not self.archive.current(stated):
            return replace(said, standing=Standing.VOID, why="the run went on after it was signed")
        return self._vouched(said, stated, content)

    @staticmethod
    def _contradiction(archive: Archive, stated: Stated, subject: Mapping[str, str], content: bytes, file: str) -> str:
        try:
            return archive.contradiction(stated, subject, content.decode(), file)
        except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
            return f"what the run left cannot be read: {error!r}"

    def _vouched(self, said: Signature, stated: Stated, content: bytes) -> Signature:
        """Ask who the key belongs to, at the time stated, which lies between the seal and now."""
        why = "" if self.signers else "no signers file was given"
        if stated.moment > datetime.now(UTC) + CLOCKS:
            why = "it is dated in the future"
        if self.signers and not why:
            try:
                why = ssh.vouched(content, self.run / f"{said.file}.sig", said.name, self.signers, stated.moment)
            except CourtbookError as error:
                return replace(said, standing=Standing.UNCHECKED, why=error.what)
        return replace(said, standing=Standing.UNAUTHENTICATED if why else Standing.VALID, why=why)


def may_revoke(one: Signature, target: Signature) -> bool:
    """Tell whether a signature may revoke another: the same key, or the same name that the signers file vouches for."""
    both = one.standing is target.standing is Standing.VALID
    return one.fingerprint == target.fingerprint or (both and person(one.name) == person(target.name))


def _revoked(signatures: tuple[Signature, ...]) -> tuple[Signature, ...]:
    """Apply revocations: each takes back one earlier signature of its own signer."""
    found = {item.file: item for item in signatures}
    for one in (item for item in signatures if item.meaning is Meaning.REVOKED and item.sound):
        earlier = [item for item in found.values() if item.number == one.revokes and item.number < one.number]
        target = next((item for item in earlier if item.meaning is not Meaning.REVOKED), None)
        if target is None:
            found[one.file] = replace(one, standing=Standing.INVALID, why="it revokes no signature before it")
        elif target.sound and may_revoke(one, target):
            why = f"revoked by signature {one.number}: {one.comment}"
            found[target.file] = replace(target, standing=Standing.REVOKED, why=why)
        elif target.sound:
            found[one.file] = replace(one, standing=Standing.INVALID, why="it revokes a signature of somebody else")
    return tuple(found.values())


def sign_off(signatures: tuple[Signature, ...]) -> SignOff:
    """Say what signatures amount to.

    A rejection counts whoever vouches for its key, and even unchecked: deleting a line of the signers file must not
    take it away. A signature that does not hold stands against everything else, since nobody knows what it was.
    """
    if any(s.meaning is Meaning.REJECTED and (s.sound or s.standing is Standing.UNCHECKED) for s in signatures):
        return SignOff.REJECTED
    if any(s.standing is Standing.INVALID for s in signatures):
        return SignOff.BROKEN
    if any(s.standing is Standing.UNCHECKED for s in signatures):
        return SignOff.UNCHECKED
    valid = {kind: [s for s in signatures if s.meaning is kind and s.standing is Standing.VALID] for kind in Meaning}
    if not valid[Meaning.EXECUTED]:
        return SignOff.UNSIGNED
    executors = [s for s in signatures if s.meaning is Meaning.EXECUTED]  # whoever ever said so, taken back or not
    for kind, amounts in ((Meaning.APPROVED, SignOff.SIGNED_OFF), (Meaning.REVIEWED, SignOff.REVIEWED)):
        if any(not any(s.same_person(e) for e in executors) for s in valid[kind]):
            return amounts
    return SignOff.EXECUTED
