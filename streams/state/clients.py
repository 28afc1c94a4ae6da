"""Clients of Redis for a URL as `streams.redis_url` has them; connections are opened at the first command."""

from typing import Any

import redis.asyncio as aio
import redis.asyncio.cluster
import redis.asyncio.sentinel
import redis.cluster
import redis.sentinel
from redis import Redis, RedisCluster

from streams.redis_url import Place, place_of, scheme_of


def async_client(url: str) -> Any:
    """Make an asynchronous client. Raises ValueError as `streams.redis_url.check_url` does."""
    scheme = scheme_of(url)
    if "sentinel" in scheme:
        return _master(aio.sentinel.Sentinel, place_of(url))
    if "cluster" in scheme:
        place = place_of(url)
        nodes = [aio.cluster.ClusterNode(*host) for host in place.hosts]
        return aio.RedisCluster(startup_nodes=nodes, **place.options)
    return aio.Redis.from_url(url)


def client(url: str) -> Any:
    """Make a blocking client; that of a cluster asks for its nodes at once. Raises ValueError as above."""
    scheme = scheme_of(url)
    if "sentinel" in scheme:
        return _master(redis.sentinel.Sentinel, place_of(url))
    if "cluster" in scheme:
        place = place_of(url)
        node: Any = redis.cluster.ClusterNode
        return RedisCluster(startup_nodes=[node(*host) for host in place.hosts], **place.options)
    return Redis.from_url(url)


def _master(sentinel: Any, place: Place) -> Any:
    """Give a client of the master that Sentinels name, whichever that is at the moment."""
    service, *database = place.path
    return sentinel(place.hosts).master_for(service, db=int(database[0]) if database else 0, **place.options)
