"""Reads a mail as far as a report needs it: headers, parts, the text in them. Bounded, and total on any text.

The package `email` reads headers, parameters and dates; the parts are cut here. Its parser takes everything apart, also
the message that came back, and takes time by the lines times the depth of parts within parts.
"""

import binascii
import quopri
import re
from datetime import UTC, datetime, timedelta
from email.errors import HeaderParseError
from email.header import decode_header
from email.message import Message
from email.parser import HeaderParser
from email.utils import parsedate_to_datetime
from typing import Final, NamedTuple

from schemas.rejected import Rejected
from schemas.times import parse_time

MAX_FIELD: Final = 4_096
"""Characters of a header field that are looked at: four lines of the length RFC 5322 allows (2.1.1), and some."""

_MAX_HEADERS: Final = 65_536  # of one part; real ones have 5,000
_MAX_DEPTH: Final = 4  # multiparts within multiparts; gateways that add a footer wrap a report once
_MAX_PARTS: Final = 50
_MAX_PARAMETERS: Final = 1_000  # of a Content-Type; the package takes time by the square of their length

Headers = Message
"""Header fields, as `email.message.Message` holds them: names in any case, the first of several by `get`."""

STATUS_KINDS: Final = frozenset(("message/delivery-status", "message/global-delivery-status"))
"""RFC 3464 2.1 and RFC 6533 3."""

RETURNED_KINDS: Final = frozenset(
    # Where the returned message stands, or its headers: RFC 3464 2, RFC 6522 4, RFC 6533 5. The last one is wrong and
    # common.
    ("message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers", "message/rfc822-headers")
)

# Header fields at the beginning of a text, with their folded lines. Each line is of one kind, so this is linear.
_HEADERS: Final = re.compile(r"(?:[!-9;-~]+[ \t]*:[^\n]*(?:\n|\Z)(?:[ \t][^\n]*(?:\n|\Z))*)*")
# Text encodings mail is written in. Python has others, which are none or which complain.
_CHARSET: Final = re.compile(
    r"utf-?8|us-ascii|iso-?8859-[0-9]{1,2}|latin-?1|(?:windows-|cp)125[0-8]|tis-620|koi8-[ru]|gb2312|gbk|gb18030|big5"
    r"|euc-(?:jp|kr)|shift_jis|iso-2022-(?:jp(?:-[1-3])?|kr)"
)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ANGLE_ID: Final = re.compile(r"<\s*([^<>\s]+)\s*>")
_MAX_ID: Final = 998


class Part(NamedTuple):
    """A mail or a part of one: `kind` such as `text/plain`, its headers, its body as it was written."""

    kind: str
    headers: Headers
    body: str


def read_mail(text: str) -> Part:
    """Read a mail, or a part of one, from its text. What has no headers is all body."""
    # A lone surrogate is no character of any mail; JSON from outside never has one.
    text = text.encode("utf-8", "replace").decode()
    return _part(text.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff\n"))


def _part(text: str) -> Part:
    if text.startswith("From "):  # the line an mbox puts before each mail
        text = text.partition("\n")[2]
    head = _HEADERS.match(text)
    end = head.end() if head else 0
    headers = read_headers(text[:end])
    return Part(_parameters(headers).get_content_type(), headers, text[end:].removeprefix("\n"))


def read_headers(text: str) -> Headers:
    """Read header fields, one a line; folded lines belong to the one before."""
    return HeaderParser().parsestr(text[:_MAX_HEADERS])


def field(headers: Headers, name: str, limit: int = MAX_FIELD) -> str:
    """Give a header field in one line, encoded words decoded, at most `limit` characters; "" when absent."""
    return _one_line(headers.get(name, ""), limit)


def fields(headers: Headers, name: str) -> list[str]:
    """Give all header fields of that name, each as `field` does."""
    return [_one_line(value, MAX_FIELD) for value in headers.get_all(name, [])]


def _one_line(value: object, limit: int) -> str:
    text = " ".join(str(value)[:limit].split())
    if "=?" not in text:
        return text
    try:
        words = decode_header(text)
    except (HeaderParseError, ValueError):
        return text
    read = [word if isinstance(word, str) else decoded(word, charset or "us-ascii") for word, charset in words]
    return " ".join("".join(read).split())


def leaves(part: Part, depth: int = _MAX_DEPTH) -> list[Part]:
    """Give the parts of a mail that hold no others, in order. A message within is one of them, whatever it holds."""
    if not depth or not part.kind.startswith("multipart/"):
        return [part]
    boundary = _boundary(part)
    pieces = _pieces(part.body, boundary) if boundary else []
    if not pieces:
        return [part._replace(kind="text/plain")]  # it says that it has parts, but people read it as it is
    return [leaf for piece in pieces for leaf in leaves(_part(piece), depth - 1)][:_MAX_PARTS]


def _pieces(body: str, boundary: str) -> list[str]:
    pieces: list[str] = []
    begin = None
    for line in re.finditer(rf"^--{re.escape(boundary)}(--)?[ \t]*$", body, re.MULTILINE):
        if begin is not None:
            pieces.append(body[begin : max(begin, line.start() - 1)])
        if line[1] or len(pieces) == _MAX_PARTS:
            return pieces
        begin = line.end() + 1
    # Cut off, or never closed: what there is belongs to the last part.
    return pieces if begin is None else [*pieces, body[begin:]]


def text_of(part: Part) -> str:
    """Give the body of a part as text, its transfer encoding undone."""
    match field(part.headers, "Content-Transfer-Encoding").lower():
        case "quoted-printable":
            raw = quopri.decodestring(part.body.encode())
        case "base64":
            try:
                raw = binascii.a2b_base64(part.body.encode("ascii", "ignore"))
            except binascii.Error:
                return part.body
        case _:
            return _unmangled(part)
    charset = _parameter(part, "charset") or "utf-8"
    return decoded(raw, charset).replace("\r\n", "\n")


def returned_headers(parts: list[Part]) -> Headers | None:
    """Give the headers of the message that came back, where a part holds it or them."""
    returned = next((part for part in parts if part.kind in RETURNED_KINDS), None)
    return None if returned is None else read_mail(text_of(returned)).headers


def _unmangled(part: Part) -> str:
    """Undo what who made text of a mail left: bytes that became a character each, and the escapes of ISO-2022.

    Where that is not so, it does not decode and stays as it is, but for signs such as `§` in a few charsets.
    """
    charset = (_parameter(part, "charset") or "utf-8").lower()
    if not part.kind.startswith("text/") or not _CHARSET.fullmatch(charset):
        return part.body
    if part.body.isascii() and "\x1b" not in part.body:
        return part.body
    try:
        return part.body.encode("latin-1").decode(charset)
    except (UnicodeError, LookupError):
        return part.body


def message_id(text: str) -> str | None:
    """Give the id in a Message-ID field without its angle brackets; None without one, or one too long to be true."""
    found = _ANGLE_ID.search(text)
    name = found[1] if found else text.strip()
    return name if 0 < len(name) <= _MAX_ID and " " not in name else None


def mail_time(text: str) -> int | None:
    """Read a date of a mail (RFC 5322, 3.3) as milliseconds since 1970: in UTC without a zone, None if it is none."""
    try:
        date = parsedate_to_datetime(text[:200])
        date = date.replace(tzinfo=UTC) if date.tzinfo is None else date
        in_ms = (date - _EPOCH) // timedelta(milliseconds=1)
    except (ValueError, TypeError, LookupError, OverflowError):
        time = parse_time(text)  # some write RFC 3339
        return None if isinstance(time, Rejected) else time
    return in_ms if in_ms >= 0 else None


def decoded(raw: bytes, charset: str) -> str:
    """Decode bytes in a charset that mail is written in, else as UTF-8; what is not in it becomes U+FFFD."""
    try:
        return raw.decode(charset if _CHARSET.fullmatch(charset.lower()) else "utf-8", "replace")
    except LookupError:  # ISO-8859-12, say, which does not exist
        return raw.decode("utf-8", "replace")


def _parameters(headers: Headers) -> Headers:
    """Give headers with the Content-Type alone, cut to a length that costs nothing."""
    probe = Message()
    probe["Content-Type"] = " ".join(str(headers.get("Content-Type", "text/plain"))[:_MAX_PARAMETERS].split())
    return probe


def _parameter(part: Part, name: str) -> str | None:
    try:
        value = _parameters(part.headers).get_param(name)
    except (ValueError, TypeError, LookupError):
        return None
    # With RFC 2231 it is (charset, language, value).
    return value[2] if isinstance(value, tuple) else value


def _boundary(part: Part) -> str | None:
    boundary = _parameter(part, "boundary")
    return boundary.rstrip() or None if boundary else None
