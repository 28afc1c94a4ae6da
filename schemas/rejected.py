"""Bad input is a value: why something could not be read, in a closed list of reasons."""

from typing import Literal, NamedTuple

Reason = Literal[
    "too-large",  # a report over 1 MiB (SPEC 2), or a send request of more than 10,000 recipients (SPEC 8)
    "not-json",  # not UTF-8, or not JSON
    "wrong-type",  # JSON, but a field has another type than the contract says
    "missing-field",  # a required field is absent or empty
    "unknown-provider",  # no mapping for this provider
    "unknown-event",  # the provider sent a kind of event that its mapping does not know
    "not-a-report",  # a mail that tells of no delivery and no complaint: an automatic reply, a letter
    "bad-tenant",  # not [A-Za-z0-9._-]{1,64}
    "tenant-mismatch",  # a normalized element names another tenant than its envelope
    "bad-recipient",  # no address can be recovered
    "bad-time",  # no time can be read
    "implausible-time",  # event time more than 10 min after the report was received
    "unknown-status",  # not one of the eight labels
    "unknown-outcome",  # not one of the ten outcomes
    "unknown-command",  # a command that is none of release, suppress, erase, retract
    "unknown-purpose",  # a send request for something else than marketing or transactional mail
]
"""Why an element was rejected; the `reason` header of its dead letter."""


class Rejected(NamedTuple):
    """An element that cannot be decided.

    `reason` is from the closed list; `detail` is a sentence for an operator, without addresses or other content
    of the record.
    """

    reason: Reason
    detail: str
