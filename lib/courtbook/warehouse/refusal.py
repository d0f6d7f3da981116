"""What BigQuery and the way to it can refuse, in the words and reasons of courtbook."""

import re
from concurrent.futures import TimeoutError as JobTimeout

import requests
from google.api_core import exceptions
from google.auth import exceptions as auth

from courtbook.errors import CourtbookError, Interrupted, Reason, WarehouseError

LONGEST = 300  # characters of a message; some hold whole statements
_TOO_LONG = ("job timed out", "operation timed out")  # its reason is that of a job that a person has stopped
_CONCURRENT = ("concurrent update", "could not serialize access", "streaming buffer")
_MISFIT = (
    "unrecognized name", "no matching signature", "schema does not match", "cannot parse", "has no field",
    "type mismatch", "provided schema", "has type", "field is missing", "not found inside", "is not present in table",
)  # fmt: skip

# By Google's own reason, https://cloud.google.com/bigquery/docs/error-messages
_REASONS = {
    "notFound": Reason.NOT_FOUND,
    "accessDenied": Reason.DENIED,
    "billingNotEnabled": Reason.DENIED,
    "quotaExceeded": Reason.QUOTA,
    "rateLimitExceeded": Reason.QUOTA,
    "jobRateLimitExceeded": Reason.QUOTA,
    "backendError": Reason.UNREACHABLE,
    "internalError": Reason.UNREACHABLE,
    "jobBackendError": Reason.UNREACHABLE,
    "jobInternalError": Reason.UNREACHABLE,
    "bytesBilledLimitExceeded": Reason.OVER_CAP,
    "timeout": Reason.QUERY_TIMEOUT,
    "stopped": Reason.INTERRUPTED,
}
_TYPES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Reason], ...] = (
    (JobTimeout, Reason.QUERY_TIMEOUT),
    (exceptions.NotFound, Reason.NOT_FOUND),
    (exceptions.TooManyRequests, Reason.QUOTA),
    ((exceptions.Unauthorized, auth.RefreshError), Reason.NO_CREDENTIALS),
    (exceptions.Forbidden, Reason.DENIED),
    ((exceptions.ServerError, auth.TransportError, requests.RequestException, ConnectionError), Reason.UNREACHABLE),
)
_GO_ON = "then go on with 'courtbook run --resume RUN'"
NEXT = {
    Reason.NOT_FOUND: "Compare project, location and datasets of the parameters; preflight names missing tables.",
    Reason.NO_CREDENTIALS: "Log in with 'gcloud auth application-default login', or name a valid key in warehouse.key.",
    Reason.DENIED: "Ask for BigQuery Job User on the project and Data Viewer (to write: Data Editor) on its datasets.",
    Reason.QUOTA: f"Wait {{wait}}, {_GO_ON}; or ask for more quota.",
    Reason.SCHEMA_MISMATCH: "Run preflight: it compares columns and types with the catalog.",
    Reason.CONCURRENT_UPDATE: f"Somebody else writes this table: wait until he has ended, {_GO_ON}.",
    Reason.UNREACHABLE: f"Look at the network and at Google Cloud's status page, {_GO_ON}.",
    Reason.OVER_CAP: "Choose a shorter range, or raise warehouse.maximum_bytes_billed if all of it is meant.",
    Reason.QUERY_TIMEOUT: "Raise warehouse.timeout, or see what else uses the project's slots.",
    Reason.QUERY_FAILED: "See the statement named here; preflight compares tables and columns with the catalog.",
}
_NEXT_OF = {  # where Google's own reason says more than ours
    "billingNotEnabled": "Enable billing for the project, or name another one as warehouse.project.",
    "resourcesExceeded": "Choose a shorter range, or fewer dates at once (backfill.dates_per_batch).",
}
NETWORK = (
    exceptions.GoogleAPICallError,
    exceptions.RetryError,
    auth.GoogleAuthError,
    requests.RequestException,
    ConnectionError,
)


def explain(error: Exception, where: str) -> CourtbookError:
    """Return our error for one of Google's clients, with what to do next.

    Parameters
    ----------
    where : str
        The statement or table concerned.
    """
    if isinstance(error, exceptions.RetryError):  # it was tried for a while: what counts is why
        cause = error.cause
        return explain(cause if isinstance(cause, Exception) else ConnectionError(str(error)), where)
    reason = _reason(error)
    if reason is Reason.INTERRUPTED:
        return Interrupted()
    wait = _wait(error)
    action = _NEXT_OF.get(_given(error), NEXT[reason]).format(wait=f"{wait:g} s" if wait else "some minutes")
    return WarehouseError(reason, _words(error), where=where, next_action=action, retry_after=wait)


def _given(error: Exception) -> str:
    """Return the reason that BigQuery gives in the body of its answer; empty if it gives none."""
    for item in getattr(error, "errors", None) or ():
        if isinstance(item, dict) and item.get("reason"):
            return str(item["reason"])
    return ""


def _reason(error: Exception) -> Reason:
    text, given = str(error).casefold(), _given(error)
    if any(words in text for words in _CONCURRENT):
        return Reason.CONCURRENT_UPDATE
    if any(words in text for words in _TOO_LONG):
        return Reason.QUERY_TIMEOUT
    if "limit for bytes billed" in text:
        return Reason.OVER_CAP
    if given in _REASONS:
        return _REASONS[given]
    for kind, reason in _TYPES:
        if isinstance(error, kind):
            return reason
    return Reason.SCHEMA_MISMATCH if any(words in text for words in _MISFIT) else Reason.QUERY_FAILED


def _wait(error: Exception) -> float:
    """Return the seconds that the answer asks to wait."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    asked = str(headers.get("Retry-After", ""))
    return float(asked) if asked.isdecimal() else 0.0


def _words(error: Exception) -> str:
    if isinstance(error, JobTimeout):
        return "The statement took longer than it may, and was cancelled."
    said = getattr(error, "message", None) or (error.args[0] if error.args else "")
    message = str(said or type(error).__name__).split("; reason: ")[0]  # what follows repeats it
    # Google's message begins with the request and its address, and may go on with the whole query.
    line = re.sub(r"^[A-Z]+ https?://\S+: ", "", str(message).strip().splitlines()[0])
    return f"{line.rstrip('.')}." if len(line) <= LONGEST else f"{line[:LONGEST]}…"
