"""Which message, which campaign, which event and when: the ids and times of SendGrid's events."""

import pytest

from tests.support import reports

EVENT = {"email": "jane@example.com", "timestamp": 1760001000, "event": "delivered"}


def one(**fields):
    return reports.one("sendgrid", {**EVENT, **fields})


ONE_MESSAGE = [
    {"sg_message_id": "wrfRRvF7Q0GgwUo2CvDmEA.filter0425p1mdw1.13037.57168B4A1D.0"},
    {"sg_message_id": "wrfRRvF7Q0GgwUo2CvDmEA.filterdrecv-p3mdw1-6f5df8956d-k8z2q-18-5F3C1B2A-7.1"},
    {"sg_message_id": "wrfRRvF7Q0GgwUo2CvDmEA.recvd-5f54b5d587-pczjm-1-67BADEEA-6.0"},
    {"sg_message_id": "wrfRRvF7Q0GgwUo2CvDmEA"},
    {"sg_message_id": "", "smtp-id": "<wrfRRvF7Q0GgwUo2CvDmEA@ismtpd0006p1sjc2.sendgrid.net>"},
    {"sg_message_id": None, "smtp-id": "<wrfRRvF7Q0GgwUo2CvDmEA@geopod-ismtpd-3-0>"},
    {"smtp-id": " wrfRRvF7Q0GgwUo2CvDmEA@ismtpd-555 "},
]


@pytest.mark.parametrize("ids", ONE_MESSAGE)
def test_all_reports_of_one_message_have_one_id(ids):
    assert one(**ids).message_id == "wrfRRvF7Q0GgwUo2CvDmEA"


def test_so_it_is_with_the_ids_of_old_that_had_dots():
    ids = [
        {"sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0"},
        {"sg_message_id": "14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.000000000000000000000"},
        {"sg_message_id": "", "smtp-id": "<14c5d75ce93.dfd.64b469@ismtpd-555>"},
    ]
    assert {one(**told).message_id for told in ids} == {"14c5d75ce93"}


@pytest.mark.parametrize(
    "machine", ["filter0199p1las1", "filter-147", "stfilter-015", "filterdrecv-5f54b5d587", "recvd-5f54b5d587"]
)
def test_the_name_of_a_machine_is_no_message(machine):
    first, second = f"{machine}.4745.5717FB6F5.0", f"{machine}.4745.5717FB6F6.0"
    assert one(sg_message_id=first).message_id == first
    assert one(sg_message_id=second).message_id == second
    assert one(sg_message_id=first, **{"smtp-id": "<abc@ismtpd-555>"}).message_id == "abc"


def test_a_message_id_of_the_senders_own_stays_whole():
    assert one(**{"smtp-id": "<152712433591.85282@mail.example>"}).message_id == "152712433591.85282@mail.example"
    assert one(**{"smtp-id": "no-at-sign.x"}).message_id == "no-at-sign.x"


@pytest.mark.parametrize("ids", [{}, {"sg_message_id": ""}, {"sg_message_id": None, "smtp-id": ""}])
def test_an_asynchronous_bounce_has_no_message_and_is_an_attempt_of_its_own(ids):
    bounce = one(event="bounce", type="bounce", status="5.1.1", sg_event_id="e", **ids)
    assert (bounce.message_id, bounce.status) == (None, "User unknown")
    assert bounce.attempt_id == bounce.event_uid


def test_an_event_with_an_id_is_the_same_event_however_often_it_comes():
    first = one(sg_event_id="abc", response="250 OK")
    assert one(sg_event_id="abc", response="250 OK", timestamp="1760001000").event_uid == first.event_uid
    assert one(sg_event_id="xyz", response="250 OK").event_uid != first.event_uid


@pytest.mark.parametrize("odd", ["", None, [], {}, True])
def test_an_event_without_an_id_is_told_by_its_fields(odd):
    assert one(sg_event_id=odd).event_id is None
    assert one(sg_event_id=odd).event_uid != one(sg_event_id=odd, timestamp=1760001001).event_uid


@pytest.mark.parametrize(
    ("fields", "campaign_id"),
    [
        ({"category": "cat facts"}, "cat facts"),
        ({"category": ["cat facts", "dogs"]}, "cat facts"),
        ({"category": []}, None),
        ({"category": [{}]}, None),
        ({"category": {}}, None),
        ({"category": "x", "marketing_campaign_id": 12345}, "12345"),
        ({"category": "x", "marketing_campaign_id": 12345, "singlesend_id": "a-b"}, "a-b"),
        ({}, None),
    ],
)
def test_the_campaign_is_sendgrids_else_the_senders_category(fields, campaign_id):
    assert one(**fields).campaign_id == campaign_id


@pytest.mark.parametrize("time", [1760001000, "1760001000", 1760001000.0])
def test_time_comes_as_number_or_text(time):
    assert one(timestamp=time).occurred_at == "2025-10-09T09:10:00.000Z"
