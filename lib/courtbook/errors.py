"""One base error with a reason, what happened and what to do next; the exit codes in one table."""

from enum import Enum, IntEnum


class ExitCode(IntEnum):
    """What the command's exit status says. The only place where the numbers stand."""

    GO = 0
    NO_GO = 1
    USAGE = 2
    ENGINE = 3
    INTERRUPTED = 4
    REFUSED = 5
    PUBLISH = 6


EXIT_MEANING: dict[ExitCode, str] = {
    ExitCode.GO: "GO: every step that ran ended in GO",
    ExitCode.NO_GO: "NO-GO, also MARGINAL and DEGRADED: a gate or a check said no",
    ExitCode.USAGE: "wrong parameters or usage",
    ExitCode.ENGINE: "an engine failed: warehouse, kernel or executor",
    ExitCode.INTERRUPTED: "interrupted before a verdict",
    ExitCode.REFUSED: "refused: no gate, a lock is held, a cost cap, a signature, a secret in an archive",
    ExitCode.PUBLISH: "the run ended, but its archive could not be published; the local copy is whole",
}


class Reason(Enum):
    """Why something ended in an error; each reason has one exit code."""

    BAD_PARAMETER = ("bad_parameter", ExitCode.USAGE)
    BAD_FILE = ("bad_file", ExitCode.USAGE)
    NO_GAMES = ("no_games", ExitCode.USAGE)
    WAREHOUSE_MISSING = ("warehouse_missing", ExitCode.ENGINE)
    WAREHOUSE_CORRUPT = ("warehouse_corrupt", ExitCode.ENGINE)
    WAREHOUSE_LOCKED = ("warehouse_locked", ExitCode.REFUSED)
    QUERY_FAILED = ("query_failed", ExitCode.ENGINE)
    QUERY_TIMEOUT = ("query_timeout", ExitCode.ENGINE)
    NO_CREDENTIALS = ("no_credentials", ExitCode.ENGINE)
    DENIED = ("denied", ExitCode.ENGINE)
    NOT_FOUND = ("not_found", ExitCode.ENGINE)
    QUOTA = ("quota", ExitCode.ENGINE)
    SCHEMA_MISMATCH = ("schema_mismatch", ExitCode.ENGINE)
    CONCURRENT_UPDATE = ("concurrent_update", ExitCode.ENGINE)
    UNREACHABLE = ("unreachable", ExitCode.ENGINE)
    LEDGER_BROKEN = ("ledger_broken", ExitCode.ENGINE)
    NO_GATE = ("no_gate", ExitCode.REFUSED)
    OVER_CAP = ("over_cap", ExitCode.REFUSED)
    RUN_HELD = ("run_held", ExitCode.REFUSED)
    TABLE_HELD = ("table_held", ExitCode.REFUSED)
    JOB_FAILED = ("job_failed", ExitCode.ENGINE)
    SERVICE_FAILED = ("service_failed", ExitCode.ENGINE)
    DISK_FULL = ("disk_full", ExitCode.ENGINE)
    PUBLISH_FAILED = ("publish_failed", ExitCode.PUBLISH)
    FETCH_FAILED = ("fetch_failed", ExitCode.ENGINE)
    SECRET_FOUND = ("secret_found", ExitCode.REFUSED)
    SIGN_REFUSED = ("sign_refused", ExitCode.REFUSED)
    SIGN_FAILED = ("sign_failed", ExitCode.ENGINE)
    NO_GO = ("no_go", ExitCode.NO_GO)
    INTERRUPTED = ("interrupted", ExitCode.INTERRUPTED)

    def __init__(self, code: str, exit_code: ExitCode) -> None:
        self.code = code
        self.exit_code = exit_code

    @property
    def transient(self) -> bool:
        """Whether the same call may succeed a little later, without anybody changing anything."""
        return self in _TRANSIENT


_TRANSIENT = (
    Reason.WAREHOUSE_LOCKED,
    Reason.WAREHOUSE_MISSING,
    Reason.QUERY_TIMEOUT,
    Reason.QUOTA,
    Reason.CONCURRENT_UPDATE,
    Reason.UNREACHABLE,
)


class CourtbookError(Exception):
    """Base of every error that courtbook raises on purpose.

    Parameters
    ----------
    reason : Reason
        Machine-readable reason; decides the exit code.
    what : str
        What happened, in one sentence.
    where : str
        File, table, parameter or step concerned.
    next_action : str
        What the user does now.
    retry_after : float
        Seconds to wait before the same is asked again, where whoever refused it said so.
    """

    def __init__(self, reason: Reason, what: str, *, where: str, next_action: str, retry_after: float = 0) -> None:
        self.reason = reason
        self.retry_after = retry_after
        self.what = what
        self.where = where
        self.next_action = next_action
        super().__init__(f"{where}: {what} {next_action}")

    @property
    def exit_code(self) -> ExitCode:
        """Exit status of a command that ends with this error."""
        return self.reason.exit_code

    def _render_traceback_(self) -> list[str]:
        """Return what IPython shows instead of a traceback: one readable block."""
        return [f"{self.reason.code}  {self.where}", f"  {self.what}", f"  -> {self.next_action}"]


class ParameterError(CourtbookError):
    """A parameter is unknown, missing or has a wrong value."""

    def __init__(self, what: str, *, where: str, next_action: str, reason: Reason = Reason.BAD_PARAMETER) -> None:
        super().__init__(reason, what, where=where, next_action=next_action)


class WarehouseError(CourtbookError):
    """The warehouse is missing, locked, damaged or refused a statement."""


class Interrupted(CourtbookError):
    """A person or the system asked the command to stop."""

    def __init__(self) -> None:
        super().__init__(
            Reason.INTERRUPTED,
            "The command was interrupted.",
            where="courtbook",
            next_action="What was done is on record; 'courtbook run --resume RUN' goes on with a run.",
        )


class GateClosed(CourtbookError):
    """A step that writes was called without the GO that it needs."""

    def __init__(self, what: str, *, where: str, next_action: str) -> None:
        super().__init__(Reason.NO_GATE, what, where=where, next_action=next_action)


class NoGo(CourtbookError):
    """A step ended in NO-GO; raised by its last cell so that nothing runs on."""

    def __init__(self, what: str, *, where: str, next_action: str) -> None:
        super().__init__(Reason.NO_GO, what, where=where, next_action=next_action)
