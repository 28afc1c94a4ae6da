"""What is said: the records on the wire, the topic catalogue and the codec. Pure: no Kafka, no Redis, no clock."""
