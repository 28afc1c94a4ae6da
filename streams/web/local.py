"""Whether a request comes from a program on this machine: all that stands guard where no secrets are configured.

The server then listens on loopback alone, but others can still make requests here: a proxy in front of it, a page in a
browser on this machine (browsers post to any address and say so in `Origin` and `Sec-Fetch-Site`), and a page whose own
name has been pointed at 127.0.0.1 (DNS rebinding: its requests are of its own origin, and `Host` tells).
"""

import ipaddress
import re
from collections.abc import Mapping
from typing import Final

LOOPBACK: Final = "127.0.0.1"

_HERE: Final = re.compile(r"(?:localhost|127(?:\.[0-9]{1,3}){3}|\[::1\])(?::[0-9]{1,5})?", re.ASCII | re.IGNORECASE)
_PROXIED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")
_OWN_SITE: Final = frozenset(("none", "same-origin"))  # "none": somebody typed the address


def is_loopback(host: str) -> bool:
    """Say whether who listens on a host hears this machine alone. No name is looked up but `localhost`."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def is_local(headers: Mapping[str, str]) -> bool:
    """Say whether a request was made on this machine, and by no page of somebody else's.

    `headers` are looked up without regard to case. curl and other clients send neither `Origin` nor `Sec-Fetch-Site`.
    """
    host = headers.get("Host", "")
    if not _HERE.fullmatch(host) or any(name in headers for name in _PROXIED):
        return False
    origin = headers.get("Origin")
    if origin is not None and origin.lower() != f"http://{host.lower()}":
        return False
    return headers.get("Sec-Fetch-Site", "none").lower() in _OWN_SITE
