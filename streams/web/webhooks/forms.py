"""HTML forms as objects of text fields: how Mailgun's legacy webhooks come, urlencoded or multipart."""

import email.parser
import email.policy
from email.message import Message
from typing import Final
from urllib.parse import parse_qsl

MOST_FIELDS: Final = 1_000


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
    try:
        return _parts(content_type, body)
    except ValueError:  # the email package decodes names in any charset that they claim, such as idna''%ff
        return None


def _parts(content_type: str, body: bytes) -> dict[str, str] | None:
    if "\n" in content_type or "\r" in content_type:
        return None  # would be headers of its own
    head = f"Content-Type: {content_type}\r\n\r\n".encode("ascii", errors="replace")
    whole = email.parser.BytesParser(policy=email.policy.compat32).parsebytes(head + body)
    parts = whole.get_payload()
    if not isinstance(parts, list) or len(parts) > MOST_FIELDS:
        return None
    fields = {}
    for part in parts:
        if not isinstance(part, Message):
            return None
        name = part.get_param("name", header="Content-Disposition")
        if isinstance(name, str) and part.get_filename() is None and not part.is_multipart():
            del part["Content-Transfer-Encoding"]  # forms have none
            content = part.get_payload(decode=True)
            fields[_text(name.encode(errors="surrogateescape"))] = _text(content) if isinstance(content, bytes) else ""
    return fields


def _text(content: bytes) -> str:
    return content.decode(errors="replace")
