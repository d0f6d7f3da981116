"""Whether what a signer stated agrees with the run: its seals, its ledger, its files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from hashlib import sha256 as sha256_of
from pathlib import Path

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.bundle import sha256
from courtbook.evidence.ledger import Event, canonical_json
from courtbook.evidence.manifest import Manifest, Seal
from courtbook.evidence.record import Run, read_run
from courtbook.evidence.statement import Meaning, Stated, against_approval, make_statement, person

CLOCKS = timedelta(minutes=5)  # by which clocks of two machines may differ
WORK = ("run_started", "run_resumed", "attempt_started", "step_opened", "run_ended")


@dataclass(frozen=True)
class Archive:
    """A run as its signatures see it."""

    run: Run
    _read: dict[str, str] = field(default_factory=dict)

    @cached_property
    def events(self) -> dict[str, Event]:
        """What the ledger says of each signature, by its file."""
        return {data["file"]: data for data in self.run.data("signed")}

    @cached_property
    def seals(self) -> dict[str, Manifest]:
        """The seals of the run's ends, by digest; one whose digest is not that of what it says is none."""
        seals = [item for item in self.run.manifests if item.kind is Seal.RUN]
        return {m.digest: m for m in seals if m.digest == sha256_of(canonical_json(m.evidence).encode()).hexdigest()}

    @cached_property
    def later(self) -> bool:
        """Whether work went on since the run was sealed last."""
        covered = self.run.seal.evidence["ledger"]["events"] if self.run.seal else 0
        return any(event["kind"] in WORK for event in self.run.events[covered:])

    @cached_property
    def obstacles(self) -> tuple[str, ...]:
        """What stands against approval."""
        return against_approval(self.run)

    def current(self, stated: Stated) -> bool:
        """Tell whether a statement is about the run as it is now."""
        return self.run.seal is not None and stated.seal == self.run.seal.digest and not self.later

    def digest(self, name: str) -> str:
        """Return the SHA-256 of a file of the run; empty if there is none of this name in its folder."""
        if name not in self._read:  # by all signatures, but once
            path = self.run.folder / name
            inside = path.resolve().is_relative_to(self.run.folder.resolve())
            self._read[name] = sha256(path) if inside and path.is_file() and not path.is_symlink() else ""
        return self._read[name]

    def contradiction(self, stated: Stated, subject: Mapping[str, str], text: str, file: str) -> str:
        """Say in what a statement does not agree with the run; empty if it agrees."""
        seal = self.seals.get(stated.seal)
        if seal is None or stated.head != seal.evidence["ledger"]["head"]:
            return "it is about another run, or about a seal that was changed"
        if subject.get(seal.path.name) != self.digest(seal.path.name):
            return f"{seal.path.name} was changed after it was signed"
        if stated.moment < datetime.fromisoformat(seal.evidence["sealed"]) - CLOCKS:
            return "it is dated before the run was sealed"
        wrong = self._off_the_record(stated, file)
        return wrong or (self._not_current(stated, seal, subject, text) if self.current(stated) else "")

    def _off_the_record(self, stated: Stated, file: str) -> str:
        event = self.events.get(file)
        if event is None:  # one that was cut short before work went on is void, whatever it lacks
            return "it was never put on record" if self.current(stated) else ""
        wrong = [key for key, value in stated.record().items() if event.get(key) != value]
        wrong += [name for name, digest in event["files"].items() if digest != self.digest(name)]
        return f"the ledger says otherwise: {', '.join(wrong)}" if wrong else ""

    def _not_current(self, stated: Stated, seal: Manifest, subject: Mapping[str, str], text: str) -> str:
        files = {**{name: entry["sha256"] for name, entry in seal.files.items()}, **subject}
        if changed := [name for name, digest in files.items() if digest != self.digest(name)]:
            return f"changed after it was signed: {', '.join(changed)}"
        if text != make_statement(self.run, seal, stated):
            return "what it says of the run is not what the run says"
        if stated.meaning is Meaning.APPROVED and self.obstacles:
            return f"the run could not be approved: {self.obstacles[0]}"
        judging = stated.meaning in (Meaning.REVIEWED, Meaning.APPROVED)
        if judging and person(str(self.run.params.get("operator", ""))) == person(stated.name):
            return "who operates a run does not review or approve it"
        return "" if (stated.meaning is Meaning.REVOKED) == (stated.revokes is not None) else "it revokes nothing"


def read_archive(folder: Path) -> Archive:
    """Read a run for its signatures.

    Raises
    ------
    CourtbookError
        If it cannot be read: then no signature of it holds.
    """
    try:
        archive = Archive(read_run(folder))
        for data in archive.events.values():
            dict(data["files"])
    except (LookupError, TypeError, ValueError, AttributeError, OSError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"The run cannot be read: {error!r}.",
            where=str(folder),
            next_action="Take another copy of it.",
        ) from error
    return archive
