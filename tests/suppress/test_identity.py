"""Names that everybody must compute alike."""

import hmac

from hypothesis import given
from hypothesis import strategies as st

from agents.suppress.identity import contact_keys


@given(st.binary(max_size=200), st.text(max_size=300))
def test_a_contact_key_is_the_hmac_of_the_recipient(secret, recipient):
    recipient = recipient.encode(errors="ignore").decode()
    assert contact_keys(secret)(recipient) == hmac.digest(secret, recipient.encode(), "sha256").hex()
