"""What a signature signs: an in-toto statement about a sealed run, made from the run alone."""

import json
import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any

from courtbook.evidence.bundle import sha256
from courtbook.evidence.ledger import canonical_json
from courtbook.evidence.manifest import LOCK, Manifest
from courtbook.evidence.record import INTERRUPTED, Run

STATEMENT = "https://in-toto.io/Statement/v1"
PREDICATE = "https://in-toto.io/attestation/test-result/v0.1"
FORMAT = 1
_SIGNED = re.compile(r"(ledger(-\d+)?\.jsonl|[^/]+/attempt-\d+/(plan[^/]*\.json|result\.json|[^/]+\.(ipynb|html)))")
_HIDDEN = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_NO_NAME = '*?!,"\\#'  # what has a meaning of its own in a signers file


class Meaning(Enum):
    """What a signature says."""

    EXECUTED = "executed"
    REVIEWED = "reviewed"
    APPROVED = "approved"
    REJECTED = "rejected"
    REVOKED = "revoked"


JUDGING = (Meaning.REVIEWED, Meaning.APPROVED)


@dataclass(frozen=True)
class Stated:
    """What a signer says, and of which seal.

    Attributes
    ----------
    seal : str
        Digest of the manifest that sealed the run.
    head : str
        Hash of the last event of the ledger that it covers.
    time : str
        UTC, ISO 8601.
    previous : str
        SHA-256 of the signature file before this one; empty for the first.
    """

    run: str
    seal: str
    head: str
    number: int
    name: str
    role: str
    meaning: Meaning
    comment: str
    time: str
    previous: str
    revokes: int | None = None

    @property
    def moment(self) -> datetime:
        """The time of signing."""
        return datetime.fromisoformat(self.time)

    def record(self) -> dict[str, Any]:
        """Return what is said as the ledger holds it."""
        return {**vars(self), "meaning": self.meaning.value}


def wrong_words(stated: Stated) -> str:
    """Say which of a signer's words is lacking or cannot be shown; empty if none is.

    Line breaks, control characters and invisible ones cannot: two names that look alike must be alike.
    """
    needed = {"name", "role"} | ({"comment"} if stated.meaning in (Meaning.REJECTED, Meaning.REVOKED) else set())
    for what in ("name", "role", "comment"):
        text = getattr(stated, what)
        if hidden := [letter for letter in text if unicodedata.category(letter) in _HIDDEN]:
            return f"the {what} has a line break or an invisible character (U+{ord(hidden[0]):04X})"
        if what in needed and not text.strip():
            return f"the {what} is empty"
    found = sorted(set(stated.name) & set(_NO_NAME))
    return f"the name has {' '.join(found)} in it, which a signers file reads as something else" if found else ""


def tidy(text: str) -> str:
    """Return a line of text with one form for each letter, and single blanks."""
    return " ".join(unicodedata.normalize("NFC", text).split())


def person(name: str) -> str:
    """Return what is the same for two spellings of one name."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def against_approval(run: Run) -> tuple[str, ...]:
    """Say what stands against the approval of a run: nothing but GO, from checks that were all made, will do."""
    said = str(run.seal.evidence.get("verdict")) if run.seal else INTERRUPTED
    found = [f"the verdict is {said}"] if said != "GO" else []
    ran = {attempt.step: attempt for attempt in run.latest}
    wanted = dict.fromkeys(step for data in run.data("run_started")[:1] for step in data["steps"])
    found += [f"the step {step} never ran" for step in wanted if step not in ran]
    found += [f"the step {step} is {INTERRUPTED}" for step, last in ran.items() if last.verdict == INTERRUPTED]
    found += [f"the gate {item['gate']} was overridden by {item['by']}" for item in run.overrides]
    for check in run.checks:
        told = f"{check['gate']}/{check['id']} is {check['status']}"
        if check["status"] == "NO_DATA":
            found.append(f"{told}; a run with 'baseline' set, or with the data there, can tell")
        elif check["status"] == "WARN" and not check["excuse"]:
            found.append(f"{told} and nobody waived it by name")
        elif check["status"] not in ("PASS", "WARN"):
            found.append(told)
    return tuple(found if run.checks else [*found, "no check was made"])


def _predicate(run: Run, seal: Manifest) -> dict[str, Any]:
    """Return the result of the run's tests.

    NO_DATA counts as failed where it blocks, which is for a critical check, and else as warned; ERROR always blocks.
    A run that is GO without any check has not passed anything: it counts as failed.
    """
    lists: dict[str, list[str]] = {"passedTests": [], "warnedTests": [], "failedTests": []}
    for check in run.checks:
        mild = check["status"] == "WARN" or (check["status"] == "NO_DATA" and check["severity"] != "critical")
        place = "passedTests" if check["status"] == "PASS" else "warnedTests" if mild else "failedTests"
        lists[place].append(f"{check['gate']}/{check['id']}")
    failed = seal.evidence.get("verdict") != "GO" or lists["failedTests"] or not run.checks
    configuration = [_resource("params.yaml", seal.files["params.yaml"]["sha256"])]
    if lock := seal.evidence.get("environment", {}).get("lock"):
        configuration.append(_resource(LOCK, lock))
    result = "FAILED" if failed else "WARNED" if lists["warnedTests"] else "PASSED"
    return {"result": result, "configuration": configuration, **{key: sorted(value) for key, value in lists.items()}}


def _resource(name: str, digest: str) -> dict[str, Any]:
    return {"name": name, "digest": {"sha256": digest}}


def make_statement(run: Run, seal: Manifest, stated: Stated) -> str:
    """Return the statement about a sealed run, byte for byte the same for the same run and words.

    Parameters
    ----------
    seal : Manifest
        The manifest that sealed the run when it ended last.
    """
    files = {name: entry["sha256"] for name, entry in seal.files.items() if _SIGNED.fullmatch(name)}
    subject = [_resource(seal.path.name, sha256(seal.path)), *(_resource(name, files[name]) for name in sorted(files))]
    about = stated.record()
    about["run"] = {"name": about.pop("run"), "seal": about.pop("seal"), "ledger": about.pop("head")}
    about["format"] = FORMAT
    predicate = {**_predicate(run, seal), "courtbook": about}
    statement = {"_type": STATEMENT, "subject": subject, "predicateType": PREDICATE, "predicate": predicate}
    return canonical_json(statement) + "\n"


def read_statement(text: str) -> Stated:
    """Read what the signer says in a statement.

    Raises
    ------
    ValueError
        If it is not such a statement, word for word.
    """
    try:
        content = json.loads(text)
        about = content["predicate"]["courtbook"]
        known = (content["_type"], content["predicateType"], about["format"]) == (STATEMENT, PREDICATE, FORMAT)
        if not known or canonical_json(content) + "\n" != text:
            raise ValueError("it is of another form")
        run, words = about["run"], {key: about[key] for key in about.keys() - {"run", "format"}}
        stated = Stated(run["name"], run["seal"], run["ledger"], **{**words, "meaning": Meaning(words["meaning"])})
        if wrong := wrong_words(stated) or ("" if stated.moment.tzinfo else "its time has no zone"):
            raise ValueError(wrong)
    except (LookupError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError("it is of another form") from error
    return stated
