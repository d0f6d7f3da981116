"""SSH signatures: made and checked by ``ssh-keygen -Y`` of OpenSSH, so that no key ever passes through this program."""

import base64
import errno
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from courtbook.errors import CourtbookError, Reason

NAMESPACE = "courtbook-sign-off"
REVOKED_SIGNERS = "revoked_signers"  # keys that count no more, beside the signers file
_SECONDS, _SECONDS_AT_TERMINAL = 60, 300  # a person types a passphrase, or touches a security key
_OLD = ("unknown option", "illegal option", "invalid option", "unsupported operation", "usage: ssh-keygen")
_HEADER, _FOOTER = "-----BEGIN SSH SIGNATURE-----", "-----END SSH SIGNATURE-----"


def _unusable(what: str) -> CourtbookError:
    return CourtbookError(
        Reason.SIGN_FAILED,
        what,
        where="ssh-keygen",
        next_action="Install OpenSSH 8.9 or later; everything but signatures works without it.",
    )


def _run(arguments: Sequence[str | Path], given: bytes | None, *, ask: bool = False) -> tuple[int, str, str]:
    """Run ``ssh-keygen -Y``; return its status and what it said.

    Parameters
    ----------
    given : bytes or None
        Its standard input. None leaves it a terminal if there is one and ``ask`` is true, and nothing otherwise.
    """
    # Dates in a signers file are read as UTC, wherever this runs; without a terminal nobody is asked anything.
    environment = {**os.environ, "LC_ALL": "C", "TZ": "UTC", **({} if ask else {"SSH_ASKPASS_REQUIRE": "never"})}
    try:
        done = subprocess.run(  # noqa: S603
            ["ssh-keygen", "-Y", *map(str, arguments)],  # noqa: S607
            input=given,
            stdin=None if given is not None or ask else subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS_AT_TERMINAL if ask else _SECONDS,
            start_new_session=not ask,
            env=environment if ask else {k: v for k, v in environment.items() if k != "DISPLAY"},
            check=False,
        )
    except FileNotFoundError as error:
        raise _unusable("There is no ssh-keygen on the PATH.") from error
    except PermissionError as error:
        raise _unusable("The ssh-keygen on the PATH cannot be started.") from error
    except subprocess.TimeoutExpired as error:
        raise _unusable(f"ssh-keygen did not answer within {error.timeout:.0f} s.") from error
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0 and any(words in said.lower() for words in _OLD):
        raise _unusable("This ssh-keygen is too old for signatures.")
    return done.returncode, done.stdout.decode(errors="replace"), said


def _at_terminal() -> bool:
    return sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()


def _bad_key(key: Path, what: str, next_action: str) -> CourtbookError:
    return CourtbookError(Reason.BAD_FILE, what, where=str(key), next_action=next_action)


def sign(message: bytes, key: Path) -> str:
    """Sign a message and return the signature as text.

    Parameters
    ----------
    key : Path
        A private key, or a public one whose private half is in the agent. A passphrase is asked for only at a terminal.

    Raises
    ------
    CourtbookError
        If the key is missing, not readable, not a key or encrypted without anybody to ask, or there is no ssh-keygen.
    """
    try:
        if key.exists() and not key.is_file():  # a pipe would be waited for
            raise OSError(errno.EINVAL, "it is no file")
        with key.open("rb") as file:
            empty = not file.read(1)
    except OSError as error:
        raise _bad_key(
            key,
            f"The key cannot be read: {error.strerror}.",
            "Give --key the path of your private key, or of the .pub of a key in the agent.",
        ) from error
    if empty:
        raise _bad_key(key, "The key is an empty file.", "Make a key with 'ssh-keygen -t ed25519 -f KEY'.")
    with tempfile.TemporaryDirectory() as folder:
        file_to_sign = Path(folder) / "message"
        file_to_sign.write_bytes(message)
        # Not over standard input: ssh-keygen would take a message for the passphrase.
        status, _, said = _run(["sign", "-f", key.absolute(), "-n", NAMESPACE, file_to_sign], None, ask=_at_terminal())
        signature = Path(f"{file_to_sign}.sig")
        if status == 0 and signature.is_file():
            return signature.read_text(encoding="ascii")
    if "passphrase" in said:
        raise _bad_key(
            key,
            "The key is encrypted, and no right passphrase was given.",
            "Sign at a terminal, or add the key to the agent with 'ssh-add' first.",
        )
    if "too open" in said:
        raise _bad_key(
            key,
            "Others can read this private key, so ssh-keygen does not use it.",
            "Give it mode 600: 'chmod 600 KEY'.",
        )
    lines = [line.strip() for line in said.splitlines() if line.strip()] or ["it left no message"]
    raise _bad_key(
        key,
        f"ssh-keygen cannot sign with this key: {lines[-1].rstrip('.')}.",
        "Give --key a private key, or the .pub of a key in the agent ('ssh-add -L' shows them).",
    )


def check(message: bytes, signature: Path) -> str | None:
    """Return the fingerprint of the key that signed a message for this purpose, None if the signature does not hold."""
    status, told, _ = _run(["check-novalidate", "-n", NAMESPACE, "-s", signature], message)
    found = re.search(r" key (SHA256:[A-Za-z0-9+/]+)\s*$", told)
    return found[1] if status == 0 and found else None


def vouched(message: bytes, signature: Path, name: str, signers: Path, time: datetime) -> str:
    """Ask the signers file whether a signature's key belonged to a name at some time.

    Returns
    -------
    str
        Empty if it did, else why not.
    """
    if not signers.is_file():
        return f"there is no signers file {signers.name}"
    at = f"-Overify-time={time.astimezone(UTC):%Y%m%d%H%M%S}"
    revoked = signers.with_name(REVOKED_SIGNERS)
    beside: list[str | Path] = ["-r", revoked] if revoked.exists() else []
    asked = ["verify", "-f", signers, "-I", name, "-n", NAMESPACE, "-s", signature, at, *beside]
    status, _, said = _run(asked, message)
    if status == 0:
        return ""
    status, told, _ = _run(["find-principals", "-f", signers, "-s", signature, at], None)
    known = [line for line in told.splitlines() if line] if status == 0 else []
    if known and name not in known and not said.strip():
        return f"{signers.name} knows this key as {', '.join(known)}, not as {name}"
    # What ssh-keygen says begins with the path of the file, which is this machine's.
    detail = "; ".join(line.replace(str(signers), signers.name).strip() for line in said.splitlines() if line.strip())
    if not detail and known and beside:
        return f"this key is not accepted because of {revoked.name}"
    return f"{signers.name} does not say that this key is that of {name}" + (f" ({detail})" if detail else "")


def signers_line(name: str, signature: str) -> str:
    """Return the line of a signers file that would vouch for the key of a signature."""
    body = signature.strip().removeprefix(_HEADER).removesuffix(_FOOTER)
    blob = base64.b64decode("".join(body.split()))
    length = int.from_bytes(blob[10:14])  # after the magic word and the version
    public = blob[14 : 14 + length]
    kind = public[4 : 4 + int.from_bytes(public[:4])].decode("ascii")
    return f'"{name}" namespaces="{NAMESPACE}" {kind} {base64.b64encode(public).decode("ascii")}'
