"""Bounce mails and feedback reports to vary, field by field."""

from collections.abc import Mapping

from agents.classify.classification import classify
from schemas.delivery import DeliveryEvent
from schemas.rejected import Reason, Rejected
from schemas.report import Report

DATE = "Thu, 20 Nov 2025 10:15:31 +0000"
RETURNED = "From: news@shop.example\nTo: jane@example.com\nMessage-ID: <m1@shop.example>\n\nDear reader,\n"
GROUP: Mapping[str, str | None] = {"Final-Recipient": "rfc822; jane@example.com", "Action": "failed", "Status": "5.1.1"}


def lines(fields: Mapping[str, str | None]) -> str:
    """Write header fields; None leaves one out."""
    return "".join(f"{name}: {value}\n" for name, value in fields.items() if value is not None)


def report(
    kind: str, status: str, returned: str | None = RETURNED, words: str = "It failed.", date: str | None = DATE
) -> str:
    """Give a multipart/report with a machine-readable part of that kind."""
    head = lines({"Return-Path": "<>", "From": "MAILER-DAEMON@mx.example", "To": "bounces@shop.example", "Date": date})
    parts = [f"Content-Type: text/plain\n\n{words}\n", f"Content-Type: message/{kind}\n\n{status}"]
    parts += [] if returned is None else [f"Content-Type: message/rfc822\n\n{returned}"]
    body = "".join(f"--b\n{part}\n" for part in parts)
    return f"{head}Content-Type: multipart/report; boundary=b\n\n{body}--b--\n"


def bounce(
    of_message: dict[str, str] | None = None, *, date: str | None = DATE, words: str = "", **fields: str | None
) -> str:
    """Give a bounce of one recipient; fields are named with underscores for dashes."""
    group = {**GROUP} | {name.replace("_", "-"): value for name, value in fields.items()}
    head = lines({"Reporting-MTA": "dns; mx.example", **(of_message or {})})
    return report("delivery-status", f"{head}\n{lines(group)}", words=words, date=date)


def letter(subject: str, body: str, **fields: str | None) -> str:
    """Give a mail of one text, from nobody; fields are named with underscores for dashes."""
    head: dict[str, str | None] = {
        "Return-Path": "<>",
        "From": "joe@example.net",
        "To": "bounces@shop.example",
        "Date": DATE,
        "Subject": subject,
    }
    head |= {name.replace("_", "-"): value for name, value in fields.items()}
    return f"{lines(head)}\n{body}\n"


def classified(text: str, provider: str = "dsn") -> list[DeliveryEvent | Rejected]:
    """Classify a mail."""
    return [found for _, found in classify(Report(provider, "acme", text))]


def one(text: str, provider: str = "dsn") -> DeliveryEvent:
    """Give the only happening of a mail."""
    [found] = classified(text, provider)
    assert isinstance(found, DeliveryEvent), found
    return found


def rejected(text: str, provider: str = "dsn") -> Reason:
    """Give why a mail is rejected."""
    [found] = classified(text, provider)
    assert isinstance(found, Rejected), found
    return found.reason
