"""Times come in as producers write them, and leave in one form."""

import math

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from schemas.rejected import Rejected
from schemas.times import DAY, HOUR, MINUTE, SECOND, format_time, parse_duration, parse_time

LAST = 253_402_300_799_999  # 9999-12-31T23:59:59.999Z

JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda within: st.lists(within, max_size=3) | st.dictionaries(st.text(), within, max_size=3),
    max_leaves=5,
)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-20T10:15:30Z", 1_795_169_730_000),
        ("2026-11-20T10:15:30.123Z", 1_795_169_730_123),
        ("2026-11-20t10:15:30.123z", 1_795_169_730_123),
        ("2026-11-20 10:15:30.123Z", 1_795_169_730_123),
        ("2026-11-20 10:15:30.123 +00:00", 1_795_169_730_123),
        ("  2026-11-20T10:15:30.123Z\n", 1_795_169_730_123),
        ("2026-11-20T10:15:30.1Z", 1_795_169_730_100),
        ("2026-11-20T10:15:30.1239999Z", 1_795_169_730_123),
        ("2026-11-20T10:15:30.123999999Z", 1_795_169_730_123),
        ("2026-11-20T12:15:30.123+02:00", 1_795_169_730_123),
        ("2026-11-20T12:15:30.123+0200", 1_795_169_730_123),
        ("2026-11-20T04:45:30.123-05:30", 1_795_169_730_123),
        ("2026-11-20T10:15:30.123-00:00", 1_795_169_730_123),
        ("2026-11-21T10:14:30.123+23:59", 1_795_169_730_123),
        ("2024-02-29T00:00:00Z", 1_709_164_800_000),
        ("9999-12-31T23:59:59.999Z", LAST),
    ],
)
def test_rfc_3339_is_read_with_any_offset_and_up_to_nine_digits(text, at):
    assert at == parse_time(text)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ("2017-01-01T00:59:60.250+01:00", 1_483_228_800_250),
    ],
)
def test_a_leap_second_is_the_first_second_of_the_next_day(text, at):
    assert at == parse_time(text)


@pytest.mark.parametrize(
    ("value", "at"),
    [
        (0, 0),
        (1_760_000_000, 1_760_000_000_000),
        (1_760_000_000.0, 1_760_000_000_000),
        ("1760000000", 1_760_000_000_000),
        (" 1760000000 ", 1_760_000_000_000),
        (1_760_002_000.29, 1_760_002_000_290),
        ("1760002000.29", 1_760_002_000_290),
        (1_521_233_195.375624, 1_521_233_195_375),
        ("1521233195.375624", 1_521_233_195_375),
        (1_760_000_000_123, 1_760_000_000_123),
        ("1760000000123", 1_760_000_000_123),
        (1_760_000_000_123.9, 1_760_000_000_123),
        # The edge: below 1e11 it is seconds, from it on milliseconds.
        (99_999_999_999, 99_999_999_999_000),
        (100_000_000_000, 100_000_000_000),
        (1e11, 100_000_000_000),
        ("99999999999.5", 99_999_999_999_500),
        (LAST, LAST),
        (str(LAST), LAST),
    ],
)
def test_an_epoch_is_seconds_below_1e11_and_milliseconds_from_there_on(value, at):
    assert at == parse_time(value)


@pytest.mark.parametrize(
    "value",
    [
        # Not a time of day, or not a day.
        "2026-11-20T24:00:00Z",
        "2026-11-20T10:60:00Z",
        "2026-11-20T10:15:61Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "0000-01-01T00:00:00Z",
        # A leap second where none can be.
        "2026-11-20T10:15:60Z",
        "2016-12-31T23:59:60+01:00",
        # Offsets that no clock has.
        "2026-11-20T10:15:30+24:00",
        "2026-11-20T10:15:30+00:60",
        "2026-11-20T10:15:30+0:30",
        # No offset: nobody knows when that was.
        "2026-11-20T10:15:30",
        "2026-11-20",
        "2026-11-20T10:15:30.Z",
        "2026-11-20T10:15:30.1234567891Z",
        "Thu, 20 Nov 2026 10:15:30 GMT",
        "２026-11-20T10:15:30Z",
        "2026-11-20T10:15:30Z 2026-11-20T10:15:30Z",
        # Outside the years 1970 to 9999.
        "1969-12-31T23:59:59.999Z",
        "1970-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        -1,
        -0.5,
        "-1",
        LAST + 1,
        10**400,
        1e300,
        "9" * 400,
        math.nan,
        math.inf,
        -math.inf,
        # Not a number at all.
        "",
        " ",
        "1e9",
        "0x10",
        "1_760_000_000",
        "١٧٦٠٠٠٠٠٠٠",
        "1760000000.",
        "nan",
        True,
        False,
        None,
        [],
        {},
        b"1760000000",
    ],
)
def test_what_is_no_time_is_rejected(value):
    refused = parse_time(value)
    assert isinstance(refused, Rejected)
    assert refused.reason == "bad-time"


@settings(max_examples=500, deadline=None)
@given(JSON_VALUES | st.text("0123456789-:.TZ+ ", max_size=30))
@example("9999-12-31T23:59:60Z")
def test_any_value_is_a_time_between_1970_and_9999_or_is_rejected(value):
    found = parse_time(value)
    assert isinstance(found, Rejected) or 0 <= found <= LAST


@settings(max_examples=500, deadline=None)
@given(st.integers(0, LAST))
def test_a_time_written_is_read_back_the_same(at):
    assert at == parse_time(format_time(at))


@settings(max_examples=300, deadline=None)
@given(st.integers(10**8, 10**11 - 1), st.integers(0, 999))
def test_seconds_as_number_as_text_and_as_rfc_3339_are_the_same_time(seconds, ms):
    at = seconds * 1000 + ms
    assert at == parse_time(f"{seconds}.{ms:03}") == parse_time(float(f"{seconds}.{ms:03}"))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.integers(0, LAST), min_size=2, max_size=5))
def test_times_as_written_sort_as_text_in_order_of_time(times):
    assert [format_time(at) for at in sorted(times)] == sorted(map(format_time, times))


def test_a_time_is_always_written_with_milliseconds():
    assert format_time(0) == "1970-01-01T00:00:00.000Z"
    assert format_time(1_795_169_730_120) == "2026-11-20T10:15:30.120Z"


def test_what_lies_after_the_year_9999_is_written_as_its_last_millisecond():
    assert format_time(LAST) == format_time(LAST + 30 * DAY) == "9999-12-31T23:59:59.999Z"


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("365d", 365 * DAY),
        ("1h", HOUR),
        ("30m", 30 * MINUTE),
        ("10s", 10 * SECOND),
        ("500ms", 500),
        ("0s", 0),
        ("007d", 7 * DAY),
    ],
)
def test_a_duration_is_a_number_and_a_unit(text, length):
    assert length == parse_duration(text)


@pytest.mark.parametrize("text", ["", "1", "h", "1w", "1 h", " 1h", "1h ", "-1h", "1.5h", "1h30m", "1H", "1h\n", "９h"])
def test_anything_else_is_no_duration(text):
    with pytest.raises(ValueError, match="is not a duration such as 365d, 1h, 30m or 10s"):
        parse_duration(text)
