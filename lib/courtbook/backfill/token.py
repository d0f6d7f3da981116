"""Where the bearer token of a service comes from, and when it is fetched anew. It is never shown or written down."""

import os
import re
import subprocess
import threading
from pathlib import Path
from time import monotonic

import httpx
from pydantic import SecretStr

from courtbook.errors import CourtbookError, Reason
from courtbook.params import TokenParams
from courtbook.params_file import read_secret

_COMMAND_SECONDS, _METADATA_SECONDS = 30.0, 10.0
_IDENTITY = "/computeMetadata/v1/instance/service-accounts/default/identity"


class TokenSource:
    """Gives out one token until it is too old or was refused; threads that ask at the same time fetch it once.

    A secret's file is relative to ``root``, and a command runs there.
    """

    def __init__(self, settings: TokenParams, root: Path) -> None:
        self._settings, self._root, self._lock = settings, root, threading.Lock()
        self._host = os.environ.get("GCE_METADATA_HOST", "metadata.google.internal")
        self._token: SecretStr | None = None
        self._born = 0.0  # by the monotonic clock: a wall clock that jumps changes nothing
        self._failed: tuple[float, CourtbookError] | None = None

    def get(self) -> SecretStr:
        """Return a token, a new one if there is none or if it is older than the settings allow.

        Raises
        ------
        CourtbookError
            If none can be had (``service_failed``); the message names the source and holds nothing that came from it.
        """
        asked = monotonic()
        with self._lock:
            if self._failed and self._failed[0] > asked:
                raise self._failed[1]  # it failed while this thread waited for it
            if self._token is None or monotonic() - self._born > self._settings.minutes * 60:
                self._born, self._token = monotonic(), self._new()
            return self._token

    def renew(self, refused: SecretStr) -> None:
        """Forget a token that was refused; one that another thread has fetched since then stays."""
        with self._lock:
            if self._token is refused:
                self._token = None

    def _new(self) -> SecretStr:
        text, why = "", "it gave nothing, or blanks, line breaks or other signs that no token has"
        try:
            text = self._fetch().strip()
        except subprocess.TimeoutExpired:
            why = f"it did not end within {_COMMAND_SECONDS:g} s"
        except subprocess.CalledProcessError as error:
            why = f"it ended with exit status {error.returncode}"
        except httpx.HTTPStatusError as error:
            why = f"it answered {error.response.status_code}"
        except LookupError:
            why = "the variable is not set"
        except (OSError, httpx.HTTPError, httpx.InvalidURL) as error:
            why = getattr(error, "strerror", None) or type(error).__name__
        # Checked here: whoever builds a header would quote in its error what does not fit in.
        if re.fullmatch(r"[\x21-\x7e]+", text):
            return SecretStr(text)
        # Raised out here: the errors above hold what a command printed.
        where = (*self._settings.command, self._settings.secret or f"metadata server {self._host}")[0]
        what = f"The service's token cannot be had: {why}."
        hint = "Ask this source by hand and correct it, then start again: only what is missing is planned."
        failed = CourtbookError(Reason.SERVICE_FAILED, what, where=where, next_action=hint)
        self._failed = (monotonic(), failed)
        raise failed

    def _fetch(self) -> str:
        if command := self._settings.command:
            # Without a shell; what it complains about is not kept, it may quote the token.
            null, limit = subprocess.DEVNULL, _COMMAND_SECONDS
            out = subprocess.check_output(command, cwd=self._root, stdin=null, stderr=null, timeout=limit)  # noqa: S603
            return out.decode("utf-8", "replace")
        if self._settings.secret:
            return read_secret(self._settings.secret, self._root)
        url, header = f"http://{self._host}{_IDENTITY}", {"Metadata-Flavor": "Google"}
        asked = {"audience": self._settings.metadata}
        # No proxy: this server stands next to the machine.
        answer = httpx.get(url, params=asked, headers=header, timeout=_METADATA_SECONDS, trust_env=False)
        return answer.raise_for_status().text
