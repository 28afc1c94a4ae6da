"""Postmark's webhooks, quirk by quirk."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.postmark import BOUNCES, SUPPRESSIONS, TIMES
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support.reports import Varied

UU, CO, QE, CI, US, SP = "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam"
MESSAGE = "9f1d3b1e-0000-4000-8000-000000000001"
BOUNCE = {
    "RecordType": "Bounce",
    "ID": 4323372036854775807,
    "Type": "SoftBounce",
    "TypeCode": 4096,
    "ServerID": 23,
    "MessageStream": "broadcast",
    "MessageID": MESSAGE,
    "Description": "Unable to temporarily deliver message (i.e. mailbox full, account disabled, exceeds quota).",
    "Details": "",
    "Email": "Eva@Example.org",
    "BouncedAt": "2025-10-09T10:11:12.1234567-04:00",
    "Inactive": False,
    "CanActivate": True,
    "Metadata": {},
}
BOUNCED = Varied("postmark", BOUNCE)
OTHER = {"MessageID": MESSAGE, "Recipient": "eva@example.org", "Tag": "spring"}
CHANGED = Varied(
    "postmark",
    OTHER
    | {"RecordType": "SubscriptionChange", "ChangedAt": "2025-10-09T14:11:12Z", "Origin": "Recipient"}
    | {"SuppressSending": True, "SuppressionReason": "ManualSuppression"},
)

TYPES = {
    "HardBounce": ("bounced", UU, "postmark-hard-bounce"),
    "Transient": ("deferred", None, "not-final"),
    "Unsubscribe": ("unsubscribed", US, "unsubscribed"),
    "Subscribe": ("other", None, "other"),
    "AutoResponder": ("other", None, "other"),
    "AddressChange": ("other", None, "other"),
    "DnsError": ("bounced", CI, "bounced-unexplained"),
    "SpamNotification": ("bounced", None, "postmark-refused"),
    "OpenRelayTest": ("bounced", None, "postmark-refused"),
    "Unknown": ("bounced", CI, "postmark-unknown"),
    "SoftBounce": ("bounced", CI, "bounced-unexplained"),
    "VirusNotification": ("bounced", None, "postmark-refused"),
    "ChallengeVerification": ("other", None, "other"),
    "BadEmailAddress": ("bounced", CO, "postmark-bad-address"),
    "SpamComplaint": ("complained", SP, "complained"),
    "ManuallyDeactivated": ("blocked", US, "postmark-deactivated-by-hand"),
    "Unconfirmed": ("other", None, "other"),
    "Blocked": ("bounced", None, "postmark-refused"),
    "SMTPApiError": ("blocked", None, "postmark-own-failure"),
    "InboundError": ("blocked", None, "postmark-own-failure"),
    "DMARCPolicy": ("bounced", None, "postmark-refused"),
    "TemplateRenderingFailed": ("blocked", None, "postmark-own-failure"),
}


@pytest.mark.parametrize("name", BOUNCES)
def test_a_type_of_bounce_means(name):
    code = BOUNCES[name][0]
    found = BOUNCED.one(Type=name, TypeCode=code)
    assert (found.outcome, found.status, found.rule) == TYPES[name]
    assert found.provider_code == name


@pytest.mark.parametrize("name", BOUNCES)
def test_the_code_names_the_type_where_the_type_is_missing_or_new(name):
    code = BOUNCES[name][0]
    assert BOUNCED.one(Type=None, TypeCode=code) == BOUNCED.one(Type=name, TypeCode=code)
    assert BOUNCED.one(Type="Novelty", TypeCode=str(code)) == BOUNCED.one(Type=name, TypeCode=code)


def test_the_type_wins_over_the_code():
    assert BOUNCED.one(Type="HardBounce", TypeCode=512).status == UU


def test_a_type_that_is_neither_named_nor_numbered_is_rejected():
    assert BOUNCED.rejected(Type="Novelty", TypeCode=7) == "unknown-event"
    assert BOUNCED.rejected(Type=None, TypeCode=None) == "unknown-event"
    assert BOUNCED.rejected(Type=["HardBounce"], TypeCode=True) == "unknown-event"


DETAILS = {
    ("HardBounce", "smtp;550 5.1.1 The email account that you tried to reach does not exist."): UU,
    ("HardBounce", "smtp;550 5.1.2 host unknown"): CO,
    ("HardBounce", "smtp;556 5.1.10 Recipient address has null MX"): CO,
    ("HardBounce", "smtp;550 5.4.4 unable to route"): CO,
    ("HardBounce", "smtp;552 5.2.2 mailbox full"): QE,
    ("HardBounce", "smtp;554 5.7.1 blocked using zen.spamhaus.org"): None,
    ("HardBounce", "smtp;550 5.0.0 message refused"): None,  # a refusal, whatever Postmark calls it
    ("HardBounce", "smtp;550 5.0.0 not this one"): UU,
    ("HardBounce", "smtp;421 4.4.1 connection timed out"): CI,
    ("SoftBounce", "smtp;552 5.2.2 mailbox full"): QE,
    ("SoftBounce", "smtp;450 the mailbox is full"): QE,
    ("SoftBounce", "smtp;550 5.1.1 user unknown"): CI,
    ("SoftBounce", "smtp;550 5.4.4 no route"): CI,
    ("SoftBounce", "smtp;550 user unknown"): CI,
    ("SoftBounce", "smtp;556 no mail here"): CI,
    ("SoftBounce", "smtp;550 5.7.1 policy"): None,
    ("SoftBounce", "smtp;450 4.2.0 greylisted"): None,
    ("DnsError", "smtp;550 5.1.2 domain not found"): CI,
    ("DnsError", "smtp;550 5.4.4 domain not found"): CI,
    ("Unknown", "smtp;550 no"): CI,
    ("Unknown", "smtp;550 5.1.1 no"): UU,
    ("Unknown", "smtp;554 policy"): None,
    ("Blocked", "smtp;550 5.1.1 rejected"): None,
    ("SpamNotification", "smtp;550 5.1.1 looks like spam"): None,
    ("TemplateRenderingFailed", "user unknown, mailbox full, 5.1.1"): None,
    ("BadEmailAddress", "smtp;550 5.1.3 bad syntax"): CO,
}


@pytest.mark.parametrize(("name", "details"), DETAILS)
def test_the_servers_words_beside_a_type(name, details):
    assert BOUNCED.one(Type=name, Details=details).status == DETAILS[name, details]


@pytest.mark.parametrize("name", ["HardBounce", "SoftBounce", "Unknown"])
def test_postmarks_own_description_of_a_type_is_no_evidence(name):
    words = "The server was unable to deliver your message (ex: unknown user, mailbox full, blocked by policy)."
    assert BOUNCED.one(Type=name, Description=words) == BOUNCED.one(Type=name, Description="")


def test_whether_postmark_goes_on_sending_changes_nothing():
    assert BOUNCED.one(Inactive=True, CanActivate=False) == BOUNCED.one(Inactive=False)


def test_a_complaint_is_one_whatever_its_type_code():
    complaint = {"RecordType": "SpamComplaint", "Type": "SpamComplaint", "Details": "policy"}
    for code in (512, 100001, None):
        found = BOUNCED.one(**complaint, TypeCode=code)
        assert (found.outcome, found.status, found.effect) == ("complained", SP, "block")


RECORDS = {
    "Bounce": "bounced",
    "SpamComplaint": "complained",
    "Delivery": "delivered",
    "SubscriptionChange": "unsubscribed",
    "Open": "opened",
    "Click": "clicked",
}


@pytest.mark.parametrize("kind", TIMES)
def test_a_record_type_means_and_has_its_time_in_a_field_of_its_own(kind):
    fields = {**BOUNCE, **CHANGED.event, "RecordType": kind, "BouncedAt": None, "ChangedAt": None}
    fields |= {TIMES[kind]: "2025-10-09T10:11:12.1234567-04:00"}
    found = Varied("postmark", fields).one()
    assert (found.outcome, found.occurred_at) == (RECORDS[kind], "2025-10-09T14:11:12.123Z")
    assert Varied("postmark", fields).rejected(**{TIMES[kind]: None}) == "missing-field"
    assert Varied("postmark", fields).rejected(**{TIMES[kind]: "2025-10-09T10:11:12"}) == "bad-time"


def test_a_delivery_ends_a_run():
    found = Varied("postmark", OTHER | {"RecordType": "Delivery", "DeliveredAt": "2025-10-09T14:11:12Z"}).one(
        Details="250 2.0.0 mailbox full of joy"
    )
    assert (found.effect, found.recipient, found.message_id, found.campaign_id) == (
        "reset",
        "eva@example.org",
        MESSAGE,
        "spring",
    )


SUPPRESSED = {
    "HardBounce": ("bounced", UU, "postmark-suppressed-after-bounce"),
    "SpamComplaint": ("complained", SP, "complained"),
    "ManualSuppression": ("unsubscribed", US, "unsubscribed"),
}


@pytest.mark.parametrize("reason", SUPPRESSIONS)
@pytest.mark.parametrize("origin", ["Recipient", "Customer", "Admin"])
def test_a_suppression_means(reason, origin):
    found = CHANGED.one(SuppressionReason=reason, Origin=origin)
    assert (found.outcome, found.status, found.rule) == SUPPRESSED[reason]


def test_a_suppression_by_hand_has_no_message():
    [found] = CHANGED.classified({**CHANGED.event, "MessageID": None, "Origin": "Customer"})
    assert (found.status, found.message_id) == (US, None)


@pytest.mark.parametrize(
    ("reason", "origin", "effect"),
    [
        ("ManualSuppression", "Recipient", "lift"),
        ("ManualSuppression", "Customer", "ignore"),
        ("ManualSuppression", "Admin", "ignore"),
        ("HardBounce", "Recipient", "ignore"),
        ("SpamComplaint", "Recipient", "ignore"),
        (None, "Recipient", "ignore"),
        (None, "Customer", "ignore"),
        (["ManualSuppression"], "Recipient", "ignore"),
    ],
)
def test_a_reactivation_lifts_only_an_unsubscribe_that_the_recipient_took_back(reason, origin, effect):
    found = CHANGED.one(SuppressSending=False, SuppressionReason=reason, Origin=origin)
    assert (found.effect, found.status) == (effect, None)


@pytest.mark.parametrize("switch", [None, "true", 1, ""])
def test_a_change_that_does_not_say_in_which_direction_is_rejected(switch):
    assert CHANGED.rejected(SuppressSending=switch) == "missing-field"


@pytest.mark.parametrize("reason", [None, "Novelty", 7, ["HardBounce"]])
def test_a_suppression_for_an_unknown_reason_is_rejected(reason):
    assert CHANGED.rejected(SuppressionReason=reason) == "unknown-event"


def test_the_id_of_a_bounce_makes_its_uid_with_every_digit():
    found = BOUNCED.one()
    assert found.event_id == "4323372036854775807"
    assert BOUNCED.one(Details="other words").event_uid == found.event_uid
    assert BOUNCED.one(ID=4323372036854775806).event_uid != found.event_uid
    assert BOUNCED.one(ID=0).event_id is None
    assert BOUNCED.rejected(ID=4.323372036854776e18) == "wrong-type"


def test_what_the_test_button_sends_names_no_message():
    assert BOUNCED.one(MessageID="00000000-0000-0000-0000-000000000000").message_id is None
    assert BOUNCED.one(MessageID="").message_id is None
    assert BOUNCED.rejected(MessageID={}) == "wrong-type"


def test_an_inbound_mail_is_no_happening():
    inbound = {"FromFull": {"Email": "joe@example.com"}, "MessageID": MESSAGE}
    assert BOUNCED.classified(inbound) == BOUNCED.classified({**inbound, "RecordType": "Inbound"}) == []


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"RecordType": "bounce"}, "unknown-event"),
        ({"RecordType": None}, "missing-field"),
        ({"RecordType": 1}, "wrong-type"),
        ({"Email": ""}, "missing-field"),
        ({"Email": None}, "missing-field"),
        ({"Email": ["eva@example.org"]}, "wrong-type"),
        ({"Email": "eva"}, "bad-recipient"),
        ({"BouncedAt": "yesterday"}, "bad-time"),
    ],
)
def test_a_bad_event_is_rejected_as(fields, reason):
    assert BOUNCED.rejected(**fields) == reason


def test_the_worked_example():
    found = BOUNCED.one(Details="smtp;552 5.2.2 mailbox full")
    assert (found.recipient, found.status, found.effect, found.rule) == ("eva@example.org", QE, "count", "iana-x.2.2")
    assert (found.permanent, found.provider_code, found.message_id) == (False, "SoftBounce", MESSAGE)


def test_one_bad_event_does_not_spoil_its_neighbours_and_another_body_is_rejected_as_a_whole():
    found = classify(Report("postmark", "acme", [BOUNCE, {}, 7, BOUNCE]))
    assert [place for place, _ in found] == [0, 1, 2, 3]
    assert [isinstance(event, Rejected) for _, event in found] == [False, True, True, False]
    [(place, event)] = classify(Report("postmark", "acme", "text"))
    assert (place, event.reason) == (None, "wrong-type")
