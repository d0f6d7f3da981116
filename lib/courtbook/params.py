"""The schema of a params file: everything that a run can be told."""

import hashlib
import json
from datetime import date
from typing import Annotated, Literal, get_args

import yaml
from pydantic import Field, model_validator

from courtbook.params_fields import Confirmed, Day, Secret, Strict, Words
from courtbook.params_warehouse import AnyWarehouse

StepName = Literal[
    "preflight",
    "phase3_backfill",
    "phase3_validation",
    "phase4_backfill",
    "phase4_validation",
    "ml_readiness",
    "sign_off",
]
STEP_NAMES: tuple[str, ...] = get_args(StepName)


class LeagueSource(Strict):
    """Raw data from the synthetic league."""

    kind: Literal["league"] = Field(description="`league` makes synthetic raw data, `folder` loads real data")
    seed: int = Field(2026, description="seed of the synthetic league")
    seasons: tuple[int, ...] = Field(
        (2021, 2022, 2023, 2024, 2025), description="starting years of its seasons", strict=False
    )
    end: Day = Field(date(2026, 1, 3), description="last date that has been played")
    state: Literal["raw", "incident", "complete"] = Field(
        "raw", description="what stands in the processed tables: nothing, the state of January 2026, or everything"
    )


class FolderSource(Strict):
    """Raw data from files in the documented layout."""

    kind: Literal["folder"] = Field(description="`league` makes synthetic raw data, `folder` loads real data")
    path: str = Field(description="folder with the input files, relative to the project's folder")


class RangeParams(Strict):
    """First and last game date, both included."""

    start: Day = Field(description="first game date of the run (US Eastern calendar date)")
    end: Day = Field(description="last game date of the run")

    @model_validator(mode="after")
    def _ordered(self) -> "RangeParams":
        if self.start > self.end:
            raise ValueError(f"start {self.start} lies after end {self.end}")
        return self


Mode = Literal["missing", "missing_and_failed", "stale", "all"]


class BackfillParams(Strict):
    """How dates are filled."""

    mode: Mode = Field(
        "missing",
        description="what to write: missing and partial dates; these and what failed before; "
        "these and what is older than its inputs; or every date",
    )
    changed: tuple[Day, ...] = Field(
        (),
        description="game dates whose raw data was corrected: they and all that looks back at them are written anew",
        strict=False,
    )
    dates_per_batch: int = Field(250, ge=1, le=2000, description="dates that one transaction replaces")
    sample_dates: int = Field(0, ge=0, le=50, description="Phase 4 dates to try first; all must succeed; 0 for none")
    parallel: int = Field(2, ge=1, le=16, description="tables of one level that are written at the same time")
    retries: int = Field(4, ge=0, le=20, description="how often a transient error is tried again, per piece of work")
    retry_wait: float = Field(
        2.0, gt=0, le=600, description="seconds before the first retry; each later wait is twice as long", strict=False
    )
    max_table_dates: int = Field(20_000, ge=1, description="a plan of more table-dates is refused")
    max_hours: float | None = Field(
        None, gt=0, description="a plan that is estimated to take longer is refused", strict=False
    )
    max_bytes: int | None = Field(
        None, ge=0, description="a plan whose statements are estimated to read more bytes is refused"
    )


class CommandParams(Strict):
    """A job of the operator's that fills a table; its rows decide, not its exit status."""

    kind: Literal["command"] = Field(
        description="`command` runs a program, `http` calls a service; without: built-in SQL"
    )
    argv: tuple[Words, ...] = Field(
        min_length=1, description="program and arguments; `{script}` is the table's script", strict=False
    )
    folder: str = Field(".", description="working folder, relative to the project's folder")
    environment: dict[str, str] = Field(
        default_factory=dict,
        description="environment variables to set; on record, so no secrets: a job inherits all others",
    )
    by: Literal["auto", "dates", "range"] = Field(
        "auto", description="pass `--dates` lists or start and end; auto: lists where the script takes them"
    )
    dates_per_job: int = Field(200, ge=1, le=2000, description="most dates that one job gets")
    workers: int = Field(0, ge=0, le=64, description="`--parallel --workers N` where the script heeds it; 0 for none")
    silent: float = Field(
        3600, gt=0, description="seconds without new output after which a job counts as hung", strict=False
    )
    limit: float = Field(28800, gt=0, description="seconds that a job may take", strict=False)
    grace: float = Field(
        30, gt=0, description="seconds between asking a job's processes to end and killing them", strict=False
    )


class TokenParams(Strict):
    """Where the bearer token comes from; the token itself is never written down."""

    command: tuple[Words, ...] = Field((), description="program that prints a token", strict=False)
    secret: Secret | None = Field(
        None, description="`env:NAME` or `file:PATH` that holds a token; a path is relative to the project's folder"
    )
    metadata: str = Field("", description="audience for which the metadata server gives an identity token")
    minutes: float = Field(50, gt=0, le=60, description="age at which a token is renewed", strict=False)

    @model_validator(mode="after")
    def _one(self) -> "TokenParams":
        if sum(map(bool, (self.command, self.secret, self.metadata))) != 1:
            raise ValueError("give exactly one of command, secret and metadata")
        return self


class HttpParams(Strict):
    """A service that fills one date of a table at a call (`POST /process-date`); its rows decide, not its answer."""

    kind: Literal["http"] = Field(description="`command` runs a program, `http` calls a service; without: built-in SQL")
    url: str = Field(pattern=r"^https?://[^\s@?#]+$", description="address of the service, without /process-date")
    token: TokenParams | None = Field(None, description="where the bearer token comes from; without it none is sent")
    timeout: float = Field(300, gt=0, description="seconds that one call may take", strict=False)
    pause: float = Field(2, ge=0, description="seconds between two calls", strict=False)
    concurrency: int = Field(1, ge=1, le=32, description="calls at the same time")


class WatchdogParams(Strict):
    """When a notebook is ended from outside."""

    seconds: float = Field(86400, gt=0, description="seconds that one step may take", strict=False)
    memory: float = Field(
        80, gt=0, le=100, description="percent of the machine's memory that a step's processes may hold", strict=False
    )


class ThresholdParams(Strict):
    """Another threshold for one check; the override shows in the record."""

    minimum: float | None = Field(None, description="smallest value that passes", strict=False, allow_inf_nan=False)
    maximum: float | None = Field(None, description="largest value that passes", strict=False, allow_inf_nan=False)

    @model_validator(mode="after")
    def _something(self) -> "ThresholdParams":
        if self.minimum is None and self.maximum is None:
            raise ValueError("give a minimum or a maximum")
        return self


class WaiverParams(Strict):
    """A warning that somebody accepts for some time."""

    by: Words = Field(description="who accepts it")
    reason: Words = Field(description="why")
    until: Day = Field(description="last day on which the waiver holds")


class AcceptParams(Strict):
    """Option A: a table may stay incomplete, because something stands in for it."""

    minimum: float = Field(0.5, ge=0.5, le=1.0, description="covered share of the dates that must be there")
    fallback_confirmed: Confirmed = Field(description="that the fallback was confirmed; only `true` is accepted")
    by: Words = Field(description="who accepts it")
    reason: Words = Field(description="why")


class OverrideParams(Strict):
    """Option C: the chain goes on behind a closed gate, and everything after it says DEGRADED."""

    gate: Literal["phase3", "phase4", "ml"] = Field(description="the gate that is overridden")
    by: Words = Field(description="who overrides it")
    reason: Words = Field(description="why")


class Params(Strict):
    """Everything that a run can be told. One file, one run."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="short name; part of the run's id")
    warehouse: AnyWarehouse = Field(description="where the tables are")
    source: LeagueSource | FolderSource | None = Field(
        None, discriminator="kind", description="how `prepare` builds the raw tables; without it they must exist"
    )
    range: RangeParams = Field(description="the game dates that the run is about")
    first_step: StepName = Field("preflight", description="where the chain begins")
    last_step: StepName = Field("sign_off", description="where the chain ends")
    dry_run: bool = Field(True, description="plan and show, but write nothing into the warehouse")
    operator: str = Field("", description="name of the person who runs it, for the record")
    bootstrap_days: int = Field(14, ge=0, le=60, description="first days of a season without Phase 4 rows")
    backfill: BackfillParams = Field(default=BackfillParams.model_validate({}), description="how dates are filled")
    fingerprints: bool = Field(
        True, description="read what all tables hold before and after a run, as digests: whole tables over the range"
    )
    watchdog: WatchdogParams = Field(
        default=WatchdogParams.model_validate({}), description="when a notebook is ended from outside"
    )
    executors: dict[str, Annotated[CommandParams | HttpParams, Field(discriminator="kind")]] = Field(
        default_factory=dict, description="who fills a table, by its name; a table that is not named: built-in SQL"
    )
    thresholds: dict[str, ThresholdParams] = Field(
        default_factory=dict, description="other thresholds, by the id of the check"
    )
    waivers: dict[str, WaiverParams] = Field(
        default_factory=dict, description="accepted warnings, by the id of the check; a failure cannot be waived"
    )
    accept: dict[str, AcceptParams] = Field(
        default_factory=dict, description="option A: tables that may stay incomplete, by name"
    )
    override: OverrideParams | None = Field(
        None, description="option C: go on behind a closed gate; the run is DEGRADED from there on"
    )
    baseline: str = Field(
        "", description="folder of an earlier run to compare with; empty: the 90 days before the range"
    )
    spot_check_games: tuple[str, ...] = Field(
        (), description="league ids of games to look at in Phase 3 validation, as quoted text", strict=False
    )

    @model_validator(mode="after")
    def _steps_ordered(self) -> "Params":
        if STEP_NAMES.index(self.first_step) > STEP_NAMES.index(self.last_step):
            raise ValueError(f"first_step {self.first_step} comes after last_step {self.last_step}")
        return self

    def judged(self) -> str:
        """Return the digest of what a gate's decision rests on: runs that differ in it share no decision."""
        rests_on = {"warehouse", "range", "bootstrap_days", "thresholds", "waivers", "accept", "baseline"}
        return self.digest(without=set(Params.model_fields) - rests_on)

    def digest(self, *, without: set[str] | None = None) -> str:
        """Return the SHA-256 of the resolved parameters, as canonical JSON."""
        content = self.model_dump(mode="json", exclude=without)
        text = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def to_yaml(self) -> str:
        """Return the resolved parameters as a params file."""
        return str(yaml.safe_dump(self.model_dump(mode="json"), sort_keys=False))
