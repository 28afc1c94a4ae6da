"""Where Redis is, as a URL of one host or of several."""

import pytest

from streams.redis_url import check_url, place_of, scheme_of


def test_sentinels_are_given_with_the_service_they_watch():
    place = place_of("redis-sentinel://a:26380,b/main/2")
    assert (place.hosts, place.path, place.options) == ([("a", 26380), ("b", 26379)], ["main", "2"], {})


def test_a_cluster_is_given_by_some_of_its_nodes():
    place = place_of("rediss-cluster://name:p%40ss@a:7000,b")
    assert place.hosts == [("a", 7000), ("b", 6379)]
    assert place.options == {"ssl": True, "username": "name", "password": "p@ss"}


def test_a_password_may_stand_alone_and_hosts_may_be_ipv6():
    place = place_of("redis-cluster://:secret@[::1]:7000,[::2]")
    assert place.hosts == [("::1", 7000), ("::2", 6379)]
    assert place.options == {"username": None, "password": "secret"}


@pytest.mark.parametrize(
    "url",
    [
        "redis-sentinel://:secret@a:26379",
        "redis-sentinel://:secret@a/main/first",
        "redis-cluster://:secret@",
        "redis-cluster://:secret@a:port",
        "redis-cluster://:secret@a,,b",
        "http://:secret@a",
        "redis:secret@a",
    ],
)
def test_a_url_that_says_too_little_is_refused_without_showing_it(url):
    with pytest.raises(ValueError, match=r"\w") as refused:
        check_url(url)
    assert "secret" not in str(refused.value)


def test_the_schemes_are_told_apart():
    assert scheme_of("redis-sentinel://a/main") == "redis-sentinel"
    assert scheme_of("redis://a") == "redis"
