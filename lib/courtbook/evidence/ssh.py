"""SSH signatures: made and checked by ``ssh-keygen -Y`` of OpenSSH, so that no key ever passes through this program."""

import base64
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
_SECONDS = 120  # a person types a passphrase, or touches a security key
_OLD = ("unknown option", "illegal option", "invalid option", "unsupported operation", "usage: ssh-keygen")


def _unusable(what: str) -> CourtbookError:
    return CourtbookError(
        Reason.SIGN_FAILED,
        what,
        where="ssh-keygen",
        next_action="Install OpenSSH 8.9 or later; everything but signatures works without it.",
    )


def _run(arguments: Sequence[str | Path], given: bytes | None) -> tuple[int, str, str]:
    """Run ``ssh-keygen -Y``; return its status and what it said.

    Parameters
    ----------
    given : bytes or None
        Its standard input. None leaves it a terminal to ask for a passphrase, if there is one, and nothing otherwise.
    """
    ask = given is None and sys.stdin is not None and not sys.stdin.closed and sys.stdin.isatty()
    try:
        done = subprocess.run(  # noqa: S603
            ["ssh-keygen", "-Y", *map(str, arguments)],  # noqa: S607
            input=None if ask else given or b"",
            capture_output=True,
            timeout=_SECONDS,
            start_new_session=not ask,
            # Dates in a signers file are read as UTC, wherever this runs; without a terminal nobody is asked anything.
            env={**os.environ, "LC_ALL": "C", "TZ": "UTC"} | ({} if ask else {"SSH_ASKPASS_REQUIRE": "never"}),
            check=False,
        )
    except OSError as error:
        raise _unusable("There is no ssh-keygen on the PATH that can be started.") from error
    except subprocess.TimeoutExpired as error:
        raise _unusable(f"ssh-keygen did not answer within {error.timeout:.0f} s.") from error
    said = done.stderr.decode(errors="replace")
    if done.returncode != 0 and any(words in said.lower() for words in _OLD):
        raise _unusable("This ssh-keygen is too old for signatures.")
    return done.returncode, done.stdout.decode(errors="replace"), said


def _look_at(signature: bytes, message: bytes, arguments: Sequence[str | Path]) -> tuple[int, str, str]:
    with tempfile.NamedTemporaryFile() as file:
        file.write(signature)
        file.flush()
        return _run([*arguments, "-n", NAMESPACE, "-s", file.name], message)


def sign(message: bytes, key: Path) -> bytes:
    """Sign a message and return the signature.

    Parameters
    ----------
    key : Path
        A private key, or a public one whose private half is in the agent. A passphrase is asked for only at a terminal.

    Raises
    ------
    CourtbookError
        If the key is missing, not readable, not a key or encrypted without anybody to ask, or there is no ssh-keygen.
    """
    said = "there is no such file"
    if key.is_file():  # a pipe would be waited for
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "message"
            file.write_bytes(message)
            # Not over standard input: ssh-keygen would take a message for the passphrase.
            status, _, said = _run(["sign", "-f", key.absolute(), "-n", NAMESPACE, file], None)
            if status == 0:
                return file.with_suffix(".sig").read_bytes()
    what = "; ".join(line.strip() for line in said.splitlines() if line.strip() and line[0] != "@")  # no banner
    raise CourtbookError(
        Reason.BAD_FILE,
        f"ssh-keygen cannot sign with this key: {what}",
        where=str(key),
        next_action="Give --key a private key of mode 600, at a terminal if it is encrypted, or the .pub of a key that "
        "was given to the agent with 'ssh-add'.",
    )


def check(message: bytes, signature: bytes) -> str:
    """Return the fingerprint of the key that signed a message for this purpose; empty if it did not."""
    status, told, _ = _look_at(signature, message, ["check-novalidate"])
    found = re.search(r" key (SHA256:[A-Za-z0-9+/]+)\s*$", told)
    return found[1] if status == 0 and found else ""


def vouched(message: bytes, signature: bytes, name: str, signers: Path | None, time: datetime) -> str:
    """Ask the signers file whether a signature's key belonged to a name at some time.

    Returns
    -------
    str
        Empty if it did, else why not.
    """
    if signers is None or not signers.is_file():
        return "there is no signers file"
    revoked = signers.with_name(REVOKED_SIGNERS)
    beside: list[str | Path] = ["-r", revoked] if revoked.exists() else []
    at = f"-Overify-time={time.astimezone(UTC):%Y%m%d%H%M%S}"
    status, _, said = _look_at(signature, message, ["verify", "-f", signers, "-I", name, at, *beside])
    if status == 0:
        return ""
    # What ssh-keygen says begins with the path of the file, which is this machine's.
    detail = "; ".join(line.replace(str(signers), signers.name).strip() for line in said.splitlines() if line.strip())
    asked = f"{signers.name}, less {revoked.name}," if beside else signers.name
    return f"{asked} does not say that this key is that of {name}" + (f" ({detail})" if detail else "")


def signers_line(name: str, signature: bytes) -> str:
    """Return the line of a signers file that would vouch for the key of a signature."""
    blob = base64.b64decode(re.sub(rb"-----.*-----", b"", signature))
    length = int.from_bytes(blob[10:14])  # after the magic word and the version
    public = blob[14 : 14 + length]
    kind = public[4 : 4 + int.from_bytes(public[:4])].decode("ascii")
    return f'"{name}" namespaces="{NAMESPACE}" {kind} {base64.b64encode(public).decode("ascii")}'
