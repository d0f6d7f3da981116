"""SSH keys made for a test, and the signers file that vouches for them."""

import subprocess
from pathlib import Path

from courtbook.evidence.ssh import NAMESPACE

OLGA, RITA, ALAN = "Olga Operator", "Rita Řehoř", "Alan Approver"


def make_key(folder: Path, name: str, kind: str = "ed25519", passphrase: str = "") -> Path:
    """Make a key and return the path of its private half."""
    key = folder / name
    subprocess.run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", str(key)], check=True)
    return key


def vouch(name: str, key: Path, options: str = f'namespaces="{NAMESPACE}"') -> str:
    """Return the line of a signers file that says whose a key is."""
    public = key.with_name(f"{key.name}.pub").read_text(encoding="utf-8")
    return f'"{name}" {options} {public}'


def make_signers(folder: Path, keys: dict[str, Path]) -> Path:
    """Make a signers file for some people."""
    file = folder / "allowed_signers"
    file.write_text("# who signs\n\n" + "".join(vouch(name, key) for name, key in keys.items()), encoding="utf-8")
    return file
