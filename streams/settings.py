"""Settings: read once from the environment, frozen, with units in the names. No secret shows in `repr`."""

import hashlib
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from agents.classify.rule_file import RulesInvalid
from agents.classify.rules import own_rules
from agents.classify.table import RuleTable
from schemas.policy import Policy, PolicyInvalid, parse_policy
from schemas.times import parse_duration
from streams.redis_url import check_url
from streams.tokens import Tokens, TokensInvalid, parse_tokens

DEV_SECRET = b"bounceline-development-only"
"""The contact secret of `dev`, `demo` and `replay`: fixed, so that their contact keys can be compared."""

KNOWN = (
    "BOUNCELINE_KAFKA",
    "BOUNCELINE_REDIS",
    "BOUNCELINE_TOPIC_PREFIX",
    "BOUNCELINE_CONTACT_SECRET",
    "BOUNCELINE_POLICY",
    "BOUNCELINE_RULES",
    "BOUNCELINE_TOKENS",
    "BOUNCELINE_WEBHOOKS",
    "BOUNCELINE_TOKEN",  # what `bounceline check` shows a worker
    "BOUNCELINE_SESSION_TIMEOUT",
    "BOUNCELINE_LOG_LEVEL",
)

LOG_LEVELS: Final = ("debug", "info", "warning", "error", "critical")

_PREFIX: Final = re.compile(r"[A-Za-z0-9._-]{0,200}", re.ASCII)  # a topic's name has up to 249 of these


class SettingsInvalid(ValueError):
    """An environment variable can't be used; the message is one sentence that names it."""


@dataclass(frozen=True)
class Settings:
    """What a process is told from outside.

    kafka: bootstrap servers, `host:port[,host:port…]`.
    redis: a URL as `streams.redis_url` has it.
    topic_prefix: put literally before every topic, group id, changelog and Redis key.
    contact_secret: key of the contact keys.
    rules: the operator's own rows and the built-in ones; None for the built-in ones alone.
    webhooks: the file that says who may post webhooks (`streams.web.webhooks`); None where there is none.
    session_timeout_seconds: after which the broker gives a silent worker's partitions to others.
    """

    kafka: str
    redis: str = field(repr=False)  # may hold a password
    topic_prefix: str
    contact_secret: bytes = field(repr=False)
    policy: Policy = field(repr=False)
    rules: RuleTable | None = field(repr=False)
    session_timeout_seconds: float
    log_level: str
    webhooks: str | None = None
    tokens: Tokens | None = field(default=None, repr=False)

    def topic(self, name: str) -> str:
        """Give a topic's name on the broker."""
        return self.topic_prefix + name

    @property
    def agreement(self) -> str:
        """SHA-256 (hex) over what the workers of a group must have alike: the policy and the operator's own rules."""
        rules = self.rules.fingerprint if self.rules else ""
        return hashlib.sha256(f"{self.policy.fingerprint} {rules}".encode()).hexdigest()

    @property
    def group(self) -> str:
        """The id of the consumer group, and of the Faust app."""
        return self.topic_prefix + "bounceline"


def from_environment(environ: Mapping[str, str], default_secret: bytes | None = None) -> Settings:
    """Read the settings.

    Args:
        environ: The process's environment.
        default_secret: The contact secret to take where none is set; None to insist on one.

    Raises:
        SettingsInvalid: A variable is missing, misspelt or unreadable.

    """
    if unknown := sorted(name for name in environ if name.startswith("BOUNCELINE_") and name not in KNOWN):
        raise SettingsInvalid(f"{unknown[0]} is not a setting of bounceline; it knows {', '.join(KNOWN)}")
    redis = environ.get("BOUNCELINE_REDIS") or "redis://127.0.0.1:6379/0"
    try:
        check_url(redis)
    except ValueError as error:  # which does not show it: it may hold a password
        raise SettingsInvalid(f"BOUNCELINE_REDIS: {error}") from None
    prefix = environ.get("BOUNCELINE_TOPIC_PREFIX", "")
    if not _PREFIX.fullmatch(prefix):
        raise SettingsInvalid(f"BOUNCELINE_TOPIC_PREFIX {prefix!r} is not up to 200 of A-Z a-z 0-9 . _ -")
    seconds = environ.get("BOUNCELINE_SESSION_TIMEOUT") or "10s"
    try:
        session_timeout = parse_duration(seconds) / 1000
    except ValueError as error:
        raise SettingsInvalid(f"BOUNCELINE_SESSION_TIMEOUT: {error}") from error
    if not session_timeout:
        raise SettingsInvalid("BOUNCELINE_SESSION_TIMEOUT is no time at all")
    log_level = environ.get("BOUNCELINE_LOG_LEVEL") or "info"
    if log_level.lower() not in LOG_LEVELS:
        raise SettingsInvalid(f"BOUNCELINE_LOG_LEVEL {log_level!r} is none of {', '.join(LOG_LEVELS)}")
    return Settings(
        kafka=environ.get("BOUNCELINE_KAFKA") or "127.0.0.1:9092",
        redis=redis,
        topic_prefix=prefix,
        contact_secret=_secret(environ.get("BOUNCELINE_CONTACT_SECRET", ""), default_secret),
        policy=read_policy(environ.get("BOUNCELINE_POLICY") or None),
        rules=read_rules(environ.get("BOUNCELINE_RULES") or None),
        session_timeout_seconds=session_timeout,
        log_level=log_level.upper(),
        webhooks=environ.get("BOUNCELINE_WEBHOOKS") or None,
        tokens=read_tokens(environ.get("BOUNCELINE_TOKENS") or None),
    )


def read_policy(path: str | None) -> Policy:
    """Read the policy file, or give the built-in policy where `path` is None.

    Raises:
        SettingsInvalid: The file can't be read or is no policy; names the file and the line.

    """
    if path is None:
        return parse_policy("")
    try:
        return parse_policy(_text_of("the policy", path))
    except PolicyInvalid as error:
        raise SettingsInvalid(f"{path}: {error}") from error


def read_rules(path: str | None) -> RuleTable | None:
    """Read an operator's own rules and put them before the built-in ones; None where `path` is None.

    Raises:
        SettingsInvalid: The file can't be read or is no rule file; names the file, the line and the row.

    """
    if path is None:
        return None
    try:
        return own_rules(_text_of("the rule file", path))
    except RulesInvalid as error:
        raise SettingsInvalid(f"{path}: {error}; to see all of it: bounceline rules test {path}") from error


def read_tokens(path: str | None) -> Tokens | None:
    """Read the tokens of the HTTP API; None where `path` is None. Raises SettingsInvalid, naming the file."""
    if path is None:
        return None
    try:
        return parse_tokens(_text_of("the tokens file", path))
    except TokensInvalid as error:
        raise SettingsInvalid(f"{path}: {error}") from error


def _text_of(what: str, path: str) -> str:
    try:
        return Path(path).read_text("utf-8")
    except OSError as error:
        raise SettingsInvalid(f"{what} {path} can't be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsInvalid(f"{what} {path} is not UTF-8") from error


def _secret(value: str, default: bytes | None) -> bytes:
    """Take a secret as value, or from the file that the value names; space around it is not part of it."""
    value = value.strip()
    if not value:
        if default is None:
            raise SettingsInvalid(
                "BOUNCELINE_CONTACT_SECRET is not set; give it the secret of the contact keys, or a file that holds it"
            )
        return default
    path = Path(value)
    try:
        is_file = path.is_file()
    except OSError:  # a secret may be longer than a file name can be
        is_file = False
    if not is_file:
        # A file that is not mounted must not pass for a secret: every contact would get another key.
        if path.is_absolute():
            raise SettingsInvalid("BOUNCELINE_CONTACT_SECRET begins with / but names no file; a secret itself may not")
        return os.fsencode(value)
    try:
        secret = path.read_bytes().strip()
    except OSError as error:
        raise SettingsInvalid(f"BOUNCELINE_CONTACT_SECRET: {path} can't be read: {error.strerror}") from error
    if not secret:
        raise SettingsInvalid(f"BOUNCELINE_CONTACT_SECRET names {path}, which is empty")
    return secret
