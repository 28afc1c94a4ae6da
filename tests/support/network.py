"""What the network knows of an address, in short."""

from collections.abc import Mapping

from agents.gate.preblock import HardBounces
from schemas.order import HardBounce


def bounced(at: Mapping[str, int] | None = None, **more: int) -> HardBounces:
    """Give the latest hard bounces of tenants at these times in ms, all of them told of by `ses`."""
    return {tenant: HardBounce(when, tenant, "User unknown", "ses") for tenant, when in {**(at or {}), **more}.items()}
