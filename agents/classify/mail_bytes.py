"""The text of a raw mail that came as bytes: each part in the charset it declares, where it is not UTF-8."""

import re
from typing import Final

from agents.classify.mail import decoded

_BOUNDARY: Final = re.compile(rb"boundary[ \t]*=[ \t]*(?:\"([^\"\r\n]{1,200})\"|([^\s;\"]{1,200}))", re.IGNORECASE)
_CHARSET: Final = re.compile(rb"charset[ \t]*=[ \t]*\"?([A-Za-z0-9._-]{1,40})", re.IGNORECASE)
_TEXT_PART: Final = re.compile(rb"^content-type[ \t]*:[ \t]*text/", re.IGNORECASE | re.MULTILINE)


def mail_text(body: bytes) -> str:
    """Give a mail as text. Total on any bytes, in time by their length.

    A line that is not UTF-8 is read in the charset of its part, where that is a text that declares one. Elsewhere
    (headers, the fields of a delivery status, parts that declare none) such bytes become U+FFFD: a recipient with one
    is refused later, where a guess could block somebody else. RFC 2045 5.1 and RFC 2046 4.1.2.
    """
    try:
        return body.decode()
    except UnicodeDecodeError:
        return "".join(_lines(body))


def _lines(body: bytes) -> list[str]:
    lines: list[str] = []
    boundaries: set[bytes] = set()
    head: list[bytes] | None = []  # of the mail or a part, while it is read
    charset = None
    for line in body.splitlines(keepends=True):
        bare = line.rstrip()
        if bare.startswith(b"--") and (bare in boundaries or bare.removesuffix(b"--") in boundaries):
            head, charset = [], None
        elif head is not None and not bare:
            charset = _declared(b"".join(head), boundaries)
            head = None
        elif head is not None:
            head.append(line)
        lines.append(_line(line, charset))
    return lines


def _declared(head: bytes, boundaries: set[bytes]) -> str | None:
    """Give the charset of a text part by its header, else None; notes the boundaries that stand there."""
    boundaries.update(b"--" + (found[1] or found[2]).rstrip() for found in _BOUNDARY.finditer(head))
    found = _CHARSET.search(head) if _TEXT_PART.search(head) else None
    return found[1].decode("ascii") if found else None


def _line(line: bytes, charset: str | None) -> str:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return decoded(line, charset or "utf-8")
