"""Reading list files: delimiters, quotes, lines and offsets, and what is refused as a whole."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejected import Rejected
from streams.errors import Failed
from streams.lists.files import check_text
from streams.lists.reading import MAX_LINE_BYTES, MAX_RECORD_LINES, layout_of, lines_of, records_of

HEADER = b"recipient,status,since,note\n"


def records(content: bytes, name: str = "list.csv") -> list:
    file = BytesIO(content)
    return list(records_of(file, layout_of(file, name, "auto")))


def refusal(content: bytes, form: str = "auto") -> str:
    with pytest.raises(Failed) as failed:
        layout_of(BytesIO(content), "list.csv", form)
    return str(failed.value)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_the_delimiter_is_that_of_the_header(delimiter):
    content = "recipient,status,since,note\na@example.com,User,1,x\n".replace(",", delimiter).encode()
    [record] = records(content)
    assert record.rows == [{"recipient": "a@example.com", "status": "User", "since": "1", "note": "x"}]


def test_a_byte_order_mark_and_windows_line_ends_are_no_content():
    content = b"\xef\xbb\xbf" + (HEADER + b"a@example.com,User,1,x\n").replace(b"\n", b"\r\n")
    [record] = records(content)
    assert record.rows == [{"recipient": "a@example.com", "status": "User", "since": "1", "note": "x"}]
    assert record.original == "a@example.com,User,1,x"


def test_a_quoted_line_end_belongs_to_its_row_and_line_numbers_go_on_behind_it():
    content = HEADER + b'a@example.com,User,1,"one\n\ntwo ""x"""\n\nb@example.com,User,2,y\n'
    first, second = records(content)
    assert (first.line, first.rows[0]["note"]) == (2, 'one\n\ntwo "x"')
    assert (second.line, second.rows[0]["note"]) == (6, "y")


def test_a_quote_that_is_never_closed_spoils_its_own_line_alone():
    content = HEADER + b'a@example.com,User,1,"oops\n' + b"b@example.com,User,2,y\n" * (MAX_RECORD_LINES + 50)
    first, *others = records(content)
    assert first.rows == Rejected("wrong-type", "a quote is opened and not closed")
    assert [one.line for one in others] == list(range(3, MAX_RECORD_LINES + 53))
    assert all(one.rows[0]["note"] == "y" for one in others)


def test_a_row_with_too_few_or_too_many_fields_is_rejected():
    few, many = records(HEADER + b"a@example.com,User\na@example.com,User,1,x,y\n")
    assert few.rows == Rejected("wrong-type", "2 fields where the header has 4")
    assert many.rows == Rejected("wrong-type", "5 fields where the header has 4")


def test_a_line_that_is_too_long_is_rejected_and_not_held():
    long = b"a@example.com,User,1," + b"x" * (3 * MAX_LINE_BYTES) + b"\n"
    first, second = records(HEADER + long + b"b@example.com,User,2,y\n")
    assert (first.line, first.rows.reason, first.original) == (2, "too-large", "")
    assert (second.line, second.rows[0]["recipient"]) == (3, "b@example.com")


def test_json_comes_a_row_or_a_page_of_an_api_a_line():
    content = (
        b'{"EmailAddress": "a@example.com", "Reason": "BOUNCE", "LastUpdateTime": 1}\n\n'
        b'{"SuppressedDestinationSummaries": [{"EmailAddress": "b@example.com"}, {"EmailAddress": "c@example.com"}]}\n'
        b"{broken\n"
        b'[{"EmailAddress": "d@example.com"}]\n'
        b"[7]\n"
    )
    one, page, broken, array, number = records(content)
    assert [len(record.rows) for record in (one, page, array)] == [1, 2, 1]
    assert page.rows[1] == {"emailaddress": "c@example.com"}
    assert (broken.line, broken.rows.reason, broken.original) == (4, "not-json", "{broken")
    assert number.rows.reason == "wrong-type"


def test_an_unknown_header_is_refused_with_what_is_known():
    told = refusal(b"name,city\nJane,Paris\n")
    assert told.startswith("line 1 of list.csv is not the header of a list that import knows: bounceline (recipient,")
    assert "mautic (email, reason, comments, date_added, channel?)" in told
    assert "no header" not in told


def test_a_list_without_a_header_is_refused_without_its_addresses():
    told = refusal(b"a@example.com,User\n")
    assert told.endswith("; it seems to have no header")
    assert "example.com" not in told


@pytest.mark.parametrize(
    ("content", "beginning"),
    [
        (b"\n \n", "list.csv is empty"),
        (b"[\n{}\n]\n", "line 1 of list.csv is no JSON value by itself"),
        (b'{"a": 1}\n', "line 1 of list.csv is not a row of a list that import knows"),
        (b'{"value": "a", "type": "address", "reason": "", "createdAt": "x"}\n', "list.csv is Mailgun's list of whom"),
    ],
)
def test_a_file_that_is_no_list_is_refused(content, beginning):
    assert refusal(content).startswith(beginning)


def test_a_format_that_is_asked_for_needs_its_columns():
    assert refusal(HEADER, "ses") == (
        "line 1 of list.csv is not the header of ses, which has the columns EmailAddress, Reason, LastUpdateTime"
    )


def test_text_that_is_not_utf_8_is_refused_with_its_line():
    with pytest.raises(Failed, match=r"line 3 of x is not UTF-8 but perhaps Latin-1"):
        check_text(BytesIO(HEADER + "a@example.com,User,1,é\n".encode() + b"b@example.com,User,1,\xe9\n"), "x")
    with pytest.raises(Failed, match="UTF-16"):
        check_text(BytesIO("recipient,é".encode("utf-16")), "x")


def test_a_letter_across_two_chunks_is_still_a_letter():
    check_text(BytesIO(b"x" * 1_048_575 + "é".encode()), "x")


@given(st.lists(st.text(alphabet='a",;\n\r', max_size=12).map(str.encode), max_size=8), st.data())
def test_reading_from_the_end_of_any_record_gives_the_rest(lines, data):
    content = HEADER + b"\n".join(lines)
    file = BytesIO(content)
    layout = layout_of(file, "x", "auto")
    everything = list(records_of(file, layout))
    if everything:
        at = data.draw(st.integers(0, len(everything) - 1))
        rest = list(records_of(file, layout, everything[at].last_line, everything[at].end))
        assert rest == everything[at + 1 :]


@given(st.binary(max_size=200).map(lambda raw: raw.decode(errors="replace").encode()))
def test_every_byte_belongs_to_a_line(content):
    assert [line.end for line in lines_of(BytesIO(content))][-1:] == ([len(content)] if content else [])
