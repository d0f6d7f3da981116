"""Who asks BigQuery: default credentials, a service account's key, or another account that these may act for."""

import json
from pathlib import Path
from typing import Any

import google.auth
from google.auth import exceptions, impersonated_credentials
from google.auth.credentials import AnonymousCredentials, Credentials
from google.oauth2 import service_account

from courtbook.errors import Reason, WarehouseError
from courtbook.params_file import read_secret
from courtbook.params_warehouse import BigQueryParams
from courtbook.warehouse.refusal import NEXT

SCOPES = ["https://www.googleapis.com/auth/bigquery"]


def find_credentials(params: BigQueryParams) -> Credentials:
    """Return the credentials that the parameters ask for; nobody is asked to log in.

    Raises
    ------
    WarehouseError
        If there are none, or if they cannot be read.
    """
    if params.anonymous:
        return AnonymousCredentials()  # type: ignore[no-untyped-call]
    found = _from_key(params.key) if params.key else _default(params.project)
    if params.impersonate:
        return impersonated_credentials.Credentials(found, params.impersonate, SCOPES)  # type: ignore[no-untyped-call]
    return found


def _default(project: str) -> Credentials:
    try:
        return google.auth.default(scopes=SCOPES)[0]
    except exceptions.DefaultCredentialsError as error:
        raise WarehouseError(
            Reason.NO_CREDENTIALS,
            f"There are no credentials for Google Cloud here: {str(error).split('. ')[0]}.",
            where=f"bigquery:{project}",
            next_action=NEXT[Reason.NO_CREDENTIALS],
        ) from error


def _from_key(reference: str) -> Credentials:
    try:
        known: dict[str, Any] = json.loads(read_secret(reference, Path.cwd()))
        return service_account.Credentials.from_service_account_info(known, scopes=SCOPES)  # type: ignore[no-any-return, no-untyped-call]
    except (OSError, LookupError, ValueError, AttributeError, exceptions.GoogleAuthError) as error:
        # What the key says is never quoted.
        raise WarehouseError(
            Reason.NO_CREDENTIALS,
            f"The service account's key cannot be read ({type(error).__name__}).",
            where=f"warehouse.key: {reference}",
            next_action="Name the JSON file of a key that Google Cloud made, as file:PATH, or env:NAME.",
        ) from None
