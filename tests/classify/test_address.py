"""The canonical recipient: one spelling per mailbox, total on any text."""

from time import perf_counter

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from agents.classify.address import canonical_recipient
from schemas.rejected import Rejected

SAME_MAILBOX = {
    "upper case": "Jane@Example.COM",
    "space around": " jane@example.com \t",
    "line end of a file": "jane@example.com\r\n",
    "byte order mark": "\ufeffjane@example.com",
    "display name": "Jane Doe <jane@example.com>",
    "display name with a comma": "Doe, Jane <jane@example.com>",
    "quoted display name with brackets": '"Doe, Jane <work>" <jane@example.com>',
    "display name with a comment": "Jane (at work) <jane@example.com>",
    "display name that is an address": "office@example.org <jane@example.com>",
    "display name of joined emoji": "👩\u200d💻 Jane <jane@example.com>",
    "display name with half a quotation": 'Jane "The <jane@example.com>',
    "angle brackets": "<jane@example.com>",
    "mailto": "mailto:jane@example.com",
    "mailto in capitals with a subject": "MAILTO:jane@example.com?subject=stop",
    "mailto in angle brackets": "<mailto:jane@example.com>",
    "mailto percent-encoded": "mailto:j%61ne@example.com",
    "comment behind": "jane@example.com (Jane Doe)",
    "comment before": "(Jane Doe) jane@example.com",
    "comment behind angle brackets": "Jane <jane@example.com> (work)",
    "trailing dot": "jane@example.com.",
    "needless quotes": '"jane"@example.com',
    "needless escape": '"j\\ane"@example.com',
    "full-width domain": "jane@ｅｘａｍｐｌｅ.com",
    "ideographic full stop": "jane@example。com",
}

CANONICAL = {
    "plus tags stay": ("Jane+News@gmail.com", "jane+news@gmail.com"),
    "dots stay": ("j.a.n.e@gmail.com", "j.a.n.e@gmail.com"),
    "dots in a row are live at Japanese carriers": ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
    "an apostrophe is a letter like others": ("O'Neil@example.com", "o'neil@example.com"),
    "needed quotes stay": ('"Jane Doe"@example.com', '"jane doe"@example.com'),
    "an at sign in quotes": ('"a@b"@example.com', '"a@b"@example.com'),
    "a quote in quotes": ('"a\\"b"@example.com', '"a\\"b"@example.com'),
    "a domain becomes its A-label": ("jane@BÜCHER.example", "jane@xn--bcher-kva.example"),
    "an A-label stays": ("jane@XN--bcher-kva.example", "jane@xn--bcher-kva.example"),
    "sharp s is not ss": ("jane@straße.example", "jane@xn--strae-oqa.example"),
    "ss is not sharp s": ("jane@strasse.example", "jane@strasse.example"),
    "a composed letter": ("J\u00c4NE@example.com", "j\u00e4ne@example.com"),
    "a letter and its mark": ("JA\u0308NE@example.com", "j\u00e4ne@example.com"),
    "the Kelvin sign is a k": ("\u212aate@example.com", "kate@example.com"),
    "an underscore in a domain": ("jane@my_host.example.com", "jane@my_host.example.com"),
    "64 octets": (f"{'a' * 64}@example.com", f"{'a' * 64}@example.com"),
    "64 octets of two each": (f"{'é' * 32}@example.com", f"{'é' * 32}@example.com"),
}

REFUSED = {
    "nothing": "",
    "space": "  ",
    "no at sign": "jane",
    "no local part": "@example.com",
    "empty quotes": '""@example.com',
    "no domain": "jane@",
    "NUL": "jane\0@example.com",
    "a header after a line end": "jane@example.com\r\nBcc: all@example.com",
    "a line end in percent signs": "mailto:jane%0d%0a@example.com",
    "a control character in the display name": "Ja\x07ne <jane@example.com>",
    "writing direction turned round": "jane\u202e@example.com",
    "what stands for undecodable bytes": "jan\ufffd@example.com",
    "half a surrogate pair": "jan\ud800@example.com",
    "two addresses": "jane@example.com, joe@example.com",
    "two addresses with names": "Jane <jane@example.com>, Joe <joe@example.com>",
    "two in angle brackets": "<jane@example.com> <joe@example.com>",
    "a group": "friends: jane@example.com;",
    "two at signs": "jane@work@example.com",
    "a space inside": "jane doe@example.com",
    "a space before the at sign": "jane @example.com",
    "65 octets": f"{'a' * 65}@example.com",
    "66 octets of two each": f"{'é' * 33}@example.com",
    "255 octets": f"janet@{'b.' * 123}com",
    "a label of 64": f"jane@{'b' * 64}.com",
    "a single label": "jane@localhost",
    "a top-level domain alone": "jane@com",
    "an address literal": "jane@[192.0.2.1]",
    "an IPv6 literal": "jane@[IPv6:2001:db8::1]",
    "an IP address": "jane@192.0.2.1",
    "two trailing dots": "jane@example.com..",
    "an empty label": "jane@example..com",
    "an empty label in another script": "jane@bücher..example",
    "a label that begins with a dash": "jane@-example.com",
    "a label that ends with a dash": "jane@example-.com",
    "a domain that IDNA does not allow": "jane@\u2615.example",
    "brackets around brackets": "<" * 20 + "jane@example.com" + ">" * 20,
    "mailto many times over": "mailto:" * 50 + "jane@example.com",
}


@pytest.mark.parametrize("text", SAME_MAILBOX.values(), ids=SAME_MAILBOX.keys())
def test_one_mailbox_has_one_spelling(text):
    assert canonical_recipient(text) == "jane@example.com"


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.values(), ids=CANONICAL.keys())
def test_the_canonical_form_is(text, canonical):
    assert canonical_recipient(text) == canonical


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_no_address_is_recovered_from(text):
    refused = canonical_recipient(text)
    assert isinstance(refused, Rejected)
    assert refused.reason == "bad-recipient"


def test_254_octets_are_accepted():
    longest = f"{'a' * 64}@{'b.' * 93}com"
    assert len(longest) == 254
    assert canonical_recipient(longest) == longest


@pytest.mark.parametrize("text", ["jane.secret@", "secret\0@example.com", "secret@localhost", "s" * 5000])
def test_a_refusal_does_not_tell_the_address(text):
    refused = canonical_recipient(text)
    assert isinstance(refused, Rejected)
    assert "secret" not in refused.detail


SPECIAL = '@ . < > " \\ ( ) mailto: %40 % ? , ; : xn-- - _ + ß İ Σ ς ﬁ ü 。 ＠ 日本'
PIECES = st.sampled_from([*SPECIAL.split(), "jane", "example", "com", " ", "\t", "\u0345", "\u0308", "\u200d"])
ADDRESS_LIKE = st.lists(PIECES, max_size=12).map("".join)
ANY_TEXT = st.one_of(
    st.text(max_size=60),
    ADDRESS_LIKE,
    st.builds("{}@{}.example".format, st.text(min_size=1, max_size=20), st.text(min_size=1, max_size=20)),
    st.builds("{}@example.com".format, st.text(min_size=1, max_size=20)),
    st.text(alphabet=st.characters(), max_size=20),  # surrogates too
)


@settings(max_examples=1000)
@given(ANY_TEXT)
@example('"İ"@example.com')
@example("ΑΣ@example.com")
def test_the_canonical_form_of_a_canonical_form_is_itself(text):
    once = canonical_recipient(text)
    if isinstance(once, str):
        assert canonical_recipient(once) == once


@settings(max_examples=1000)
@given(ANY_TEXT)
def test_any_text_gives_a_clean_address_or_a_refusal(text):
    found = canonical_recipient(text)
    if isinstance(found, Rejected):
        return
    local, _, domain = found.rpartition("@")
    assert local
    assert domain.isascii()
    assert domain == domain.lower()
    assert "." in domain
    assert found.isprintable()
    assert len(found.encode()) <= 254
    if text.isascii() and "%" not in text:
        assert found.isascii()


@given(st.from_regex(r"[A-Za-z0-9.+_-]{1,30}@([a-z0-9]{1,10}\.){1,3}[a-z]{2,6}", fullmatch=True))
def test_the_fast_path_says_what_the_long_way_says(text):
    assert canonical_recipient(text) == canonical_recipient(f"Jane <{text}>") == text.lower()


@pytest.mark.parametrize("piece", ['"', '\\"', "(", "<", "mailto:", "%", "a@", ".", "ü", "<>", "()", '""'])
def test_a_long_text_costs_no_time(piece):
    text = (piece * 1000)[:990] + "<>"
    began = perf_counter()
    canonical_recipient(text)
    assert perf_counter() - began < 0.25
