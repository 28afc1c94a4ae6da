"""HTML forms as objects of text fields: how Mailgun's legacy webhooks come, urlencoded or multipart.

A multipart form is taken apart here, flat (RFC 7578), and not by the `email` package, as anybody may post one before a
signature is looked at: that package reads forms within forms, line by line against every boundary, so that 1 MiB can
cost it half a minute, and raises whatever comes to it (TypeError, RecursionError, ValueError) where names are odd.
"""

import re
from typing import Final
from urllib.parse import parse_qsl

MOST_FIELDS: Final = 1_000
_LONGEST_HEAD: Final = 4_096  # bytes of one part's header fields; Mailgun's have some 100

_BOUNDARY: Final = re.compile(r';\s*boundary=(?:"([^"]{1,70})"|([^\s";,]{1,70}))', re.ASCII | re.IGNORECASE)
_DISPOSITION: Final = re.compile(
    r"^content-disposition[ \t]*:[ \t]*form-data[ \t]*(;.*)$", re.IGNORECASE | re.MULTILINE
)
_PARAMETER: Final = re.compile(r';[ \t]*([^\s=;"]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([^\s;"]*))')


def read_form(content_type: str, body: bytes) -> dict[str, str] | None:
    """Read a form's text fields; of a field that stands twice, the last one. None if it is no form.

    Files are left out: Mailgun attaches the bounced mail, which is nobody's business here.
    """
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "application/x-www-form-urlencoded":
        return _urlencoded(body)
    if kind == "multipart/form-data":
        return _multipart(content_type, body)
    return None


def _urlencoded(body: bytes) -> dict[str, str] | None:
    try:
        return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=MOST_FIELDS))
    except ValueError:  # not UTF-8, or too many fields
        return None


def _multipart(content_type: str, body: bytes) -> dict[str, str] | None:
    found = _BOUNDARY.search(content_type)
    if found is None or not content_type.isascii() or "\n" in content_type or "\r" in content_type:
        return None
    line = re.escape(b"--" + (found[1] or found[2]).encode())
    # A newline of its own in front, since the first boundary may be the first line.
    parts = re.split(rb"\r?\n" + line + rb"(?=--|[ \t]*\r?\n)", b"\n" + body, maxsplit=MOST_FIELDS + 2)[1:]
    if not parts or len(parts) > MOST_FIELDS + 1:
        return None
    fields: dict[str, str] = {}
    for part in parts:
        if part.startswith(b"--"):
            return fields  # what comes after the last boundary is nothing
        head, content = _opened(part)
        if len(head) > _LONGEST_HEAD:
            return None
        name = _field(head.decode(errors="replace"))
        if name is not None:
            fields[name] = content.decode(errors="replace")
    return None  # cut off


def _opened(part: bytes) -> tuple[bytes, bytes]:
    """Part the header fields of a part from its content, at the first empty line."""
    begun = part.lstrip(b" \t")  # the rest of the boundary's line
    opened = re.split(rb"\r?\n\r?\n", begun, maxsplit=1)
    return opened[0], opened[1] if len(opened) > 1 else b""


def _field(head: str) -> str | None:
    """Give the name of a part that is a text field; None for files, and for what has no name."""
    disposition = _DISPOSITION.search(head)
    if disposition is None:
        return None
    told = {
        found[1].lower(): re.sub(r"\\(.)", r"\1", found[2]) if found[2] is not None else found[3]
        for found in _PARAMETER.finditer(disposition[1])
    }
    return None if "filename" in told or "filename*" in told else told.get("name")
