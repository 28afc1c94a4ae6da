"""What the brake's numbers come to where contacts are spread over eight partitions, and over hours. Simulated."""

from math import factorial
from random import Random

import pytest

from schemas.times import MINUTE
from tests.suppress.test_brake import NOW, Driver

PARTITIONS = 8
FLOORS = [5, 20, 100]


def policy(floor: int) -> str:
    return f"[brake]\nenabled = true\nfloor = {floor}"


def most_of_one(floor: int) -> int:
    """Give how many blocks a partition lets through in a minute."""
    driver = Driver(policy(floor), PARTITIONS)
    return 10 * floor - driver.wave(10 * floor)


def spread(random: Random, size: int) -> list[int]:
    """Give how many of so many contacts each partition has."""
    own = [0] * PARTITIONS
    for _ in range(size):
        own[random.randrange(PARTITIONS)] += 1
    return own


def chance_that_any_is_held(size: int, most: int) -> float:
    """Give, exactly, how likely it is that any partition sees more than `most` of `size`, spread by chance.

    The ways in which none does are the coefficient of x^size in (1 + x + x²/2! + … + x^most/most!)^8, times size!.
    """
    one = [1 / factorial(number) for number in range(min(most, size) + 1)]
    ways = [1.0]
    for _ in range(PARTITIONS):
        ways = [
            sum(ways[number - own] * one[own] for own in range(len(one)) if 0 <= number - own < len(ways))
            for number in range(size + 1)
        ]
    return 1 - ways[size] * factorial(size) / PARTITIONS**size


@pytest.mark.parametrize(("floor", "most"), [(1, 1), (2, 2), (5, 3), (20, 8), (100, 25), (1_000, 166)])
def test_a_partition_lets_its_share_of_the_floor_through_and_what_chance_adds(floor, most):
    assert most_of_one(floor) == most


@pytest.mark.parametrize("floor", FLOORS)
def test_a_minute_with_just_the_floor_is_held_in_fewer_than_two_of_a_hundred_cases(floor):
    assert 0 < chance_that_any_is_held(floor, most_of_one(floor)) < 0.02


def test_the_exact_chance_is_what_the_brake_does():
    random, held, floor = Random(1), 0, 5
    brakes = [Driver(policy(floor), PARTITIONS) for _ in range(PARTITIONS)]
    for number in range(2_000):
        own = spread(random, floor)
        parts = [brake.wave(size, domain=f"d{number}.example") for brake, size in zip(brakes, own, strict=True) if size]
        held += any(parts)
    assert held / 2_000 == pytest.approx(chance_that_any_is_held(floor, most_of_one(floor)), abs=0.01)


@pytest.mark.parametrize(("floor", "at_most"), [(5, 24), (20, 64), (100, 200)])
def test_of_ten_times_the_floor_a_few_floors_come_through_at_most_and_the_rest_is_held(floor, at_most):
    random = Random(floor)
    for _ in range(20):
        size = 10 * floor
        own = spread(random, size)
        held = sum(Driver(policy(floor), PARTITIONS).wave(one) for one in own)
        assert 0 < size - held <= at_most


def minutes_until_let_through(size: int, usual: int = 0) -> int:
    """Give after how many minutes a wave of so many blocks a minute is let through whole, in one partition of eight."""
    driver = Driver(policy(100), PARTITIONS)
    for minute in range(-300 if usual else 0, 0):
        assert driver.wave(usual, NOW + minute * MINUTE) == 0
    return next(minute for minute in range(1_000) if not driver.wave(size, NOW + minute * MINUTE))


def test_a_wave_of_ten_times_the_floor_has_become_usual_after_about_two_hours():
    assert 90 < minutes_until_let_through(125) < 130


def test_a_wave_that_is_not_far_beyond_the_usual_has_become_so_within_an_hour():
    assert minutes_until_let_through(30) < 60
    assert 20 < minutes_until_let_through(125, usual=5) < 60


def test_what_is_usual_is_what_came_within_the_last_hour_or_so_and_is_forgotten_within_hours():
    driver = Driver(policy(100), PARTITIONS)
    for minute in range(60):
        driver.wave(10, NOW + minute * MINUTE)
    driver.wave(1, NOW + 60 * MINUTE)
    assert driver.brake.usual["example.com"][1] == pytest.approx(10 * (1 - 1 / 2.72), rel=0.02)
    driver.wave(1, NOW + 360 * MINUTE)
    assert "example.com" not in driver.brake.usual
