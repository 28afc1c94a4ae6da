"""Slips of the hand between two words."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.gate.edit_distance import distance

WORDS = st.text("abc", max_size=6)


@pytest.mark.parametrize(
    ("one", "other", "slips"),
    [
        ("gmail", "gmail", 0),
        ("gmal", "gmail", 1),
        ("gmaill", "gmail", 1),
        ("gnail", "gmail", 1),
        ("gamil", "gmail", 1),
        ("hotmial", "hotmail", 1),
        ("hotmsaill", "hotmail", 2),
        ("co", "com", 1),
        ("", "com", 3),
        ("ca", "abc", 3),  # nothing is changed twice: the swap of c and a leaves no place for the b
    ],
)
def test_slips_are_letters_put_in_left_out_exchanged_or_swapped(one, other, slips):
    assert slips == distance(one, other)


@given(WORDS, WORDS)
def test_it_is_as_far_back_as_forth_and_only_a_word_is_no_slip_from_itself(one, other):
    assert distance(one, other) == distance(other, one)
    assert (distance(one, other) == 0) == (one == other)
    assert abs(len(one) - len(other)) <= distance(one, other) <= max(len(one), len(other))


@given(WORDS, st.data())
def test_one_slip_is_one_slip(word, data):
    place = data.draw(st.integers(0, len(word)))
    letter = data.draw(st.sampled_from("xyz"))
    assert distance(word, word[:place] + letter + word[place:]) == 1
    for place, (one, other) in enumerate(pairwise(word)):
        swapped = word[:place] + other + one + word[place + 2 :]
        assert distance(word, swapped) == (one != other)
