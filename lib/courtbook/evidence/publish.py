"""Remote archives of runs: everything is written once, the manifests last, and what was written is compared.

Credentials and endpoints are those of the environment (``GOOGLE_APPLICATION_CREDENTIALS``, ``STORAGE_EMULATOR_HOST``).
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
from typing import Any, TypeVar

from tenacity import RetryCallState, Retrying, retry_if_exception, stop_after_attempt, wait_exponential

from courtbook.errors import CourtbookError, ParameterError, Reason
from courtbook.evidence.ledger import manifest_files
from courtbook.evidence.manifest import digests, read_manifests

TRIES = 4
_WAIT = 1.0  # seconds before the second try; each later wait is twice as long
_PIECE = 32 << 20  # bytes that one request may carry
_HTML = "text/html; charset=utf-8"
# So that a browser shows what it is sent instead of storing it.
_TEXTS = (".json", ".jsonl", ".ipynb", ".yaml", ".md", ".txt", ".log", ".sql")
_CONTENT_TYPES = {".html": _HTML, ".png": "image/png"} | dict.fromkeys(_TEXTS, "text/plain; charset=utf-8")
_AGAIN = "The run's folder is whole; publish it again, what is there already is not sent twice."
_LOG_IN = (
    "Log in ('gcloud auth application-default login', or GOOGLE_APPLICATION_CREDENTIALS) as somebody who may create, "
    "read and list objects there, then try again."
)

Tell = Callable[[str], None]
Files = Mapping[str, Mapping[str, Any]]  # what a file system says of each file, by its path in the run
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Published:
    """A run's archive: its address, how many files were sent now, how many were there already, and bytes in all."""

    url: str
    uploaded: int
    skipped: int
    size: int


def is_url(text: str) -> bool:
    """Tell an address (``gs://bucket/runs``) from the path of a folder."""
    return re.match(r"[A-Za-z][\w+.:-]+://", text) is not None


def publish(run: Path, url: str, tell: Tell) -> Published:
    """Send a sealed run to ``url/<name of the run>``; what an earlier attempt sent is left as it is.

    Raises
    ------
    CourtbookError
        If the run is not sealed as it stands (``bad_file``), or if the archive cannot be written or holds something
        else under one of the names (``publish_failed``); nothing there is ever overwritten.
    """
    run = run.resolve()
    names = _sealed(run)
    archive = _Archive(url, Reason.PUBLISH_FAILED, tell)
    there = archive.files(run.name)
    archive.compare(run, run.name, there, [name for name in names if name in there])
    if more := sorted(set(there) - set(names)):
        tell(f"the archive holds more files than this copy of the run: {len(more)}, such as {more[0]}")
    manifests = [file.name for file in manifest_files(run)]
    for part in ([name for name in names if name not in manifests], manifests):
        for name in part:
            if name not in there:
                archive.create(run, name)
                tell(f"sent {name}")
        # A manifest is sent only when what it covers was found to be there.
        archive.compare(run, run.name, archive.files(run.name), part)
    skipped = sum(name in there for name in names)
    size = sum((run / name).stat().st_size for name in names)
    return Published(f"{archive.url}/{run.name}", len(names) - skipped, skipped, size)


def publish_index(html: str, url: str) -> None:
    """Write the table of contents at the top of an archive: the one file that is replaced, since it is no evidence."""
    _Archive(url, Reason.PUBLISH_FAILED).replace("index.html", html.encode())


def list_runs(url: str) -> tuple[str, ...]:
    """Return the names of the runs in an archive, in order; those that were not sent completely are not among them."""
    return _Archive(url, Reason.FETCH_FAILED).runs()


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
    wrong = ["it has no manifest"]
    if manifests:
        sealed = {**manifests[-1].files, manifests[-1].path.name: found[manifests[-1].path.name]}
        wrong = sorted(name for name in sealed.keys() | found.keys() if sealed.get(name) != found.get(name))
        wrong += [f"{name} is a link" for name, entry in found.items() if entry.get("link")]
    if wrong:
        raise CourtbookError(
            Reason.BAD_FILE,
            f"Only a sealed run is published, and this one is not, or is no longer what was sealed: {wrong[0]}.",
            where=str(run),
            next_action="Wait until it has ended; 'courtbook verify RUN' says what was changed.",
        )
    return list(found)


def _transient(error: BaseException) -> bool:
    from gcsfs.retry import is_retriable

    return isinstance(error, ConnectionError | TimeoutError) or bool(is_retriable(error))


def _md5(file: Any) -> str:
    """Return the MD5 of an open file in the form in which object stores give it."""
    return b64encode(hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).digest()).decode()


def _words(error: BaseException | None) -> str:
    """Return what is wrong with an archive, in a few words."""
    text = (str(error).splitlines() or [""])[0][:200]
    if isinstance(error, PermissionError) or text.startswith("Forbidden") or str(getattr(error, "code", "")) == "401":
        return "access is denied"
    if isinstance(error, FileNotFoundError):
        return "there is no such bucket or folder"
    return f"{type(error).__name__} {text}".strip()


class _Archive:
    """The folder of an archive on a file system of fsspec. Paths are relative to it."""

    def __init__(self, url: str, reason: Reason, tell: Tell | None = None) -> None:
        from fsspec.core import url_to_fs

        if not is_url(url) or "@" in url.partition("://")[2].partition("/")[0]:
            raise ParameterError(  # not quoted: it may hold a password
                "The address of an archive is written as gs://BUCKET/FOLDER, without user and password.",
                where="archive",
                next_action="Credentials come from the environment.",
            )
        self.url, self._reason, self._tell = url.rstrip("/"), reason, tell
        self._google = url.startswith(("gs://", "gcs://"))
        self._on_disk = url.startswith(("file://", "local://"))
        try:
            # Others write there too: what was listed once is not what is there now.
            if self._google:
                # Not the class that fsspec would take: it asks another service, by gRPC, what kind of bucket it is.
                from gcsfs.core import GCSFileSystem

                logging.getLogger("gcsfs").setLevel(logging.CRITICAL)  # its errors are raised as well
                self._fs: Any = GCSFileSystem(use_listings_cache=False)
                root = GCSFileSystem._strip_protocol(url)
            else:
                self._fs, root = url_to_fs(url, use_listings_cache=False)
        except (ValueError, ImportError) as error:
            raise ParameterError(
                f"There is no file system for this address: {error}.",
                where=url,
                next_action="Write gs://BUCKET/FOLDER or file:///FOLDER.",
            ) from error
        self._root = str(root).rstrip("/")

    def _call(
        self,
        path: str,
        function: Callable[..., Answer],
        *arguments: object,
        expected: type[Exception] | tuple[()] = (),
        **named: object,
    ) -> Answer:
        """Call a function of the file system, up to ``TRIES`` times if what goes wrong may pass by itself."""

        def again(state: RetryCallState) -> None:
            if self._tell is not None and state.outcome is not None:
                self._tell(f"{path}: {_words(state.outcome.exception())}; trying again in {state.upcoming_sleep:g} s")

        tries = Retrying(
            stop=stop_after_attempt(TRIES),
            wait=wait_exponential(multiplier=_WAIT),
            retry=retry_if_exception(_transient),
            before_sleep=again,
            reraise=True,
        )
        try:
            return tries(function, *arguments, **named)
        except expected:
            raise
        except Exception as error:
            writes = self._reason is Reason.PUBLISH_FAILED
            hint = _LOG_IN if _words(error) == "access is denied" else _AGAIN if writes else "Try again later."
            what = f"The archive cannot be {'written' if writes else 'read'}: {_words(error)}."
            where = f"{self.url}/{path}".rstrip("/")
            raise CourtbookError(self._reason, what, where=where, next_action=hint) from error

    def _at(self, path: str) -> str:
        return f"{self._root}/{path}"

    def files(self, folder: str) -> Files:
        """Return what the file system says of all files in a folder, by their path in it."""
        start = self._at(folder) + "/"
        try:
            found: Files = self._call(folder, self._fs.find, self._at(folder), detail=True, expected=FileNotFoundError)
        except FileNotFoundError:
            return {}
        return {
            name.removeprefix(start): info
            for name, info in found.items()
            if name.startswith(start) and info["type"] == "file" and not name.endswith("/")
        }

    def runs(self) -> tuple[str, ...]:
        """Return the names of the folders that hold a manifest."""
        found = self._call("", self._fs.ls, self._root, detail=True)
        names = sorted(item["name"].rstrip("/").rpartition("/")[2] for item in found if item["type"] == "directory")
        return tuple(name for name in names if "manifest.json" in self.files(name))

    def create(self, run: Path, name: str) -> None:
        """Send a file; if somebody else was faster, theirs stays, and is compared with all others."""
        path, content = f"{run.name}/{name}", (run / name).read_bytes()
        how: dict[str, Any] = {}
        if self._google:
            # Small content goes as multipart, with a boundary that never changes: what holds it would end there.
            how["chunksize"] = len(content) if b"--==0==" in content else _PIECE
            how["content_type"] = _CONTENT_TYPES.get(Path(name).suffix, "application/octet-stream")
        with suppress(FileExistsError):
            if self._on_disk:
                self._call(path, self._store, content, path, os.link, expected=FileExistsError)
            else:
                pipe, to = self._fs.pipe_file, self._at(path)
                self._call(path, pipe, to, content, mode="create", expected=FileExistsError, **how)

    def replace(self, path: str, content: bytes) -> None:
        """Write a page whether it exists or not."""
        if self._on_disk:
            self._call(path, self._store, content, path, os.replace)
            return
        fresh: dict[str, Any] = (
            {"content_type": _HTML, "fixed_key_metadata": {"cache_control": "no-cache"}} if self._google else {}
        )
        self._call(path, self._fs.pipe_file, self._at(path), content, **fresh)

    def _store(self, content: bytes, path: str, place: Callable[[Path, Path], None]) -> None:
        """Write a file on a disk completely or not at all; what a killed process leaves lies beside the runs."""
        target, part = Path(self._at(path)), Path(self._at(f".{uuid.uuid4().hex}"))
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            place(part, target)
        finally:
            part.unlink(missing_ok=True)

    def download(self, path: str, to: Path) -> None:
        """Copy a file from the archive."""
        self._call(path, self._fs.get_file, self._at(path), str(to))

    def compare(self, copy: Path, folder: str, there: Files, names: list[str]) -> None:
        """Compare files of the archive with those of a copy: size and MD5, or the content where no MD5 is told."""
        for name in names:
            if name not in there or not self._same(copy / name, f"{folder}/{name}", there[name]):
                raise CourtbookError(
                    self._reason,
                    "The archive holds something else under this name; it was left as it is.",
                    where=f"{self.url}/{folder}/{name}",
                    next_action="Compare it with the run's own file; one of the two was changed, or is not whole.",
                )

    def _same(self, file: Path, path: str, info: Mapping[str, Any]) -> bool:
        if info["size"] != file.stat().st_size:
            return False
        with file.open("rb") as ours:
            digest = _md5(ours)
        return digest == (info.get("md5Hash") or self._call(path, self._content_digest, self._at(path)))

    def _content_digest(self, path: str) -> str:
        with self._fs.open(path, "rb") as theirs:
            return _md5(theirs)
