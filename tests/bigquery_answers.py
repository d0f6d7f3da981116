"""What the BigQuery on loopback is told to answer, what it was asked, and how rows look on the way."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = dict[str, Any]
_LEGACY = {"INT64": "INTEGER", "FLOAT64": "FLOAT", "BOOL": "BOOLEAN"}


@dataclass(eq=False)
class Failure(Exception):
    """What BigQuery says when it refuses a request (HTTP), or when a job ends in an error (``errorResult``)."""

    reason: str
    message: str
    code: int = 0  # of HTTP; 0: the one that goes with the reason
    retry_after: int | None = None


@dataclass(frozen=True)
class Answer:
    """What becomes of a request.

    ``polls``: how often a job is asked for while it runs; ``math.inf``: until it is cancelled.
    ``lost``: the connection is reset "before" the request is looked at, or "after" it was carried out.
    """

    schema: Mapping[str, str] = field(default_factory=dict)  # GoogleSQL types by column
    rows: Sequence[Sequence[Any]] = ()
    bytes: int = 0
    polls: float = 0
    error: Failure | None = None  # of the job
    refuse: Failure | None = None  # of the request
    lost: str = ""
    body: Json | None = None  # of the response; only for requests by path


@dataclass
class Request:
    """One request that came in; ``media`` is the file of an upload."""

    method: str
    path: str
    query: dict[str, str]
    body: Json
    headers: dict[str, str]
    media: bytes = b""
    lost: str = ""

    @property
    def configuration(self) -> Json:
        """The configuration of the job that it submits, in the form of jobs.insert."""
        if not self.path.endswith("/queries"):
            return dict(self.body.get("configuration", {}))
        of_jobs = {key: self.body[key] for key in ("labels", "dryRun", "jobTimeoutMs") if key in self.body}
        return of_jobs | {"query": {key: value for key, value in self.body.items() if key not in of_jobs}}

    @property
    def sql(self) -> str:
        """The statement that it submits; "LOAD dataset.table" where it is a load job."""
        kind, config = next(((k, c) for k, c in self.configuration.items() if isinstance(c, dict) and k != "labels"))
        table = config.get("destinationTable", {})
        return config.get("query") or f"{kind.upper()} {table.get('datasetId')}.{table.get('tableId')}"


@dataclass
class Job:
    resource: Json
    answer: Answer
    left: float

    @property
    def done(self) -> bool:
        return self.resource["status"]["state"] == "DONE"

    def poll(self) -> "Job":
        if self.left > 0:
            self.left -= 1
            time.sleep(0.02)  # the service makes who asks wait: clients ask again at once
        elif not self.done:
            self.resource["status"] = {"state": "DONE"}
            if failed := self.answer.error:
                shown = {"reason": failed.reason, "location": "query", "message": failed.message}
                self.resource["status"] |= {"errorResult": shown, "errors": [shown]}
        return self

    def page(self, limit: int, start: int, micros: bool) -> Json:
        rows, shown = self.answer.rows, {"jobReference": self.resource["jobReference"], "jobComplete": self.done}
        if not self.done:
            return shown
        shown |= self.resource["statistics"]["query"] | {"totalRows": str(len(rows))}
        if found := rows[start : start + limit]:
            shown["rows"] = [{"f": [_cell(value, micros) for value in row]} for row in found]
        return shown | ({"pageToken": str(start + limit)} if found and start + limit < len(rows) else {})


def fields(schema: Mapping[str, str]) -> Json:
    bare = {name: kind.removeprefix("ARRAY<").removesuffix(">").partition("(")[0] for name, kind in schema.items()}
    modes = {name: "REPEATED" if kind.startswith("ARRAY<") else "NULLABLE" for name, kind in schema.items()}
    return {"fields": [{"name": n, "type": _LEGACY.get(bare[n], bare[n]), "mode": modes[n]} for n in schema]}


def _cell(value: Any, micros: bool) -> Any:
    if isinstance(value, list | tuple):
        value = [_cell(one, micros) for one in value]
    elif isinstance(value, datetime) and value.tzinfo:
        seconds = (value - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()
        value = str(round(seconds * 1_000_000)) if micros else repr(seconds)
    elif value is not None:
        value = value.isoformat() if isinstance(value, datetime) else str(value)
    return {"v": value}  # "True" is as good as "true"
