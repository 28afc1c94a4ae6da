"""The event uid: the same report gives the same uid, whenever and however often it arrives (SPEC 4)."""

from hashlib import sha256
from typing import Final

import msgspec

from agents.classify.evidence import Happening
from schemas.typology import Outcome

_encode: Final = msgspec.json.Encoder().encode


def event_uid(happening: Happening, tenant: str, recipient: str, outcome: Outcome) -> str:
    r"""Give the sha256, in hex, over a JSON array in UTF-8 with no spaces and no escapes but the needed ones.

    With an `event_id`: `[provider, tenant, event_id, recipient, outcome, status]`. Without one: `[provider,
    tenant, recipient, occurred_at, outcome, status, message_id, campaign_id, permanent, smtp_code,
    enhanced_code, diagnostic, provider_code]`. The lengths differ, so the one is never taken for the other.
    `recipient` is canonical, `occurred_at` an integer of milliseconds, what is absent null. `status` is the
    one the producer gave, not the one the rules found: a better rule must not make another event of an old
    report. Escapes: `\"`, `\\`, `\b \f \n \r \t`, and `\u00xx` for the other control characters.

    Raises:
        UnicodeEncodeError: A text holds half a surrogate pair, which JSON from outside never does.

    """
    if happening.event_id is not None:
        named = (happening.provider, tenant, happening.event_id, recipient, outcome, happening.status)
        # What names the event is not all there is: the rest has to be writable as well.
        ids = (happening.message_id, happening.campaign_id, happening.provider_code)
        evidence = (happening.smtp_code, happening.enhanced_code, happening.diagnostic)
        "".join(filter(None, (*ids, *evidence))).encode()
        return sha256(_encode(named)).hexdigest()
    told = (
        happening.provider,
        tenant,
        recipient,
        happening.occurred_at,
        outcome,
        happening.status,
        happening.message_id,
        happening.campaign_id,
        happening.permanent,
        happening.smtp_code,
        happening.enhanced_code,
        happening.diagnostic,
        happening.provider_code,
    )
    return sha256(_encode(told)).hexdigest()
