"""What is decided: pure decisions and thin agents around them. No Kafka, no Redis, no clock, no files."""
