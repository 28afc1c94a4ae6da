"""Under which key a suppression stands."""

from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.suppression import suppression_key


def test_the_key_is_tenant_unit_separator_and_recipient_in_utf_8():
    assert suppression_key("acme", "jane@example.com") == b"acme\x1fjane@example.com"
    assert suppression_key("acme", "jörg@example.com") == b"acme\x1fj\xc3\xb6rg@example.com"


NAMES = st.tuples(st.from_regex(r"[A-Za-z0-9._-]{1,64}", fullmatch=True), st.text(st.characters(codec="utf-8")))


@settings(max_examples=200, deadline=None)
@given(NAMES, NAMES)
def test_two_contacts_never_share_a_key(one, other):
    assert (one == other) == (suppression_key(*one) == suppression_key(*other))
