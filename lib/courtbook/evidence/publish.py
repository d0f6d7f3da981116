"""Remote archives of runs: everything is written once, the manifests last, and what was written is compared.

Credentials and endpoints are those of the environment (``GOOGLE_APPLICATION_CREDENTIALS``, ``STORAGE_EMULATOR_HOST``).
Errors that pass by themselves are sat out by the client of the service, which tries several times.
"""

import hashlib
import logging
import os
import re
import shutil
import uuid
from base64 import b64encode
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from courtbook.errors import CourtbookError, ParameterError, Reason
from courtbook.evidence.ledger import manifest_files
from courtbook.evidence.manifest import digests, read_manifests

# So that a browser shows what it is sent instead of storing it: all of a run is text but its pages and pictures.
_CONTENT_TYPES = {".html": "text/html; charset=utf-8", ".png": "image/png"}
_AGAIN = "The run's folder is whole; publish it again, what is there already is not sent twice."
_LOG_IN = "Log in ('gcloud auth application-default login') as somebody who may create, read and list objects there."

Files = Mapping[str, Mapping[str, Any]]  # what a file system says of each file, by its path in the run


@dataclass(frozen=True)
class Published:
    """A run's archive: its address, how many files were sent now, and how many were there already."""

    url: str
    uploaded: int
    skipped: int


def is_url(text: str) -> bool:
    """Tell an address (``gs://bucket/runs``) from the path of a folder."""
    return re.match(r"[A-Za-z][\w+.:-]+://", text) is not None


def publish(run: Path, url: str, tell: Callable[[str], None]) -> Published:
    """Send a sealed run to ``url/<name of the run>``; what an earlier attempt sent is left as it is.

    Raises
    ------
    CourtbookError
        If the run is not sealed as it stands (``bad_file``), or if the archive cannot be written or holds something
        else under one of the names (``publish_failed``); nothing there is ever overwritten.
    """
    run = run.resolve()
    names = _sealed(run)
    archive = _Archive(url, Reason.PUBLISH_FAILED)
    there = archive.files(run.name)
    archive.compare(run, run.name, there, [name for name in names if name in there])
    manifests = [file.name for file in manifest_files(run)]
    for part in ([name for name in names if name not in manifests], manifests):
        for name in part:
            if name not in there:
                archive.write(f"{run.name}/{name}", (run / name).read_bytes(), once=True)
                tell(f"sent {name}")
        # A manifest is sent only when what it covers was found to be there.
        archive.compare(run, run.name, archive.files(run.name), part)
    skipped = sum(name in there for name in names)
    return Published(f"{archive.url}/{run.name}", len(names) - skipped, skipped)


def publish_index(html: str, url: str) -> None:
    """Write the table of contents at the top of an archive: the one file that is replaced, since it is no evidence."""
    _Archive(url, Reason.PUBLISH_FAILED).write("index.html", html.encode(), once=False)


def list_runs(url: str) -> tuple[str, ...]:
    """Return the names of the runs in an archive, in order; those that were not sent completely are not among them."""
    archive = _Archive(url, Reason.FETCH_FAILED)
    found = archive.call("", lambda at: archive.fs.ls(at, detail=True))
    names = sorted(item["name"].rstrip("/").rpartition("/")[2] for item in found if item["type"] == "directory")
    return tuple(name for name in names if "manifest.json" in archive.files(name))


def fetch(url: str, to: Path, only: re.Pattern[str] | None = None) -> Path:
    """Copy a run from an archive into the folder ``to`` and return its own folder: whole, or not there at all.

    Parameters
    ----------
    only : Pattern, optional
        The files to copy, by their path in the run; by default all.

    Raises
    ------
    CourtbookError
        If it cannot be read (``fetch_failed``), is no run, has a name that leads out of its folder, or if there is such
        a folder already (``bad_file``). What it holds is not verified here.
    """
    top, _, name = url.rstrip("/").rpartition("/")
    target, part = to / name, to / f".{uuid.uuid4().hex}"
    archive = _Archive(f"{top}/", Reason.FETCH_FAILED)
    found = {item: told for item, told in archive.files(name).items() if only is None or only.fullmatch(item)}
    unsafe = [item for item in (name, *found) if "\0" in item or not {"", ".", ".."}.isdisjoint(item.split("/"))]
    for wrong, what, hint in (
        (unsafe, f"It has a name that leads out of its folder: {unsafe[:1]}.", "Do not trust this archive."),
        (not found, "There is no run.", "Check the address; its last part is the run's id."),
        (os.path.lexists(target), f"{target} exists already.", "Look at that one, or fetch into another folder."),
    ):
        if wrong:
            raise CourtbookError(Reason.BAD_FILE, what, where=url, next_action=hint)
    try:
        for item in found:
            (part / item).parent.mkdir(parents=True, exist_ok=True)
            archive.download(f"{name}/{item}", part / item)
        archive.compare(part, name, found, list(found))
        part.rename(target)
    except OSError as error:
        what, hint = f"It cannot be stored: {error.strerror}.", "Make room, or fetch into another folder."
        raise CourtbookError(Reason.FETCH_FAILED, what, where=str(target), next_action=hint) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return target


def _sealed(run: Path) -> list[str]:
    """Return the paths of a run's files, after a check that its last manifest covers them as they are."""
    manifests, found = read_manifests(run), digests(run)
    sealed = {**manifests[-1].files, manifests[-1].path.name: found[manifests[-1].path.name]} if manifests else {}
    links = {name for name, entry in found.items() if "link" in entry}
    wrong = sorted(links | {name for name in sealed.keys() | found.keys() if sealed.get(name) != found.get(name)})
    if wrong:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"Only a sealed run is published, and this one is not, or is no longer what was sealed: {wrong[0]}.",
            where=str(run),
            next_action="Wait until it has ended; 'courtbook verify RUN' says what was changed.",
        )
    return list(found)


def _words(error: BaseException) -> str:
    """Return what is wrong with an archive, in a few words."""
    text = (str(error).splitlines() or [""])[0][:200]
    if isinstance(error, PermissionError) or text.startswith("Forbidden") or str(getattr(error, "code", "")) == "401":
        return "access is denied"
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket or folder"
    return f"{type(error).__name__} {text}".strip()


class _Archive:
    """The folder of an archive on a file system of fsspec. Paths are relative to it."""

    def __init__(self, url: str, reason: Reason) -> None:
        from fsspec.core import url_to_fs

        self.url, self._reason = url.rstrip("/"), reason
        self._google = url.startswith(("gs://", "gcs://"))
        self._on_disk = url.startswith(("file://", "local://"))
        try:
            if not is_url(url) or "@" in url.partition("://")[2].partition("/")[0]:
                raise ValueError("it is no address, or has a password in it")
            # Others write there too: what was listed once is not what is there now.
            if self._google:
                # Not the class that fsspec would take: it asks another service, by gRPC, what kind of bucket it is.
                from gcsfs.core import GCSFileSystem

                logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # its errors are raised as well
                self.fs: Any = GCSFileSystem(use_listings_cache=False)
                root = GCSFileSystem._strip_protocol(url)
            else:
                self.fs, root = url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ParameterError(  # not quoted: it may hold a password
                "There is no file system for this address, or it has a user or password in it.",
                where="archive",
                next_action="Write gs://BUCKET/FOLDER or file:///FOLDER; credentials come from the environment.",
            ) from error
        self._root = str(root).rstrip("/")

    def call(self, path: str, function: Callable[[str], Any], expected: tuple[type[Exception], ...] = ()) -> Any:
        """Call a function of the file system with the path as it knows it."""
        try:
            return function(f"{self._root}/{path}".rstrip("/"))
        except expected:
            raise
        except Exception as error:
            writes = self._reason is Reason.PUBLISH_FAILED
            hint = _LOG_IN if _words(error) == "access is denied" else _AGAIN if writes else "Try again later."
            what = f"The archive cannot be {'written' if writes else 'read'}: {_words(error)}."
            where = f"{self.url}/{path}".rstrip("/")
            raise CourtbookError(self._reason, what, where=where, next_action=hint) from error

    def files(self, folder: str) -> Files:
        """Return what the file system says of all files in a folder, by their path in it."""
        start = f"{self._root}/{folder}/"
        try:
            found: Files = self.call(folder, lambda at: self.fs.find(at, detail=True), (FileNotFoundError,))
        except FileNotFoundError:
            return {}
        return {
            name.removeprefix(start): info
            for name, info in found.items()
            if name.startswith(start) and info["type"] == "file" and not name.endswith("/")
        }

    def write(self, path: str, content: bytes, *, once: bool) -> None:
        """Send a file; ``once``: if somebody else was faster, theirs stays, and is compared with all others."""
        taken = (FileExistsError,) if once else ()
        how: dict[str, Any] = {"mode": "create"} if once else {}
        if self._google:
            how["content_type"] = _CONTENT_TYPES.get(Path(path).suffix, "text/plain; charset=utf-8")
            how["fixed_key_metadata"] = {"cache_control": "no-cache"}
        with suppress(*taken):
            if self._on_disk:
                self.call(path, lambda at: self._store(at, content, os.link if once else os.replace), taken)
            else:
                self.call(path, lambda at: self.fs.pipe_file(at, content, **how), taken)

    def _store(self, path: str, content: bytes, place: Callable[[Path, str], None]) -> None:
        """Write a file on a disk completely or not at all; what a killed process leaves lies beside the runs."""
        part = Path(self._root) / f".{uuid.uuid4().hex}"
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            place(part, path)
        finally:
            part.unlink(missing_ok=True)

    def download(self, path: str, to: Path) -> None:
        """Copy a file from the archive."""
        self.call(path, lambda at: self.fs.get_file(at, str(to)))

    def compare(self, copy: Path, folder: str, there: Files, names: list[str]) -> None:
        """Compare files of the archive with those of a copy: by the MD5 where one is told, else by the content."""
        for name in names:
            path, content = f"{folder}/{name}", (copy / name).read_bytes()
            same = name in there and there[name]["size"] == len(content)
            if same and "md5Hash" in there[name]:
                digest = hashlib.md5(content, usedforsecurity=False).digest()
                same = there[name]["md5Hash"] == b64encode(digest).decode()
            elif same:
                same = self.call(path, self.fs.cat_file) == content
            if not same:
                raise CourtbookError(
                    self._reason,
                    "The archive holds something else under this name; it was left as it is.",
                    where=f"{self.url}/{path}",
                    next_action="Compare it with the run's own file; one of the two was changed, or is not whole.",
                )
