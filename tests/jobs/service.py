"""A stand-in for the service that fills one date at a call: the real format, on loopback, behaving as a test says.

Behaviours, by date, one a call, the last one for ever after (``kind`` or ``kind:value``):

=================  ====================================================================================
``ok``             every processor asked for fills the date and reports success
``no rows``        reports success and fills nothing
``error``          HTTP 200 in which every processor has the status error (``error:text``); ``exception`` likewise
``unknown``        HTTP 200 with empty results, as for a name the service does not know
``401`` ...        that status and an error text; ``429:3`` with Retry-After in seconds, ``429:date+3`` as a date
``drop``           closes the connection without an answer; ``drop:filled`` after the rows were written
``silent``         never answers
``drip``           sends its headers byte by byte; ``drip:body`` the body
``no json``        a page of HTML; ``shape`` JSON of another form
``echo``           an error that quotes the Authorization header
=================  ====================================================================================
"""

import json
import select
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self
from urllib.parse import parse_qs, urlsplit

# As the service runs them; a name that is not here is dropped without a word.
PROCESSORS = (
    "TeamDefenseZoneAnalysisProcessor",
    "PlayerShotZoneAnalysisProcessor",
    "PlayerDailyCacheProcessor",
    "PlayerCompositeFactorsProcessor",
    "MLFeatureStoreProcessor",
)
TOKEN_LIFE = 3600.0


@dataclass(frozen=True)
class Request:
    """One request as it came in; of the token only whether there was one."""

    day: date
    at: float
    body: Mapping[str, Any]
    headers: Mapping[str, str]
    token: bool


@dataclass
class Service:
    """The service and the metadata server that gives out its tokens, on one port.

    ``fill`` is called with the processor's name and the date. With ``guarded``, only tokens are let in that ``issue``
    or the metadata server gave out less than an hour ago, by ``clock``, and that are not in ``revoked``.
    """

    fill: Callable[[str, date], object] = lambda name, day: None
    script: Mapping[date, Sequence[str]] = field(default_factory=dict)
    default: str = "ok"
    guarded: bool = False
    seconds: float = 0.0
    clock: Callable[[], float] = time.monotonic

    def __post_init__(self) -> None:
        self.requests: list[Request] = []
        self.issued: dict[str, float] = {}
        self.revoked: set[str] = set()
        self.audiences: list[str] = []
        self.hung_up: list[date] = []
        self.most = self._now = 0
        self.lock, self.filling, self.stopped = threading.Lock(), threading.Lock(), threading.Event()

    @property
    def asked(self) -> dict[date, int]:
        """How often each date was asked for."""
        return dict(Counter(request.day for request in self.requests))

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def issue(self) -> str:
        """Give out a token that lives for an hour."""
        with self.lock:
            token = f"ey.secret-{len(self.issued) + 1}.sig"
            self.issued[token] = self.clock()
            return token

    def lets_in(self, header: str) -> bool:
        token = header.removeprefix("Bearer ")
        with self.lock:
            born = self.issued.get(token)
            return born is not None and token not in self.revoked and self.clock() - born < TOKEN_LIFE

    def __enter__(self) -> Self:
        self.server = _Server(("127.0.0.1", 0), _handler(self))
        self.host = f"127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        self.server.shutdown()
        self.server.server_close()  # waits for the threads of its requests
        self.thread.join()

    def begin(self, request: Request) -> str:
        """Note a request and return how to behave."""
        with self.lock:
            number = sum(earlier.day == request.day for earlier in self.requests)
            self.requests.append(request)
            self._now += 1
            self.most = max(self.most, self._now)
            script = self.script.get(request.day) or (self.default,)
            return script[min(number, len(script) - 1)]

    def end(self) -> None:
        with self.lock:
            self._now -= 1

    def run(self, names: Sequence[str], day: date) -> None:
        with self.filling:  # one writer
            for name in names:
                self.fill(name, day)


class _Server(ThreadingHTTPServer):
    daemon_threads = False
    request_queue_size = 64

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that hang up are part of the tests."""


def _handler(service: Service) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        busy = False

        def log_message(self, *_: object) -> None:
            pass

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            if not address.path.endswith("/default/identity") or self.headers["Metadata-Flavor"] != "Google":
                return self.answer(403, "no metadata for you")
            service.audiences += parse_qs(address.query)["audience"]
            return self.answer(200, service.issue(), kind="text/html")

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path != "/process-date" or "analysis_date" not in body:
                return self.answer(400, {"error": "analysis_date required"})
            day, authorization = date.fromisoformat(body["analysis_date"]), self.headers.get("Authorization", "")
            headers = {name: value for name, value in self.headers.items() if name != "Authorization"}
            request = Request(day, time.monotonic(), body, headers, authorization.startswith("Bearer "))
            behaviour, self.busy = service.begin(request), True
            try:
                if service.guarded and not service.lets_in(authorization):
                    return self.answer(401, "<h1>401 Unauthorized</h1>", kind="text/html")
                return self.behave(*behaviour.partition(":")[::2], body, day)
            finally:
                self.done()

        def done(self) -> None:
            """Count the request as over; before the answer goes out, since the next one may follow at once."""
            if self.busy:
                self.busy = False
                service.end()

        def behave(self, kind: str, value: str, body: Mapping[str, Any], day: date) -> None:
            names = [name for name in PROCESSORS if not body["processors"] or name in body["processors"]]
            if service.stopped.wait(service.seconds):
                return self.hang_up()
            if kind in ("ok", "no rows", "error", "exception", "unknown"):
                if kind == "ok":
                    service.run(names, day)
                status = kind if kind in ("error", "exception") else "success"
                error = {"error": value or f"{kind} while processing"} if kind in ("error", "exception") else {}
                results = [{"processor": name, "status": status, "stats": {}, **error} for name in names]
                results = [] if kind == "unknown" else results
                return self.answer(200, {"status": "completed", "analysis_date": str(day), "results": results})
            if kind.isdecimal():
                return self.answer(int(kind), {"error": f"error {kind}"}, retry_after=value)
            if kind == "drop":
                if value:
                    service.run(names, day)
                return self.hang_up()
            if kind in ("silent", "drip"):
                return self.wait(day, kind, value)
            if kind == "echo":
                return self.answer(400, {"error": f"bad header {self.headers['Authorization']}"})
            return self.answer(200, {"results": "none"} if kind == "shape" else "<h1>It works</h1>")

        def wait(self, day: date, kind: str, value: str) -> None:
            """Keep the client waiting until it hangs up or the server stops."""
            start = b"HTTP/1.1 200 OK\r\n" + (b"\r\n" if value == "body" else b"")
            if kind == "drip":
                self.wfile.write(start)
            while not service.stopped.wait(0.05):
                if select.select([self.connection], [], [], 0)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                    service.hung_up.append(day)
                    break
                if kind == "drip":
                    self.wfile.write(b"x")
            self.hang_up()

        def hang_up(self) -> None:
            self.close_connection = True

        def answer(self, status: int, content: object, kind: str = "application/json", retry_after: str = "") -> None:
            data = (content if isinstance(content, str) else json.dumps(content)).encode()
            self.done()
            self.send_response(status)
            if retry_after.startswith("date+"):
                moment = datetime.now(UTC) + timedelta(seconds=int(retry_after.removeprefix("date+")))
                retry_after = format_datetime(moment, usegmt=True)
            if retry_after:
                self.send_header("Retry-After", retry_after)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

    return Handler
