"""Replaying the conformance histories gives the standing decisions that another implementation gives."""

import orjson
import pytest

from schemas.policy import parse_policy
from streams.replay import replay
from tests.support.conformance import NAMES, expected, lines, standing


@pytest.mark.parametrize("name", NAMES)
async def test_a_replayed_history_ends_in_the_expected_decisions(name: str) -> None:
    said: list[bytes] = []
    rejected: list[bytes] = []
    await replay(lines(name), parse_policy(""), said.append, rejected.append)
    assert expected(name) == standing(orjson.loads(record) for record in said)
    assert rejected == []


@pytest.mark.parametrize("name", NAMES)
async def test_replaying_a_history_twice_over_says_nothing_new(name: str) -> None:
    once: list[bytes] = []
    twice: list[bytes] = []
    history = lines(name)
    # Every report directly after itself: within any lateness, and all repeats.
    doubled = [line for line in history for _ in range(2)]
    await replay(history, parse_policy(""), once.append, once.append)
    await replay(doubled, parse_policy(""), twice.append, twice.append)
    assert once == twice
