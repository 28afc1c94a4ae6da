"""Whatever goes astray in a payload: it gives events or rejections, tells no secrets, and spoils no neighbours.

`make fuzz` tries a million payloads of the same kinds.
"""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.classify.classification import classify
from agents.classify.providers import MAPPINGS
from schemas.rejected import Rejected
from schemas.report import Report
from tests.support.mutation import drawn, mutated
from tests.support.parsers import ORIGINALS, PAYLOADS, SES_MESSAGES, SPOILT, check, check_found


def good(provider):
    return ORIGINALS[provider][1 if provider == "sparkpost" else 0]


def test_no_parser_is_left_out():
    assert set(PAYLOADS) == set(MAPPINGS)
    assert all(ORIGINALS.values())


@pytest.mark.parametrize("provider", ORIGINALS)
def test_the_originals_are_all_understood(provider):
    found = classify(Report(provider, "acme", ORIGINALS[provider]))
    assert not [event for _, event in found if isinstance(event, Rejected)]


@pytest.mark.parametrize("provider", ORIGINALS)
@settings(max_examples=2000, deadline=None)
@given(st.data())
def test_a_payload_in_which_something_went_astray_gives_events_or_rejections_alone(provider, data):
    check(provider, data.draw(drawn(PAYLOADS[provider])))


@pytest.mark.parametrize("provider", ORIGINALS)
@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_bad_element_never_spoils_its_neighbours(provider, data):
    elements = data.draw(st.lists(drawn(SPOILT[provider]), min_size=1, max_size=3))
    one = good(provider)
    alone = [event for _, event in classify(Report(provider, "acme", [one]))]
    found = classify(Report(provider, "acme", [one, *elements, one]))
    check_found(found, {*range(len(elements) + 2)})
    assert [event for place, event in found if place == 0] == alone
    assert [event for place, event in found if place == len(elements) + 1] == alone
    for number, element in enumerate(elements, start=1):
        same = [event for _, event in classify(Report(provider, "acme", [element]))]
        assert [event for place, event in found if place == number] == same


SES_TEXTS = drawn(mutated(ORIGINALS["ses"])) | drawn(mutated(SES_MESSAGES))


@settings(max_examples=1000, deadline=None)
@given(st.text(max_size=40) | SES_TEXTS.map(json.dumps))
def test_a_text_for_ses_is_its_json_or_rejected(text):
    check("ses", text)
