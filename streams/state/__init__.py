"""State in Redis, a cache of the changelog in Kafka: guarded batches, fences, restoring. See docs/engine.md."""
