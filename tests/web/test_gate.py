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


async def asked(made: Gate, token=None, body=b'{"tenant":"acme","recipients":["a@example.com"]}', more=None):
    app = Application()
    app.add_routes(made.routes())
    async with TestClient(TestServer(app)) as client:
        headers = {"Authorization": token} if token else {}
        headers |= {name: value.replace("HERE", f"{client.host}:{client.port}") for name, value in (more or {}).items()}
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


FOREIGN = [
    {"Host": "evil.example"},
    {"Host": "127.0.0.1.evil.example"},
    {"Host": "192.0.2.1"},
    {"Origin": "https://evil.example"},
    {"Origin": "http://HERE.evil.example"},
    {"Origin": "https://HERE"},
    {"Origin": "http://localhost:1"},
    {"Origin": "null"},
    {"Origin": ""},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": ""},
    {"X-Forwarded-For": "203.0.113.9"},
    {"Forwarded": "for=203.0.113.9"},
]


@pytest.mark.parametrize("body", [b'{"tenant":"acme","recipients":["a@example.com"]}', b"{"])
@pytest.mark.parametrize("headers", FOREIGN)
async def test_without_tokens_no_page_of_another_site_and_no_proxy_may_ask(headers, body):
    status, answer = await asked(gate(), body=body, more=headers)
    assert (status, answer["error"]) == (403, "forbidden")


async def test_without_tokens_no_page_of_another_site_reads_what_is_known_of_a_contact():
    app = Application()
    app.add_routes(gate().routes())
    async with TestClient(TestServer(app)) as client:
        for headers in ({"Host": "rebound.example"}, {"Sec-Fetch-Site": "cross-site"}):
            assert (await client.get("/v1/contacts/acme/a@example.com", headers=headers)).status == 403


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Host": "localhost"},
        {"Host": "LOCALHOST:8080"},
        {"Host": "[::1]:8080"},
        {"Origin": "http://HERE"},
        {"Origin": "http://HERE", "Sec-Fetch-Site": "same-origin"},
        {"Host": "localhost:8080", "Origin": "http://localhost:8080"},
        {"Sec-Fetch-Site": "none"},
    ],
)
async def test_without_tokens_programs_here_and_the_servers_own_pages_may_ask(headers):
    assert (await asked(gate(), more=headers))[0] == 200


@pytest.mark.parametrize("headers", FOREIGN)
async def test_with_a_token_it_does_not_matter_where_a_request_comes_from(headers):
    assert (await asked(gate(Tokens({"acme": [ACME]})), f"Bearer {ACME}", more=headers))[0] == 200


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


def test_what_is_no_toml_is_refused_with_its_place():
    with pytest.raises(TokensInvalid, match=r"^it is not TOML \(at line 2, column 3\)$"):
        parse_tokens(f'acme = "{ACME}"\nb b = 1')


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
