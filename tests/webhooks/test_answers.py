"""Each provider is answered in a way that its own retries understand."""

from typing import get_args, get_type_hints

import pytest

from agents.classify.providers import MAPPINGS
from streams.web.webhooks.answers import asks_for_credentials, asks_to_come_again, detail_of, status_of
from streams.web.webhooks.configuration import Tenant
from streams.web.webhooks.credentials import Credentials
from streams.web.webhooks.post import PROVIDERS, Answer

WAIT = ("overloaded", "unavailable", "rate-limited", "slow")

RETRIES = {
    # provider -> whether it tries again after a status, as each documents it
    "mailjet": lambda status: status != 200,
    "sendgrid": lambda status: not 200 <= status < 300,
    "ses": lambda status: status >= 500,
    "mailgun": lambda status: status not in {200, 406},
    "postmark": lambda status: status >= 500 or status in {408, 429},
    "sparkpost": lambda status: not 200 <= status < 300,
    "brevo": lambda status: status == 429,
}


@pytest.mark.parametrize("answer", WAIT)
@pytest.mark.parametrize("provider", RETRIES)
def test_whoever_comes_too_much_or_at_a_bad_time_tries_again(provider, answer):
    assert RETRIES[provider](status_of(provider, answer))


@pytest.mark.parametrize("provider", RETRIES)
def test_what_the_broker_has_is_not_sent_again(provider):
    for answer in ("accepted", "duplicate", "confirmed"):
        assert not RETRIES[provider](status_of(provider, answer))


@pytest.mark.parametrize("answer", ["unreadable", "stale", "replayed"])
def test_mailgun_is_told_to_stop_where_a_retry_can_only_bring_the_same(answer):
    assert status_of("mailgun", answer) == 406


def test_only_success_is_2xx_and_only_trouble_of_ours_is_5xx():
    for provider in (*PROVIDERS, "unknown"):
        for answer in get_args(Answer):
            status = status_of(provider, answer)
            assert (status == 200) == (answer in {"accepted", "duplicate", "confirmed"})
            if status >= 500:
                assert answer in WAIT


def test_every_answer_that_is_not_2xx_has_a_sentence_of_its_own():
    for provider in PROVIDERS:
        refused = [answer for answer in get_args(Answer) if status_of(provider, answer) != 200]
        said = {detail_of(provider, answer) for answer in refused}
        assert len(said) == len(refused)
        assert all(10 < len(one) < 160 for one in said)
        assert all("Retry-After" in detail_of(provider, answer) for answer in refused if asks_to_come_again(answer))
    assert {detail_of(provider, "unauthorized") for provider in PROVIDERS} == {detail_of("mailjet", "unauthorized")}
    assert "1048576 bytes" in detail_of("mailjet", "too-large")
    assert "raw mail" in detail_of("dsn", "unreadable")


def test_credentials_are_asked_for_where_the_provider_has_some():
    asked = {provider for provider in PROVIDERS if asks_for_credentials(provider, "unauthorized")}
    assert asked == {name for name, kind in get_type_hints(Tenant).items() if Credentials in get_args(kind)}
    assert not asks_for_credentials("mailjet", "unreadable")


def test_every_provider_that_can_be_read_has_a_webhook_and_a_section():
    assert set(MAPPINGS) <= set(PROVIDERS)
    assert set(Tenant.__struct_fields__) == set(PROVIDERS)
