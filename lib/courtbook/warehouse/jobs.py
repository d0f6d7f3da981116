"""Jobs of BigQuery: sent under an id that is known before, found again by it, cancelled when nobody waits any more."""

import os
from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from typing import IO, Any

from google.api_core import exceptions
from google.api_core.client_options import ClientOptions
from google.api_core.retry import Retry
from google.cloud import bigquery

from courtbook.errors import ParameterError
from courtbook.params_warehouse import BigQueryParams
from courtbook.warehouse.credentials import find_credentials
from courtbook.warehouse.refusal import NETWORK

EMULATOR = "BIGQUERY_EMULATOR_HOST"  # Google's and pandas' clients take it for the address of the service
REQUEST_SECONDS = 60  # for one request; each is repeated for as long as the parameters say


class Client(bigquery.Client):
    """Google's client; what pandas-gbq asks it, ``run`` does, so that it can be named, billed and cancelled."""

    run: Callable[[str, bigquery.QueryJobConfig], Any]

    def query_and_wait(self, query: str, **asked: Any) -> Any:
        """Run a query as a job of its own and return its rows."""
        return self.run(query, asked["job_config"])


class Jobs:
    """The jobs of one project, and the client that sends them."""

    def __init__(self, params: BigQueryParams) -> None:
        self.params = params
        self._running: dict[str, Any] = {}

    @cached_property
    def client(self) -> Client:
        """The client; made when it is first needed, since credentials are looked for then."""
        endpoint = self.params.endpoint
        if os.environ.get(EMULATOR, endpoint) != endpoint:
            raise ParameterError(
                f"{EMULATOR} names another address than the parameters: nobody could tell what is read.",
                where="warehouse.endpoint",
                next_action=f"Unset {EMULATOR}, or write the same address as warehouse.endpoint.",
            )
        if endpoint:
            os.environ[EMULATOR] = endpoint  # pandas-gbq makes a client of its own, which would ask Google
        return Client(
            project=self.params.project,
            location=self.params.location,
            credentials=find_credentials(self.params),
            client_options=ClientOptions(api_endpoint=endpoint) if endpoint else None,
        )

    @property
    def patience(self) -> dict[str, Any]:
        """How a request is repeated that did not get through."""
        return {"retry": bigquery.DEFAULT_RETRY.with_timeout(self.params.patience), "timeout": REQUEST_SECONDS}

    def begin(self, sql: str, config: bigquery.QueryJobConfig, job_id: str | None = None) -> Any:
        """Send a job; one that has this id already is taken instead, whether it runs or has run."""
        try:
            # What fails on the way is repeated with the same id: nothing runs twice.
            return self.client.query(sql, job_config=config, job_id=job_id, job_retry=None, **self.patience)
        except exceptions.Conflict:
            if job_id is None:
                raise
            return self._taken(job_id)

    def load(self, file: IO[bytes], table: str, config: bigquery.LoadJobConfig, job_id: str) -> Any:
        """Send a file as the new rows of a table."""
        send = self.client.load_table_from_file
        named = {"job_id": job_id, "job_config": config, "rewind": True, "num_retries": 0, "timeout": REQUEST_SECONDS}
        try:
            return self.patience["retry"](send)(file, table, **named)
        except exceptions.Conflict:
            return self._taken(job_id)

    def find(self, job_id: str) -> Any:
        """Return a job that was begun."""
        return self.client.get_job(job_id, location=self.params.location, **self.patience)

    def _taken(self, job_id: str) -> Any:
        """Return the job that has an id already; for a moment the service may not know it yet."""
        patience = Retry(lambda error: isinstance(error, exceptions.NotFound), timeout=self.params.patience)
        return patience(self.find)(job_id)

    def follow(self, job: Any) -> Any:
        """Wait for a job and return its rows; whoever stops waiting for it cancels it."""
        self._running[job.job_id] = job
        try:
            return job.result(**{**self.patience, "timeout": self.params.timeout})
        except NETWORK:
            raise  # it has failed, or goes on unseen: then it is found again by its id
        except BaseException:
            self._cancel(job)
            raise
        finally:
            self._running.pop(job.job_id, None)

    @staticmethod
    def _cancel(job: Any) -> None:
        with suppress(*NETWORK):  # the job has a time limit of its own
            job.cancel(retry=None, timeout=10)

    def cancel(self) -> None:
        """Cancel every job that is waited for, in whatever thread."""
        for job in list(self._running.values()):
            self._cancel(job)
