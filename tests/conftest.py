"""Which servers the tests run against, and which tests run against them.

`--stack=embedded` (as it is): every test but those in tests/kafka/, which are skipped; the tests in
tests/embedded/ share one broker and one Redis out of Python wheels.
`--stack=apache`: only tests/embedded/ and tests/kafka/, sharing one Apache Kafka and one Debian Redis.
"""

import asyncio
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from uuid import uuid4

import pytest

from streams.dev_stack import Endpoints, dev_stack
from tests.support.apache import apache_stack

HERE = Path(__file__).parent
STACKS = {"embedded": dev_stack, "apache": apache_stack}

_run = uuid4().hex[:4]
_numbers = count(1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--stack", choices=tuple(STACKS), default="embedded", help="servers to test against")
    parser.addoption("--storm", type=int, default=2_000, help="requests thrown at the webhooks")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    apache = config.getoption("--stack") == "apache"
    elsewhere = []
    for item in items:
        room = item.path.relative_to(HERE).parts[0]
        if room == "embedded":
            item.add_marker(pytest.mark.embedded)
        elif room == "kafka":
            item.add_marker(pytest.mark.kafka)
            if not apache:
                item.add_marker(pytest.mark.skip(reason="needs Apache Kafka: --stack=apache"))
        elif apache:
            elsewhere.append(item)
    if elsewhere:
        config.hook.pytest_deselected(items=elsewhere)
        items[:] = [item for item in items if item not in elsewhere]


@pytest.fixture(scope="session")
def stack(pytestconfig: pytest.Config) -> Iterator[Endpoints]:
    """Broker and Redis of the chosen stack, shared by the whole run: name everything with `prefix`.

    The servers are processes, so they start in a loop of their own and serve the loops of all tests.
    """
    with asyncio.Runner() as runner:
        running = STACKS[pytestconfig.getoption("--stack")]()
        endpoints = runner.run(running.__aenter__())
        try:
            yield endpoints
        finally:
            runner.run(running.__aexit__(None, None, None))


@pytest.fixture
def prefix() -> str:
    """A short string no other test and no other run has, such as `t7f3a-12-`, to put before every name."""
    return f"t{_run}-{next(_numbers)}-"


@pytest.fixture
def storm(pytestconfig: pytest.Config) -> int:
    """How many requests to throw at the webhooks: `--storm`."""
    return int(pytestconfig.getoption("--storm"))
