"""Forms become objects of text fields, and nothing that comes as one does any harm."""

import time
from urllib.parse import urlencode

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.web.webhooks.forms import MOST_FIELDS, read_form

URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=xYz"


def part(name: str, content: str, more: str = "", head: str = "") -> str:
    return f'--xYz\r\nContent-Disposition: form-data; name="{name}"{more}\r\n{head}\r\n{content}\r\n'


def multipart(*parts: str) -> bytes:
    return ("".join(parts) + "--xYz--\r\n").encode()


@given(st.dictionaries(st.text(min_size=1), st.text(), min_size=1, max_size=20))
def test_an_urlencoded_form_gives_the_fields_that_were_put_in(fields):
    assert read_form(URLENCODED, urlencode(fields).encode()) == fields


def test_a_multipart_form_gives_its_text_fields_and_leaves_files_out():
    body = multipart(
        part("event", "bounced"),
        part("error", "línea one\r\nline two", head="Content-Type: text/plain; charset=utf-8\r\n"),
        part("empty", ""),
        part("attachment-1", "Return-Path: <>", more='; filename="message.mime"'),
        part("code", "550"),
    )
    assert read_form(MULTIPART, body) == {
        "event": "bounced",
        "error": "línea one\r\nline two",
        "empty": "",
        "code": "550",
    }


def test_a_field_that_claims_to_be_encoded_is_taken_as_it_is():
    body = multipart(part("error", "aGVsbG8=", head="Content-Transfer-Encoding: base64\r\n"))
    assert read_form(MULTIPART, body) == {"error": "aGVsbG8="}


def test_of_a_field_that_stands_twice_the_last_one_counts():
    assert read_form(URLENCODED, b"a=1&a=2") == {"a": "2"}
    assert read_form(MULTIPART, multipart(part("a", "1"), part("a", "2"))) == {"a": "2"}


def test_a_form_of_too_many_fields_is_none():
    names = [f"f{number}" for number in range(MOST_FIELDS + 1)]
    assert read_form(URLENCODED, urlencode(dict.fromkeys(names, "")).encode()) is None
    assert read_form(MULTIPART, multipart(*[part(name, "") for name in names])) is None


def test_what_is_no_form_is_none():
    assert read_form("application/json", b"a=1") is None
    assert read_form("", b"a=1") is None
    assert read_form(URLENCODED, b"\xff=1") is None
    assert read_form("multipart/form-data", multipart(part("a", "1"))) is None
    assert read_form(f"{MULTIPART}\r\nX-More: 1", multipart(part("a", "1"))) is None
    assert read_form(MULTIPART, multipart(part("a", "1")).removesuffix(b"--xYz--\r\n")) is None
    assert read_form(MULTIPART, multipart(part("a", "1", head=f"X-Long: {'x' * 5_000}\r\n"))) is None


@pytest.mark.parametrize("boundary", ["=xYz", '="xYz"', '="xYz"; charset=utf-8'])
def test_a_boundary_may_be_quoted_and_lines_may_end_as_on_unix(boundary):
    body = multipart(part("a", "1"), part("b", "--xYzz\r\n"))
    assert read_form(f"Multipart/Form-Data; Boundary{boundary}", body) == {"a": "1", "b": "--xYzz\r\n"}
    assert read_form(f"multipart/form-data;boundary{boundary}", body.replace(b"\r\n", b"\n")) == {
        "a": "1",
        "b": "--xYzz\n",
    }


def test_a_file_whose_name_can_not_be_decoded_is_left_out_as_any_other():
    body = multipart(part("event", "bounced"), part("attachment-1", "x", more="; filename*=idna''%ff"))
    assert read_form(MULTIPART, body) == {"event": "bounced"}


def test_a_quoted_name_is_taken_whole():
    body = multipart(part('a\\"; filename=\\"b', "1"), part("c", "2", more="; name*0=d; name*=e"))
    assert read_form(MULTIPART, body) == {'a"; filename="b': "1", "c": "2"}


@pytest.mark.parametrize("name", ["name*=x; name*0=y", "name*=idna''%ff", "name*=utf-8''a", "name*0=a; name*1=b", ""])
def test_a_part_without_a_plain_name_is_no_field(name):
    odd = f"--xYz\r\nContent-Disposition: form-data; {name}\r\n\r\nx\r\n"
    assert read_form(MULTIPART, multipart(odd, part("a", "1"))) == {"a": "1"}


def test_a_boundary_in_a_charset_of_its_own_is_none():
    assert read_form("multipart/form-data; boundary*=idna''%ff", multipart(part("a", "1"))) is None


# Each of these took the email package seconds to minutes, or its stack.
TIRING = [
    b"--xYz\r\n" + b"Content-Type: message/rfc822\r\n\r\n" * 33_000,
    b"--xYz\r\n"
    + b"".join(b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (n, n) for n in range(300))
    + b"\n" * 1_000_000,
    b"--xYz\r\n" * 110_000,
    b"\n--xY" * 200_000,
    b"--xYz\nContent-Disposition: form-data" + b';a="' * 260_000 + b"\n\n\n--xYz--",
    b"--xYz\nContent-Disposition: form-data;" + b' a="\\' * 900 + b"\n\n\n--xYz--",
]


@pytest.mark.parametrize("body", TIRING, ids=range(len(TIRING)))
def test_no_form_takes_long_to_read(body):
    before = time.process_time()
    read_form(MULTIPART, body)
    assert time.process_time() - before < 0.5


PIECES = [
    *(b"--xYz", b"--xYz--", b"--q", b"\r\n", b"\n", b"\r", b": ", b"\xff", b"\x00", b"a=%zz&b", b'"a"'),
    *(b"Content-Disposition: form-data; name=", b"; filename*=x", b"name*0=a; name*1=b", b"name*=utf-8''%ff"),
    *(b"; filename*=idna''%ff", b"; name*=x; name*0=y", b"Content-Disposition: form-data; name*=idna''%ff"),
    *(b"Content-Type: multipart/mixed; boundary=q", b"Content-Type: message/rfc822"),
    b"Content-Transfer-Encoding: x-uuencode",
]
ODD = [
    f"multipart/form-data; boundary{boundary}"
    for boundary in ('="a', "*=x''a", "*=idna''%ff", "=\udcff", "=\xff", "*0=x", '="a\\"b"')
]


@given(
    st.sampled_from([MULTIPART, URLENCODED, *ODD]),
    st.lists(st.sampled_from(PIECES) | st.binary(max_size=5), max_size=40).map(b"".join),
)
def test_any_bytes_give_fields_that_json_can_hold_or_none(content_type, body):
    fields = read_form(content_type, body)
    if fields is not None:
        assert all(isinstance(name, str) and isinstance(value, str) for name, value in fields.items())
        orjson.dumps(fields)
