"""Making a cluster match the topic catalogue: creates what is missing, says what differs, changes nothing."""

from collections.abc import Sequence
from typing import Final

from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import TopicAlreadyExistsError, for_code

from schemas.topics import Topic, catalogue
from streams.settings import Settings


class TopicsWrong(Exception):
    """Topics on the broker do not fit the catalogue; the message says which and how."""


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
        found = {t["topic"]: len(t["partitions"]) for t in await admin.describe_topics(sorted(topics))}
        wrong = [
            f"{name} has {found.get(name, 0)} partitions, not {topic.partitions}"
            for name, topic in topics.items()
            if found.get(name) != topic.partitions
        ]
        if wrong:
            raise TopicsWrong("; ".join(wrong))
        return missing
    finally:
        await admin.close()


async def _create(admin: AIOKafkaAdminClient, topics: dict[str, Topic], copies: int) -> None:
    new = [NewTopic(name, topic.partitions, copies, topic_configs=topic.configs()) for name, topic in topics.items()]
    response = await admin.create_topics(new)
    for name, code, *message in response.topic_errors:
        # Another worker may create the same topics at the same moment.
        if code not in (0, TopicAlreadyExistsError.errno):
            detail = message[0] if message and message[0] else for_code(code).__name__
            raise TopicsWrong(f"{name} could not be created: {detail}")
