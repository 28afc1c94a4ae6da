"""Bounces that are no RFC 3464 report: whom they name, and in which words. Mailman's flufl.bounce finds the addresses.

It looks for an address in any mail it is given, so what is no bounce must not reach it. What it calls permanent means
given up, not that the address is bad: only the words decide that.
"""

import html
import re
from email.message import Message
from itertools import pairwise
from typing import Final, Literal, NamedTuple

from flufl.bounce import all_failures

from agents.classify.address import canonical_recipient
from agents.classify.mail import Headers, Part, field, text_of
from schemas.rejected import Rejected

MAX_WORDS: Final = 4_096
"""Characters of evidence per recipient, as much as the rules look at."""

_MAX_TEXT: Final = 32_768  # characters of a mail that are searched: qmail's list of a hundred recipients has 20,000
_MAX_LINE: Final = 998  # RFC 5322 2.1.1; the detectors' patterns take time by the square of a line


class NamedFailure(NamedTuple):
    """One recipient a bounce names, what became of the message, and the words around it."""

    recipient: str
    outcome: Literal["bounced", "deferred"]
    words: str


_DAEMONS: Final = frozenset(("mailer-daemon", "mailerdaemon", "mail-daemon", "postmaster", "mdaemon", "mail-delivery"))
# Answers to a bounce and forwarded ones quote it, and are none.
_BOUNCE_SUBJECT: Final = re.compile(
    r"(?!(?:re|aw|fwd?|tr|wg|sv) ?:).{0,200}(?:undeliver|not delivered|returned mail|return(?:ed)? to sender"
    r"|delivery (?:\w+ )?(?:status|fail|problem|error|notif)|failure notice|mail delivery|mail system error"
    r"|could(?: not|n't) be (?:sent|delivered)|non[ -](?:remis|distribu|délivr)|échec|unzustellbar|nicht zugestellt"
    r"|no entregado|mancato recapito)",
    re.IGNORECASE,
)
# At the beginning: after "Undeliverable:" it is the subject of our own message.
_AUTO_SUBJECT: Final = re.compile(
    r"(?:(?:re|aw) ?: ?)?(?:auto(?:mati[ck])?[ -]?(?:reply|response|antwort)|out of (?:the )?office|on vacation"
    r"|away from|réponse automatique|message d'absence|absence\b|automatische antwort|abwesen"
    r"|respuesta automática|risposta automatica|fuera de la oficina)",
    re.IGNORECASE,
)
_AUTO_FIELDS: Final = ("X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-Auto-Response-From", "X-Vacation")


def why_no_bounce(headers: Headers) -> str | None:
    """Say in a sentence why a mail without a delivery status is no bounce; None where it is one.

    `Auto-Submitted: auto-replied` stands in vacation replies and, with Exim and Postfix, in bounces as well, so who
    wrote comes first (RFC 3834, 3.1.7 and 5). A mailbox for bounces gets many of these, and none may count.
    """
    subject = field(headers, "Subject")
    answers = _AUTO_SUBJECT.match(subject) or any(headers.get(name) for name in _AUTO_FIELDS)
    if answers or field(headers, "Precedence").lower() in ("auto_reply", "auto-reply"):
        return "an automatic reply"
    sender = field(headers, "From").lower()
    daemon = {found.strip("<\"' ") for found in re.findall(r"(?:^|[\s<\"'])([^\s<>\"']{1,64})@", sender)} & _DAEMONS
    if daemon or sender.startswith(('"mail delivery', "mail delivery")) or headers.get("X-Failed-Recipients"):
        return None
    if field(headers, "Auto-Submitted").lower().startswith("auto-replied"):
        return "an automatic reply"
    # A bounce has an empty return path (RFC 5321, 4.5.5); before the last server has added it, it has none.
    from_nobody = field(headers, "Return-Path") in ("", "<>")
    return None if from_nobody and _BOUNCE_SUBJECT.match(subject) else "no delivery report"


# Where the message that came back begins: a ruled line that speaks of it, a sentence, or its first header.
_RETURNED: Final = re.compile(
    r"^[ \t]*[-=*]{2,}[^\n]{0,80}(?:original|origine|returned|unsent|copy|copi|kopi|header)"
    r"|^[^\n]{0,200}(?:below this line is a copy|is a copy of the|copy of (?:the original|your) message"
    r"|original message follows|message text follows|message headers? follows?)"
    r"|^(?:received|return-path|message-id|dkim-signature|mime-version):[ \t]",
    re.IGNORECASE | re.MULTILINE,
)
_RETURNED_ID: Final = re.compile(r"^message-id:\s{0,10}<([^<>\s]{1,998})>", re.IGNORECASE | re.MULTILINE)
# What is tried again has not failed, whatever a detector makes of it.
_NOT_YET: Final = re.compile(
    r"not yet been delivered|not been delivered yet|not yet delivered|will be retried|attempts will continue"
    r"|will (?:keep|continue) (?:on )?trying|warning message only|(?:need not|do not need to) resend|has been delayed"
    r"|no action is required|toujours en attente|nouvelles? tentatives? (?:sera|seront)",
    re.IGNORECASE,
)
_DELAY_SUBJECT: Final = re.compile(r"^warning\b|\bdelay(?:ed)?\b|\bretard", re.IGNORECASE)
# A paragraph about one recipient, as QSBMF has it (cr.yp.to/proto/qsbmf.txt): in whatever language the rest is.
_QSBMF: Final = re.compile(r"^<([^<>@\s]{1,64}@[^<>@\s]{1,255})>:", re.MULTILINE)
_ADDRESS: Final = re.compile(r"[^\s,;:<>()\"]{1,64}@[^\s,;:<>()\"]{1,255}")
_OPEN: Final = re.compile(r"<(?![^<>\n]{0,320}>)")
_TAG: Final = re.compile(r"<(?![^<>\s]{1,64}@)[^<>]{0,500}>")


def plain_text(parts: list[Part]) -> str:
    """Give what a mail says to people: its plain parts, else its HTML without the tags."""
    for kind in ("text/plain", "text/html"):
        texts = [text_of(part) for part in parts if part.kind == kind]
        if texts:
            text = "\n".join(texts)[: 4 * _MAX_TEXT]
            text = text if kind == "text/plain" else html.unescape(_TAG.sub("\n", text))
            return "\n".join(line[:_MAX_LINE] for line in text.splitlines())[:_MAX_TEXT]
    return ""


def own_words(text: str) -> str:
    """Cut a text off where the message that came back begins: its words are the sender's."""
    found = _RETURNED.search(text)
    return text[: found.start()] if found else text


def returned_id(text: str) -> str | None:
    """Give the Message-ID of a message that came back within a text."""
    found = _RETURNED_ID.search(text)
    return found[1] if found else None


def failures_in(mail: Part, parts: list[Part]) -> list[NamedFailure] | Rejected:
    """Find whom a bounce without a delivery status names, in the order of its text, or say why not."""
    if why := why_no_bounce(mail.headers):
        return Rejected("not-a-report", why)
    words = own_words(plain_text(parts))
    temporary, permanent = _detected(mail, words)
    permanent = permanent or ([] if temporary else _QSBMF.findall(words))
    recipients = _recipients(mail, [*temporary, *permanent], words)
    if not recipients:
        return Rejected("bad-recipient", "a bounce that names no recipient in a form that is known")
    delayed = _NOT_YET.search(words) or _DELAY_SUBJECT.search(field(mail.headers, "Subject"))
    about = _words_about(recipients, words)
    return [
        NamedFailure(name, "bounced" if name in permanent and not delayed else "deferred", about[name])
        for name in recipients
    ]


def _recipients(mail: Part, found: list[str], words: str) -> list[str]:
    """Give the addresses among what was found in the order of the text, each once, but not our own and the server's."""
    seen = {canonical_recipient(field(mail.headers, name)) for name in ("From", "To")}
    recipients = []
    for name in sorted(found, key=lambda name: (words.lower().find(name.lower()), name)):
        canonical = canonical_recipient(name)
        if not isinstance(canonical, Rejected) and canonical not in seen:
            seen.add(canonical)
            recipients.append(name)
    return recipients


def _words_about(recipients: list[str], words: str) -> dict[str, str]:
    """Give for each recipient the words from where it is named to where another one is; all words for the only one."""
    if len(recipients) == 1:
        return {recipients[0]: words.strip()[:MAX_WORDS]}
    spelled = {name.lower(): name for name in recipients}
    about = dict.fromkeys(recipients, "")
    places = list(re.finditer("|".join(map(re.escape, recipients)), words, re.IGNORECASE))
    for place, following in pairwise([*places, None]):
        if place:
            name = spelled.get(place[0].lower(), recipients[0])
            about[name] += words[place.start() : following.start() if following else len(words)]
    return {name: text.strip()[:MAX_WORDS] for name, text in about.items()}


def _detected(mail: Part, words: str) -> tuple[list[str], list[str]]:
    """Ask the detectors; gives the addresses that wait and those that failed."""
    try:
        temporary, permanent = all_failures(_for_detectors(mail, words))
    except (ValueError, LookupError, TypeError, AttributeError):
        # They are heuristics for mails of the nineties; what one of them stumbles over is none of these.
        return [], []
    return [name.decode("ascii", "replace") for name in temporary], [
        name.decode("ascii", "replace") for name in permanent
    ]


def _for_detectors(mail: Part, text: str) -> Message:
    """Make a mail of the text and of those headers they look at: short, plain, and without the returned message."""
    message = Message()
    for name in ("Subject", "X-Mailer"):
        if value := field(mail.headers, name):
            message[name] = _ascii(value)
    for name in ("From", "To", "X-Failed-Recipients"):
        # The addresses alone: the package takes comments within comments apart by recursion.
        addresses = _ADDRESS.findall(field(mail.headers, name, _MAX_TEXT))
        if addresses or name == "From":  # one of them fails without any sender
            message[name] = _ascii(", ".join(addresses) or "nobody@localhost")
    # With a bracket that nothing closes, one of the patterns takes time by the cube of a line.
    text = _OPEN.sub(" ", _ascii(text))
    if mail.kind not in ("multipart/mixed", "multipart/report"):
        message.set_payload(text)
        return message
    message["Content-Type"] = mail.kind
    # Some look for a text that another part follows; Postfix's for one with this description.
    for body in (text, ""):
        part = Message()
        part["Content-Type"] = "text/plain"
        part["Content-Description"] = "Notification"
        part.set_payload(body)
        message.attach(part)
    return message


def _ascii(text: str) -> str:
    return text.encode("ascii", "replace").decode()
