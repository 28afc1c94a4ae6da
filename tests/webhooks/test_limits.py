"""Token buckets: so many a second in the long run, a burst after a pause, each name for itself."""

from hypothesis import given
from hypothesis import strategies as st

from streams.web.webhooks import limits
from streams.web.webhooks.limits import Buckets, Rate


def test_after_the_burst_the_rate_holds_and_others_are_not_affected():
    buckets = Buckets(Rate(each_second=10, burst=20))
    assert [buckets.wait("acme", 100.0) for _ in range(20)] == [0.0] * 20
    assert buckets.wait("acme", 100.0) == 0.1
    assert buckets.wait("globex", 100.0) == 0.0
    assert buckets.wait("acme", 100.11) == 0.0
    assert buckets.wait("acme", 100.11) > 0


def test_a_pause_fills_a_bucket_up_and_no_more():
    buckets = Buckets(Rate(each_second=10, burst=3))
    taken = [buckets.wait("acme", at) == 0 for at in (0.0, 0.0, 0.0, 0.0, 1_000.0, 1_000.0, 1_000.0, 1_000.0)]
    assert taken == [True, True, True, False] * 2


@given(st.lists(st.floats(0, 100), min_size=1, max_size=200).map(sorted))
def test_never_more_than_burst_and_rate_permit(moments):
    buckets = Buckets(Rate(each_second=2, burst=5))
    taken = [at for at in moments if buckets.wait("acme", at) == 0]
    for begin in range(len(taken)):
        for end in range(begin, len(taken)):
            assert end - begin + 1 <= 5 + 2 * (taken[end] - taken[begin]) + 1e-6


def test_a_clock_that_goes_back_gives_nothing_away():
    buckets = Buckets(Rate(each_second=1, burst=1))
    assert [buckets.wait("acme", at) == 0 for at in (10.0, 5.0, 10.0, 11.0)] == [True, False, False, True]


def test_the_name_not_asked_for_longest_is_forgotten(monkeypatch):
    monkeypatch.setattr(limits, "MOST", 2)
    buckets = Buckets(Rate(each_second=0.001, burst=1))
    for name in ("a", "b", "a", "c"):
        buckets.wait(name, 0.0)
    assert buckets.wait("a", 0.0) > 0
    assert buckets.wait("b", 0.0) == 0
