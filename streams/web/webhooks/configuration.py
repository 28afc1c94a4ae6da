"""Who may post what: a TOML file with each tenant's secrets, strict, and never quoted in an error."""

import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.x509 import Certificate
from msgspec import Meta

from schemas.policy import Duration
from schemas.rejected import Rejected
from schemas.report import check_tenant
from schemas.times import parse_duration
from schemas.toml_lines import line_of, with_line
from streams.settings import SettingsInvalid
from streams.web.webhooks.certificates import read_certificate
from streams.web.webhooks.credentials import Credential, Credentials
from streams.web.webhooks.mailgun import Mailgun
from streams.web.webhooks.secret import Secret
from streams.web.webhooks.sendgrid import SendGrid, read_public_key
from streams.web.webhooks.ses import Ses
from streams.web.webhooks.sns import Topic

Count = Annotated[int, Meta(ge=1, le=1_000_000)]

Section = Credentials | SendGrid | Mailgun | Ses


class Limits(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[limits]`, of one worker.

    rate, burst: posts a second of one tenant and provider, in the long run and at once after a pause.
    waiting: posts that may wait for the broker at the same time; each may hold 1 MiB.
    """

    rate: Count = 2_000  # half of what a worker takes
    burst: Count = 10_000
    waiting: Count = 256


class Tenant(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`[tenants.<name>.<provider>]`: how each provider's posts are checked; None where it may not post."""

    mailjet: Credentials | None = None
    sendgrid: SendGrid | None = None
    ses: Ses | None = None
    mailgun: Mailgun | None = None
    postmark: Credentials | None = None
    sparkpost: Credentials | None = None
    brevo: Credentials | None = None
    dsn: Credentials | None = None
    arf: Credentials | None = None
    normalized: Credentials | None = None


class Configuration(msgspec.Struct, frozen=True):
    """The whole file."""

    limits: Limits
    tenants: Mapping[str, Tenant]


NOBODY: Final = Configuration(Limits(), {})
"""Lets nobody post: what holds where others than this machine could, and no file says who may."""


def load(path: str) -> Configuration:
    """Read the file that `BOUNCELINE_WEBHOOKS` names.

    Raises:
        SettingsInvalid: It can't be read or used; names the file and the line, and quotes no value.

    """
    try:
        return parse(Path(path).read_text("utf-8"), Path(path).parent)
    except OSError as error:
        raise SettingsInvalid(f"the webhooks {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsInvalid(f"the webhooks {path} are not UTF-8") from error
    except SettingsInvalid as error:
        raise SettingsInvalid(f"{path}: {error}") from error


def parse(text: str, folder: Path) -> Configuration:
    """Read a configuration from TOML text; files that it names without a full path lie in `folder`.

    Raises:
        SettingsInvalid: As `load`, without the file.

    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SettingsInvalid(f"not TOML: {error}") from error
    limits = _convert(text, ["limits"], table.pop("limits", {}), Limits, folder)
    named = table.pop("tenants", {})
    for unknown in table:
        raise SettingsInvalid(f"line {line_of(text, [unknown])}: unknown key `{unknown}`")
    if not isinstance(named, dict):
        raise SettingsInvalid(f"line {line_of(text, ['tenants'])}: tenants is a table of tables")
    tenants = {}
    for name, own in named.items():
        if isinstance(refused := check_tenant(name), Rejected):
            raise SettingsInvalid(f"line {line_of(text, ['tenants', name])}: tenants.{name!r}: {refused.detail}")
        tenants[name] = _convert(text, ["tenants", name], own, Tenant, folder)
    return Configuration(limits, tenants)


def _convert(text: str, above: list[str], table: object, kind: type[Any], folder: Path) -> Any:
    read: Mapping[type, Callable[[str], object]] = {
        Secret: _secret,
        Credential: lambda value: Credential(_secret(value).reveal()),
        Duration: lambda value: Duration(parse_duration(value)),
        EllipticCurvePublicKey: read_public_key,
        Topic: Topic,
        Certificate: lambda value: read_certificate(folder / value),
    }

    def hook(wanted: type, value: object) -> object:
        if not isinstance(value, str):
            raise ValueError("must be text")  # noqa: TRY004 - msgspec turns a ValueError into its own, with the path
        return read[wanted](value)

    try:
        return msgspec.convert(table, kind, dec_hook=hook)
    except msgspec.ValidationError as error:
        raise SettingsInvalid(with_line(text, above, str(error))) from error


def _secret(value: str) -> Secret:
    if not value.strip():
        raise ValueError("a secret is empty")
    return Secret(value.encode())
