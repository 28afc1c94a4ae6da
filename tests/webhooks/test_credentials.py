"""Basic and bearer credentials: several at once, and nothing else gets in."""

import base64

import pytest

from streams.web.webhooks.credentials import Credentials, CredentialsGate, permits
from streams.web.webhooks.post import Payload
from streams.web.webhooks.secret import Secret
from tests.support.webhooks import basic, post

OLD, NEW = Secret(b"mailjet:old password"), Secret("mailjet:pässwört:with colon".encode())
TOKEN = Secret(b"a-token")


def permitted(headers: dict[str, str]) -> bool:
    return permits(post("mailjet", b"", headers).headers, [OLD, NEW], [TOKEN])


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
    assert permitted(headers)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Basic"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Basic \udcff"},
        {"Authorization": "Bearer \udcff"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer mailjet:old password"},
        {"Authorization": f"Basic {base64.b64encode(b'a-token').decode()}"},
        {"Authorization": "Token a-token"},
        {"Authorization": "a-token"},
        basic(""),
        basic(":"),
        basic("mailjet:"),
        basic("mailjet:old"),
        basic("mailjet:old password "),
        basic("Mailjet:old password"),
        basic("other:old password"),
        {"X-Authorization": "Bearer a-token"},
    ],
)
def test_nothing_else_gets_in(headers):
    assert not permitted(headers)


async def test_a_secret_that_was_taken_out_no_longer_gets_in():
    gate = CredentialsGate(Credentials(credentials=[NEW]))
    assert await gate.admit(post("mailjet", b"{}", basic("mailjet:old password"))) == "unauthorized"
    assert isinstance(await gate.admit(post("mailjet", b"{}", basic("mailjet:pässwört:with colon"))), Payload)


async def test_a_stranger_is_not_told_whether_his_body_can_be_read():
    gate = CredentialsGate(Credentials(tokens=[TOKEN]))
    assert await gate.admit(post("brevo", b"no JSON")) == "unauthorized"
    assert await gate.admit(post("brevo", b"no JSON", {"Authorization": "Bearer a-token"})) == "unreadable"


def test_a_secret_shows_nowhere():
    section = Credentials(credentials=[OLD], tokens=[TOKEN])
    for shown in (repr(OLD), str(OLD), f"{OLD}", repr(section), str([OLD])):
        assert "password" not in shown
        assert "a-token" not in shown
