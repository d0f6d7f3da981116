"""Who asks BigQuery, and where: without credentials, with a key that is none any more, at two addresses."""

import json
from pathlib import Path

import pytest
from bigquery_answers import Answer, Failure
from bigquery_calls import READ, VALUES, Open, calls
from bigquery_server import BigQueryServer
from courtbook.errors import CourtbookError, ExitCode, Reason
from courtbook.params_warehouse import BigQueryParams
from courtbook.warehouse.bigquery import BigQueryWarehouse
from courtbook.warehouse.credentials import find_credentials
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat


def test_without_credentials_one_line_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("GOOGLE_APPLICATION_CREDENTIALS", "BIGQUERY_EMULATOR_HOST", "APPDATA"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"HOME": str(tmp_path), "CLOUDSDK_CONFIG": str(tmp_path), "NO_GCE_CHECK": "true"}.items():
        monkeypatch.setenv(name, value)
    params = BigQueryParams.model_validate({"engine": "bigquery", "project": "test-project"})
    for call in calls(BigQueryWarehouse(params)).values():
        with pytest.raises(CourtbookError) as caught:
            call()
        assert (caught.value.reason, caught.value.exit_code) == (Reason.NO_CREDENTIALS, ExitCode.ENGINE)
        assert "gcloud auth application-default login" in caught.value.next_action
        assert "\n" not in str(caught.value)


def write_key(file: Path, server: BigQueryServer) -> str:
    """Write the key of a service account and return what of it is secret."""
    secret = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    key = {"type": "service_account", "client_email": "robot@test-project.example", "token_uri": f"{server.url}/token"}
    file.write_text(json.dumps({**key, "private_key": secret.decode()}))
    return secret.decode()


def test_another_account_is_acted_for(server: BigQueryServer, tmp_path: Path) -> None:
    write_key(tmp_path / "key.json", server)
    asked = {"engine": "bigquery", "project": "test-project", "key": f"file:{tmp_path}/key.json"}
    own = find_credentials(BigQueryParams.model_validate(asked))
    other = find_credentials(BigQueryParams.model_validate({**asked, "impersonate": "other@test-project.example"}))
    assert own.service_account_email == "robot@test-project.example"
    assert other.service_account_email == "other@test-project.example"


def test_a_key_that_was_revoked_is_told_and_never_shown(server: BigQueryServer, connect: Open, tmp_path: Path) -> None:
    secret = write_key(tmp_path / "key.json", server)
    server.at("POST /token", Answer(refuse=Failure("invalid", "invalid_grant: Invalid JWT Signature.")))
    for name, call in calls(connect(anonymous=False, key=f"file:{tmp_path}/key.json")).items():
        with pytest.raises(CourtbookError) as caught:
            call()
        assert caught.value.reason in (Reason.DENIED, Reason.NO_CREDENTIALS), name
        assert "key" in caught.value.next_action, name
        assert secret.splitlines()[1] not in str(caught.value)


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"private_key": "SECRETWORD"}', "SECRETWORD"])
def test_a_key_that_is_none_is_told_and_never_shown(connect: Open, tmp_path: Path, content: str) -> None:
    (tmp_path / "key.json").write_text(content)
    with pytest.raises(CourtbookError) as caught:
        connect(anonymous=False, key=f"file:{tmp_path}/key.json").query(READ, VALUES)
    assert caught.value.reason is Reason.NO_CREDENTIALS
    assert "SECRETWORD" not in str(caught.value)


def test_two_addresses_are_refused(monkeypatch: pytest.MonkeyPatch, connect: Open) -> None:
    monkeypatch.setenv("BIGQUERY_EMULATOR_HOST", "http://127.0.0.1:1")
    with pytest.raises(CourtbookError, match="BIGQUERY_EMULATOR_HOST") as caught:
        connect().query(READ, VALUES)
    assert caught.value.exit_code is ExitCode.USAGE
