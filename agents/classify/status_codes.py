"""SMTP reply codes (RFC 5321) and enhanced status codes (RFC 3463) out of what servers write."""

import re
from typing import Final, NamedTuple


class Codes(NamedTuple):
    """A reply code such as `550` and an enhanced code such as `5.1.1`; of failures alone, None for none."""

    reply: str | None
    enhanced: str | None


NO_CODES: Final = Codes(None, None)
# Of a reply in several lines; the first of them has the code already.
_MAX_LINES: Final = 20

# Class 4 or 5, subject 0 to 7 (IANA registry), detail up to three digits. What stands on either side may make
# it part of something longer: an IP address, a date with a year, a version with four places.
_ENHANCED: Final = re.compile(r"[45]\.[0-7]\.[0-9]{1,3}(?!\.?[0-9]|[\w@/-])", re.ASCII)
_STARTS_LONGER: Final = re.compile(r"[\w./@-]$", re.ASCII)
# But a reply code may be tied to it (`550-5.1.1`, `550.5.4.1`, `550 #5.1.1`), and then surely it is one.
_AFTER_REPLY: Final = re.compile(r"(?<![\w.])([45])[0-7][0-9][ .-]#?$", re.ASCII)

# A reply code that surely is one: it opens the text or a line, or an enhanced code follows it.
_OPENING_REPLY: Final = re.compile(r"\s*(?:smtp;\s*)?([45][0-7][0-9])(?=[ \-#:;,.]|$)", re.ASCII | re.IGNORECASE)
_TIED_REPLY: Final = re.compile(r"[45][0-7][0-9](?<![\w.:/@-][0-9]{3})(?=[ .-]#?[245]\.[0-9]{1,3}\.[0-9])", re.ASCII)
# One that probably is: somebody is quoted, or names it. Other numbers are ports, limits, lines.
_QUOTED_REPLY: Final = re.compile(
    r"(?:[:;(<\[>\"'=]|\b(?:said|code|error|reply|replied|response|returned|status|smtp))[ ]?"
    r"([45][0-7][0-9])(?=[ \-#:;,)\]\"']|$)",
    re.ASCII | re.IGNORECASE,
)

# Words before a number of three places that make it a version or a day.
_NO_CODE_AFTER: Final = re.compile(
    r"\b(?:version|ver|v|release|build|rev|exim|postfix|sendmail|qmail|exchange|mdaemon|zimbra|haraka|courier|kerio|axigen"
    r"|dovecot|spamassassin|amavis\w*|mimedefang|powermta|momentum|on|since|until|date|dated|from)[ (]*$",
    re.IGNORECASE,
)


def codes_in(text: str) -> Codes:
    """Find the reply code and the enhanced code of a failure in a server's words, in one line or several.

    Of several enhanced codes the first one wins whose class agrees with the reply code, a specific one before
    a generic one (4.2.2 before 4.4.7, which only says that retrying ended, before X.x.0, before X.0.0). Where
    none agrees, the enhanced code is the better witness (Exchange says `550 4.4.7` of an expired message).
    """
    reply = _reply_in(text)
    best, best_rank = None, _WORST
    for match in _ENHANCED.finditer(text):
        before = text[max(0, match.start() - 16) : match.start()]
        after_reply = _AFTER_REPLY.search(before)
        if after_reply is None and (_STARTS_LONGER.search(before) or _NO_CODE_AFTER.search(before)):
            continue
        code = match[0]
        agrees = code[0] == (after_reply[1] if after_reply else (reply or code)[0])
        rank = (not agrees, generic_rank(code))
        if rank < best_rank:
            best, best_rank = code, rank
    return Codes(reply, best)


_WORST: Final = (True, 9)


def _reply_in(text: str) -> str | None:
    for line in text.splitlines()[:_MAX_LINES]:
        if opening := _OPENING_REPLY.match(line):
            return opening[1]
    if tied := _TIED_REPLY.search(text):
        return tied[0]
    quoted = _QUOTED_REPLY.search(text)
    return quoted and quoted[1]


def generic_rank(enhanced: str) -> int:
    """Say how little an enhanced code tells: 0 specific, 1 retries ended, 2 subject only, 3 class only."""
    if enhanced.endswith(".0.0"):
        return 3
    if enhanced.endswith(".0"):
        return 2
    return 1 if enhanced.endswith(".4.7") else 0


def read_codes(smtp_code: str | None, enhanced_code: str | None, diagnostic: str | None) -> Codes:
    """Take the codes a provider named, and what they leave open from the diagnostic.

    A generic enhanced code gives way to a specific one of the diagnostic.
    """
    named = codes_in(f"{smtp_code or ''} {enhanced_code or ''}") if smtp_code or enhanced_code else NO_CODES
    if diagnostic is None or (named.enhanced and not generic_rank(named.enhanced)):
        return named
    # The reply code the provider cut off belongs before its words again; another one may stand inside them.
    cut_off = named.reply is not None and not diagnostic[:1].isdigit()
    told = codes_in(f"{named.reply} {diagnostic}" if cut_off else diagnostic)
    if not named.enhanced or (told.enhanced and generic_rank(told.enhanced) < generic_rank(named.enhanced)):
        return Codes(named.reply or told.reply, told.enhanced)
    return Codes(named.reply or told.reply, named.enhanced)
