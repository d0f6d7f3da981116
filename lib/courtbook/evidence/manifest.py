"""The manifest that seals a run: digest and size of every file, and the facts about the run."""

import json
import platform
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from hashlib import sha256 as sha256_of
from importlib import metadata
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, Reason
from courtbook.evidence.bundle import json_text, sha256, write_once
from courtbook.evidence.ledger import MANIFEST, Ledger, digest_of, manifest_files
from courtbook.evidence.series import next_free

LOCK = "requirements.lock"


class Seal(Enum):
    """What a manifest seals: a run that has ended, or a signature that was added to it."""

    RUN = "run"
    SIGNATURE = "signature"


@dataclass(frozen=True)
class Manifest:
    """One seal of a run.

    Attributes
    ----------
    digest : str
        SHA-256 of ``evidence`` as canonical JSON: what a page shows and a signature binds.
    evidence : mapping
        ``kind``, ``sealed`` (time), ``ledger`` (head and number of events), ``files`` (SHA-256 and bytes of every file
        but the run's own pages) and the facts about the run.
    pages : mapping
        SHA-256 and bytes of the run's own pages. They show the digest, so it cannot cover them.
    """

    path: Path
    digest: str
    evidence: Mapping[str, Any]
    pages: Mapping[str, Any]

    @property
    def kind(self) -> Seal:
        """What it seals."""
        return Seal(self.evidence["kind"])

    @property
    def files(self) -> Mapping[str, Mapping[str, Any]]:
        """Digest and size of every file that it covers, pages included."""
        return {**self.evidence["files"], **self.pages}

    def text(self) -> str:
        """Return the manifest as it is written, byte for byte."""
        return json_text({"digest": self.digest, "evidence": self.evidence, "pages": self.pages})


def is_page(name: str) -> bool:
    """Tell whether a file is one of a run's own pages: ``index.html``, ``index-2.html``, ..."""
    return name == "index.html" or (name.startswith("index-") and name.endswith(".html") and "/" not in name)


def page_files(run: Path) -> tuple[Path, ...]:
    """Return a run's own pages, oldest first."""
    return tuple(sorted((p for p in run.glob("index*.html") if is_page(p.name)), key=lambda p: (len(p.name), p.name)))


def digests(run: Path) -> dict[str, dict[str, Any]]:
    """Return SHA-256 and size of every file below a folder, by path; of a link, those of its target's name.

    What is no plain file is marked as ``link``.
    """
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(run.rglob("*")):
        name = path.relative_to(run).as_posix()
        if path.is_symlink():
            target = str(path.readlink()).encode()
            found[name] = {"sha256": sha256_of(target).hexdigest(), "bytes": len(target), "link": True}
        elif path.is_file():
            found[name] = {"sha256": sha256(path), "bytes": path.stat().st_size}
        elif not path.is_dir():
            found[name] = {"sha256": "", "bytes": 0, "link": True}  # a socket or a pipe, which holds nothing to seal
    return found


def seal(run: Path, kind: Seal, facts: Mapping[str, Any], page: Callable[[Manifest], str] | None = None) -> Manifest:
    """Write the next manifest of a run. It covers those before it too, and nothing that is sealed is changed later.

    Parameters
    ----------
    page : callable, optional
        Makes the run's page from the manifest that is about to be written. If that fails the run is sealed without it,
        and the error raised afterwards.
    """
    events = Ledger(run / "ledger.jsonl").events()
    found = digests(run)
    evidence = {
        **facts,
        "kind": kind.value,
        "sealed": datetime.now(UTC).isoformat(timespec="seconds"),
        "ledger": {"head": events[-1]["hash"] if events else "", "events": len(events)},
        "files": {name: entry for name, entry in found.items() if not is_page(name)},
    }
    pages = {name: entry for name, entry in found.items() if is_page(name)}
    manifest = Manifest(next_free(run, MANIFEST), digest_of(evidence), evidence, pages)
    try:
        if page is not None:
            file = next_free(run, "index.html")
            write_once(file, page(manifest))
            pages[file.name] = {"sha256": sha256(file), "bytes": file.stat().st_size}
    finally:
        write_once(manifest.path, manifest.text())
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read a manifest; what it says is not verified here."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        manifest = Manifest(path, content["digest"], content["evidence"], content["pages"])
        if manifest.kind not in Seal or not manifest.files:
            raise ValueError("it names no file")
    except (OSError, ValueError, LookupError, TypeError) as error:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"This is no manifest: {error}.",
            where=str(path),
            next_action="Do not trust this run; take another copy of it.",
        ) from error
    return manifest


def read_manifests(run: Path) -> tuple[Manifest, ...]:
    """Read all manifests of a run, oldest first; none if it was never sealed."""
    return tuple(read_manifest(path) for path in manifest_files(run))


def _git(root: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(  # noqa: S603
            ["git", "-C", str(root), *arguments],  # noqa: S607
            capture_output=True,
            text=True,
            timeout=10,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def environment(root: Path) -> dict[str, Any]:
    """Return what a run was made with: code, lock file, versions of all packages, machine."""
    status = _git(root, "status", "--porcelain")
    lock = root / LOCK
    return {
        "git_commit": _git(root, "rev-parse", "HEAD"),
        "git_clean": None if status is None else status == "",
        "lock": sha256(lock) if lock.is_file() else None,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {item.name: item.version for item in sorted(metadata.distributions(), key=lambda item: item.name)},
    }
