"""What these tests share: a Redis to start, topics that exist, owners of the table, and a connection to Redis."""

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from streams.dev_stack import Endpoints, redis_binary
from streams.publisher import KafkaPublisher
from streams.settings import Settings, from_environment
from streams.topics import ensure_topics
from tests.support.apache import tool
from tests.support.owner import Owner


@pytest.fixture
def binary(pytestconfig: pytest.Config) -> str:
    """Give the Redis server of the chosen stack."""
    apache = pytestconfig.getoption("--stack") == "apache"
    return tool("redis-server", "redis-server") if apache else redis_binary()


@pytest.fixture
async def settings(stack: Endpoints, prefix: str) -> Settings:
    """Give settings whose topics exist."""
    settings = from_environment(
        {
            "BOUNCELINE_KAFKA": stack.kafka,
            "BOUNCELINE_REDIS": stack.redis,
            "BOUNCELINE_TOPIC_PREFIX": prefix,
            "BOUNCELINE_CONTACT_SECRET": "a secret",
        }
    )
    await ensure_topics(settings)
    return settings


@pytest.fixture
async def owners(settings: Settings) -> AsyncIterator[list[Owner]]:
    """Give three workers' holds on the table; none has taken anything yet."""
    publisher = KafkaPublisher(settings)
    await publisher.start()
    found = [Owner(settings, publisher) for _ in range(3)]
    yield found
    for owner in found:
        await owner.store.close()
    await publisher.stop()


@pytest.fixture
async def redis(stack: Endpoints) -> AsyncIterator[Redis]:
    """Give a connection of our own."""
    async with Redis.from_url(stack.redis) as found:
        yield found
