"""Who may ask over HTTP, and what describes it."""

import orjson
import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application

from agents.gate.desk import make_desk
from schemas.policy import parse_policy
from streams.memory import MemoryPublisher, NoMeter
from streams.settings import SettingsInvalid, read_tokens
from streams.tokens import Tokens, TokensInvalid, parse_tokens
from streams.web.gate import Gate

ACME, GLOBEX, ALL = "a" * 16, "g" * 16, "o" * 16
POLICY = parse_policy("")


class Nobody:
    """Knows of nobody, or is not whole."""

    def __init__(self, *, whole=True):
        self.whole = whole

    async def known(self, tenant, recipients):
        return {} if self.whole else None


def gate(tokens=None, lookup=None) -> Gate:
    desk = make_desk(lookup or Nobody(), MemoryPublisher(lambda _: None), lambda _: "k" * 64, POLICY)
    return Gate(desk, None, tokens, POLICY, NoMeter(), lambda: 1_795_000_000_000)


async def asked(made: Gate, token=None, body=b'{"tenant":"acme","recipients":["a@example.com"]}'):
    app = Application()
    app.add_routes(made.routes())
    async with TestClient(TestServer(app)) as client:
        headers = {"Authorization": token} if token else {}
        response = await client.post("/v1/check", data=body, headers=headers)
        return response.status, await response.json()


@pytest.mark.parametrize(
    ("token", "status"),
    [
        (f"Bearer {ACME}", 200),
        (f"bearer {ALL}", 200),
        (f"Bearer {GLOBEX}", 403),
        (f"Bearer {ACME}x", 401),
        (f"Basic {ACME}", 401),
        ("Bearer", 401),
        (None, 401),
    ],
)
async def test_a_tenants_own_token_and_an_operators_let_in_and_no_other_does(token, status):
    tokens = Tokens({"acme": [ACME], "globex": [GLOBEX], "*": [ALL]})
    assert (await asked(gate(tokens), token))[0] == status


async def test_without_a_token_not_even_a_bad_request_is_explained():
    tokens = Tokens({"acme": [ACME]})
    assert (await asked(gate(tokens), None, b"{"))[0] == 401
    assert (await asked(gate(tokens), f"Bearer {ACME}", b"{"))[0] == 400


async def test_nobody_is_let_through_while_the_state_is_not_whole():
    status, answer = await asked(gate(lookup=Nobody(whole=False)))
    assert (status, answer["error"]) == (503, "not-ready")


@pytest.mark.parametrize(
    "text",
    ["", "acme =", "acme = 3", 'acme = "short"', "acme = []", f'"a b" = "{ACME}"', f'acme = " {ACME}"'],
)
def test_a_file_that_is_no_list_of_tokens_is_refused_without_showing_one(text, tmp_path):
    with pytest.raises(TokensInvalid):
        parse_tokens(text)
    (tmp_path / "tokens.toml").write_text(text)
    with pytest.raises(SettingsInvalid) as refused:
        read_tokens(str(tmp_path / "tokens.toml"))
    assert ACME not in str(refused.value)


def test_a_tenant_may_have_several_tokens():
    tokens = parse_tokens(f'acme = ["{ACME}", "{GLOBEX}"]')
    assert [tokens.verdict(f"Bearer {one}", "acme") for one in (ACME, GLOBEX, ALL)] == ["yes", "yes", "who"]
    assert ACME not in repr(vars(tokens))


async def test_the_document_names_every_route_and_no_other():
    made = gate()
    document = orjson.loads(made._document)
    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}
    assert described == {(route.method, route.path.replace(":.+", "")) for route in made.routes()}


def test_what_the_document_refers_to_is_there():
    text = gate()._document
    document = orjson.loads(text)
    names = {part.split(b'"')[0].decode() for part in text.split(b"#/components/schemas/")[1:]}
    assert names == set(document["components"]["schemas"])
