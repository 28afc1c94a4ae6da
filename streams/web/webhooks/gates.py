"""Which gate a post has to pass: that of its tenant and provider, or an open one where nothing is configured."""

from collections.abc import Callable, Mapping
from typing import Final

from schemas.rejected import Rejected
from schemas.report import check_tenant
from streams.settings import Settings
from streams.web.local import is_local
from streams.web.webhooks import mailgun
from streams.web.webhooks.certificates import Certificates, Fetch
from streams.web.webhooks.configuration import Configuration, Section
from streams.web.webhooks.credentials import Credentials, CredentialsGate
from streams.web.webhooks.mailgun import Mailgun, MailgunGate
from streams.web.webhooks.payload import read_payload
from streams.web.webhooks.post import PROVIDERS, Gate, Look, Payload, Post, Refused, Unauthorized
from streams.web.webhooks.sendgrid import SendGrid, SendGridGate
from streams.web.webhooks.ses import Ses, SesGate
from streams.web.webhooks.tokens import Tokens


class OpenGate:
    """Lets everything in that can be read and was posted on this machine (`Gate`)."""

    def look(self, headers: Mapping[str, str]) -> Look:
        """Look where the post comes from."""
        return "known" if is_local(headers) else Unauthorized("not-local")

    async def admit(self, post: Post) -> Payload | Refused:
        """Look where the post comes from, then read it."""
        look = self.look(post.headers)
        if isinstance(look, Unauthorized):
            return look
        if post.provider == "mailgun":
            return mailgun.read(post.headers.get("Content-Type", ""), post.body) or "unreadable"
        return read_payload(post) or "unreadable"

    async def settled(self, post: Post, payload: Payload) -> None:
        """Keep nothing."""


Gates = Callable[[str, str], Gate | Unauthorized]
"""Gives the gate for a provider and a tenant; where nobody may post, why."""


def open_gates(_provider: str, tenant: str) -> Gate | Unauthorized:
    """Let every tenant's posts in: for `bounceline dev`, on loopback and with nothing configured."""
    return Unauthorized("no-such-tenant") if isinstance(check_tenant(tenant), Rejected) else _OPEN


_OPEN: Final = OpenGate()


def configured_gates(configuration: Configuration, settings: Settings, fetch: Fetch) -> tuple[Gates, Tokens]:
    """Make the gates of all tenants; also gives what they hold open, to be closed."""
    certificates, tokens = Certificates(fetch), Tokens(settings)

    def gate(section: Section) -> Gate:
        match section:
            case Credentials():
                return CredentialsGate(section)
            case SendGrid():
                return SendGridGate(section)
            case Mailgun():
                return MailgunGate(section, tokens)
            case Ses():
                return SesGate(section, certificates, fetch)

    made: Mapping[tuple[str, str], Gate] = {
        (provider, name): gate(section)
        for name, tenant in configuration.tenants.items()
        for provider in PROVIDERS
        if (section := getattr(tenant, provider)) is not None
    }

    def find(provider: str, tenant: str) -> Gate | Unauthorized:
        known = tenant in configuration.tenants
        return made.get((provider, tenant)) or Unauthorized("provider-not-configured" if known else "no-such-tenant")

    return find, tokens
