"""Who can be heard beyond this machine has to say who may ask."""

import pytest

from streams.dev_server import free_port
from streams.errors import Failed
from streams.memory import MemoryPublisher
from streams.metrics import PrometheusMeter
from streams.settings import SettingsInvalid, from_environment
from streams.web.local import is_local, is_loopback
from streams.web.server import Web
from streams.web.webhooks.post import Unauthorized
from streams.web.webhooks.routes import Webhooks
from streams.worker import Worker
from tests.support.webhooks import settings as made_settings


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost", "LocalHost"])
def test_loopback_is_heard_by_this_machine_alone(host):
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["", "0", "0.0.0.0", "::", "192.0.2.1", "127.0.0.1.evil.example", "localhost.example"])
def test_all_else_may_be_heard_by_others(host):
    assert not is_loopback(host)


def test_every_address_of_loopback_is_this_machine():
    assert is_local({"Host": "127.0.0.2:8080"})
    assert not is_local({"Host": "128.0.0.1:8080"})
    assert not is_local({"Host": "127.0.0.1.evil.example"})


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "bounces.example"])
def test_without_tokens_a_worker_serves_on_loopback_alone(host):
    settings = from_environment({}, default_secret=b"x")
    with pytest.raises(SettingsInvalid, match=f"{host} is not loopback: set BOUNCELINE_TOKENS"):
        Worker(settings, 0, host)


async def test_with_tokens_it_serves_elsewhere_and_no_webhook_is_open_there(tmp_path):
    file = tmp_path / "tokens.toml"
    file.write_text('acme = "a long random text"')
    settings = from_environment({"BOUNCELINE_TOKENS": str(file)}, default_secret=b"x")
    assert Worker(settings, 0)._web._webhooks.are_open
    webhooks = Worker(settings, 0, "0.0.0.0")._web._webhooks
    assert not webhooks.are_open
    assert webhooks._gates("mailjet", "acme") == Unauthorized("no-such-tenant")


async def test_a_port_that_is_taken_is_said_in_a_sentence():
    def web(port: int) -> Web:
        webhooks = Webhooks(None, made_settings(), MemoryPublisher(lambda _: None), PrometheusMeter())
        return Web(PrometheusMeter(), lambda: True, port, webhooks, [])

    one = web(free_port())
    await one.start()
    try:
        other = web(one._port)
        with pytest.raises(Failed, match=f"can't serve HTTP on port {one._port} of 127.0.0.1: Address already in use"):
            await other.start()
        await other.stop()
    finally:
        await one.stop()
