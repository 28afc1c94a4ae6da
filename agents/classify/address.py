"""The canonical recipient: one spelling per mailbox, as text that is a key everywhere (SPEC 4)."""

import re
import unicodedata
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

import idna

from schemas.rejected import Rejected

MAX_LOCAL_OCTETS: Final = 64
"""Of the part before the @, in UTF-8 (RFC 5321, 4.5.3.1.1)."""

MAX_OCTETS: Final = 254
"""Of the whole address, in UTF-8 (RFC 5321, 4.5.3.1.3: a path has 256 with its angle brackets)."""

# With its display name: what a line of mail can hold (RFC 5322, 2.1.1). Looking at more would only cost time.
_MAX_CHARACTERS: Final = 998

# Spaces as people paste them, to be cut off at both ends: blanks of all widths, line ends, a byte order mark.
_EDGES: Final = " \t\r\n\u00a0\u1680\u202f\u205f\u3000\ufeff" + "".join(map(chr, range(0x2000, 0x200C)))

_ATOM: Final = r"a-z0-9!#$%&'*+/=?^_`{|}~\-"
# An underscore is no letter of a host name (RFC 952), but DNS allows it and mail domains have it.
_LABEL: Final = r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
# At least two labels, the last one not a number.
_DOMAIN: Final = rf"(?:{_LABEL}\.)+(?![0-9]+$)[a-z0-9](?:[a-z0-9-]{{0,61}}[a-z0-9])"

# Dots may stand anywhere: addresses such as a..b@ and a.@ are live at Japanese carriers (docomo.ne.jp).
_PLAIN: Final = re.compile(rf"[{_ATOM}.]{{1,64}}@{_DOMAIN}", re.ASCII)
_PLAIN_DOMAIN: Final = re.compile(_DOMAIN, re.ASCII)
_UNQUOTED: Final = re.compile(rf"[{_ATOM}.\u0080-\U0010ffff]+")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")

# What may stand around an address (RFC 5322, 3.4), one layer at a time.
_COMMENT_AT_END: Final = re.compile(r"(?<=[\s>])\([^()]*\)$")
_COMMENT_AT_START: Final = re.compile(r"\([^()]*\)")
_ANGLE_ADDRESS: Final = re.compile(r"<([^<>]*)>$")
_QUOTED_OR_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*"|\([^()]*\)')
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_MAX_WRAPPINGS: Final = 8
_REPLACEMENT: Final = "\ufffd"  # stands where somebody could not decode the address


@lru_cache(maxsize=16_384)
def canonical_recipient(text: str) -> str | Rejected:
    """Give the canonical form of an address as people and providers write it.

    Space, display name, angle brackets, comments and `mailto:` go; both parts are NFC and lower case; the
    domain is its A-label (UTS-46, non-transitional: `ß` is not `ss`) without trailing dot. Plus tags and dots
    stay: `a+x@` and `a@` are different subscriptions. Quotes go where the local part needs none. ASCII stays
    ASCII. The canonical form of a canonical form is itself.

    Returns:
        The address, or `Rejected("bad-recipient", …)`: none or more than one can be found, a control or
        invisible character is in it, it is too long, or its domain is a single label, an address literal
        or not valid. Never raises.

    """
    lowered = text.lower()
    if len(lowered) <= MAX_OCTETS and _PLAIN.fullmatch(lowered):
        return lowered
    return _spelled_out(text)


def _spelled_out(text: str) -> str | Rejected:
    if len(text) > _MAX_CHARACTERS:
        return _refused("is too long")
    for _ in range(_MAX_WRAPPINGS):
        text = unicodedata.normalize("NFC", text).strip(_EDGES)
        if _CONTROL.search(text):
            return _refused("holds a control character")
        unwrapped = _unwrapped(text)
        if unwrapped == text:
            break
        text = unwrapped
    else:
        return _refused("is wrapped too often")
    # A display name may hold what it likes (emoji are joined by invisible characters), the address may not.
    if not text.isprintable() or _REPLACEMENT in text:
        return _refused("holds an invisible or replacement character")
    written, _, domain = text.rpartition("@")
    local, ascii_domain = _local_part(written), _domain(domain)
    if local is None or ascii_domain is None:
        return _refused("is not one mail address" if local is None else "has no valid mail domain")
    octets = len(local.encode())
    if octets > MAX_LOCAL_OCTETS or octets + 1 + len(ascii_domain) > MAX_OCTETS:
        return _refused("is too long")
    return f"{local}@{ascii_domain}"


def _refused(why: str) -> Rejected:
    return Rejected("bad-recipient", f"the recipient {why}")


def _unwrapped(text: str) -> str:
    """Take off one comment, display name with angle brackets, or `mailto:`; the same text without any."""
    if found := _COMMENT_AT_END.search(text) or _COMMENT_AT_START.match(text):
        return text[: found.start()] + text[found.end() :]
    if found := _ANGLE_ADDRESS.search(text):
        name = _QUOTED_OR_COMMENT.sub("", text[: found.start()])
        several = "<" in name or ">" in name or ("@" in name and ("," in name or ";" in name))
        return text if several else found[1]
    if text[:7].lower() == "mailto:":
        # RFC 6068: the address is percent-encoded, and header fields may follow it.
        return unquote(text[7:].partition("?")[0])
    return text


def _local_part(written: str) -> str | None:
    if found := _QUOTED.fullmatch(written):
        content = _folded(_ESCAPED.sub(r"\1", found[1]))
        if _UNQUOTED.fullmatch(content):
            return content
        escaped = content.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"' if content else None
    local = _folded(written)
    return local if _UNQUOTED.fullmatch(local) else None


def _folded(text: str) -> str:
    # Lower-casing can take NFC apart and composing can ask for lower case again (İ is i and a dot).
    for _ in range(3):
        folded = unicodedata.normalize("NFC", text.lower())
        if folded == text:
            break
        text = folded
    return text


def _domain(domain: str) -> str | None:
    domain = domain.lower()
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True, transitional=False).decode("ascii")
        except UnicodeError:  # idna.IDNAError and what Python's own punycode raises
            return None
    domain = domain.removesuffix(".")
    return domain if _PLAIN_DOMAIN.fullmatch(domain) else None
