"""Whether what a signer stated agrees with the run: its seals, its ledger, its files."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from courtbook.evidence.ledger import Event, digest_of
from courtbook.evidence.manifest import Manifest, Seal, digests
from courtbook.evidence.record import Run
from courtbook.evidence.statement import JUDGING, Meaning, Stated, against_approval, make_statement, person

CLOCKS = timedelta(minutes=5)  # by which clocks of two machines may differ
SIGNING = {"signed", "torn_line"}  # events after which a run still is what was sealed
_SHOWN = 5  # of a long list


def listed(items: Sequence[str]) -> str:
    """Return the first of many things in one line, and how many more there are."""
    more = f"; and {len(items) - _SHOWN} more" if len(items) > _SHOWN else ""
    return "; ".join(items[:_SHOWN]) + more


@dataclass(frozen=True)
class Archive:
    """A run as its signatures see it."""

    run: Run

    @cached_property
    def events(self) -> dict[str, Event]:
        """What the ledger says of each signature, by its file."""
        return {str(data.get("file")): data for data in self.run.data("signed")}

    @cached_property
    def files(self) -> dict[str, str]:
        """The SHA-256 of each file in the run's folder; a link is none."""
        return {name: entry["sha256"] for name, entry in digests(self.run.folder).items() if "link" not in entry}

    @cached_property
    def seals(self) -> dict[str, Manifest]:
        """The seals of the run's ends, by digest; one that is not as it was written is none."""
        return {
            digest_of(item.evidence): item
            for item in self.run.manifests
            if item.kind is Seal.RUN and item.path.read_bytes() == item.text().encode()
        }

    @cached_property
    def later(self) -> bool:
        """Whether work went on since the run was sealed last."""
        covered = self.run.seal.evidence["ledger"]["events"] if self.run.seal else 0
        return any(event["kind"] not in SIGNING for event in self.run.events[covered:])

    def current(self, stated: Stated) -> bool:
        """Tell whether a statement is about the run as it is now."""
        return self.run.seal is not None and stated.seal == self.run.seal.digest and not self.later

    def contradiction(self, stated: Stated, key: str, text: str, file: str) -> str:
        """Say in what a signed statement does not agree with the run; empty if it agrees."""
        seal = self.seals.get(stated.seal)
        if seal is None or stated.head != seal.evidence["ledger"]["head"]:
            return "it is about another run, or about a seal that was changed"
        if event := self.events.get(file):
            files = {name: self.files[name] for name in (file, f"{file}.sig")}
            told = {**stated.record(), "key": key, "file": file, "files": files}
            if differs := [name for name, value in told.items() if event.get(name) != value]:
                return f"the ledger says otherwise: {', '.join(differs)}"
        if not self.current(stated):
            return ""
        if not event:  # one that was cut short before work went on is void, whatever it lacks
            return "it was never put on record"
        wrong = next((what for what, _ in self.against(stated)), "")
        if text != make_statement(self.run, seal, stated):
            wrong = "what it says of the run is not what the run says"
        if changed := [name for name, entry in seal.files.items() if self.files.get(name) != entry["sha256"]]:
            wrong = f"changed after it was signed: {', '.join(changed)}"
        return wrong

    def against(self, stated: Stated) -> Iterator[tuple[str, str]]:
        """Yield why nobody may sign this of the run as it is, and what to do then."""
        seal = self.seals[stated.seal]
        if stated.moment < datetime.fromisoformat(seal.evidence["sealed"]) - CLOCKS:
            yield "it is dated before the run was sealed", "Set this machine's clock, then sign again."
        if (stated.meaning is Meaning.REVOKED) != (stated.revokes is not None):
            yield "a revocation names the signature that it takes back, and no other meaning does", "Give one of both."
        if stated.meaning in JUDGING and person(str(self.run.params.get("operator", ""))) == person(stated.name):
            yield "who operates a run does not review or approve it", "Somebody else has to sign this."
        if stated.meaning is Meaning.APPROVED and (obstacles := against_approval(self.run)):
            what = f"the run cannot be approved: {listed(obstacles)}"
            yield what, "Repair what is named here and run again, or sign it as rejected."
