"""A cluster is made to match the topic catalogue, and never altered."""

import pytest
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from schemas.topics import catalogue
from streams.dev_stack import Endpoints
from streams.settings import Settings, from_environment
from streams.topics import TopicsWrong, ensure_topics


@pytest.fixture
def settings(stack: Endpoints, prefix: str) -> Settings:
    """Give settings under a prefix of this test's own."""
    return from_environment(
        {
            "BOUNCELINE_KAFKA": stack.kafka,
            "BOUNCELINE_TOPIC_PREFIX": prefix,
            "BOUNCELINE_CONTACT_SECRET": "a secret",
        }
    )


async def test_missing_topics_are_made_once(settings: Settings) -> None:
    assert sorted(await ensure_topics(settings)) == sorted(settings.topic(name) for name in catalogue())
    assert await ensure_topics(settings) == []


async def test_topics_are_made_as_the_catalogue_says(settings: Settings, stack: Endpoints) -> None:
    await ensure_topics(settings)
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    for topic in catalogue().values():
        [response] = await admin.describe_configs(
            [ConfigResource(ConfigResourceType.TOPIC, settings.topic(topic.name))]
        )
        [(_, _, _, _, entries)] = response.resources
        found = {entry[0]: entry[1] for entry in entries}
        assert {name: found[name] for name in topic.configs()} == topic.configs(), topic.name
    await admin.close()


async def test_a_topic_with_another_number_of_partitions_is_named_and_left_alone(
    settings: Settings, stack: Endpoints
) -> None:
    name = settings.topic("delivery-events")
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.kafka)
    await admin.start()
    await admin.create_topics([NewTopic(name, 3, 1)])
    with pytest.raises(TopicsWrong, match=f"^{name} has 3 partitions, not 8$"):
        await ensure_topics(settings)
    [found] = await admin.describe_topics([name])
    assert len(found["partitions"]) == 3
    await admin.close()
