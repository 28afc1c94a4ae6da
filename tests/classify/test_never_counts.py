"""A failure that is not the contact's never counts against the contact, whatever the provider's flag."""

import re

import pytest

from agents.classify.classification import classify
from agents.classify.providers import MAPPINGS
from schemas.delivery import DeliveryEvent
from schemas.report import Report
from tests.support import reports
from tests.support.mails import bounce, letter

NOT_THE_CONTACTS_FAULT = """
550 5.7.1 [192.0.2.1] Our system has detected that this message is likely unsolicited mail
421-4.7.0 Our system has detected an unusual rate of mail from your IP address. 421 4.7.0 rate limited
421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to user complaints - 4.16.55.1
421 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume
553 5.7.1 [BL21] Connections will not be accepted from 192.0.2.1, because the ip is in Spamhaus's list
554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
550 5.1.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org
550 5.7.26 This mail is unauthenticated, which poses a security risk to the sender and the users
550-5.7.26 Unauthenticated email from example.com is not accepted due to domain's DMARC policy.
550 5.7.511 Access denied, banned sender[192.0.2.1]
550 5.7.606 Access denied, banned sending IP [192.0.2.1]
550 5.7.20 No passing DKIM signature found
550 5.7.23 SPF validation failed
550 5.7.25 Reverse DNS validation failed
550 5.7.27 Sender address has null MX
550 5.7.28 Mail flood detected
550 5.7.520 Access denied, your organization does not allow external forwarding
550 SC-001 Unfortunately, messages from 192.0.2.1 weren't sent: part of their network is on our block list
421 RP-001 Some messages weren't sent. We have limits for how many messages can be sent per hour
451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (AS761)
450 4.2.0 <jane@example.com>: Recipient address rejected: Greylisted
450 4.2.0 <jane@example.com>: Recipient address rejected: try again
451 4.7.1 Greylisting in action, please come back later
451 Graylisted, retry in 300 seconds
450 4.7.1 Client host rejected: cannot find your reverse hostname, [192.0.2.1]
550 5.7.1 Client host rejected: Access denied
552 5.2.3 Message size exceeds fixed limit
552 5.3.4 Message size exceeds fixed limit
552 Message size exceeds maximum permitted
523 the message length exceeds administrative limit
452 4.5.3 Too many recipients
550 5.5.3 Too many recipients
421 too many connections from your IP
450 4.2.1 The user you are trying to contact is receiving mail too quickly.
550-5.2.1 The user you are trying to contact is receiving mail at a rate that 550 5.2.1 prevents delivery
550 5.1.8 Access denied, bad outbound sender
450 4.1.8 <news@shop.example>: Sender address rejected: Domain not found
550 5.1.7 <news@shop.example>: Sender address rejected: User unknown in virtual mailbox table
550 Verification failed for <news@shop.example>: No Such User Here: Sender verify failed
554 5.6.0 Message contains invalid header
554 5.6.7 Non-ASCII addresses not permitted for that sender
550 5.3.3 Unrecognized parameter
550 Blocked
550 spam
550 Access denied
554 Transaction failed: message identified as SPAM
550 High probability of spam
550 Email blocked by SPAMCOP
550 Rejected because 192.0.2.1 is in a black list at b.barracudacentral.org
554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help)
550 Requested action not taken: mailbox unavailable For explanation visit https://postmaster.example/?c=bl
571 Message Refused
550 This message contains a virus
554 5.7.0 Message contains a prohibited attachment
550 Administrative prohibition
550 5.7.0 Local Policy Violation
550 Message rejected due to local policy
550 Mailbox unavailable due to DMARC policy
550 5.7.1 Message blocked due to poor reputation of the sender
550 #5.7.1 Your access to submit messages to this e-mail system has been rejected.
550 5.7.1 Recipient not authorized, your IP has been found on a block list
554 5.7.1 <jane@example.com>: Relay access denied
550 relay not permitted
535 5.7.8 Authentication credentials invalid
530 Authentication required
503 5.5.1 Bad sequence of commands
500 unrecognized command
550 Too many invalid recipients
450 4.7.1 Too many unknown users
550 5.4.5 Daily user sending quota exceeded
550 5.4.5 Daily SMTP relay limit exceeded for user
550 5.1.90 Your message can't be sent because you've reached your daily limit for message recipients
550 5.2.121 Recipient's hourly allowance for messages is used up
550 refused for poor reputation
550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
Automatic reply: out of office
""".strip().splitlines()

THE_CONTACTS_FAULT = """
550 5.7.1 <jane@example.com>: Recipient address rejected: User unknown in relay recipient table
550 5.7.1 No such user
553 sorry, no mailbox here by that name (#5.7.1)
525 5.7.13 User account disabled
""".strip().splitlines()


def classified(diagnostic: str, permanent: bool | None, outcome: str = "bounced") -> DeliveryEvent:
    told = {
        "recipient": "jane@example.com",
        "occurred_at": 1760000000,
        "outcome": outcome,
        "diagnostic": diagnostic,
        "permanent": permanent,
    }
    [(_, event)] = classify(Report("normalized", "acme", told))
    assert isinstance(event, DeliveryEvent)
    return event


@pytest.mark.parametrize("outcome", ["bounced", "blocked"])
@pytest.mark.parametrize("permanent", [True, False, None], ids=["hard", "soft", "unflagged"])
@pytest.mark.parametrize("diagnostic", NOT_THE_CONTACTS_FAULT)
def test_it_is_ignored(diagnostic, permanent, outcome):
    event = classified(diagnostic, permanent, outcome)
    assert (event.status, event.effect) == (None, "ignore"), event.rule


@pytest.mark.parametrize(("related_to", "error"), [("recipient", "user unknown"), ("domain", "invalid domain")])
@pytest.mark.parametrize("diagnostic", [reply for reply in NOT_THE_CONTACTS_FAULT if re.search(r" [45]\.7\.", reply)])
def test_a_policy_code_outranks_the_category_and_the_hard_flag(diagnostic, related_to, error):
    told = {"event": "bounce", "time": 1760000000, "email": "jane@example.com", "hard_bounce": True}
    told |= {"error_related_to": related_to, "error": error, "comment": diagnostic}
    [(_, event)] = classify(Report("mailjet", "acme", told))
    assert (event.status, event.effect) == (None, "ignore"), event.rule


@pytest.mark.parametrize("diagnostic", THE_CONTACTS_FAULT)
def test_a_policy_code_does_not_hide_that_the_user_is_unknown(diagnostic):
    assert classified(diagnostic, permanent=True).status == "User unknown"


def mailjet(related_to: str, error: str, words: str) -> tuple[str, object]:
    event = {"event": "bounce", "email": "jane@example.com", "time": 1760000000, "hard_bounce": True}
    return "mailjet", {**event, "error_related_to": related_to, "error": error, "comment": words}


def sendgrid(event: str = "bounce", **fields: object) -> tuple[str, object]:
    return "sendgrid", [{"email": "jane@example.com", "timestamp": 1760000000, "event": event, **fields}]


def ses(kind: str, subtype: str, **recipient: object) -> tuple[str, object]:
    bounced = [{"emailAddress": "jane@example.com", "action": "failed", **recipient}]
    bounce = {"bounceType": kind, "bounceSubType": subtype, "bouncedRecipients": bounced}
    return "ses", {"notificationType": "Bounce", "bounce": {**bounce, "timestamp": "2025-10-09T08:53:20Z"}, "mail": {}}


def mailgun(severity: str, reason: str, **status: object) -> tuple[str, object]:
    told = {"event": "failed", "recipient": "jane@example.com", "timestamp": 1760000000, "severity": severity}
    return "mailgun", {"event-data": {**told, "reason": reason, "delivery-status": status}}


def postmark(kind: str, details: str) -> tuple[str, object]:
    event = {"RecordType": "Bounce", "Type": kind, "Email": "jane@example.com", "BouncedAt": "2025-10-09T10:11:12Z"}
    return "postmark", {**event, "Details": details}


def sparkpost(bounce_class: str, reason: str, kind: str = "bounce") -> tuple[str, object]:
    event = {"type": kind, "bounce_class": bounce_class, "rcpt_to": "jane@example.com", "timestamp": "1760003000"}
    return "sparkpost", {"msys": {"message_event": {**event, "raw_reason": reason}}}


def brevo(kind: str, reason: str) -> tuple[str, object]:
    return "brevo", {"event": kind, "email": "jane@example.com", "ts_epoch": 1760004000123, "reason": reason}


def qmail(words: str) -> tuple[str, object]:
    body = f"<jane@example.com>:\nRemote host said: {words}"
    return "dsn", letter("failure notice", body, From="MAILER-DAEMON@mx.example")


def normalized(words: str, *, permanent: bool) -> tuple[str, object]:
    told = {"recipient": "jane@example.com", "occurred_at": 1760000000, "outcome": "bounced"}
    return "normalized", {**told, "diagnostic": words, "permanent": permanent}


# A refusal in words, under each provider's own way to call it hard, soft, or neither.
WORDED_BY = {
    "mailjet-unnamed": lambda words: mailjet("", "", words),
    "normalized-hard": lambda words: normalized(words, permanent=True),
    "normalized-soft": lambda words: normalized(words, permanent=False),
    "sendgrid-bounce": lambda words: sendgrid(type="bounce", reason=words),
    "sendgrid-unclassified": lambda words: sendgrid(type="bounce", reason=words, bounce_classification="Unclassified"),
    "sendgrid-blocked": lambda words: sendgrid(type="blocked", reason=words),
    "sendgrid-expired": lambda words: sendgrid(type="expired", reason=words),
    "sendgrid-untyped": lambda words: sendgrid(reason=words),
    "ses-permanent": lambda words: ses("Permanent", "General", diagnosticCode=f"smtp; {words}"),
    "ses-transient": lambda words: ses("Transient", "General", diagnosticCode=f"smtp; {words}"),
    "ses-undetermined": lambda words: ses("Undetermined", "Undetermined", diagnosticCode=f"smtp; {words}"),
    "mailgun-bounce": lambda words: mailgun("permanent", "bounce", message=words),
    "mailgun-generic": lambda words: mailgun("permanent", "generic", message=words),
    "mailgun-hardfail": lambda words: mailgun("permanent", "hardfail", message=words),
    "mailgun-old": lambda words: mailgun("permanent", "old", message=words),
    "mailgun-form": lambda words: (
        "mailgun",
        {"event": "bounced", "recipient": "jane@example.com", "timestamp": "1760000000", "error": words},
    ),
    "postmark-HardBounce": lambda words: postmark("HardBounce", f"smtp;{words}"),
    "postmark-SoftBounce": lambda words: postmark("SoftBounce", f"smtp;{words}"),
    "postmark-DnsError": lambda words: postmark("DnsError", words),
    "postmark-Unknown": lambda words: postmark("Unknown", words),
    "sparkpost-1": lambda words: sparkpost("1", words),
    "sparkpost-20": lambda words: sparkpost("20", words),
    "sparkpost-40": lambda words: sparkpost("40", words, "out_of_band"),
    "sparkpost-70": lambda words: sparkpost("70", words),
    "brevo-hard_bounce": lambda words: brevo("hard_bounce", f" {words}"),
    "brevo-soft_bounce": lambda words: brevo("soft_bounce", words),
    "dsn": lambda words: ("dsn", bounce(Status="5.0.0", Diagnostic_Code=f"smtp; {words}")),
    "dsn-without-status": lambda words: ("dsn", bounce(Status=None, Diagnostic_Code=f"smtp; {words}")),
    "dsn-of-another-form": qmail,
}


NO_FAILURES = {"arf"}
"""Providers whose reports are complaints alone."""
NO_CATEGORIES = {"normalized"}
"""Providers that have no names of their own for what is the sender's fault or theirs."""


def test_no_provider_is_left_out():
    failing = MAPPINGS.keys() - NO_FAILURES
    assert {worded("550 no")[0] for worded in WORDED_BY.values()} == failing
    assert {provider for provider, _ in OWN_FAILURES.values()} == failing - NO_CATEGORIES


@pytest.mark.parametrize("told", WORDED_BY)
@pytest.mark.parametrize("diagnostic", NOT_THE_CONTACTS_FAULT)
def test_it_is_ignored_whoever_tells_it(diagnostic, told):
    event = reports.one(*WORDED_BY[told](diagnostic))
    assert (event.status, event.effect) == (None, "ignore"), event.rule


CATEGORISED = {
    "sendgrid": lambda words: sendgrid(type="bounce", bounce_classification="Invalid Address", reason=words),
    "sendgrid-mailbox": lambda words: sendgrid(
        type="bounce", bounce_classification="Mailbox Unavailable", reason=words
    ),
    "ses": lambda words: ses("Permanent", "NoEmail", diagnosticCode=f"smtp; {words}"),
    "mailgun": lambda words: mailgun("permanent", "bounce", message=words, **{"bounce-type": "hard"}),
    "postmark": lambda words: postmark("BadEmailAddress", words),
    "sparkpost-10": lambda words: sparkpost("10", words),
    "sparkpost-30": lambda words: sparkpost("30", words),
    "brevo-invalid_email": lambda words: brevo("invalid_email", words),
    "brevo-blocked": lambda words: brevo("blocked", words),
    "dsn": lambda words: ("dsn", bounce(Status="5.1.1", Diagnostic_Code=f"smtp; {words}")),
}


@pytest.mark.parametrize("told", CATEGORISED)
@pytest.mark.parametrize("diagnostic", [reply for reply in NOT_THE_CONTACTS_FAULT if re.search(r" [45]\.7\.", reply)])
def test_a_policy_code_outranks_the_category_of_any_provider(diagnostic, told):
    event = reports.one(*CATEGORISED[told](diagnostic))
    assert (event.status, event.effect) == (None, "ignore"), event.rule


OWN_FAILURES = {
    **{
        f"mailjet {related_to} {error}": mailjet(related_to, error, "550 5.1.1 user unknown")
        for related_to, error in (
            *(("content", "bad or empty template"), ("content", "error in template language"), ("content", "new")),
            *(("spam", "sender blocked"), ("spam", "content blocked"), ("spam", "policy issue"), ("spam", "new")),
            *(("system", "system issue"), ("system", "protocol issue"), ("domain", "greylisted")),
            *(("mailjet", "duplicate in campaign"), ("mailjet", "new"), ("policy issue", "")),
        )
    },
    **{
        f"sendgrid {kind} {named}": sendgrid(
            type=kind, bounce_classification=named, status="5.1.1", reason="550 5.1.1 user unknown"
        )
        for kind in ("bounce", "blocked", "expired", None)
        for named in ("Content", "Reputation", "Frequency or Volume Too High", "Frequency/Volume")
    },
    **{
        f"sendgrid dropped {reason}": sendgrid("dropped", reason=reason, status="5.1.1")
        for reason in ("Spam Content", "Invalid SMTPAPI header", "Recipient List over Package Quota", "anything new")
    },
    "sendgrid blocked": sendgrid(type="blocked", status="5.0.0", reason="550 no"),
    "sendgrid deferred": sendgrid("deferred", response="452 4.2.2 over quota", status="4.2.2"),
    **{
        f"ses {kind} {named}": ses(kind, named, status="5.1.1", diagnosticCode="smtp; 550 5.1.1 user unknown")
        for kind in ("Transient", "Permanent")
        for named in ("MessageTooLarge", "ContentRejected", "AttachmentRejected")
    },
    "ses automatic reply": ses("Transient", "General"),
    "ses delayed": ses("Permanent", "General", action="delayed", status="5.1.1"),
    **{
        f"ses {kind}": (
            "ses",
            {"eventType": kind, "mail": {"destination": ["jane@example.com"], "timestamp": "1760000000"}},
        )
        for kind in ("Reject", "Rendering Failure", "Send")
    },
    **{
        f"ses delay {named}": (
            "ses",
            {
                "eventType": "DeliveryDelay",
                "deliveryDelay": {
                    "delayType": named,
                    "timestamp": "2025-10-09T08:53:20Z",
                    "delayedRecipients": [{"emailAddress": "jane@example.com", "status": "4.2.2"}],
                },
            },
        )
        for named in ("InternalFailure", "MailboxFull", "SpamDetected", "IPFailure", "SendingDeferral", "Undetermined")
    },
    **{
        f"mailgun {reason}": mailgun("permanent", reason, code=550, message="5.1.1 user unknown")
        for reason in ("espblock", "greylisted", "blacklisted", "webhook", "optimized")
    },
    "mailgun poor list": mailgun("permanent", "generic", code=625, message="5.1.1 user unknown"),
    "mailgun temporary": mailgun("temporary", "generic", code=550, message="5.1.1 user unknown"),
    "mailgun rejected": (
        "mailgun",
        {
            "event": "rejected",
            "recipient": "jane@example.com",
            "timestamp": 1760000000,
            "reject": {"reason": "user unknown"},
        },
    ),
    **{
        f"postmark {kind}": postmark(kind, "smtp;550 5.1.1 user unknown")
        for kind in (
            *("Transient", "Subscribe", "AutoResponder", "AddressChange", "SpamNotification", "OpenRelayTest"),
            *("VirusNotification", "ChallengeVerification", "Unconfirmed", "Blocked", "SMTPApiError", "InboundError"),
            *("DMARCPolicy", "TemplateRenderingFailed"),
        )
    },
    **{
        f"sparkpost {named}": sparkpost(named, "550 5.1.1 user unknown")
        for named in ("23", "25", "50", "51", "52", "53", "54", "60", "80", "100")
    },
    **{
        f"sparkpost {kind}": sparkpost("10", "550 5.1.1 user unknown", kind)
        for kind in ("policy_rejection", "generation_rejection", "generation_failure", "delay", "injection")
    },
    **{f"brevo {kind}": brevo(kind, "550 5.1.1 user unknown") for kind in ("error", "deferred", "request")},
    "dsn delayed": ("dsn", bounce(Action="delayed")),
    "dsn relayed": ("dsn", bounce(Action="relayed")),
}


@pytest.mark.parametrize("failure", OWN_FAILURES)
def test_what_a_provider_files_under_the_sender_or_itself_is_ignored_beside_any_code(failure):
    event = reports.one(*OWN_FAILURES[failure])
    assert (event.status, event.effect) == (None, "ignore"), event.rule


UNREAD = "550 Az üzenetet nem vesszük át"


def test_words_in_a_language_that_is_not_read_block_nobody_at_once_unless_the_provider_says_hard():
    assert classified(UNREAD, permanent=None).status == "Connection issue"
    assert classified(UNREAD, permanent=False).status == "Connection issue"
    assert reports.one("dsn", bounce(Status="5.0.0", Diagnostic_Code=f"smtp; {UNREAD}")).effect == "count"


@pytest.mark.parametrize("words", [UNREAD, UNREAD.replace("550", "554 5.0.0"), UNREAD.replace("550 ", "")])
def test_under_a_hard_flag_they_block_by_a_rule_of_their_own_that_a_release_can_name(words):
    event = classified(words, permanent=True)
    assert (event.status, event.rule) == (":", "permanent-unread")
