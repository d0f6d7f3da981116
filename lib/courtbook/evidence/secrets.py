"""Looks through a run's folder for secrets before it is handed on."""

import base64
import html
import json
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, quote_plus

SHORTEST = 6  # characters: what is shorter stands in every file

# A token may follow letters where they belong to an escape: a line break in JSON, a sign in an address.
_LEFT = rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u[0-9A-Fa-f]{4}))"
# Keys of letters and digits alone also turn up in pictures in base64: there more of the same follows.
_RIGHT = rb"(?![A-Za-z0-9+/_-])"
# Kind, what must stand in a file in any case (found a hundred times faster than the pattern), and the pattern.
_SHAPES = (
    ("private key", b"PRIVATE KEY", rb"-----BEGIN (?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"),
    ("service account key", b"private_key_id", rb"private_key_id[^0-9a-f]{1,40}[0-9a-f]{40}"),
    ("Google access token", b"ya29.", _LEFT + rb"ya29\.[\w-]{20}"),
    ("Google API key", b"AIza", _LEFT + rb"AIza[\w-]{35}" + _RIGHT),
    ("JSON web token", b"eyJ", _LEFT + rb"eyJ[\w-]{10,2000}\.eyJ[\w-]{10,5000}\.[\w-]{10}"),
    ("AWS access key", b"AKIA", _LEFT + rb"AKIA[A-Z0-9]{16}" + _RIGHT),
    ("AWS access key", b"ASIA", _LEFT + rb"ASIA[A-Z0-9]{16}" + _RIGHT),
    ("GitHub token", b"gh", _LEFT + rb"gh[opsur]_[A-Za-z0-9]{30}"),
    ("GitHub token", b"github_pat_", rb"github_pat_\w{30}"),
    ("GitLab token", b"glpat-", _LEFT + rb"glpat-[\w-]{20}"),
    ("Slack token", b"xox", _LEFT + rb"xox[abeoprs]-[\w-]{10}"),
    ("npm token", b"npm_", _LEFT + rb"npm_[A-Za-z0-9]{36}"),
    ("PyPI token", b"pypi-AgEI", rb"pypi-AgEI[\w-]{30}"),
    ("Stripe key", b"k_live_", _LEFT + rb"[rs]k_live_[A-Za-z0-9]{16}"),
    ("API key of a model", b"sk-", _LEFT + rb"sk-(?:(?:proj|svcacct|admin|ant-[a-z]+[0-9]{2})-[\w-]{20}|\w{40})"),
    (
        "authorization header",
        b"uthorization",
        rb"[Aa]uthorization(?:\W|&quot;|&#34;|&#39;){1,20}(?i:bearer|basic|token)(?:[ +]|%20)[\w.~+/-]{16}",
    ),
    (
        "address with a password",
        b"://",
        _LEFT + rb"[a-z][a-z0-9+.-]{1,20}://[\w.~%!$&+-]{0,100}:[^\s/@:?#\"'<>\\*()\[\]{}|^`]{3,100}@[\w\[]",
    ),
)


@dataclass(frozen=True, order=True)
class Hit:
    """A secret in a run: the file, relative to the run, and what kind of secret; never the secret itself."""

    file: str
    kind: str


def unsought(secrets: Mapping[str, str]) -> tuple[str, ...]:
    """Return the names of secrets that are too short to be looked for."""
    return tuple(name for name, value in secrets.items() if len(value) < SHORTEST)


def scan(run: Path, secrets: Mapping[str, str]) -> tuple[Hit, ...]:
    """Look through all files of a run, and their names, for known secrets and for what looks like one.

    Parameters
    ----------
    secrets : mapping
        Values by name (``env:NAME`` or ``file:PATH``). They are found as they are, escaped as in JSON, HTML, Python or
        an address, also twice, and in base64; not in what is compressed. Those that ``unsought`` names are left out.
    """
    sought = {f"value of {name}": _forms(value) for name, value in secrets.items() if len(value) >= SHORTEST}
    paths = sorted(run.rglob("*"))
    # What a link leads to is no part of the run; where it leads is.
    names = [*(path.relative_to(run) for path in paths), *(path.readlink() for path in paths if path.is_symlink())]
    if kinds := _kinds(os.fsencode("\n".join(map(str, names))), sought):
        return tuple(Hit("(the name of a file)", kind) for kind in sorted(kinds))  # it is shown nowhere
    files = {path.relative_to(run).as_posix(): path for path in paths if path.is_file() and not path.is_symlink()}
    return tuple(sorted(Hit(name, kind) for name, path in files.items() for kind in _kinds(path.read_bytes(), sought)))


def _kinds(content: bytes, sought: Mapping[str, set[bytes]]) -> set[str]:
    values = {kind for kind, forms in sought.items() if any(form in content for form in forms)}
    return values | {kind for kind, sure, shape in _SHAPES if sure in content and re.search(shape, content)}


_ESCAPES: tuple[Callable[[str], str], ...] = (
    lambda text: text,
    lambda text: json.dumps(text)[1:-1],
    lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
    lambda text: repr(text)[1:-1],
    lambda text: html.escape(text, quote=False),
    html.escape,
    lambda text: html.escape(text).replace("&quot;", "&#34;").replace("&#x27;", "&#39;"),
    lambda text: quote(text, errors="surrogateescape"),
    lambda text: quote(text, safe="", errors="surrogateescape"),
    lambda text: quote_plus(text, errors="surrogateescape"),
)


def _forms(value: str) -> set[bytes]:
    """Return the forms in which a value may stand in a file."""
    texts = {outer(inner(value)) for inner in _ESCAPES for outer in _ESCAPES}
    found = {text.encode(errors="surrogateescape") for text in texts}
    raw = value.encode(errors="surrogateescape")
    for offset, spoilt in ((0, 0), (1, 2), (2, 3)):  # what stands before it in the same base64 shifts it
        whole = (offset + len(raw)) * 8 // 6
        encoded = base64.b64encode(bytes(offset) + raw)[spoilt:whole]
        found |= {encoded, encoded.translate(bytes.maketrans(b"+/", b"-_"))}
    return found
