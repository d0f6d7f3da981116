"""A BigQuery on loopback that answers what a test tells it to, and keeps every request.

It runs no SQL. It keeps what the service itself keeps: jobs and their ids, datasets and tables, locations, the cap.
"""

import json
import math
import re
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl, urlsplit

from bigquery_answers import Answer, Failure, Job, Json, Request, fields

Match = str | re.Pattern[str]
Said = Answer | Callable[[Request], Answer]
_CODES = {
    "invalid": 400, "invalidQuery": 400, "resourcesExceeded": 400, "bytesBilledLimitExceeded": 400, "accessDenied": 403,
    "billingNotEnabled": 403, "quotaExceeded": 403, "rateLimitExceeded": 403, "notFound": 404, "duplicate": 409,
    "stopped": 499, "internalError": 500, "backendError": 503,
}  # fmt: skip
_STATUS = {
    400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 409: "ALREADY_EXISTS",
    429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 503: "UNAVAILABLE",
}  # fmt: skip


class _LostError(Exception):
    """The connection is reset instead of an answer."""


class BigQueryServer:
    """The server, a context manager. ``on`` and ``at`` say what it answers; whatever is not said succeeds, empty."""

    def __init__(self, location: str = "US", page_rows: int = 10_000) -> None:
        self.location, self.page_rows = location, page_rows
        self.requests: list[Request] = []
        self.jobs: dict[str, Job] = {}
        self.tables: dict[str, dict[str, Json]] = {}  # resources by dataset and name
        self.uploads: list[tuple[Json, bytearray]] = []
        self.turn = threading.RLock()
        self._rules: list[tuple[str, Match, list[Said]]] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> "BigQueryServer":
        threading.Thread(target=self._http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()

    def on(self, sql: Match, *answers: Said) -> None:
        """Answer jobs with this text (a load job's is "LOAD dataset.table"), in turn; the last stays."""
        self._rules.insert(0, ("sql", sql, list(answers)))

    def at(self, path: Match, *answers: Said) -> None:
        """Answer requests whose "METHOD path" has this text, in turn; the last stays, and ``Answer()`` is as usual."""
        self._rules.insert(0, ("path", path, list(answers)))

    def add_table(self, name: str, schema: Mapping[str, str], rows: int = 0) -> None:
        dataset, table = name.split(".")
        made = {"schema": fields(schema), "numRows": str(rows), "numBytes": str(rows * 8), "type": "TABLE"}
        self.tables.setdefault(dataset, {})[table] = made

    def sent(self, method: str, path: str) -> list[Request]:
        return [request for request in self.requests if request.method == method and re.search(path, request.path)]

    def submitted(self, *, dry: bool = False) -> list[Request]:
        """Requests that submit a job: the dry runs, or all others."""
        return [r for r in self.sent("POST", "/(jobs|queries)$") if bool(r.configuration.get("dryRun")) is dry]

    def _said(self, kind: str, text: str, request: Request) -> Answer:
        for of, match, answers in self._rules:
            if of == kind and (match in text if isinstance(match, str) else match.search(text)):
                said = answers.pop(0) if len(answers) > 1 else answers[0]
                answer = said if isinstance(said, Answer) else said(request)
                if answer.refuse or answer.lost == "before":
                    raise answer.refuse or _LostError
                return answer
        return Answer()

    def handle(self, request: Request) -> Json | None:
        """Return the body of the response."""
        answer = self._said("path", f"{request.method} {request.path}", request)
        if answer.body is not None:
            return answer.body
        found = re.fullmatch(r"(?:/resumable|/upload)*/bigquery/v2/projects/([^/]+)/([a-z]+)(?:/(.+))?", request.path)
        if not found:
            raise Failure("notFound", f"Not found: {request.path}")
        project, place, rest = found.groups(default="")
        body: Json | None = getattr(self, f"_{place}")(request, project, rest)
        if answer.lost or request.lost:
            raise _LostError
        return body

    def _job(self, request: Request, project: str, name: str) -> Job:
        """Return a job; outside of the multi-regions only who names its location finds it."""
        job, asked = self.jobs.get(name), request.query.get("location") or {"EU": "EU"}.get(self.location, "US")
        if job is None or asked.upper() != job.resource["jobReference"]["location"].upper():
            raise Failure("notFound", f"Not found: Job {project}:{asked}.{name}")
        return job

    def _start(self, request: Request, project: str, given: Json) -> Job:
        """Begin a job as the service does: a bad label or id, and an id that was used before, are refused."""
        whole, name = request.configuration, given.get("jobId") or f"job_{uuid.uuid4().hex}"
        location, dry = given.get("location") or self.location, whole.get("dryRun")
        labels = [":".join(label) for label in whole.get("labels", {}).items()]
        good = [re.fullmatch(r"[a-z][a-z0-9_-]{0,62}:[a-z0-9_-]{0,63}", label) for label in labels]
        if not all((re.fullmatch(r"[\w-]{1,1024}", name, re.ASCII), *good)):
            raise Failure("invalid", f"Invalid job ID or label: {project}:{name} {labels}")
        if name in self.jobs and not dry:
            raise Failure("duplicate", f"Already Exists: Job {project}:{location}.{name}")
        answer = self._said("sql", request.sql, request)
        request.lost, billed = answer.lost, max(10, math.ceil(answer.bytes / 2**20)) * 2**20
        cap = int(whole.get("query", {}).get("maximumBytesBilled") or 0)
        if answer.bytes and 0 < cap < billed and not dry:
            text = f"Query exceeded limit for bytes billed: {cap}. {billed} or higher required."
            answer = replace(answer, error=Failure("bytesBilledLimitExceeded", text))
        if dry and answer.error:
            raise answer.error
        if "query" in whole:
            result = {"projectId": project, "datasetId": "_results", "tableId": f"anon{name}"}
            whole["query"] = {"destinationTable": result} | whole["query"]
        read, bill = {"totalBytesProcessed": str(answer.bytes)}, "0" if dry or answer.error else str(billed)
        query = {**read, "totalBytesBilled": bill, "schema": fields(answer.schema)}
        resource = {
            "id": f"{project}:{location}.{name}", "configuration": whole, "status": {"state": "RUNNING"},
            "jobReference": {"projectId": project, "jobId": name, "location": location},
            "statistics": {**read, "creationTime": "1700000000000", "query": query, "load": {"outputRows": "0"}},
        }  # fmt: skip
        job = Job(resource, answer, 0 if dry else answer.polls)
        if not dry:
            self.jobs[name] = job
            self.add_table(f"_results.anon{name}", answer.schema, len(answer.rows))
        return job if job.left else job.poll()

    def _queries(self, request: Request, project: str, name: str) -> Json:
        asked = request.body or request.query
        job = self._job(request, project, name).poll() if name else self._start(request, project, asked)
        if job.done and job.answer.error:
            raise job.answer.error
        limit = min(int(asked.get("maxResults", self.page_rows)), self.page_rows)
        micros = "formatOptions" in asked or "formatOptions.useInt64Timestamp" in asked
        return job.page(limit, int(asked.get("pageToken", 0)), micros)

    def _jobs(self, request: Request, project: str, rest: str) -> Json:
        if rest.endswith("/cancel"):
            job = self._job(request, project, rest.removesuffix("/cancel"))
            if not job.done:
                stopped = Failure("stopped", "Job execution was cancelled: User requested cancellation")
                job.answer, job.left = Answer(error=stopped), 0
            return {"kind": "bigquery#jobCancelResponse", "job": job.resource}
        if rest:
            return self._job(request, project, rest).poll().resource
        return self._start(request, project, request.body.get("jobReference", {})).resource

    def _datasets(self, request: Request, project: str, rest: str) -> Json:
        dataset, _, below = rest.partition("/")
        what, of, name, there = "dataset", "", dataset, self.tables
        if below:
            if dataset not in self.tables:
                raise Failure("notFound", f"Not found: Dataset {project}:{dataset}")
            what, of, name = "table", f"{dataset}.", below.removeprefix("tables").strip("/").removesuffix("/data")
            there = self.tables[dataset]
        reference = {"projectId": project, "datasetId": dataset, f"{what}Id": name}
        if request.method == "POST":
            name = request.body[f"{what}Reference"][f"{what}Id"]
            if name in there:
                raise Failure("duplicate", f"Already Exists: {what.title()} {project}:{of}{name}")
            there[name] = request.body | {"numRows": "0", "numBytes": "0", "type": "TABLE"} if below else {}
            return request.body
        if not name:
            return {f"{what}s": [{f"{what}Reference": reference | {f"{what}Id": one}} for one in there]}
        if name not in there:
            raise Failure("notFound", f"Not found: {what.title()} {project}:{of}{name}")
        if below.endswith("/data"):
            start = int(request.query.get("pageToken", 0))
            return self.jobs[name.removeprefix("anon")].page(self.page_rows, start, True)
        return {f"{what}Reference": reference, **(there[name] if below else {})}


class _Handler(BaseHTTPRequestHandler):
    owner: BigQueryServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def _serve(self) -> None:
        parts = urlsplit(self.path)
        query, uploads = dict(parse_qsl(parts.query)), self.owner.uploads
        media, body = self.rfile.read(int(self.headers.get("Content-Length") or 0)), {}
        kind = self.headers.get("Content-Type", "")
        if kind.startswith("multipart/"):
            whole = message_from_bytes(f"Content-Type: {kind}\r\n\r\n".encode() + media)
            text, media = (part.get_payload(decode=True) for part in whole.get_payload())
            body = json.loads(text)
        elif self.command == "PUT":
            body, got = uploads[int(query["upload_id"])]
            got[int(self.headers["Content-Range"].split()[1].partition("-")[0]) :] = media
            if self.headers["Content-Range"].endswith("/*"):
                return self._reply(308, None, Range=f"bytes=0-{len(got) - 1}")
            media = bytes(got)
        elif "json" in kind and media:
            body, media = json.loads(media), b""
        if query.get("uploadType") == "resumable" and self.command == "POST":
            uploads.append((body, bytearray()))
            return self._reply(200, {}, Location=f"{self.owner.url}{self.path}&upload_id={len(uploads) - 1}")
        request = Request(self.command.replace("PUT", "POST"), parts.path, query, body, dict(self.headers), media)
        try:
            with self.owner.turn:
                self.owner.requests.append(request)
                return self._reply(200, self.owner.handle(request))
        except Failure as no:
            code = no.code or _CODES[no.reason]
            errors = [{"message": no.message, "domain": "global", "reason": no.reason}]
            shown = {"code": code, "message": no.message, "status": _STATUS[code], "errors": errors}
            wait = {} if no.retry_after is None else {"Retry-After": str(no.retry_after)}
            return self._reply(code, {"error": shown}, **wait)
        except _LostError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.close_connection = True
            return self.connection.close()

    def _reply(self, status: int, body: Json | None, **headers: str) -> None:
        content = b"" if body is None else json.dumps(body).encode()
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = _serve  # noqa: N815
