"""The formats of lists: by which columns each is known, and who reads its rows."""

from collections.abc import Collection, Iterable
from typing import Final, NamedTuple

from agents.classify.address import canonical_recipient
from agents.classify.table import RuleTable
from agents.lists import mailgun, mailjet, own, sendgrid, ses
from agents.lists.entry import Entry, Read, Reader, Row, Skipped
from agents.lists.mautic import mautic
from schemas.rejected import Rejected


class Format(NamedTuple):
    """One format.

    name: what `--format` calls it.
    columns: how its columns are written, for people; a `?` behind one that may be missing.
    required: groups of column names (see `column_name`), of each of which one has to be there.
    read: reads one row.
    hint: a word in the file's name that tells this format from another one with the same columns.
    only: all the columns it may have, to be recognised: a few columns that many lists have must not make a list of all
        contacts pass for one of unsubscribes.
    """

    name: str
    columns: str
    required: tuple[Collection[str], ...]
    read: Reader
    hint: str = ""
    only: frozenset[str] | None = None

    @property
    def source(self) -> str:
        """The system the list comes from: a part of the ids of commands, so that it must not change."""
        return self.name.partition("-")[0]

    def fits(self, columns: Collection[str]) -> bool:
        """Say whether every column is there that the format needs."""
        return all(any(name in columns for name in names) for names in self.required)


def _refused(_row: Row, _rules: RuleTable) -> Iterable[Read]:
    return (Rejected("unknown-event", "this list names whom to mail whatever happens"),)


ALLOW_LIST: Final = Format(
    "mailgun-allowlist", "value, type, reason, createdAt", (("value",), ("type",), ("reason",)), _refused
)
"""Recognised to be refused: Mailgun's list of whom to mail whatever happens (its `whitelists`)."""

FORMATS: Final = (
    Format(
        "bounceline", "recipient, status, since or at, note?, reasons?", (("recipient",), ("status",)), own.own
    ),
    Format(
        "mautic", "email, reason, comments, date_added, channel?",
        (("email",), ("reason",), ("comments", "comment"), ("dateadded", "channel")), mautic,
    ),
    Format(
        "mailjet-contacts", "email, IsExcludedFromCampaigns or IsUnsubscribed or IsSpamComplaining, …At",
        (("email",), ("isexcludedfromcampaigns", "isunsubscribed", "unsubscribedat", "isspamcomplaining")),
        mailjet.contacts,
    ),
    Format(
        "mailjet-messages", "email or ContactAlt, event or Status, error or StateID, time or ArrivedAt, hard_bounce?",
        (("email", "contactalt"), ("event", "status"), ("error", "errorrelatedto", "stateid")), mailjet.messages,
    ),
    ALLOW_LIST,
    Format(
        "ses", "EmailAddress, Reason, LastUpdateTime", (("emailaddress",), ("reason",), ("lastupdatetime",)), ses.ses
    ),
    Format(
        "mailgun-bounces", "address, code, error, created_at",
        (("address",), ("code", "error"), ("createdat",)), mailgun.bounces,
    ),
    Format(
        "mailgun-unsubscribes", "address, tags, created_at",
        (("address",), ("tags", "tag"), ("createdat",)), mailgun.unsubscribes,
    ),
    Format(
        "mailgun-complaints", "address, created_at, and no others", (("address",), ("createdat",)), mailgun.complaints,
        only=frozenset(("address", "createdat", "count")),
    ),
    Format(
        "sendgrid-bounces", "email, reason, status, created, in a file named after bounces",
        (("email",), ("reason",), ("status",), ("created",)), sendgrid.bounces, "bounce",
    ),
    Format(
        "sendgrid-blocks", "email, reason, status, created, in a file named after blocks",
        (("email",), ("reason",), ("status",), ("created",)), sendgrid.blocks, "block",
    ),
    Format(
        "sendgrid", "email, reason, status, created: bounces or blocks, judged by their words and codes alone",
        (("email",), ("reason",), ("status",), ("created",)), sendgrid.bounces_or_blocks,
    ),
    Format(
        "sendgrid-invalid", "email, reason, created",
        (("email",), ("reason",), ("created",)), sendgrid.invalid_emails,
    ),
    Format(
        "sendgrid-spam", "email, ip, created, and no others",
        (("email",), ("ip",), ("created",)), sendgrid.spam_reports, only=frozenset(("email", "ip", "created")),
    ),
    Format(
        "sendgrid-groups", "email, group_id, created_at",
        (("email",), ("groupid",), ("createdat",)), sendgrid.unsubscribes,
    ),
    Format(
        "sendgrid-unsubscribes", "email, created, and no others",
        (("email",), ("created",)), sendgrid.unsubscribes, only=frozenset(("email", "created")),
    ),
)  # fmt: skip
"""All formats; the first that fits a list's columns is the one it has."""

BY_NAME: Final = {one.name: one for one in FORMATS if one is not ALLOW_LIST}


def recognise(columns: Collection[str], file_name: str = "") -> Format | None:
    """Give the format of a list.

    Args:
        columns: Its column names, see `column_name`.
        file_name: The file's, which tells formats of the same columns apart.

    """
    lowered, found = file_name.lower(), frozenset(columns)
    return next(
        (one for one in FORMATS if one.fits(found) and one.hint in lowered and (one.only is None or found <= one.only)),
        None,
    )


def read_row(
    form: Format,
    row: Row,
    rules: RuleTable,
    default_at: int | None = None,
    latest: int | None = None,
    preblock_window: int | None = None,
) -> list[Read]:
    """Read one row; the recipients of its entries are canonical, and each of them has a time. Never raises.

    Args:
        form: The format of the list.
        row: The row.
        rules: The rules that judge what the list says in words.
        default_at: The time of entries without one, in ms; None to reject those.
        latest: The latest time that can be true, in ms; None for no such limit. A pre-block that has ended by then is
            passed over.
        preblock_window: How long a pre-block of this tenant lasts, in ms; None where that does not matter.

    """
    return [
        _finished(one, default_at, latest, preblock_window) if isinstance(one, Entry) else one
        for one in form.read(row, rules)
    ]


def _finished(entry: Entry, default_at: int | None, latest: int | None, preblock_window: int | None) -> Read:
    recipient = canonical_recipient(entry.recipient)
    if isinstance(recipient, Rejected):
        return recipient
    at, ends = default_at if entry.at is None else entry.at, entry.expires_at
    if at is not None and latest is not None and at > latest:
        return Rejected("implausible-time", "the time is in the future")
    if entry.status == "Preblock" and preblock_window is not None:
        # A command says when a pre-block began, and the window how long it lasts. What has several events behind it
        # ended a window after the last of them.
        last = None if ends is None else max(ends - preblock_window, 0)
        if last is not None and (latest is None or last <= latest):
            at = last
        ends = None if at is None else at + preblock_window
    if at is None:
        return Rejected("missing-field", "the row has no time; --at gives one to rows without")
    if latest is not None and ends is not None and ends <= latest:
        return Skipped("expired")
    return entry._replace(recipient=recipient, at=at)
