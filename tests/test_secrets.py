"""Secrets: named in the params, never written there, and looked for in what a run leaves behind."""

import base64
import html
import json
import os
import random
import string
import subprocess
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from courtbook.errors import ParameterError
from courtbook.evidence.secrets import Hit, scan, unsought
from courtbook.params import Params, TokenParams
from courtbook.params_fields import Secret
from courtbook.params_file import load_params, secret_references, secrets_of
from pydantic import BaseModel, ValidationError

PASTED = "hunter2-correct-horse"
GOOD = """
name: try
warehouse: {path: warehouse/try.duckdb}
range: {start: 2024-10-22, end: 2024-12-31}
executors:
  first: {kind: http, url: 'http://h', token: TOKEN}
  second: {kind: http, url: 'http://h', token: {secret: 'env:COURTBOOK_TRY'}}
  third: {kind: http, url: 'http://h', token: {metadata: audience}}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for folder in ("notebooks", "params"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("COURTBOOK_TRY", raising=False)
    return tmp_path


def load(project: Path, token: str) -> Params:
    file = project / "params" / "try.yaml"
    file.write_text(GOOD.replace("TOKEN", token))
    return load_params(file)


# References


@pytest.mark.parametrize("reference", ["env:TOKEN", "env:_t0ken", "file:key", "file:/run/secrets/a key", "file:é"])
def test_a_reference_is_kept_as_it_is(reference: str) -> None:
    assert TokenParams(secret=reference).secret == reference


@pytest.mark.parametrize(
    "token",
    [
        f"{{secret: {PASTED}}}",
        f"{{secret: 'env:{PASTED}'}}",
        f"{{secret: 'ENV:{PASTED}'}}",
        f'{{secret: "file:-----BEGIN\\n{PASTED}"}}',
        f"{{secret: [{PASTED}]}}",
        f"{{secret: {{value: {PASTED}}}}}",
        f"{{password: {PASTED}}}",
        PASTED,
        f"[{PASTED}]",
        "{secret: 271828182845}",
        "{secret: ''}",
        "{secret: 'file:'}",
        "{secret: 'file: '}",
    ],
)
def test_a_secret_that_was_pasted_is_refused_and_shown_nowhere(project: Path, token: str) -> None:
    with pytest.raises(ParameterError) as caught:
        load(project, token)
    assert "executors.first.token" in caught.value.what
    shown = str(caught.getrepr(chain=True, style="short")) + caught.value.what + str(caught.value.__cause__)
    assert not [part for part in (PASTED, "hunter2", "271828182845") if part in shown]


def test_the_error_says_how_a_secret_is_given(project: Path) -> None:
    with pytest.raises(ParameterError, match="write it as env:NAME or file:PATH"):
        load(project, f"{{secret: {PASTED}}}")


def test_secrets_are_read_from_where_the_params_say(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "key file").write_text(f"  {PASTED}\n")
    params = load(project, "{secret: 'file:key file'}")
    reference = f"file:{project / 'key file'}"
    assert secrets_of(params, Path("/")).values == {reference: PASTED}
    assert secrets_of(params, Path("/")).unresolved == ("env:COURTBOOK_TRY",)
    monkeypatch.setenv("COURTBOOK_TRY", "another")
    found = secrets_of(params, project)
    assert found.values == {reference: PASTED, "env:COURTBOOK_TRY": "another"}
    assert found.unresolved == ()
    assert PASTED not in repr(found)
    assert PASTED not in params.to_yaml()


def test_an_empty_or_unreadable_secret_is_named(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COURTBOOK_TRY", " \n")
    (project / "folder").mkdir()
    found = secrets_of(load(project, "{secret: 'file:folder'}"), project)
    assert (dict(found.values), found.unresolved) == ({}, ("env:COURTBOOK_TRY", f"file:{project / 'folder'}"))


def test_secrets_are_found_by_their_type_however_deep_they_lie() -> None:
    class Inner(BaseModel):
        anything: Secret
        plain: str = "env:NO_SECRET"

    class Outer(BaseModel):
        one: Secret | None = None
        many: tuple[Secret, ...] = ()
        named: dict[str, Secret] = {}
        inner: dict[str, tuple[Inner, ...]] = {}
        words: tuple[str, ...] = ("env:NO_SECRET_EITHER",)

    given = Outer(
        one="env:A", many=("env:B", "file:c"), named={"env:KEY": "env:D"}, inner={"x": (Inner(anything="env:E"),)}
    )
    assert sorted(secret_references(given)) == ["env:A", "env:B", "env:D", "env:E", "file:c"]
    assert list(secret_references(Outer())) == []
    with pytest.raises(ValidationError):
        Outer(many=(PASTED,))


# Values that are known


VALUES = ["s3cret", "pass word/+&%<>\"'\\", "tab\tand\nline", "Zoë-Ünïcode-🏀", "x" * 5000, "{}[]$^.*?|()"]
WRITTEN = {
    "as it is": lambda value: value,
    "in JSON": json.dumps,
    "in JSON that is not ASCII": lambda value: json.dumps(value, ensure_ascii=False),
    "in a notebook's output": lambda value: json.dumps({"text": repr(value)}),
    "in JSON in JSON": lambda value: json.dumps(json.dumps({"key": value})),
    "in HTML": html.escape,
    "in HTML, quotes kept": lambda value: html.escape(value, quote=False),
    "JSON in HTML": lambda value: html.escape(json.dumps(value)),
    "in an address": lambda value: f"http://h/?key={quote(value, safe='')}",
    "in a path": lambda value: f"http://h/{quote(value)}",
    "in a form": lambda value: f"key={quote_plus(value)}&x=1",
    "in base64": lambda value: base64.b64encode(value.encode()).decode(),
    "in base64 behind a user": lambda value: base64.b64encode(f"u:{value}".encode()).decode(),
    "in base64 between others": lambda value: base64.b64encode(f"user={value}!!".encode()).decode(),
    "in base64 for addresses": lambda value: base64.urlsafe_b64encode(f"?{value}>".encode()).decode(),
}


@pytest.mark.parametrize("value", VALUES, ids=range(len(VALUES)))
@pytest.mark.parametrize("written", WRITTEN)
def test_a_value_is_found_however_it_is_written(tmp_path: Path, value: str, written: str) -> None:
    (tmp_path / "a b").mkdir()
    (tmp_path / "a b" / "page.html").write_text(f"before {WRITTEN[written](value)} after", encoding="utf-8")
    (tmp_path / "clean.txt").write_text("nothing here")
    assert scan(tmp_path, {"env:KEY": value}) == (Hit("a b/page.html", "value of env:KEY"),)


def test_a_value_that_is_no_text_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\x00secret\x80")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "out").write_bytes(b"...\xff\xfe\x00secret\x80...")
    found = secrets_of(TokenParams(secret="file:key"), tmp_path)
    assert scan(tmp_path / "run", found.values) == (Hit("out", "value of file:key"),)


def test_short_values_are_not_looked_for_but_named(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("12345 123456")
    given = {"env:SHORT": "12345", "env:LONG": "123456"}
    assert unsought(given) == ("env:SHORT",)
    assert scan(tmp_path, given) == (Hit("log", "value of env:LONG"),)


@pytest.mark.parametrize("named", ["file", "link"])
def test_names_of_files_and_targets_of_links_are_looked_at_and_not_shown(tmp_path: Path, named: str) -> None:
    (tmp_path / "step").mkdir()
    if named == "file":
        (tmp_path / "step" / f"{PASTED}.txt").touch()
    else:
        (tmp_path / "step" / "link").symlink_to(f"/nowhere/{PASTED}")
    found = scan(tmp_path, {"env:KEY": PASTED})
    assert found == (Hit("(the name of a file)", "value of env:KEY"),)


def test_a_secret_in_a_folder_s_name_is_not_shown(tmp_path: Path) -> None:
    (tmp_path / PASTED).mkdir()
    (tmp_path / PASTED / "log").write_text(PASTED)
    found = scan(tmp_path, {"env:KEY": PASTED})
    assert {hit.file for hit in found} == {"(the name of a file)"}


def test_what_a_link_leads_to_is_no_part_of_the_run(tmp_path: Path) -> None:
    (tmp_path / "outside").write_text(PASTED)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "link").symlink_to(tmp_path / "outside")
    assert scan(tmp_path / "run", {"env:KEY": PASTED}) == ()


def test_what_cannot_be_read_does_not_pass_for_clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "log").touch()
    assert scan(tmp_path, {}) == ()

    def denied(*_: object, **more: object) -> None:
        raise PermissionError(13, "Permission denied", "log")

    monkeypatch.setattr(Path, "open", denied)
    with pytest.raises(PermissionError):
        scan(tmp_path, {})


# What looks like a secret


CHARS = string.ascii_letters + string.digits


def some(count: int, signs: str = CHARS) -> str:
    return "".join(random.Random(count).choices(signs, k=count))


UPPER = string.ascii_uppercase + string.digits
TOKENS = {
    "Google access token": f"ya29.{some(80)}",
    "Google API key": f"AIza{some(35)}",
    "service account key": json.dumps({"private_key_id": some(40, "0123456789abcdef")}),
    "JSON web token": f"eyJ{some(30)}.eyJ{some(90)}.{some(43)}",
    "AWS access key": f"AKIA{some(16, UPPER)}",
    "GitHub token": f"ghp_{some(36)}",
    "GitLab token": f"glpat-{some(20)}",
    "Slack token": f"xoxb-{some(12, string.digits)}-{some(24)}",
    "npm token": f"npm_{some(36)}",
    "PyPI token": f"pypi-AgEI{some(60)}",
    "Stripe key": f"sk_live_{some(24)}",
    "API key of a model": f"sk-ant-api03-{some(60)}",
    "authorization header": f"Authorization: Bearer {some(24)}",
    "address with a password": f"postgresql+psycopg://loader:{some(12)}@db.example:5432/x",
}
MORE = [
    ("GitHub token", f"github_pat_{some(22)}_{some(59)}"),
    ("GitHub token", f"gho_{some(36)}"),
    ("GitHub token", f"ghs_{some(36)}"),
    ("AWS access key", f"ASIA{some(16, UPPER)}"),
    ("Stripe key", f"rk_live_{some(24)}"),
    ("API key of a model", f"sk-{some(48)}"),
    ("API key of a model", f"sk-proj-{some(60)}"),
    ("authorization header", f"authorization: Basic {some(24)}"),
    ("authorization header", json.dumps({"Authorization": f"Bearer {some(24)}"})),
    ("authorization header", f'curl -H "Authorization: bearer {some(24)}"'),
    ("private key", "-----BEGIN RSA PRIVATE KEY-----\nMII"),
    ("private key", "-----BEGIN PRIVATE KEY-----\nMII"),
    ("private key", "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMII"),
    ("private key", "-----BEGIN PGP PRIVATE KEY BLOCK-----\n\n"),
    ("address with a password", f"https://me:{some(8)}@example.org/x.git"),
]


@pytest.mark.parametrize("place", ["{}", "key={}", "before\n{}\nafter", "<pre>{}</pre>", "'{}', x"])
@pytest.mark.parametrize(("kind", "token"), [*TOKENS.items(), *MORE])
def test_a_well_known_token_is_found(tmp_path: Path, kind: str, token: str, place: str) -> None:
    text = place.replace("{}", token)
    (tmp_path / "log.txt").write_text(text)
    (tmp_path / "executed.ipynb").write_text(json.dumps({"text": [text]}))
    (tmp_path / "executed.html").write_text(html.escape(text))
    (tmp_path / "in.html").write_text(html.escape(json.dumps(text)))
    assert {hit for hit in scan(tmp_path, {}) if hit.kind == kind} == {
        Hit(name, kind) for name in ("log.txt", "executed.ipynb", "executed.html", "in.html")
    }


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("key") / "id"
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "reviewer@example.org", "-f", str(file)]
    subprocess.run(command, check=True, timeout=20)
    return file


def test_a_private_key_of_ssh_is_found_and_what_is_public_is_not(tmp_path: Path, key: Path) -> None:
    (tmp_path / "allowed_signers").write_text(f"me@example.org {key.with_suffix('.pub').read_text()}")
    (tmp_path / "data").write_text("data")
    sign = ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f", str(key), str(tmp_path / "data")]
    subprocess.run(sign, check=True, timeout=20, capture_output=True)
    assert "BEGIN SSH SIGNATURE" in (tmp_path / "data.sig").read_text()
    assert scan(tmp_path, {}) == ()
    (tmp_path / "log").write_bytes(key.read_bytes())
    assert scan(tmp_path, {}) == (Hit("log", "private key"),)


HARMLESS = [
    "Authorization: Bearer [token]",
    "400 bad header Bearer [token]",
    "https://user:***@host/ and https://user:[password]@host/ and https://{user}:{password}@host/",
    "https://example.org:8080/a@b and mailto:me@example.org and git@github.com:org/repo.git",
    "http://127.0.0.1:41007/x?at=12:30@noon",
    "token: {secret: env:COURTBOOK_TOKEN}",
    "sk-learn sk-container-id-1 risk-adjusted-expected-points-per-game-of-players task-phase4-composite-factors-daily",
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIE me@example.org",
    "-----BEGIN CERTIFICATE-----\nMII\n-----BEGIN PUBLIC KEY-----\nMII",
    "AKIA and AIza and ya29. and eyJ and ghp_ and npm_config_registry and xoxb- and glpat-",
]


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_harmless_is_no_hit(tmp_path: Path, text: str) -> None:
    (tmp_path / "log.txt").write_text(text)
    (tmp_path / "executed.ipynb").write_text(json.dumps({"text": text}))
    (tmp_path / "executed.html").write_text(html.escape(text))
    assert scan(tmp_path, {"env:KEY": PASTED}) == ()


def test_pictures_and_digests_are_no_hits(tmp_path: Path) -> None:
    noise = random.Random(0)
    picture = bytearray(noise.randbytes(600_000))
    for place, word in ((3000, b"AIza"), (9000, b"AKIA"), (12000, b"ASIA"), (18000, b"eyJ")):
        # In base64 the word stands there, and more letters behind it.
        picture[place : place + 60] = base64.b64decode(word.ljust(4, b"Q") + b"ABCD" * 19)
    text = base64.b64encode(picture).decode()
    assert all(word in text for word in ("AIza", "AKIA", "ASIA", "eyJ"))
    (tmp_path / "executed.ipynb").write_text(json.dumps({"data": {"image/png": text + "\n"}}))
    (tmp_path / "executed.html").write_text(f'<img src="data:image/png;base64,{text}">')
    digests = {f"file{number}": noise.randbytes(32).hex() for number in range(2000)}
    (tmp_path / "manifest.json").write_text(json.dumps(digests, indent=1))
    (tmp_path / "raw.bin").write_bytes(os.urandom(100_000))
    assert scan(tmp_path, {"env:KEY": PASTED}) == ()
