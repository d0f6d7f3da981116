"""Signatures of a run, and what they amount to."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError
from courtbook.evidence import ssh
from courtbook.evidence.binding import CLOCKS, Archive
from courtbook.evidence.record import read_run
from courtbook.evidence.statement import Meaning as Meaning  # noqa: PLC0414 - others take it from here
from courtbook.evidence.statement import person, read_statement

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


def _number(file: str) -> int:
    return int(file.removeprefix(f"{FOLDER}/").partition("-")[0])


def told(said: Mapping[str, Any], file: str) -> Signature:
    """Return a signature as its statement or the ledger tells it; what it is worth is not known yet."""
    name, role, comment, time, key = (str(said.get(item, "")) for item in ("name", "role", "comment", "time", "key"))
    meaning = Meaning(file.split("-")[1])
    return Signature(
        _number(file), name, role, meaning, comment, time, key, file, Standing.UNCHECKED, revokes=said.get("revokes")
    )


def read_signatures(run: Path, signers: Path | None) -> tuple[Signature, ...]:
    """Read the signatures of a run and say what each is worth now.

    Parameters
    ----------
    signers : Path or None
        The file that says which key belongs to whom. Without it no signature is better than unauthenticated.

    Raises
    ------
    CourtbookError
        If the run cannot be read.
    """
    archive = Archive(read_run(run))
    files = {name for name in archive.files if f"{name}.sig" in archive.files} | set(archive.events)
    found: list[Signature] = []
    previous = ""
    for file in sorted((name for name in files if FILE.fullmatch(name)), key=lambda name: (_number(name), name)):
        found.append(_read(archive, file, previous, signers))
        previous = archive.files.get(f"{file}.sig", "")
    return _revoked(tuple(found))


def _read(archive: Archive, file: str, previous: str, signers: Path | None) -> Signature:
    """Read one signature and judge it by itself."""
    event = archive.events.get(file, {})
    one = replace(told(event, file), standing=Standing.INVALID)
    if not {file, f"{file}.sig"} <= archive.files.keys():
        return replace(one, why="one of its two files is missing")
    content, signed = ((archive.run.folder / name).read_bytes() for name in (file, f"{file}.sig"))
    try:
        stated = read_statement(content.decode())
        one = replace(told({**event, **stated.record()}, file), standing=Standing.INVALID)
        key = ssh.check(content, signed)
        if (stated.number, stated.meaning) != (one.number, one.meaning):
            wrong = "its file has another name than it was signed under"
        elif stated.previous != previous:
            wrong = "it does not follow the signature before it"
        elif not key:
            wrong = "its signature does not hold for what it says, or was made for something else"
        else:
            wrong = archive.contradiction(stated, key, content.decode(), file)
        one = replace(one, fingerprint=key, why=wrong)
        if wrong:
            return one
        if not archive.current(stated):
            return replace(one, standing=Standing.VOID, why="the run went on after it was signed")
        return authenticated(one, content, signed, signers)
    except CourtbookError as error:
        return replace(one, standing=Standing.UNCHECKED, why=error.what)
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        return replace(one, why=f"it is no statement about what the run left: {error}")


def authenticated(one: Signature, content: bytes, signed: bytes, signers: Path | None) -> Signature:
    """Ask who the key of a signature belongs to, at the time stated, which lies between the seal and now."""
    moment = datetime.fromisoformat(one.time)
    why = "it is dated in the future"
    if moment <= datetime.now(UTC) + CLOCKS:
        why = ssh.vouched(content, signed, one.name, signers, moment)
    return replace(one, standing=Standing.UNAUTHENTICATED if why else Standing.VALID, why=why)


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
        if target is None or (target.sound and not may_revoke(one, target)):
            why = "it revokes no signature before it that its signer may revoke"
            found[one.file] = replace(one, standing=Standing.INVALID, why=why)
        elif target.sound:
            why = f"revoked by signature {one.number}: {one.comment}"
            found[target.file] = replace(target, standing=Standing.REVOKED, why=why)
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
