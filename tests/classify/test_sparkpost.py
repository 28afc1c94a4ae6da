"""SparkPost's webhooks, quirk by quirk."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.sparkpost import BOUNCE_CLASSES, EVENTS, NOT_MAIL
from schemas.delivery import DeliveryEvent
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support.reports import Varied

UU, CO, QE, CI, US, SP, PB = "User unknown", ":", "Quota exceeded", "Connection issue", "User", "Spam", "Preblock"
EVENT = {
    "type": "bounce",
    "bounce_class": "1",
    "error_code": "550",
    "event_id": "84345317653491230",
    "message_id": "000443ee14578172be22",
    "raw_rcpt_to": "Nia@Example.com",
    "rcpt_to": "nia@example.com",
    "timestamp": "1760003000",
    "transmission_id": "65832150921904138",
    "subaccount_id": "101",
    "campaign_id": "c9",
}


def in_msys(event, name="message_event"):
    return [{"msys": {name: event}, "cust": {"id": "1"}}]


BOUNCE = Varied("sparkpost", EVENT, in_msys)
BARE = Varied("sparkpost", {**EVENT, "error_code": None}, in_msys)

TYPES = {
    "delivery": ("delivered", None, "reset"),
    "bounce": ("bounced", CI, "count"),
    "out_of_band": ("bounced", CI, "count"),
    "delay": ("deferred", None, "ignore"),
    "policy_rejection": ("blocked", None, "ignore"),
    "generation_rejection": ("blocked", None, "ignore"),
    "generation_failure": ("blocked", None, "ignore"),
    "injection": ("other", None, "ignore"),
    "spam_complaint": ("complained", SP, "block"),
    "list_unsubscribe": ("unsubscribed", US, "block"),
    "link_unsubscribe": ("unsubscribed", US, "block"),
    "open": ("opened", None, "ignore"),
    "initial_open": ("opened", None, "ignore"),
    "amp_open": ("opened", None, "ignore"),
    "amp_initial_open": ("opened", None, "ignore"),
    "click": ("clicked", None, "ignore"),
    "amp_click": ("clicked", None, "ignore"),
}


@pytest.mark.parametrize("kind", EVENTS)
@pytest.mark.parametrize("name", ["message_event", "track_event", "gen_event", "unsubscribe_event"])
def test_a_type_of_event_means_in_whatever_class_it_stands(kind, name):
    [found] = BOUNCE.classified(in_msys({**EVENT, "type": kind}, name))
    assert (found.outcome, found.status, found.effect) == TYPES[kind]


CLASSES = {
    "1": ("bounced", CI),
    "10": ("bounced", UU),
    "20": ("bounced", CI),
    "21": ("bounced", CI),
    "22": ("bounced", QE),
    "23": ("bounced", None),
    "24": ("bounced", CI),
    "25": ("bounced", None),
    "30": ("bounced", CO),
    "40": ("bounced", CI),
    "50": ("bounced", None),
    "51": ("bounced", None),
    "52": ("bounced", None),
    "53": ("bounced", None),
    "54": ("bounced", None),
    "60": ("other", None),
    "70": ("bounced", CI),
    "80": ("other", None),
    "90": ("unsubscribed", US),
    "100": ("other", None),
}


@pytest.mark.parametrize("words", [{}, {"error_code": "550", "raw_reason": "550 something"}], ids=["bare", "550"])
@pytest.mark.parametrize("kind", ["bounce", "out_of_band"])
@pytest.mark.parametrize("bounce_class", BOUNCE_CLASSES)
def test_a_bounce_class_means(bounce_class, kind, words):
    found = BARE.one(type=kind, bounce_class=bounce_class, **words)
    assert (found.outcome, found.status) == CLASSES[bounce_class]
    assert found.provider_code == bounce_class


def test_a_class_comes_as_a_number_too():
    assert BARE.one(bounce_class=22) == BARE.one(bounce_class="22")


@pytest.mark.parametrize("bounce_class", [None, "", "26", [], {}])
def test_without_a_known_class_the_words_decide(bounce_class):
    assert BARE.one(bounce_class=bounce_class).status == CI
    assert BARE.one(bounce_class=bounce_class, raw_reason="550 5.1.1 user unknown").status == UU


REASONS = {
    ("1", "550 user unknown"): UU,
    ("1", "550 5.1.1 no"): UU,
    ("1", "550 5.7.1 no"): None,
    ("10", "550 5.1.1 <nia@example.com>: Recipient address rejected: User unknown"): UU,
    ("10", "550 5.1.2 unknown host"): CO,
    ("10", "MAIL REFUSED - IP (192.0.2.1) is in black list"): None,
    ("20", "550 5.1.1 user unknown"): CI,
    ("20", "450 4.2.2 over quota"): QE,
    ("20", "450 4.2.0 greylisted"): None,
    ("21", "454 4.4.4 [internal] no MX or A for domain"): CI,
    ("21", "554 5.4.4 [internal] no MX or A for domain"): CI,
    ("22", "552 5.2.2 over quota"): QE,
    ("24", "421 4.4.2 timed out"): CI,
    ("30", "550 no such thing"): CO,
    ("40", "550 5.7.1 refused"): None,
    ("50", "550 5.1.1 refused"): None,
    ("70", "421 4.3.2 try later"): CI,
}


@pytest.mark.parametrize(("bounce_class", "reason"), REASONS)
def test_the_servers_words_beside_a_class(bounce_class, reason):
    found = BOUNCE.one(bounce_class=bounce_class, error_code=reason[:3], raw_reason=reason)
    assert found.status == REASONS[bounce_class, reason]


SUPPRESSED = {
    " (Bounce Rule)": PB,
    "": PB,
    " (Something New)": PB,
    " (Spam Complaint)": SP,
    " (FBL)": SP,
    " (Unsubscribe Rule)": US,
    " (List Unsubscribe)": US,
    " (Link Unsubscribe)": US,
    " (unsubscribe)": US,
}


@pytest.mark.parametrize("cause", SUPPRESSED)
@pytest.mark.parametrize("policy", ["customer", "system"])
@pytest.mark.parametrize("wording", ["recipient address was suppressed", "[internal] recipient address suppressed"])
@pytest.mark.parametrize("kind", ["policy_rejection", "generation_rejection", "bounce"])
def test_what_sparkpost_suppresses_itself_means_by_its_cause(kind, wording, policy, cause):
    reason = f"554 5.7.1 {wording} due to {policy} policy{cause}"
    found = BOUNCE.one(type=kind, bounce_class="25", error_code="554", raw_reason=reason)
    assert (found.status, found.effect) == (SUPPRESSED[cause], "block")


@pytest.mark.parametrize("kind", ["policy_rejection", "generation_rejection", "generation_failure"])
@pytest.mark.parametrize("reason", ["550 5.1.1 user unknown", "552 mailbox full", "554 5.3.3 rendering failed", ""])
def test_what_else_sparkpost_refuses_is_nobodys_fault_but_the_senders(kind, reason):
    assert BOUNCE.one(type=kind, raw_reason=reason).effect == "ignore"


@pytest.mark.parametrize(("fbtype", "status"), [("abuse", SP), (None, SP), ("opt-out", SP), ("not-spam", None)])
def test_a_complaint_may_be_a_correction(fbtype, status):
    found = BOUNCE.one(type="spam_complaint", fbtype=fbtype)
    assert (found.outcome, found.status) == ("complained", status)


def test_a_probe_is_no_happening():
    assert BOUNCE.classified([{"msys": {}}]) == []
    assert BOUNCE.classified({"msys": {}}) == []
    assert BOUNCE.classified([]) == []


@pytest.mark.parametrize("kind", sorted(NOT_MAIL))
def test_what_is_about_no_mail_of_ours_is_no_happening(kind):
    assert BOUNCE.classified(in_msys({"type": kind, "timestamp": "1760003000"})) == []


def test_an_inbound_mail_is_no_happening():
    assert BOUNCE.classified(in_msys({"content": {}}, "relay_message")) == []


def test_places_count_what_is_no_happening_and_one_bad_element_does_not_spoil_its_neighbours():
    [good] = in_msys(EVENT)
    two = {"msys": {"message_event": EVENT, "track_event": EVENT}}
    found = classify(
        Report("sparkpost", "acme", [{"msys": {}}, good, {}, 7, two, {"msys": []}, {"msys": {"x": 1}}, good])
    )
    assert [place for place, _ in found] == [1, 2, 3, 4, 5, 6, 7]
    reasons = [event.reason if isinstance(event, Rejected) else None for _, event in found]
    assert reasons == [None, "missing-field", "wrong-type", "wrong-type", "wrong-type", "wrong-type", None]


def test_the_recipient_is_as_written_on_the_envelope_else_in_lower_case():
    assert BOUNCE.one(raw_rcpt_to="Zoë+News@Example.com").recipient == "zoë+news@example.com"
    assert BOUNCE.one(raw_rcpt_to="").recipient == "nia@example.com"
    assert BOUNCE.one(raw_rcpt_to=None).recipient == "nia@example.com"


@pytest.mark.parametrize("raw", ["undisclosed", "bad addr", ["nia@example.com"], 7])
def test_where_the_envelope_has_no_address_the_one_in_lower_case_counts(raw):
    assert BOUNCE.one(raw_rcpt_to=raw).recipient == "nia@example.com"
    assert BOUNCE.rejected(raw_rcpt_to=raw, rcpt_to=None) == ("bad-recipient" if isinstance(raw, str) else "wrong-type")


def test_a_bounce_mail_that_lost_its_recipient_is_rejected():
    assert BOUNCE.rejected(type="out_of_band", raw_rcpt_to=None, rcpt_to=None) == "missing-field"


@pytest.mark.parametrize("time", ["1760003000", 1760003000, "2025-10-09T09:43:20.000+00:00", "2025-10-09T09:43:20Z"])
def test_time_comes_as_epoch_in_text_and_otherwise(time):
    assert BOUNCE.one(timestamp=time).occurred_at == "2025-10-09T09:43:20.000Z"


def test_the_event_id_is_a_large_number_as_text_or_a_uuid():
    assert BOUNCE.one().event_id == "84345317653491230"
    assert (
        BOUNCE.one(event_id="5a0e0d3c-52b1-4e07-8f0f-6a9b2e3d4c55").event_id == "5a0e0d3c-52b1-4e07-8f0f-6a9b2e3d4c55"
    )
    assert BOUNCE.one(event_id=None).event_id is None
    assert BOUNCE.rejected(event_id=8.434531765349123e16) == "wrong-type"


def test_the_message_is_named_by_its_own_id_else_by_its_transmission():
    assert BOUNCE.one().message_id == "000443ee14578172be22"
    assert BOUNCE.one(message_id=None).message_id == "65832150921904138"
    assert BOUNCE.one(message_id=None, transmission_id=None).message_id is None
    assert BOUNCE.rejected(message_id=["m"]) == "wrong-type"


def test_a_bounce_by_mail_joins_the_delivery_before_it():
    assert BOUNCE.one(type="delivery").message_id == BOUNCE.one(type="out_of_band").message_id


def test_the_whole_reason_is_better_than_the_one_with_blots():
    assert BOUNCE.one(raw_reason="550 raw", reason="550 blotted").diagnostic == "550 raw"
    assert BOUNCE.one(reason="550 5.1.1 ...@... user unknown").status == UU
    assert BOUNCE.one(raw_reason={}, reason=7).diagnostic == "7"


def test_a_delivery_has_no_words():
    assert BOUNCE.one(type="delivery", raw_reason="mailbox full").diagnostic is None


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"type": "parachute"}, "unknown-event"),
        ({"type": None}, "missing-field"),
        ({"type": ["bounce"]}, "wrong-type"),
        ({"raw_rcpt_to": 5, "rcpt_to": ""}, "wrong-type"),
        ({"raw_rcpt_to": "nia", "rcpt_to": "nia"}, "bad-recipient"),
        ({"timestamp": None}, "missing-field"),
        ({"timestamp": "soon"}, "bad-time"),
    ],
)
def test_a_bad_event_is_rejected_as(fields, reason):
    assert BOUNCE.rejected(**fields) == reason


def test_another_body_is_rejected_as_a_whole():
    [(place, event)] = classify(Report("sparkpost", "acme", "text"))
    assert (place, event.reason) == (None, "wrong-type")


def test_the_worked_example():
    [found] = BOUNCE.classified(
        [{"msys": {"message_event": {"type": "bounce", "bounce_class": "22", "error_code": "552"}
          | {"event_id": "84345317653491230", "raw_rcpt_to": "Nia@Example.com", "rcpt_to": "nia@example.com"}
          | {"raw_reason": "552 5.2.2 over quota", "timestamp": "1760003000", "transmission_id": "8434"}
          | {"subaccount_id": "101", "campaign_id": "c9"}}}]
    )  # fmt: skip
    assert isinstance(found, DeliveryEvent)
    assert (found.recipient, found.status, found.rule) == ("nia@example.com", QE, "iana-x.2.2")
    assert (found.event_id, found.message_id, found.campaign_id) == ("84345317653491230", "8434", "c9")
    assert (found.smtp_code, found.permanent, found.occurred_at) == ("552", False, "2025-10-09T09:43:20.000Z")
