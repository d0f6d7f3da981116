"""Archives of runs: nothing is overwritten, a manifest comes last, and what goes wrong on the way does no harm."""

import asyncio
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http import server
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import parse_qs, urlsplit

import fsspec
import gcsfs.retry
import httpx
import pytest
from courtbook.errors import CourtbookError, ExitCode, ParameterError, Reason
from courtbook.evidence import publish as module
from courtbook.evidence.ledger import Ledger
from courtbook.evidence.manifest import Seal, seal
from courtbook.evidence.publish import fetch, is_url, list_runs, publish, publish_index
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers.buckets import create_bucket
from gcp_storage_emulator.server import RequestHandler
from gcp_storage_emulator.storage import Storage

NAME = "20261120T101500Z-demo"
ODD = "10_step/attempt-1/Zoë's page #1?.html"
GOOGLE = "gs://archive/team/runs"


class Bucket:
    """A service like Google Cloud Storage: an emulator that also keeps what must not be overwritten, and can fail.

    ``fault`` is called with method and object name before a request is served; it may return a status to answer with.
    With ``lost`` the next uploads are stored, but answered with an error.
    """

    def __init__(self) -> None:
        self.storage = Storage(use_memory_fs=True)
        create_bucket("archive", self.storage)
        self.requests: list[tuple[str, str, dict[str, list[str]]]] = []
        self.fault: Callable[[str, str], int | None] = lambda method, name: None
        self.lost = 0
        self.turn = threading.RLock()
        bucket = self

        class Handler(RequestHandler):
            def __init__(self, *arguments: object) -> None:
                super().__init__(bucket.storage, *arguments)

            def log_message(self, *_: object) -> None:
                pass

            def do_GET(self) -> None:  # noqa: N802
                bucket.serve(self, super().do_GET)

            def do_POST(self) -> None:  # noqa: N802
                bucket.serve(self, super().do_POST)

        self.server = server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign] - the client sees it too
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()
        self.thread.join()

    def serve(self, handler: RequestHandler, go_on: Callable[[], None]) -> None:
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        handler.rfile = BytesIO(body)
        query = parse_qs(urlsplit(handler.path).query)
        said = re.search(rb'\{"name": ("(?:[^"\\]|\\.)*")', body[:500])
        name = query.get("name", query.get("prefix", [""]))[0] or (json.loads(said[1]) if said else "")
        with self.turn:
            self.requests.append((handler.command, name, query))
            status = self.fault(handler.command, name)
            if status is None and query.get("ifGenerationMatch") == ["0"] and self.get(name) is not None:
                status = 412
            if status is None and handler.command == "POST" and self.lost:
                self.lost -= 1
                wfile, handler.wfile = handler.wfile, BytesIO()
                go_on()
                handler.wfile, status = wfile, 503
            if status is None:
                go_on()
                return
        handler.send_response(status)
        handler.end_headers()
        handler.wfile.write(json.dumps({"error": {"code": status, "message": f"status {status}"}}).encode())

    def get(self, name: str) -> bytes | None:
        try:
            return bytes(self.storage.get_file("archive", name))
        except NotFound:
            return None

    def put(self, name: str, content: bytes) -> None:
        """Write an object as somebody with full rights may: over the one that is there."""
        address = f"{self.url}/upload/storage/v1/b/archive/o"
        httpx.post(address, params={"uploadType": "media", "name": name}, content=content).raise_for_status()

    def pretend(self, name: str) -> None:
        """List an empty object under a name that the emulator would not take, as the service does."""
        some = next(iter(self.storage.objects["archive"].values()))
        self.storage.objects["archive"][name] = {**some, "name": name, "size": "0"}

    def sent(self) -> list[str]:
        """Return the names of all objects that somebody tried to write, in order."""
        return [name for method, name, query in self.requests if method == "POST" and "upload_id" not in query]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Bucket]:
    made = Bucket()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", made.url)
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path / "no-login"))
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    yield made
    made.close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the waits out of the client's retries."""
    monkeypatch.setattr(gcsfs.retry, "asyncio", SimpleNamespace(sleep=lambda _: asyncio.sleep(0)))


@pytest.fixture(params=["gs", "memory", "file"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of an empty archive, of each kind."""
    if request.param == "gs":
        request.getfixturevalue("bucket")
        yield GOOGLE
    elif request.param == "file":
        yield f"file://{tmp_path}/the archive"
    else:
        yield "memory://team/runs"
        fsspec.filesystem("memory").store.clear()
        fsspec.filesystem("memory").pseudo_dirs[:] = [""]


def make(folder: Path) -> Path:
    """Make a sealed run with names and contents that are not all harmless."""
    run = folder / NAME
    (run / ODD).parent.mkdir(parents=True)
    (run / ODD).write_text("<html>ü</html>", encoding="utf-8")
    (run / "10_step/attempt-1/empty.log").touch()
    (run / "10_step/attempt-1/plot.png").write_bytes(bytes(range(256)) * 9)
    (run / "params.yaml").write_text("name: demo\n")
    Ledger(run / "ledger.jsonl").append("run", verdict="GO")
    seal(run, Seal.RUN, {"verdict": "GO"})
    return run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return make(tmp_path / "local runs")


def content(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def silent(_: str) -> None:
    pass


def refused(call: Callable[[], object], reason: Reason) -> CourtbookError:
    with pytest.raises(CourtbookError) as caught:
        call()
    assert caught.value.reason is reason
    return caught.value


# What is sent is what comes back


def test_a_run_comes_back_as_it_was(run: Path, url: str, tmp_path: Path) -> None:
    done = publish(run, url, silent)
    assert (done.url, done.uploaded, done.skipped) == (f"{url}/{NAME}", 6, 0)
    back = fetch(done.url, tmp_path / "elsewhere")
    assert back == tmp_path / "elsewhere" / NAME
    assert content(back) == content(run)
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == [NAME]


def test_a_second_time_nothing_is_sent(run: Path, url: str) -> None:
    publish(run, url + "/", silent)
    again = publish(run, url, silent)
    assert (again.uploaded, again.skipped) == (0, 6)


def test_what_a_signature_adds_is_added(run: Path, url: str, tmp_path: Path) -> None:
    publish(run, url, silent)
    (run / "signature.json").write_text("{}")
    seal(run, Seal.SIGNATURE, {})
    assert publish(run, url, silent).uploaded == 2
    assert content(fetch(f"{url}/{NAME}", tmp_path / "elsewhere")) == content(run)


def test_an_older_copy_of_a_run_does_no_harm(run: Path, url: str, tmp_path: Path) -> None:
    publish(run, url, silent)
    older = fetch(f"{url}/{NAME}", tmp_path / "older")
    (run / "signature.json").write_text("{}")
    seal(run, Seal.SIGNATURE, {})
    publish(run, url, silent)
    assert publish(older, url, silent).uploaded == 0


@pytest.mark.parametrize("name", ["params.yaml", ODD, "manifest.json"])
def test_other_content_under_a_name_stays_and_is_an_error(run: Path, url: str, tmp_path: Path, name: str) -> None:
    publish(run, url, silent)
    other = make(tmp_path / "other")
    (other / name).write_bytes((run / name).read_bytes()[:-2] + b"!\n")  # of the same size
    for file in other.glob("manifest*"):
        file.unlink()
    seal(other, Seal.RUN, {"verdict": "GO"})
    (other / "new.txt").write_text("never sent")
    seal(other, Seal.SIGNATURE, {})
    error = refused(lambda: publish(other, url, silent), Reason.PUBLISH_FAILED)
    assert error.exit_code is ExitCode.PUBLISH == 6
    assert error.where.startswith(f"{url}/{NAME}/")
    assert content(fetch(f"{url}/{NAME}", tmp_path / "back")) == content(run)


def test_runs_are_listed_and_the_index_is_replaced(run: Path, url: str, tmp_path: Path) -> None:
    publish(run, url, silent)
    other = make(tmp_path / "other").rename(tmp_path / "other" / "20261121T000000Z-demo")
    publish(other, url, silent)
    publish_index("<p>one</p>", url)
    publish_index("<p>zwei ü</p>", url)
    assert list_runs(url) == (NAME, "20261121T000000Z-demo")
    system, root = fsspec.url_to_fs(url) if not url.startswith("gs") else (gcsfs.GCSFileSystem(), "archive/team/runs")
    assert system.cat_file(f"{root}/index.html").decode() == "<p>zwei ü</p>"
    assert content(fetch(f"{url}/{NAME}", tmp_path / "back")) == content(run)


@pytest.mark.parametrize("sent", [1, 5])
def test_an_upload_that_was_cut_off_has_no_manifest_and_is_finished(
    run: Path, url: str, tmp_path: Path, sent: int
) -> None:
    told: list[str] = []

    def killed(words: str) -> None:
        told.append(words)
        if len(told) == sent:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish(run, url, killed)
    assert list_runs(url) == ()
    again = publish(run, url, silent)
    assert (again.uploaded, again.skipped) == (6 - sent, sent)
    assert list_runs(url) == (NAME,)
    assert content(fetch(f"{url}/{NAME}", tmp_path / "back")) == content(run)


def test_two_publishers_at_once_make_one_archive(url: str, tmp_path: Path) -> None:
    runs = [make(tmp_path / "0")]
    runs.append(tmp_path / "1" / NAME)
    shutil.copytree(runs[0], runs[1])
    start = threading.Barrier(2)

    def begin(one: Path) -> int:
        start.wait()
        done = publish(one, url, silent)
        return done.uploaded + done.skipped

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(begin, runs)) == [6, 6]
    assert content(fetch(f"{url}/{NAME}", tmp_path / "back")) == content(runs[0])


# What is not sent at all


@pytest.mark.parametrize("spoil", ["no manifest", "changed", "added", "gone", "link"])
def test_only_a_sealed_run_is_sent(run: Path, url: str, spoil: str) -> None:
    if spoil == "no manifest":
        (run / "manifest.json").unlink()
    elif spoil == "changed":
        (run / ODD).write_text("<html>o</html>!", encoding="utf-8")
    elif spoil == "added":
        (run / "10_step/attempt-2").mkdir()
        (run / "10_step/attempt-2/log.txt").touch()
    elif spoil == "gone":
        (run / ODD).unlink()
    else:
        (run / "key").symlink_to("/etc/hostname")
        seal(run, Seal.SIGNATURE, {})
    error = refused(lambda: publish(run, url, silent), Reason.BAD_FILE)
    named = {"added": "attempt-2/log.txt", "link": "key"}.get(spoil, ODD)
    assert named in error.what or spoil == "no manifest"
    publish_index("", url)
    assert list_runs(url) == ()


def test_a_link_to_the_run_is_followed(run: Path, url: str) -> None:
    latest = run.parent / "LATEST"
    latest.symlink_to(run.name)
    assert publish(latest, url, silent).url == f"{url}/{NAME}"


# What goes over the wire


@pytest.mark.filterwarnings("ignore:Sending a large body:ResourceWarning")
def test_every_object_is_created_only_if_there_is_none_and_the_manifests_last(run: Path, bucket: Bucket) -> None:
    (run / "large.log").write_bytes(b"0123456789abcde\n" * (52 << 16))  # sent in pieces
    seal(run, Seal.RUN, {})
    publish(run, GOOGLE, silent)
    uploads = [query for method, _, query in bucket.requests if method == "POST" and "upload_id" not in query]
    assert [query["ifGenerationMatch"] for query in uploads] == [["0"]] * 8
    assert {"multipart", "resumable"} == {query["uploadType"][0] for query in uploads}
    assert bucket.sent()[-2:] == [f"team/runs/{NAME}/manifest.json", f"team/runs/{NAME}/manifest-2.json"]
    kinds = {
        path: bucket.storage.get_file_obj("archive", f"team/runs/{NAME}/{path}")["contentType"] for path in content(run)
    }
    assert kinds[ODD] == "text/html"
    assert kinds["manifest.json"] == "text/plain"
    assert kinds["10_step/attempt-1/plot.png"] == "image/png"


def test_nothing_is_sent_where_one_name_is_taken(run: Path, bucket: Bucket) -> None:
    bucket.put(f"team/runs/{NAME}/params.yaml", b"name: dem0\n")
    bucket.requests.clear()
    error = refused(lambda: publish(run, GOOGLE, silent), Reason.PUBLISH_FAILED)
    assert error.where == f"{GOOGLE}/{NAME}/params.yaml"
    assert bucket.sent() == []
    assert bucket.get(f"team/runs/{NAME}/params.yaml") == b"name: dem0\n"


def test_an_object_that_somebody_changes_meanwhile_is_found(run: Path, bucket: Bucket) -> None:
    def change(words: str) -> None:
        if words == "sent ledger.jsonl":
            bucket.put(f"team/runs/{NAME}/10_step/attempt-1/empty.log", b"not empty")

    error = refused(lambda: publish(run, GOOGLE, change), Reason.PUBLISH_FAILED)
    assert error.where.endswith("empty.log")
    assert bucket.get(f"team/runs/{NAME}/manifest.json") is None
    assert list_runs(GOOGLE) == ()


def test_errors_that_pass_are_sat_out(run: Path, bucket: Bucket, tmp_path: Path) -> None:
    left = [503, 429, 500, 502, 503]

    def fail(method: str, name: str) -> int | None:
        return left.pop() if method == "POST" and left else None

    bucket.fault = fail
    assert publish(run, GOOGLE, silent).uploaded == 6
    assert left == []
    assert content(fetch(f"{GOOGLE}/{NAME}", tmp_path / "back")) == content(run)


def test_an_answer_that_is_lost_is_no_conflict(run: Path, bucket: Bucket) -> None:
    bucket.lost = 2
    assert publish(run, GOOGLE, silent).uploaded == 6
    assert bucket.lost == 0
    assert list_runs(GOOGLE) == (NAME,)


def test_a_service_that_stays_down_ends_it(run: Path, bucket: Bucket) -> None:
    bucket.fault = lambda method, name: 503 if method == "POST" else None
    error = refused(lambda: publish(run, GOOGLE, silent), Reason.PUBLISH_FAILED)
    assert error.exit_code is ExitCode.PUBLISH
    assert "status 503" in error.what
    assert "publish it again" in error.next_action
    assert len(set(bucket.sent())) == 1, "given up with the first file"
    assert len(bucket.sent()) == 6, "several tries of the client"
    bucket.fault = lambda method, name: None
    assert publish(run, GOOGLE, silent).uploaded == 6


def test_a_service_that_is_gone_ends_it(run: Path, monkeypatch: pytest.MonkeyPatch, bucket: Bucket) -> None:
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", "http://127.0.0.1:9")
    refused(lambda: publish(run, GOOGLE, silent), Reason.PUBLISH_FAILED)
    refused(lambda: publish_index("", GOOGLE), Reason.PUBLISH_FAILED)
    assert refused(lambda: list_runs(GOOGLE), Reason.FETCH_FAILED).exit_code is ExitCode.ENGINE
    refused(lambda: fetch(f"{GOOGLE}/{NAME}", run.parent / "back"), Reason.FETCH_FAILED)


@pytest.mark.parametrize("status", [401, 403])
def test_who_is_not_let_in_is_told_so_at_once(run: Path, bucket: Bucket, status: int) -> None:
    bucket.fault = lambda method, name: status if method == "POST" else None
    error = refused(lambda: publish(run, GOOGLE, silent), Reason.PUBLISH_FAILED)
    assert "access is denied" in error.what
    assert "Log in" in error.next_action
    assert len(bucket.sent()) == 1


def test_a_bucket_that_does_not_exist(run: Path, bucket: Bucket) -> None:
    for call in (lambda: publish(run, "gs://nobody/runs", silent), lambda: publish_index("", "gs://nobody/runs")):
        assert "no such bucket" in refused(call, Reason.PUBLISH_FAILED).what
    assert "no such bucket" in refused(lambda: list_runs("gs://nobody/runs"), Reason.FETCH_FAILED).what


def test_a_disk_on_which_the_last_step_of_writing_fails_keeps_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(module.os, "fsync", full)
    assert (
        "No space left" in refused(lambda: publish(run, f"file://{tmp_path}/far", silent), Reason.PUBLISH_FAILED).what
    )
    assert content(tmp_path / "far") == {}


# What is fetched


@pytest.mark.parametrize("evil", ["../evil", "a/../../evil", "/evil", "a//evil", "./evil", ".."])
def test_a_name_that_leads_out_of_the_folder_is_refused(run: Path, bucket: Bucket, tmp_path: Path, evil: str) -> None:
    publish(run, GOOGLE, silent)
    bucket.pretend(f"team/runs/{NAME}/{evil}")
    back = tmp_path / "deep" / "er"
    assert evil in refused(lambda: fetch(f"{GOOGLE}/{NAME}", back), Reason.BAD_FILE).what
    assert not list(tmp_path.rglob("evil"))
    assert not back.exists()


def test_the_placeholder_of_a_folder_is_no_file(run: Path, bucket: Bucket, tmp_path: Path) -> None:
    publish(run, GOOGLE, silent)
    bucket.pretend(f"team/runs/{NAME}/10_step/")
    bucket.pretend(f"team/runs/{NAME}/")
    bucket.pretend("team/runs/")
    assert publish(run, GOOGLE, silent).skipped == 6
    assert content(fetch(f"{GOOGLE}/{NAME}", tmp_path / "back")) == content(run)
    assert list_runs(GOOGLE) == (NAME,)


def test_a_run_that_is_there_is_not_overwritten(run: Path, url: str) -> None:
    publish(run, url, silent)
    before = content(run)
    assert "exists already" in refused(lambda: fetch(f"{url}/{NAME}", run.parent), Reason.BAD_FILE).what
    assert content(run) == before


def test_a_run_that_is_not_there(run: Path, url: str, tmp_path: Path) -> None:
    publish(run, url, silent)
    for name in (NAME[:-1], "none", f"{NAME}/params.yaml"):
        refused(lambda name=name: fetch(f"{url}/{name}", tmp_path / "back"), Reason.BAD_FILE)
    assert not (tmp_path / "back").exists()


def test_a_download_that_fails_leaves_nothing(run: Path, bucket: Bucket, tmp_path: Path) -> None:
    publish(run, GOOGLE, silent)
    served: list[str] = []

    def fail(method: str, name: str) -> int | None:
        served.append(name)
        return 503 if len(served) > 6 else None

    bucket.fault = fail
    refused(lambda: fetch(f"{GOOGLE}/{NAME}", tmp_path / "back"), Reason.FETCH_FAILED)
    assert list((tmp_path / "back").iterdir()) == []


def test_a_folder_that_is_a_file(run: Path, url: str, tmp_path: Path) -> None:
    publish(run, url, silent)
    (tmp_path / "back").touch()
    refused(lambda: fetch(f"{url}/{NAME}", tmp_path / "back"), Reason.FETCH_FAILED)


# Addresses


@pytest.mark.parametrize("text", ["gs://bucket", "gs://b/runs/x", "file:///mnt/runs", "memory://x", "s3://b/x"])
def test_an_address(text: str) -> None:
    assert is_url(text)


@pytest.mark.parametrize(
    "text", ["", "runs", "runs/2026", "/mnt/runs", "C:\\runs", "C://runs", "://x", "a b://c", "gs:/b"]
)
def test_no_address(text: str) -> None:
    assert not is_url(text)


@pytest.mark.parametrize("address", ["ftp://me:hunter2@host/runs", "gs://hunter2@bucket/runs"])
def test_an_address_with_a_password_is_refused_and_not_quoted(run: Path, address: str) -> None:
    for call in (
        lambda: publish(run, address, silent),
        lambda: fetch(f"{address}/{NAME}", run),
        lambda: list_runs(address),
    ):
        assert "hunter2" not in str(refused(call, Reason.BAD_PARAMETER))


@pytest.mark.parametrize("address", ["runs", "nosuch://x/y", "C:\\runs"])
def test_an_address_that_nobody_serves_is_wrong_usage(run: Path, address: str) -> None:
    with pytest.raises(ParameterError) as caught:
        publish(run, address, silent)
    assert caught.value.exit_code is ExitCode.USAGE


@pytest.mark.parametrize("address", ["gs://bucket", "gs://", "gs://archive/", "runs"])
def test_what_is_no_run_is_not_fetched(bucket: Bucket, tmp_path: Path, address: str) -> None:
    with pytest.raises(CourtbookError):
        fetch(address, tmp_path / "back")
    assert not (tmp_path / "back").exists()
