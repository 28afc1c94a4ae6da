"""The policy: what operators may set, in TOML, with every tenant's overrides (SPEC 6)."""

import hashlib
import re
import tomllib
from collections.abc import Collection
from typing import Annotated, Any, Final

import msgspec
import orjson
from msgspec import Meta

from schemas.rejected import Rejected
from schemas.report import check_tenant
from schemas.times import DAY, parse_duration
from schemas.toml_lines import line_of, with_line


class Duration(int):
    """A length of time in milliseconds; on the wire text such as `365d`."""

    __slots__ = ()


Share = Annotated[float, Meta(gt=0, le=1)]
"""A share of messages, such as 0.05 for 5 %."""

Count = Annotated[int, Meta(ge=1, le=1_000_000_000)]
"""A number of messages, events or tenants."""


class SoftBounce(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[soft_bounce]`: how many failed attempts block, and how near to each other (SPEC 5)."""

    # A contact keeps at most 256 attempts (SPEC 7): a higher limit would never block.
    limit: Annotated[int, Meta(ge=1, le=256)] = 5
    window: Duration = Duration(parse_duration("365d"))
    allowed_lateness: Duration = Duration(parse_duration("1h"))


class Preblock(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[preblock]`: how long a pre-block lasts and who takes part in the network (SPEC 6, 8)."""

    window: Duration = Duration(parse_duration("30d"))
    enabled: bool = True
    min_tenants: Count = 1
    share: bool = True


class CampaignHealth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[campaign_health]`: shares at which a campaign warns and alerts, and from what volume on (SPEC 9)."""

    stale_list_warn: Share = 0.025
    stale_list_alert: Share = 0.05
    stale_list_jump: Annotated[float, Meta(ge=1, le=1_000_000)] = 3.0
    hard_bounce_warn: Share = 0.05
    hard_bounce_alert: Share = 0.10
    complaint_warn: Share = 0.001
    complaint_alert: Share = 0.003
    min_attempts_1h: Count = 200
    min_events_1h: Count = 20
    min_complaints_1h: Count = 5
    min_attempts_24h: Count = 1000
    min_events_24h: Count = 50
    min_complaints_24h: Count = 10


_BUDGET: Final = re.compile(r"([1-9][0-9]{0,5})/([0-9]+[a-z]+)")


class DeadLetters(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[dead_letters]`: beyond `budget` a worker stops instead of draining a topic.

    `off`, or how many elements may be rejected within how long: `1000/1h`. At most 999,999, since each is remembered.
    """

    budget: str = "off"

    def limit(self) -> tuple[int, int] | None:
        """Give how many elements may be rejected within how many ms; None for any number.

        Raises:
            ValueError: The budget is none of these; never of a policy that was read.

        """
        if self.budget == "off":
            return None
        found = _BUDGET.fullmatch(self.budget)
        window = parse_duration(found[2]) if found else 0
        if not found or not window:
            raise ValueError(f"{self.budget!r} is neither off nor a number within a time, such as 1000/1h")
        return int(found[1]), window


class Brake(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[brake]`: holds back the records of a sudden wave of blocks for one recipient domain, for `hold`.

    A wave is more contacts newly blocked within a minute, in the whole installation, than `floor` and than `factor`
    times what is usual there. `hold` is a day at most: a short while, and erased people are to leave the logs.
    """

    enabled: bool = False
    factor: Annotated[float, Meta(ge=1, le=1_000_000)] = 10.0
    floor: Count = 100
    hold: Duration = Duration(parse_duration("10m"))


class TenantPolicy(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The policy as it holds for one tenant."""

    soft_bounce: SoftBounce = SoftBounce()
    preblock: Preblock = Preblock()
    campaign_health: CampaignHealth = CampaignHealth()
    dead_letters: DeadLetters = DeadLetters()
    brake: Brake = Brake()


class PolicyInvalid(ValueError):
    """The policy file can't be used; the message names the line and what is wrong with it."""


class Policy:
    """The policy of an installation: a default and what single tenants have instead."""

    def __init__(self, default: TenantPolicy, tenants: dict[str, TenantPolicy]) -> None:
        """Take the default policy and the effective policy of each tenant that has overrides."""
        self._default = default
        self._tenants = tenants
        self._hashes = {policy: _hash(policy) for policy in (default, *tenants.values())}
        self.longest_lateness = max(own.soft_bounce.allowed_lateness for own in (default, *tenants.values()))
        """The longest `allowed_lateness` of any tenant, in ms."""
        self.longest_window = max(own.soft_bounce.window for own in (default, *tenants.values()))
        """The longest `soft_bounce.window` of any tenant, in ms."""
        self.longest_preblock = max(own.preblock.window for own in (default, *tenants.values()))
        """The longest `preblock.window` of any tenant, in ms."""
        self.fingerprint = _hash({"": default, **tenants})
        """SHA-256 (hex) over all of it: what the workers of a group must have alike."""

    @property
    def all(self) -> Collection[TenantPolicy]:
        """The default policy and those of the tenants that have their own."""
        return self._hashes.keys()

    def of(self, tenant: str) -> TenantPolicy:
        """Give the policy in force for a tenant."""
        return self._tenants.get(tenant, self._default)

    def hash_of(self, tenant: str) -> str:
        """Give SHA-256 (hex) over the canonical JSON of a tenant's policy: sorted keys, durations in milliseconds."""
        return self._hashes[self.of(tenant)]


def _hash(policy: TenantPolicy | dict[str, TenantPolicy]) -> str:
    plain = msgspec.to_builtins(policy, enc_hook=int)
    return hashlib.sha256(orjson.dumps(plain, option=orjson.OPT_SORT_KEYS)).hexdigest()


def parse_policy(text: str) -> Policy:
    """Read a policy from TOML text; the empty text gives the built-in defaults.

    Raises:
        PolicyInvalid: Not TOML, an unknown key, a value of the wrong type or out of range. Names the line.

    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise PolicyInvalid(f"the policy is not TOML: {error}") from error
    overrides = table.pop("tenants", {})
    if not isinstance(overrides, dict):
        raise PolicyInvalid(f"line {line_of(text, ['tenants'])}: tenants is a table of tables")
    for name, own in overrides.items():
        if not isinstance(own, dict):
            raise PolicyInvalid(f"line {line_of(text, ['tenants', name])}: tenants.{name!r} is not a table")
        if isinstance(refused := check_tenant(name), Rejected):
            raise PolicyInvalid(f"line {line_of(text, ['tenants', name])}: tenants.{name!r}: {refused.detail}")
    default = _effective(text, [], table)
    tenants = {name: _effective(text, ["tenants", name], _merged(table, own)) for name, own in overrides.items()}
    return Policy(default, tenants)


def _merged(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Lay a tenant's tables over the common ones, key by key."""
    merged = dict(base)
    for name, value in own.items():
        under = base.get(name)
        merged[name] = {**under, **value} if isinstance(under, dict) and isinstance(value, dict) else value
    return merged


def _effective(text: str, above: list[str], table: dict[str, Any]) -> TenantPolicy:
    try:
        policy = msgspec.convert(table, TenantPolicy, dec_hook=_duration)
    except msgspec.ValidationError as error:
        raise PolicyInvalid(with_line(text, above, str(error))) from error
    for part, window in (("soft_bounce", policy.soft_bounce.window), ("preblock", policy.preblock.window)):
        if not window:
            path = [*above, part, "window"]
            raise PolicyInvalid(f"line {line_of(text, path)}: {'.'.join(path)}: a window can't be empty")
    if policy.brake.hold > DAY:
        path = [*above, "brake", "hold"]
        raise PolicyInvalid(f"line {line_of(text, path)}: {'.'.join(path)}: nothing is held back for more than 1d")
    try:
        policy.dead_letters.limit()
    except ValueError as error:
        path = [*above, "dead_letters", "budget"]
        raise PolicyInvalid(f"line {line_of(text, path)}: {'.'.join(path)}: {error}") from error
    return policy


def _duration(type_: type, value: object) -> object:
    if type_ is Duration and isinstance(value, str):
        return Duration(parse_duration(value))
    raise ValueError(f"{value!r} is not a duration such as 365d, 1h, 30m or 10s")
