"""A record that is past its retention is told to be gone; those after it are read as before."""

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete
from aiokafka.structs import TopicPartition

from streams.dev_stack import Endpoints
from streams.records import fetch
from streams.settings import from_environment
from streams.topics import ensure_topics
from tests.support.apache import ApacheKafka
from tests.support.topics_io import topics_of


async def test_what_retention_has_deleted_is_gone_and_what_comes_after_it_is_read(prefix: str) -> None:
    async with ApacheKafka() as kafka:
        environ = {"BOUNCELINE_KAFKA": kafka.address, "BOUNCELINE_TOPIC_PREFIX": prefix}
        settings = from_environment(environ, default_secret=b"unused")
        await ensure_topics(settings)
        async with topics_of(Endpoints(kafka.address, "redis://unused"), prefix) as topics:
            places = await topics.publish([b"1", b"2", b"3"], [None] * 3, partition=2, topic="delivery-events")
        topic = settings.topic("delivery-events")
        admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
        await admin.start()
        await admin.delete_records({TopicPartition(topic, 2): RecordsToDelete(before_offset=places[2][1])})
        await admin.close()
        found = await fetch(settings, [(topic, *place) for place in places])
        assert [record and record.value for record in found.values()] == [None, None, b"3"]
