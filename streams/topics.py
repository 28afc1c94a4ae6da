"""Making a cluster match the topic catalogue: creates what is missing, says what differs, changes nothing."""

import asyncio
from collections.abc import Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.topics import Topic, catalogue
from streams.errors import Failed
from streams.settings import Settings


class TopicsWrong(Failed):
    """Topics on the broker do not fit the catalogue; the message says which and how."""


KNOWN_SECONDS: Final = 30.0
"""How long a new topic may take to show up: Kafka answers before its metadata has reached every broker."""

MOST_COPIES: Final = 3
"""Copies of each partition, where there are that many brokers: one may fail while another is restarted."""


async def ensure_topics(settings: Settings) -> Sequence[str]:
    """Create the topics that are missing, with up to three copies of each partition.

    Args:
        settings: Where the broker is, and the prefix.

    Returns:
        The names on the broker of the topics created.

    Raises:
        TopicsWrong: The broker refused, or a topic has another number of partitions than the catalogue says.

    """
    admin = AIOKafkaAdminClient(bootstrap_servers=settings.kafka)
    await admin.start()
    try:
        topics = {settings.topic(topic.name): topic for topic in catalogue().values()}
        existing = set(await admin.list_topics())
        missing = [name for name in topics if name not in existing]
        if missing:
            copies = min(MOST_COPIES, len((await admin.describe_cluster())["brokers"]))
            await _create(admin, {name: topics[name] for name in missing}, copies)
        await _check(admin, topics)
        return missing
    finally:
        await admin.close()


async def _check(admin: AIOKafkaAdminClient, topics: dict[str, Topic]) -> None:
    """Compare the topics with the catalogue; gives new ones time to become known to every broker."""
    deadline = asyncio.get_running_loop().time() + KNOWN_SECONDS
    while True:
        found = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(sorted(topics))}
        wrong = [
            f"{name} has {found[name]} partitions, not {topic.partitions}"
            for name, topic in topics.items()
            if found.get(name, 0) not in (0, topic.partitions)
        ]
        unknown = [f"{name} can't be found" for name in topics if not found.get(name)]
        if not wrong and not unknown:
            return
        if wrong or asyncio.get_running_loop().time() > deadline:
            raise TopicsWrong("; ".join(wrong or unknown))
        await asyncio.sleep(0.1)


async def _create(admin: AIOKafkaAdminClient, topics: dict[str, Topic], copies: int) -> None:
    new = [NewTopic(name, topic.partitions, copies, topic_configs=topic.configs()) for name, topic in topics.items()]
    response = await admin.create_topics(new)
    for name, code, *message in response.topic_errors:
        # Another worker may create the same topics at the same moment.
        if code not in (0, TopicAlreadyExistsError.errno):
            detail = message[0] if message and message[0] else for_code(code).__name__
            raise TopicsWrong(f"{name} could not be created: {detail}")
