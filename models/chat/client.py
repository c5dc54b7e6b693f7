"""Sends one request to a chat-completions server, again where that may help, and keeps the key secret.

urllib3 repeats a request: after 408, 429, 5xx and disconnects, with exponential backoff and jitter, or as
long after as the server's Retry-After says, but never more than a minute. The key is read from the
environment when a request is sent. It is an attribute of no object, and no message repeats what a server says
of a request that has a comment.
"""

import json
import logging
import os
import re
import urllib.request
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import urllib3
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, ProxyError, SSLError
from urllib3.exceptions import TimeoutError as NoAnswerInTime

from worthit.datasets.errors import CellError, OptionError
from worthit.models.chat.address import Address

KEY_VARIABLE = "WORTHIT_API_KEY"
#: used for OpenAI's own servers only, so that no other server gets it
OPENAI_KEY_VARIABLE = "OPENAI_API_KEY"
_OPENAI = "api.openai.com"

#: seconds before the first repetition; doubles each time
BACKOFF_S = 0.5
LONGEST_WAIT_S = 60
_REPEATED = (408, 409, 425, 429, 500, 502, 503, 504, 529)
_REDIRECTS = range(300, 400)
_UNKNOWN = (HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.GONE)
#: of connections that cannot be made, and of answers that stall or break off
_MOST_OF_A_KIND = 2
_MOST_CONNECTIONS = 64
_CODE = re.compile(r"[\w.-]{1,60}")  # an error code, which is no sentence


@dataclass(frozen=True)
class Reply:
    """What one request brought."""

    body: Any = None  # parsed JSON; None if there is a problem
    problem: str = ""  # why there is no answer
    retries: int = 0
    rate_limited: int = 0  # of these, how many followed a 429
    status: int = 0  # of HTTP; 0: none


class _Counted(urllib3.Retry):
    """Counts what was repeated also if all repetitions fail, unlike the history of a response."""

    sent_again: list[int]  # status of each answer that was repeated, 0 without one; shared

    def increment(self, *args: Any, **options: Any) -> "_Counted":
        following: _Counted = super().increment(*args, **options)
        response = options.get("response")
        self.sent_again.append(response.status if response is not None else 0)
        following.sent_again = self.sent_again
        return following


class Client:
    """Safe to use by several threads.

    Args:
        timeout_s: longest wait for a connection and for an answer.
        retries: most repetitions of a request.
    """

    def __init__(self, address: Address, model: str, timeout_s: float, retries: int) -> None:
        self._address, self._model = address, model
        self._timeout_s, self._retries = timeout_s, retries
        logging.getLogger("urllib3").setLevel(logging.ERROR)  # it warns of each repetition
        self._pool = _pool(address)

    def post(self, body: dict[str, Any]) -> Reply:
        """Send a request, and again if that may help.

        Raises:
            CellError: no request to this server will succeed: it cannot be reached, refuses the key, has
                no such model, or limits the rate for longer than the repetitions last.
            OptionError: the key cannot be sent.
        """
        repeat = _Counted(
            self._retries, connect=_MOST_OF_A_KIND, read=_MOST_OF_A_KIND, redirect=False,
            status=self._retries, allowed_methods=None, status_forcelist=_REPEATED,
            backoff_factor=BACKOFF_S, backoff_jitter=BACKOFF_S, backoff_max=LONGEST_WAIT_S,
            retry_after_max=LONGEST_WAIT_S, raise_on_status=False,
        )  # fmt: skip
        repeat.sent_again = []
        try:
            response = self._pool.request(
                "POST", self._address.url, body=json.dumps(body).encode(), headers=_headers(self._address),
                retries=repeat, timeout=self._timeout_s, redirect=False,
            )  # fmt: skip
        except HTTPError as error:
            problem = self._broken(error)
            return Reply(None, problem, len(repeat.sent_again), repeat.sent_again.count(429))
        reply = self._read(response.status, response.data)
        return Reply(
            reply.body, reply.problem, len(repeat.sent_again), repeat.sent_again.count(429),
            response.status,
        )  # fmt: skip

    def _broken(self, error: HTTPError) -> str:
        """Why a request without an answer has none; raises CellError if no request will have one."""
        reason = error.reason if isinstance(error, MaxRetryError) else error
        if isinstance(reason, ConnectTimeoutError | ProxyError | SSLError):
            raise CellError(
                f"the endpoint on {self._address.shown} cannot be reached ({type(reason).__name__}); start "
                "the server, or correct --endpoint"
            ) from None
        return "timed out" if isinstance(reason, NoAnswerInTime) else "disconnected"

    def _read(self, status: int, data: bytes) -> Reply:
        where = f"the endpoint on {self._address.shown}"
        if status in _REDIRECTS:
            raise CellError(f"{where} redirects to another address; give that one as --endpoint")
        if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            raise CellError(f"{where} refuses the key ({status}); {_advice(self._address)}")
        if status in _UNKNOWN:
            raise CellError(
                f"{where} does not know the model {self._model} or this path ({status}); check "
                "--models endpoint:NAME and --endpoint"
            )
        if status == HTTPStatus.TOO_MANY_REQUESTS:
            raise CellError(
                f"{where} still limits the rate after {self._retries} repetitions; run again later: "
                "answers so far are cached"
            )
        try:
            body = json.loads(data)
        except ValueError:
            body = None
        if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            return Reply(problem=f"server error {status}")
        if status >= HTTPStatus.BAD_REQUEST:
            return Reply(body, f"refused ({' '.join(filter(None, (str(status), _code(body))))})")
        return Reply(body) if isinstance(body, dict) else Reply(problem="not an answer")


def _pool(address: Address) -> urllib3.PoolManager:
    """Connections, through the system's proxy if it has one; never to this machine."""
    proxy = urllib.request.getproxies().get(address.url.partition(":")[0])
    if proxy and not address.is_this_machine and not urllib.request.proxy_bypass(address.host):
        return urllib3.ProxyManager(proxy, maxsize=_MOST_CONNECTIONS)
    return urllib3.PoolManager(maxsize=_MOST_CONNECTIONS)


def _headers(address: Address) -> dict[str, str]:
    """With the key, if the environment has one for this server.

    Raises:
        OptionError: the key cannot be a header, or would travel unencrypted.
    """
    headers = {"Content-Type": "application/json", "User-Agent": "worthit"}
    key = os.environ.get(KEY_VARIABLE, "").strip()
    if not key and address.host == _OPENAI:
        key = os.environ.get(OPENAI_KEY_VARIABLE, "").strip()
    if not key:
        return headers
    if not (key.isascii() and key.isprintable()):
        # http.client would refuse it too, and repeat it in its message.
        raise OptionError("the key in the environment has characters that no key has; set it again")
    if address.is_public and not address.is_encrypted:
        raise OptionError(
            f"the key would travel unencrypted to {address.host}; use an https address, or unset "
            f"{KEY_VARIABLE}"
        )
    return headers | {"Authorization": f"Bearer {key}"}


def _advice(address: Address) -> str:
    variables = (
        f"{KEY_VARIABLE} or {OPENAI_KEY_VARIABLE}" if address.host == _OPENAI else KEY_VARIABLE
    )
    return f"set {variables}"


def _code(body: Any) -> str:
    """The server's code of an error; never its message, which may repeat the comment or the key."""
    error = body.get("error") if isinstance(body, dict) else None
    code = error.get("code") if isinstance(error, dict) else None
    text = code if isinstance(code, str) else ""
    return text if _CODE.fullmatch(text) else ""
