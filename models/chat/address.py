"""The address of a chat-completions server, and how much of it a run may show."""

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit, urlunsplit

from worthit.datasets.errors import OptionError

_PATH = "/chat/completions"
#: the only part of a query that is allowed, since others may be keys
_QUERY = "api-version"
_PRIVATE_SUFFIXES = (".local", ".internal", ".intranet", ".lan", ".corp", ".home", ".home.arpa")
_USAGE = "give the base address, such as http://localhost:8080/v1"


@dataclass(frozen=True)
class Address:
    """Where requests go."""

    url: str  # of chat completions, without credentials
    host: str
    port: int

    @property
    def is_encrypted(self) -> bool:
        return self.url.startswith("https:")

    @property
    def is_this_machine(self) -> bool:
        """True for a loopback address: comments stay on this machine."""
        number = _number(self.host)
        if number is not None:
            return number.is_loopback
        return self.host == "localhost" or self.host.endswith(".localhost")

    @property
    def is_public(self) -> bool:
        """False for addresses and names that only a private network resolves."""
        number = _number(self.host)
        if number is not None:
            return number.is_global
        return "." in self.host and not self.host.endswith((*_PRIVATE_SUFFIXES, ".localhost"))

    @property
    def shown(self) -> str:
        """For runs, which may be shared: the name of a public host, and never a path or a port."""
        if self.is_this_machine:
            return "this machine"
        return self.host if self.is_public else "a private network"


def parse(given: str) -> Address:
    """Read the value of `--endpoint`. Messages never repeat it, since it may hold a key.

    Args:
        given: a base address (`https://host/v1`), or that of chat completions itself.

    Raises:
        OptionError: it is not such an address, or holds credentials.
    """
    try:
        parts = urlsplit(given.strip())
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError:
        raise OptionError(f"--endpoint is not an address; {_USAGE}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise OptionError(f"--endpoint is not an http or https address; {_USAGE}")
    if parts.username is not None or parts.password is not None:
        raise OptionError(
            "--endpoint holds a user name or a password, which other users of this machine can see; "
            "give the key in the environment variable WORTHIT_API_KEY"
        )
    query = parse_qsl(parts.query, keep_blank_values=True)
    if parts.fragment or any(name != _QUERY for name, _ in query):
        raise OptionError(
            f"--endpoint has a query that may hold a key; only {_QUERY} is allowed there (keys: the "
            "environment variable WORTHIT_API_KEY)"
        )
    path = parts.path.rstrip("/") or "/v1"
    if not path.endswith(_PATH):
        path += _PATH
    url = urlunsplit((parts.scheme, parts.netloc, path, parts.query, ""))
    return Address(url, parts.hostname, port)


def _number(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
