"""Basic and bearer credentials: several at once, and nothing else gets in."""

import base64

import pytest

from streams.web.webhooks.credentials import Credential, Credentials, CredentialsGate, forbids
from streams.web.webhooks.post import Payload, Unauthorized
from streams.web.webhooks.secret import Secret
from tests.support.webhooks import basic, post

OLD, NEW = Credential(b"mailjet:old password"), Credential("mailjet:pässwört:with colon".encode())
TOKEN = Secret(b"a-token")


def forbidden(headers: dict[str, str]) -> str | None:
    return forbids(post("mailjet", b"", headers).headers, [OLD, NEW], [TOKEN])


@pytest.mark.parametrize(
    "headers",
    [
        basic("mailjet:old password"),
        basic("mailjet:pässwört:with colon"),
        {"authorization": basic("mailjet:old password")["Authorization"].replace("Basic", "basic")},
        {"Authorization": "Bearer a-token"},
        {"Authorization": "bearer  a-token "},
    ],
)
def test_each_of_several_secrets_gets_in(headers):
    assert forbidden(headers) is None


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({}, "no-credentials"),
        ({"Authorization": ""}, "no-credentials"),
        ({"X-Authorization": "Bearer a-token"}, "no-credentials"),
        ({"Authorization": "Basic"}, "wrong-credentials"),
        ({"Authorization": "Basic !!!"}, "malformed-credentials"),
        ({"Authorization": "Basic \udcff"}, "malformed-credentials"),
        ({"Authorization": "Bearer \udcff"}, "wrong-credentials"),
        ({"Authorization": "Bearer"}, "wrong-credentials"),
        ({"Authorization": "Bearer mailjet:old password"}, "wrong-credentials"),
        ({"Authorization": f"Basic {base64.b64encode(b'a-token').decode()}"}, "wrong-credentials"),
        ({"Authorization": "Token a-token"}, "other-scheme"),
        ({"Authorization": "a-token"}, "other-scheme"),
        (basic(""), "wrong-credentials"),
        (basic(":"), "wrong-credentials"),
        (basic("mailjet:"), "wrong-credentials"),
        (basic("mailjet:old"), "wrong-credentials"),
        (basic("mailjet:old password "), "wrong-credentials"),
        (basic("Mailjet:old password"), "wrong-credentials"),
        (basic("other:old password"), "wrong-credentials"),
    ],
)
def test_nothing_else_gets_in_and_the_reason_is_told(headers, why):
    assert forbidden(headers) == why


def test_a_scheme_that_the_section_has_no_secret_for_is_told_apart_from_a_wrong_secret():
    assert forbids(basic("mailjet:old password"), [], [TOKEN]) == "other-scheme"
    assert forbids({"Authorization": "Bearer a-token"}, [OLD], []) == "other-scheme"


async def test_a_secret_that_was_taken_out_no_longer_gets_in():
    gate = CredentialsGate(Credentials(credentials=[NEW]))
    assert await gate.admit(post("mailjet", b"{}", basic("mailjet:old password"))) == Unauthorized("wrong-credentials")
    assert isinstance(await gate.admit(post("mailjet", b"{}", basic("mailjet:pässwört:with colon"))), Payload)


async def test_a_stranger_is_not_told_whether_his_body_can_be_read():
    gate = CredentialsGate(Credentials(tokens=[TOKEN]))
    assert await gate.admit(post("brevo", b"no JSON")) == Unauthorized("no-credentials")
    assert await gate.admit(post("brevo", b"no JSON", {"Authorization": "Bearer a-token"})) == "unreadable"


def test_a_secret_shows_nowhere():
    section = Credentials(credentials=[OLD], tokens=[TOKEN])
    for shown in (repr(OLD), str(OLD), f"{OLD}", repr(section), str([OLD])):
        assert "password" not in shown
        assert "a-token" not in shown
