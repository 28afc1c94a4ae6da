"""Which message, which campaign and when: the ids and times of Mailjet's events."""

import pytest

from tests.support.mailjet import one, rejected


@pytest.mark.parametrize(
    ("ids", "message_id"),
    [
        ({"MessageID": 19421777835146490}, "19421777835146490"),
        ({"MessageID": 18446744073709551615}, "18446744073709551615"),
        ({"MessageID": "19421777835146490"}, "19421777835146490"),
        ({"MessageID": 0, "Message_GUID": "5a0e"}, "5a0e"),
        ({"MessageID": "", "Message_GUID": "5a0e"}, "5a0e"),
        ({"MessageID": "0", "Message_GUID": "5a0e"}, "5a0e"),
        ({"MessageID": None, "mj_message_id": "7", "Message_GUID": "5a0e"}, "7"),
        ({"MessageID": 7.0}, "7"),
        ({"MessageID": None}, None),
    ],
)
def test_the_message_id_is_text_with_every_digit(ids, message_id):
    assert one(**ids).message_id == message_id


def test_a_message_id_that_lost_digits_is_rejected_not_rounded():
    assert rejected(MessageID=1.942177783514649e16) == "wrong-type"
    assert rejected(MessageID=["7"]) == "wrong-type"


@pytest.mark.parametrize(
    ("ids", "campaign_id"),
    [
        ({"mj_campaign_id": 811204, "customcampaign": "spring"}, "811204"),
        ({"mj_campaign_id": "811204"}, "811204"),
        ({"mj_campaign_id": 0, "customcampaign": "spring"}, "spring"),
        ({"mj_campaign_id": "0", "customcampaign": "spring"}, "spring"),
        ({"mj_campaign_id": "", "customcampaign": "spring"}, "spring"),
        ({"mj_campaign_id": 0, "customcampaign": ""}, None),
        ({"mj_campaign_id": [], "customcampaign": {}}, None),
        ({}, None),
    ],
)
def test_the_campaign_is_mailjets_else_the_senders(ids, campaign_id):
    assert one(**ids).campaign_id == campaign_id


@pytest.mark.parametrize("time", [1760000102, "1760000102", 1760000102.0, "2025-10-09T08:55:02Z"])
def test_time_comes_as_number_or_text(time):
    assert one(time=time).occurred_at == "2025-10-09T08:55:02.000Z"
