"""Who may give which signature: everything that is refused before it is written."""

from collections.abc import Sequence

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.record import Run
from courtbook.evidence.signatures import Meaning, Signature, Standing, may_revoke
from courtbook.evidence.statement import against_approval, person

JUDGING = (Meaning.REVIEWED, Meaning.APPROVED)
_SHOWN = 5  # of a long list of obstacles


def refusal(where: str, what: str, next_action: str) -> CourtbookError:
    """Return the error that says that something is not signed."""
    return CourtbookError(Reason.SIGN_REFUSED, what, where=where, next_action=next_action)


def listed(items: Sequence[str]) -> str:
    """Return the first of many things in one line, and how many more there are."""
    more = f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more


def refuse(run: Run, known: Sequence[Signature], one: Signature) -> None:
    """Refuse a signature that its signer must not give; before the key is known only by the name."""
    if one.meaning is Meaning.REVOKED:
        _refuse_revocation(run, known, one)
        return
    if one.revokes is not None:
        raise refusal("--revokes", "Who takes a signature back gives no other meaning.", "Leave --meaning away.")
    mine = [item for item in known if item.same_person(one)]
    for item in mine:
        # Somebody else may have used the name with a key that nobody vouches for: that does not take it away.
        own = item.fingerprint == one.fingerprint or item.standing is Standing.VALID
        if item.sound and item.meaning is one.meaning and own:
            raise refusal(
                run.name,
                f"{item.name} has signed this already, as signature {item.number} ({item.meaning.value}).",
                "Take that back first with --revokes, if there is something to change.",
            )
    if one.meaning is Meaning.EXECUTED:
        if judged := [item for item in mine if item.sound and item.meaning in JUDGING]:
            raise refusal(
                run.name,
                f"{one.name} has {judged[0].meaning.value} this run (signature {judged[0].number}).",
                "Somebody else has to sign as who executed it.",
            )
    elif one.meaning in JUDGING:
        _refuse_judgement(run, known, one)


def _refuse_judgement(run: Run, known: Sequence[Signature], one: Signature) -> None:
    executed = [item for item in known if item.meaning is Meaning.EXECUTED]
    other = "Somebody else has to sign this, with a key of his own."
    if person(one.name) == person(str(run.params.get("operator", ""))):
        raise refusal(run.name, f"{one.name} operated this run, and does not review or approve it.", other)
    if own := [item for item in executed if item.same_person(one)]:  # taken back or not: he did execute it
        how = "name" if person(own[0].name) == person(one.name) else "key"
        raise refusal(run.name, f"Signature {own[0].number} (executed) has the same {how}: {own[0].name}.", other)
    if not any(item.sound for item in executed):
        raise refusal(
            run.name, "Nobody has signed yet as who executed the run.", "Let that be signed first: --meaning executed."
        )
    if one.meaning is not Meaning.APPROVED:
        return
    if against := [item for item in known if item.meaning is Meaning.REJECTED and item.sound]:
        raise refusal(
            run.name,
            f"{against[0].name} has rejected this run (signature {against[0].number}): {against[0].comment}",
            "Only the same key can take that back, with --revokes.",
        )
    if obstacles := against_approval(run):
        raise refusal(
            run.name,
            f"The run cannot be approved: {listed(obstacles)}.",
            "Repair what is named here and run again, or sign it as rejected.",
        )


def _refuse_revocation(run: Run, known: Sequence[Signature], one: Signature) -> None:
    if one.revokes is None:
        raise refusal("--revokes", "Which signature is taken back is not said.", "Give its number with --revokes.")
    target = next((item for item in known if item.number == one.revokes), None)
    if target is None:
        raise refusal(
            run.name,
            f"There is no signature {one.revokes}.",
            f"This run has {len(known)}; 'courtbook verify' shows them.",
        )
    if target.meaning is Meaning.REVOKED:
        raise refusal(run.name, "A revocation stays.", "Sign again what was taken back, if it holds after all.")
    if not target.sound:
        raise refusal(
            run.name,
            f"There is nothing to take back: signature {target.number} is {target.standing.value} ({target.why}).",
            "Leave it as it is.",
        )
    if one.fingerprint and not may_revoke(one, target):
        raise refusal(
            run.name,
            f"Signature {target.number} is that of {target.name}, not that of {one.name} with this key.",
            "Only who signed it can take it back.",
        )
