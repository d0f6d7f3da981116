"""Which signature must not be given because of those that a run has already."""

from collections.abc import Iterator, Sequence

from courtbook.evidence.signatures import Meaning, Signature, Standing, may_revoke
from courtbook.evidence.statement import JUDGING


def refusals(known: Sequence[Signature], one: Signature) -> Iterator[tuple[str, str]]:
    """Yield what stands against a signature, and what to do then; before its key is known, by name only."""
    if one.meaning is Meaning.REVOKED:
        yield from _of_a_revocation(known, one)
        return
    mine = [item for item in known if item.same_person(one)]
    for item in mine:
        # Somebody else may have used the name with a key that nobody vouches for: that does not take it away.
        own = item.fingerprint == one.fingerprint or item.standing is Standing.VALID
        if item.sound and item.meaning is one.meaning and own:
            yield (
                f"{item.name} has signed this already, as signature {item.number} ({item.meaning.value})",
                "Take that back first with --revokes, if there is something to change.",
            )
        if item.sound and item.meaning in JUDGING and one.meaning is Meaning.EXECUTED:
            yield (
                f"{one.name} has {item.meaning.value} this run (signature {item.number})",
                "Somebody else has to sign as who executed it.",
            )
    if one.meaning in JUDGING:
        yield from _of_a_judgement(known, mine, one)


def _of_a_judgement(known: Sequence[Signature], mine: Sequence[Signature], one: Signature) -> Iterator[tuple[str, str]]:
    if own := [item for item in mine if item.meaning is Meaning.EXECUTED]:  # taken back or not: he did execute it
        yield (
            f"signature {own[0].number} (executed) has the same name or key: {own[0].name}",
            "Somebody else has to sign this, with a key of his own.",
        )
    if not any(item.sound for item in known if item.meaning is Meaning.EXECUTED):
        yield "nobody has signed yet as who executed the run", "Let that be signed first: --meaning executed."
    rejected = [item for item in known if item.meaning is Meaning.REJECTED and item.sound]
    if rejected and one.meaning is Meaning.APPROVED:
        yield (
            f"{rejected[0].name} has rejected this run (signature {rejected[0].number}): {rejected[0].comment}",
            "Only the same key can take that back, with --revokes.",
        )


def _of_a_revocation(known: Sequence[Signature], one: Signature) -> Iterator[tuple[str, str]]:
    target = next((item for item in known if item.number == one.revokes), None)
    if target is None or target.meaning is Meaning.REVOKED or not target.sound:
        there = f"it is {target.standing.value}, {target.meaning.value}" if target else f"the run has {len(known)}"
        yield (
            f"there is no signature {one.revokes} that could be taken back: {there}",
            "'courtbook verify' shows all. A revocation stays: sign again what was taken back, if it holds after all.",
        )
    elif one.fingerprint and not may_revoke(one, target):
        yield (
            f"signature {target.number} is that of {target.name}, not that of {one.name} with this key",
            "Only who signed it can take it back.",
        )
