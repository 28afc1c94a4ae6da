"""Where Redis is, as a URL: one server, a master that Sentinels know, or a cluster.

- `redis://[user:password@]host[:port][/db]`
- `redis-sentinel://[user:password@]host[:port],host[:port]…/service[/db]`
- `redis-cluster://[user:password@]host[:port],host[:port]…`

and the same with `rediss` for TLS.
"""

from typing import Any, Final, NamedTuple
from urllib.parse import unquote

SCHEMES: Final = ("redis", "rediss", "redis-sentinel", "rediss-sentinel", "redis-cluster", "rediss-cluster")

_SENTINEL_PORT: Final = 26_379
_REDIS_PORT: Final = 6_379


class Place(NamedTuple):
    """A URL of several hosts, taken apart: where, what follows the hosts, and how to connect."""

    hosts: list[tuple[str, int]]
    path: list[str]
    options: dict[str, Any]


def scheme_of(url: str) -> str:
    """Give the scheme of a URL.

    Raises:
        ValueError: It is none of ours. The message does not hold the URL, which may hold a password.

    """
    scheme, separator, _ = url.partition("://")
    if scheme not in SCHEMES or not separator:
        raise ValueError(f"not a URL that begins with one of {', '.join(f'{known}://' for known in SCHEMES)}")
    return scheme


def check_url(url: str) -> None:
    """Refuse a URL that no client can be made of.

    Raises:
        ValueError: Another scheme, no host, a port that is none, or no service where Sentinels are asked.

    """
    if scheme_of(url) not in ("redis", "rediss"):
        place_of(url)


def place_of(url: str) -> Place:
    """Take a URL of Sentinels or of a cluster apart. Raises ValueError as `check_url` does."""
    scheme = scheme_of(url)
    authority, _, path = url.partition("://")[2].partition("/")
    credentials, _, hosts = authority.rpartition("@")
    options: dict[str, Any] = {"ssl": True} if scheme.startswith("rediss") else {}
    if credentials:
        name, _, password = credentials.partition(":")
        options |= {"username": unquote(name) or None, "password": unquote(password)}
    sentinel = "sentinel" in scheme
    place = Place(
        [_host(host, _SENTINEL_PORT if sentinel else _REDIS_PORT) for host in hosts.split(",")],
        [part for part in path.split("/") if part],
        options,
    )
    if sentinel and not place.path:
        raise ValueError("the service that the Sentinels watch is missing: …/service")
    if sentinel and not all(number.isdecimal() for number in place.path[1:]):
        raise ValueError("the database is no number: …/service/0")
    return place


def _host(text: str, default: int) -> tuple[str, int]:
    name, colon, port = text.rpartition(":") if not text.endswith("]") else (text, "", "")
    if not colon:
        name, port = text, str(default)
    if not name or not port.isdecimal():
        raise ValueError("a host is missing, or its port is no number")
    return name.strip("[]"), int(port)
