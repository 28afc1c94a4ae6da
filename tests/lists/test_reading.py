"""Reading list files: delimiters, quotes, lines and offsets, and what is refused as a whole."""

import gzip
from io import BytesIO

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas.rejected import Rejected
from streams.errors import Failed
from streams.lists.delimited import MAX_RECORD_LINES
from streams.lists.files import check_text
from streams.lists.lines import MAX_LINE_BYTES, lines_of
from streams.lists.reading import layout_of, records_of, rejected_lines

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


def test_a_quote_within_a_field_is_a_letter():
    first, second, third = records(
        HEADER + b'a@example.com,User,1,5" screen\nb@example.com,User,2,y\nc@example.com,User,3,6" x\n'
    )
    assert [one.rows[0]["note"] for one in (first, second, third)] == ['5" screen', "y", '6" x']


def test_a_quote_that_closes_in_the_middle_of_a_later_row_spoils_its_own_line_alone():
    rows = b"".join(b"b%d@example.com,User,2,y\n" % n for n in range(50))
    first, *others = records(HEADER + b'a@example.com,User,1,"550 no\n' + rows + b'c@example.com,User,3,6" x\n')
    assert first.rows == Rejected("wrong-type", "a quote is opened and not closed")
    assert [one.line for one in others] == list(range(3, 54))
    assert others[-1].rows[0]["note"] == '6" x'


def test_a_quote_across_rows_that_closes_at_the_end_of_one_rejects_each_of_them():
    """Which quote is stray can't be told, and what a server wrote into a reply must not pass for a row."""
    first, second = records(
        HEADER
        + b'a@example.com,User,1,"550 no\n\nb@example.com,User,2,y\nc@example.com,User,3,6"\nd@example.com,User,4,z'
    )
    assert isinstance(first.rows, Rejected)
    assert first.parts == [
        (2, 'a@example.com,User,1,"550 no'),
        (4, "b@example.com,User,2,y"),
        (5, 'c@example.com,User,3,6"'),
    ]
    assert [orjson.loads(one)["line"] for one in rejected_lines(first, first.rows)] == [2, 4, 5]
    assert second.rows[0]["note"] == "z"


def test_a_record_of_several_lines_is_csv_to_the_letter_or_none():
    first, second, third = records(HEADER + b'a@example.com,"User"s,1,"x\ny"\n' + b'b@example.com,User,1,"x\ny"\n')
    assert first.rows == Rejected("wrong-type", "a quote is opened and not closed")
    assert second.rows == Rejected("wrong-type", "1 fields where the header has 4")
    assert third.rows[0]["note"] == "x\ny"


def test_words_behind_a_closing_quote_belong_to_the_field_where_the_line_stands_alone():
    [record] = records(HEADER + b'a@example.com,User,1,"full" says the server\n')
    assert record.rows[0]["note"] == "full says the server"


def test_a_line_with_tabs_is_a_row_and_a_quote_in_it_a_letter():
    rows = b"".join(b"a%d@example.com\tUser\t1\tok\n" % n for n in range(150))
    tabs = HEADER.replace(b",", b"\t") + b'x@example.com\tUser\t1\t"550 no\n' + rows + b'y@example.com\tUser\t1\t6" x'
    first, *others = records(tabs)
    assert first.rows[0]["note"] == '"550 no'
    assert len(others) == 151
    assert others[-1].rows[0]["note"] == '6" x'


def test_tabs_come_with_the_escapes_of_databases():
    tabs = HEADER.replace(b",", b"\t")
    [record] = records(tabs + rb"a@example.com" b"\tNULL\t\\N\t" rb"a\tb\nc\\n\d" b"\r\n")
    assert record.rows == [{"recipient": "a@example.com", "status": "", "since": "", "note": "a\tb\nc\\n\\d"}]


def test_null_is_a_word_in_csv():
    [record] = records(HEADER + b"a@example.com,User,1,NULL\n")
    assert record.rows[0]["note"] == "NULL"


def test_a_file_with_tabs_that_takes_quotes_is_refused():
    assert refusal(HEADER.replace(b",", b"\t").replace(b"note", b'"note"')).startswith("list.csv has tabs and quotes;")


@pytest.mark.parametrize("said", [b"sep=;\r\n", b"\xef\xbb\xbfsep=;\n", b'"sep=;"\n', b"SEP=;\n"])
def test_excels_word_about_the_delimiter_is_obeyed_and_no_header(said):
    [record] = records(said + HEADER.replace(b",", b";") + b"a@example.com;User;1;x, y\n")
    assert (record.line, record.rows[0]["note"]) == (3, "x, y")
    assert refusal(said + HEADER).startswith("line 2 of list.csv is not the header")


def test_a_carriage_return_by_itself_is_told():
    [record] = records(HEADER + b"a@example.com,User,1,x\rb@example.com,User,2,y\n")
    assert record.rows == Rejected("wrong-type", "a carriage return stands alone; a line ends with LF or CR LF")


def test_a_quote_across_rows_that_carriage_returns_part_rejects_them():
    [record] = records(HEADER + b'a@example.com,User,1,"x\rb@example.com,User,2,y"\n')
    assert isinstance(record.rows, Rejected)
    [record] = records(HEADER + b'a@example.com,User,1,"x\ry"\r\n')
    assert record.rows[0]["note"] == "x\ry"


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


def test_an_unknown_header_is_refused_with_the_names_of_what_is_known():
    told = refusal(b"name,city\nJane,Paris\n")
    assert told.startswith("line 1 of list.csv is not the header of a list that import knows (bounceline, mautic,")
    assert told.endswith("); docs/importing.md has their columns")
    assert len(told) < 350


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


LIST = HEADER.decode() + "a@example.com,User,1,é\n"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (LIST.encode("utf-16"), "x.csv is UTF-16, as Excel's Unicode text is: save it as CSV UTF-8, or"),
        (LIST.encode("utf-16-le"), "line 1 of x.csv holds NUL bytes and is perhaps UTF-16: convert it first: iconv"),
        (LIST.replace("note", "Prénom").encode("latin-1"), "line 1 of x.csv is not UTF-8 but perhaps Latin-1 or"),
        (gzip.compress(LIST.encode()), "x.csv is packed with gzip: unpack it first: gunzip"),
        (b"PK\x03\x04 and more", "x.csv is a ZIP archive or a workbook of Excel: unpack it, or save it as CSV UTF-8"),
        (b"\xd0\xcf\x11\xe0 and more", "x.csv is a workbook of Excel: save it as CSV UTF-8"),
        (LIST.replace("\n", "\r").encode(), "the lines of x.csv end with CR alone, as those of old Macs: convert it"),
    ],
)
def test_a_file_that_is_no_text_is_refused_with_what_to_do(content, sentence):
    with pytest.raises(Failed) as failed:
        layout_of(BytesIO(content), "x.csv", "auto")
    assert str(failed.value).startswith(sentence)


def test_a_nul_byte_further_on_is_refused_with_its_line():
    with pytest.raises(Failed, match="line 3 of x holds NUL bytes"):
        check_text(BytesIO(HEADER + b"a@example.com,User,1,x\nb@example.com,User,2,\0\n"), "x")


def test_text_that_is_not_utf_8_is_refused_with_its_line():
    with pytest.raises(Failed, match=r"line 3 of x is not UTF-8 but perhaps Latin-1"):
        check_text(BytesIO(HEADER + "a@example.com,User,1,é\n".encode() + b"b@example.com,User,1,\xe9\n"), "x")
    with pytest.raises(Failed, match="UTF-16"):
        check_text(BytesIO("recipient,é".encode("utf-16")), "x")


def test_a_letter_across_two_chunks_is_still_a_letter():
    check_text(BytesIO(b"x" * 1_048_575 + "é".encode()), "x")


@given(st.lists(st.text(alphabet='a@",;\n\r', max_size=12).map(str.encode), max_size=8), st.data())
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
