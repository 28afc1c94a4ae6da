"""What is not there is said in JSON, as every other refusal is."""

import pytest
from aiohttp.test_utils import TestClient, TestServer
from aiohttp.web import Application, get, json_response

from streams.web.refusals import expect, in_json


async def _here(_request):
    return json_response({})


@pytest.fixture
async def client():
    app = Application(middlewares=[in_json])
    app.add_routes([get("/here/{name}", _here, expect_handler=expect)])
    async with TestClient(TestServer(app)) as client:
        yield client


@pytest.mark.parametrize("path", ["/", "/nowhere", "/here", "/here/a/b", "/here//a", "/here/a%2Fb/c", "/%ff"])
@pytest.mark.parametrize("method", ["GET", "POST", "PURGE"])
async def test_a_path_that_is_not_there(path, method, client):
    async with client.request(method, path) as got:
        assert (got.status, got.content_type) == (404, "application/json")
        answer = await got.json()
    assert (answer["error"], sorted(answer)) == ("not-found", ["detail", "error"])


@pytest.mark.parametrize("method", ["POST", "DELETE", "OPTIONS", "PURGE"])
async def test_a_method_that_a_path_does_not_take(method, client):
    async with client.request(method, "/here/a") as got:
        assert (got.status, got.headers["Allow"]) == (405, "GET, HEAD")
        assert await got.json() == {"error": "method-not-allowed", "detail": "this path takes GET, HEAD"}


@pytest.mark.parametrize("path", ["/here/a"])
async def test_what_is_expected_and_not_known_is_refused(path, client):
    async with client.get(path, headers={"Expect": "the \udcff unexpected"}) as got:
        assert (got.status, (await got.json())["error"]) == (417, "expectation-failed")
    async with client.get(path, headers={"Expect": "100-Continue"}) as got:
        assert got.status == 200
