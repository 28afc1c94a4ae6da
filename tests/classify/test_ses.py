"""Amazon SES: what its events mean, for each of their recipients."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.ses import ACTIONS, KINDS, NOT_ATTEMPTED
from agents.classify.rules import own_rules
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support import reports

UU, CO, QE, CI, US, SP, PB, IG = (
    "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam", "Preblock", None
)  # fmt: skip
MAIL = {
    "timestamp": "2025-10-09T08:53:20.500Z",
    "messageId": "0100-m1",
    "destination": ["ana@example.com", "bob@example.com", "cyd@example.org"],
}
AT = "2025-10-09T08:53:21.000Z"


def message(kind: str, part: dict, dialect: str = "eventType", **mail) -> dict:
    return {dialect: kind, KINDS[kind].part: part, "mail": {**MAIL, **mail}}


def bounce(kind="Permanent", subtype="General", *recipients, **fields) -> dict:
    bounced = list(recipients) or [{"emailAddress": "ana@example.com", **fields}]
    part = {"bounceType": kind, "bounceSubType": subtype, "timestamp": AT, "bouncedRecipients": bounced}
    return message("Bounce", part)


def bounced(*told, **fields) -> DeliveryEvent:
    return reports.one("ses", bounce(*told, **fields))


ANA = [{"emailAddress": "ana@example.com"}]
PARTS = {
    "Bounce": ({"bouncedRecipients": ANA}, ("bounced", CI, "bounced-unexplained")),
    "Complaint": ({"complainedRecipients": ANA}, ("complained", SP, "complained")),
    "Delivery": ({"recipients": ["ana@example.com"]}, ("delivered", None, "delivered")),
    "DeliveryDelay": ({"delayedRecipients": ANA}, ("deferred", None, "not-final")),
    "Send": ({}, ("other", None, "other")),
    "Reject": ({"reason": "Bad content"}, ("blocked", None, "ses-not-sent")),
    "Rendering Failure": ({"errorMessage": "Attribute 'a' is missing"}, ("blocked", None, "ses-not-sent")),
    "Open": ({"ipAddress": "192.0.2.1"}, ("opened", None, "reader-activity")),
    "Click": ({"link": "https://example.com/"}, ("clicked", None, "reader-activity")),
    "Subscription": ({}, ("other", None, "other")),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dialect", ["notificationType", "eventType"])
def test_a_kind_of_event_means(kind, dialect):
    part, expected = PARTS[kind]
    found = reports.one("ses", message(kind, part, dialect, destination=["ana@example.com"]))
    assert (found.outcome, found.status, found.rule) == expected
    assert (found.recipient, found.message_id) == ("ana@example.com", "0100-m1")


STATUS_OF_BOUNCE = {
    ("Permanent", "General"): UU,
    ("Permanent", "NoEmail"): UU,
    ("Permanent", "Suppressed"): PB,
    ("Permanent", "OnAccountSuppressionList"): PB,
    ("Permanent", "OnTenantSuppressionList"): PB,
    ("Permanent", "EmailValidationSuppressed"): PB,
    ("Permanent", "UnsubscribedRecipient"): US,
    ("Permanent", "SomethingNew"): UU,
    ("Transient", "General"): IG,  # automatic replies
    ("Transient", "MailboxFull"): QE,
    ("Transient", "MessageTooLarge"): IG,
    ("Transient", "ContentRejected"): IG,
    ("Transient", "AttachmentRejected"): IG,
    ("Transient", "CustomTimeoutExceeded"): CI,
    ("Transient", "SomethingNew"): CI,
    ("Undetermined", "Undetermined"): CI,
}


@pytest.mark.parametrize(("kind", "subtype"), STATUS_OF_BOUNCE)
def test_a_bounce_with_nothing_else_to_go_by_has_the_status(kind, subtype):
    found = bounced(kind, subtype)
    assert found.status == STATUS_OF_BOUNCE[kind, subtype], found.rule
    assert found.provider_code == f"{kind}/{subtype}"
    assert found.permanent is {"Permanent": True, "Transient": False}.get(kind)


@pytest.mark.parametrize("kind", ["Permanent", "Transient"])
@pytest.mark.parametrize("subtype", NOT_ATTEMPTED)
def test_what_ses_did_not_try_is_blocked_whatever_type_and_codes_it_has(subtype, kind):
    known = {named.lower(): named for _, named in STATUS_OF_BOUNCE}
    found = bounced(kind, known[subtype], status="5.1.1", diagnosticCode="Amazon SES has suppressed sending")
    assert (found.outcome, found.status) == ("blocked", STATUS_OF_BOUNCE["Permanent", known[subtype]])


BOUNCES = [
    (("Permanent", "General"), ("5.1.1", "smtp; 550 5.1.1 user unknown"), UU),
    (("Permanent", "General"), ("5.0.0", "smtp; 550 user unknown"), UU),
    (("Permanent", "General"), ("5.0.0", "X-Postfix; unknown user"), UU),
    (("Permanent", "General"), ("5.1.2", "smtp; 550 5.1.2 host unknown"), CO),
    (("Permanent", "General"), ("5.4.4", "smtp; 550 5.4.4 Invalid domain"), CO),
    (("Permanent", "General"), ("5.2.2", "smtp; 552 5.2.2 mailbox full"), QE),
    (("Permanent", "General"), ("5.0.0", "smtp; 554 delivery error: this mailbox is over quota"), QE),
    (("Permanent", "General"), ("5.7.1", "smtp; 550 5.7.1 refused"), IG),
    (("Permanent", "General"), ("5.0.0", "smtp; 554 blocked using zen.spamhaus.org"), IG),
    (("Permanent", "General"), ("5.3.0", "smtp; 550 local error"), CI),
    (("Permanent", "General"), ("5.0.0", "smtp; 554 no"), UU),
    (("Permanent", "General"), (None, "smtp; 550 relay not permitted"), IG),
    (("Permanent", "NoEmail"), ("5.7.1", "smtp; 550 5.7.1 Access denied"), IG),
    (("Permanent", "NoEmail"), (None, "smtp; 550 no route to host"), UU),
    (("Transient", "General"), ("4.4.7", "smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes"), CI),
    (("Transient", "General"), ("4.0.0", None), CI),
    (("Transient", "General"), ("5.0.0", None), CI),
    (("Transient", "General"), ("5.7.1", None), IG),
    (("Transient", "General"), (None, None), IG),
    (("Transient", "General"), (None, "smtp; 554 no"), CI),
    (("Transient", "General"), ("5.1.1", "smtp; 550 5.1.1 user unknown"), CI),
    (("Transient", "General"), ("5.0.0", "smtp; 550 host unknown"), CI),
    (("Transient", "General"), ("4.7.1", "smtp; 451 4.7.1 Greylisting in action"), IG),
    (("Transient", "General"), ("5.7.1", "smtp; 550 5.7.1 spam"), IG),
    (("Transient", "General"), (None, "Out of office"), IG),
    (("Transient", "MailboxFull"), ("4.4.7", "smtp; 550 4.4.7 message expired"), QE),
    (("Transient", "MailboxFull"), ("5.2.1", "smtp; 550 5.2.1 mailbox disabled"), QE),
    (("Transient", "ContentRejected"), ("5.1.1", "smtp; 550 5.1.1 no"), IG),
    (("Undetermined", "Undetermined"), ("5.1.1", "smtp; 550 5.1.1 user unknown"), UU),
    (("Undetermined", "Undetermined"), (None, "smtp; 550 no"), CI),
]


@pytest.mark.parametrize(("types", "codes", "expected"), BOUNCES)
def test_a_bounce_with_a_delivery_report_has_the_status(types, codes, expected):
    status, diagnostic = codes
    found = bounced(*types, status=status, diagnosticCode=diagnostic, action="failed")
    assert found.status == expected, found.rule
    assert (found.enhanced_code, found.diagnostic) == codes


def test_each_recipient_of_a_bounce_has_its_own_fate_and_others_of_the_mail_have_none():
    payload = bounce(
        "Permanent",
        "General",
        {"emailAddress": "ana@example.com", "action": "failed", "status": "5.1.1"},
        {"emailAddress": "Bob <Bob@Example.com>", "action": "delayed", "status": "4.0.0"},
    )
    ana, bob = reports.events("ses", payload)
    assert (ana.recipient, ana.status, ana.outcome) == ("ana@example.com", UU, "bounced")
    assert (bob.recipient, bob.status, bob.outcome) == ("bob@example.com", None, "deferred")
    assert ana.message_id == bob.message_id
    assert ana.event_uid != bob.event_uid


@pytest.mark.parametrize("kind", ["Permanent", "Transient", "Undetermined"])
@pytest.mark.parametrize("action", ACTIONS)
def test_an_action_of_the_delivery_report_may_be_no_failure(action, kind):
    for written in (action, action.upper(), f" {action} (a comment)"):
        found = bounced(kind, "General", action=written, status="5.1.1")
        assert (found.outcome, found.effect) == (ACTIONS[action], "ignore")


@pytest.mark.parametrize("action", ["failed", "Failed (unreachable)", "error", "", None, 7, []])
def test_any_other_action_is_a_failure(action):
    assert bounced("Permanent", "General", action=action).status == UU


def test_a_passing_status_within_a_permanent_bounce_is_a_delay():
    assert bounced("Permanent", "General", status="4.2.2").outcome == "deferred"
    assert bounced("Transient", "MailboxFull", status="4.2.2").status == QE


COMPLAINTS = {
    "abuse": SP,
    "fraud": SP,
    "virus": SP,
    "other": SP,
    "something-new": SP,
    "": SP,
    None: SP,
    "not-spam": IG,
    "Not-Spam": IG,
    "auth-failure": IG,
}


@pytest.mark.parametrize("kind", ["Permanent", "Transient", "Undetermined", "", None])
@pytest.mark.parametrize("subtype", sorted(NOT_ATTEMPTED))
def test_what_ses_did_not_try_is_no_unknown_user_whatever_type_and_code_stand_beside_it(kind, subtype):
    found = bounced(kind, subtype, status="5.1.1", diagnosticCode="Amazon SES did not send the message")
    expected = US if subtype == "unsubscribedrecipient" else PB
    assert (found.outcome, found.status) == ("blocked", expected), found.rule


@pytest.mark.parametrize("feedback", COMPLAINTS)
def test_a_complaint_has_the_status(feedback):
    part = {"complainedRecipients": ANA, "timestamp": AT, "complaintFeedbackType": feedback}
    assert reports.one("ses", message("Complaint", part)).status == COMPLAINTS[feedback]


@pytest.mark.parametrize("subtype", ["OnAccountSuppressionList", "OnTenantSuppressionList"])
def test_a_recipient_on_a_suppression_list_for_a_complaint_complained(subtype):
    part = {"complainedRecipients": ANA, "timestamp": AT, "complaintSubType": subtype}
    found = reports.one("ses", message("Complaint", part))
    assert (found.status, found.provider_code) == (SP, subtype)


@pytest.mark.parametrize(("feedback", "code"), [(None, "one-of-several/unnamed"), ("abuse", "one-of-several/abuse")])
def test_of_several_who_may_have_complained_each_is_spam_by_a_rule_of_its_own(feedback, code):
    part = {"complainedRecipients": [*ANA, "bob@example.com"], "timestamp": AT, "complaintFeedbackType": feedback}
    found = reports.events("ses", message("Complaint", part))
    assert [(event.recipient, event.status) for event in found] == [("ana@example.com", SP), ("bob@example.com", SP)]
    assert {(event.rule, event.provider_code) for event in found} == {("ses-complaint-of-several", code)}


def test_an_operator_may_ignore_complaints_of_which_nobody_knows_whose_they_are():
    rules = own_rules("""
        [[rule]]
        id = "ses-complaint-of-several"
        outcome = "complained"
        provider = "ses"
        provider_code = "one-of-several/*"
        effect = "ignore"
        source = "our own"
        example = { provider = "ses", outcome = "complained", provider_code = "one-of-several/abuse" }
    """)
    several = {"complainedRecipients": [*ANA, "bob@example.com"], "timestamp": AT}
    for part, effect in ((several, "ignore"), (several | {"complainedRecipients": ANA}, "block")):
        told = classify(Report("ses", "acme", message("Complaint", part)), rules=rules)
        assert {event.effect for _, event in told} == {effect}


@pytest.mark.parametrize("feedback", ["not-spam", "Auth-Failure"])
def test_what_is_no_complaint_is_none_of_several_either(feedback):
    part = {"complainedRecipients": [*ANA, "bob@example.com"], "timestamp": AT, "complaintFeedbackType": feedback}
    assert {event.effect for event in reports.events("ses", message("Complaint", part))} == {"ignore"}


def test_one_recipient_named_twice_is_one():
    part = {"complainedRecipients": [*ANA, "Ana@Example.com"], "timestamp": AT}
    assert {event.rule for event in reports.events("ses", message("Complaint", part))} == {"complained"}


def test_a_delivery_is_one_of_its_own_recipients_alone():
    part = {"recipients": ["ana@example.com"], "timestamp": AT, "smtpResponse": "250 ok: Message accepted"}
    found = reports.one("ses", message("Delivery", part, "notificationType"))
    assert (found.recipient, found.effect) == ("ana@example.com", "reset")
    assert found.diagnostic == "250 ok: Message accepted"


@pytest.mark.parametrize("delayed", [ANA, ANA[0]], ids=["array", "object"])
def test_a_delay_is_no_attempt_yet(delayed):
    part = {"delayedRecipients": delayed, "timestamp": AT, "delayType": "MailboxFull"}
    found = reports.one("ses", message("DeliveryDelay", part))
    assert (found.outcome, found.effect, found.provider_code) == ("deferred", "ignore", "MailboxFull")


@pytest.mark.parametrize("kind", ["Send", "Open", "Click", "Reject", "Rendering Failure"])
def test_kinds_without_a_list_are_about_all_the_mail_went_to(kind):
    found = reports.events("ses", message(kind, {}))
    assert [event.recipient for event in found] == MAIL["destination"]
    assert {event.effect for event in found} == {"ignore"}


def topics(*statuses: str) -> list[dict]:
    return [{"topicName": f"t{number}", "subscriptionStatus": status} for number, status in enumerate(statuses)]


@pytest.mark.parametrize(
    ("preferences", "status"),
    [
        ({"unsubscribeAll": True, "topicSubscriptionStatus": topics("OptOut")}, US),
        ({"unsubscribeAll": "true"}, US),
        ({"unsubscribeAll": True, "topicSubscriptionStatus": topics("OptIn")}, US),
        ({"unsubscribeAll": False, "topicSubscriptionStatus": topics("OptOut", "OptOut")}, US),
        ({"unsubscribeAll": False, "topicSubscriptionStatus": topics("OptOut", "OptIn")}, IG),
        ({"unsubscribeAll": False, "topicSubscriptionStatus": topics("OptIn")}, IG),
        ({"unsubscribeAll": False, "topicSubscriptionStatus": []}, IG),
        ({"unsubscribeAll": False}, IG),
        ({"unsubscribeAll": [], "topicSubscriptionStatus": [None, 7]}, IG),
        ({}, IG),
        (None, IG),
        ([], IG),
    ],
)
def test_a_subscription_unsubscribes_where_no_topic_is_left(preferences, status):
    part = {"contactList": "news", "timestamp": AT, "newTopicPreferences": preferences}
    found = reports.one("ses", message("Subscription", part, destination=["ana@example.com"]))
    assert found.status == status


def test_a_subscription_of_a_mail_to_several_unsubscribes_nobody():
    """SES does not say which of them it was, and the others did not ask for it."""
    part = {"timestamp": AT, "newTopicPreferences": {"unsubscribeAll": True}}
    told = reports.events("ses", message("Subscription", part))
    assert [(event.recipient, event.outcome, event.effect) for event in told] == [
        (who, "other", "ignore") for who in MAIL["destination"]
    ]


@pytest.mark.parametrize(
    ("spoiled", "reason"),
    [
        ({"eventType": "Parachute"}, "unknown-event"),
        ({"eventType": "bounce"}, "unknown-event"),
        ({"eventType": None}, "missing-field"),
        ({"eventType": 7}, "wrong-type"),
        ({"bounce": None}, "missing-field"),
        ({"bounce": {"timestamp": AT}}, "missing-field"),
        ({"bounce": {"timestamp": AT, "bouncedRecipients": []}}, "missing-field"),
        ({"bounce": {"timestamp": AT, "bouncedRecipients": [{}]}}, "missing-field"),
        ({"bounce": {"timestamp": AT, "bouncedRecipients": [7]}}, "missing-field"),
        ({"bounce": {"timestamp": AT, "bouncedRecipients": [{"emailAddress": 7}]}}, "wrong-type"),
        ({"bounce": {"timestamp": AT, "bouncedRecipients": ["nobody"]}}, "bad-recipient"),
        ({"bounce": {"timestamp": "soon", "bouncedRecipients": ANA}, "mail": {}}, "bad-time"),
        ({"bounce": {"timestamp": "soon", "bouncedRecipients": ANA}, "mail": {"timestamp": {"x": 1}}}, "bad-time"),
        ({"bounce": {"bouncedRecipients": ANA}, "mail": {}}, "missing-field"),
        ({"mail": {"messageId": ["m"]}}, "wrong-type"),
    ],
)
def test_a_bad_message_is_rejected_as(spoiled, reason):
    assert reports.rejected("ses", {**bounce(), **spoiled}) == reason


def test_one_bad_recipient_does_not_spoil_the_others():
    payload = bounce(
        "Permanent", "NoEmail", {"emailAddress": "nobody"}, ANA[0], None, {"emailAddress": "b@example.com"}
    )
    found = classify(Report("ses", "acme", [payload, payload]))
    assert [place for place, _ in found] == [0] * 4 + [1] * 4
    assert [type(event) for _, event in found[:4]] == [Rejected, DeliveryEvent, Rejected, DeliveryEvent]
