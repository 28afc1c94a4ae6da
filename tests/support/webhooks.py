"""What providers hold and we don't: keys that sign, and posts as they make them. Keys are new in each run."""

import base64
import hmac
import io
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple
from uuid import uuid4

import aiohttp
import orjson
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.x509.oid import NameOID
from multidict import CIMultiDict

from agents.ports import Publisher
from schemas.times import format_time
from streams.metrics import PrometheusMeter
from streams.settings import Settings, from_environment
from streams.web.webhooks.configuration import Configuration, parse
from streams.web.webhooks.post import Post
from streams.web.webhooks.routes import Webhooks

NOW: Final = 1_795_428_930_000  # 2026-11-23T10:15:30Z, in ms
TOPIC: Final = "arn:aws:sns:eu-west-1:111122223333:ses"
PEM_URL: Final = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"


def post(
    provider: str, body: bytes, headers: Mapping[str, str] | None = None, at: int = NOW, tenant: str = "acme"
) -> Post:
    """Make a post as the server would read it."""
    return Post(provider, tenant, CIMultiDict(headers or {}), body, at)


# --- SendGrid


@cache
def sendgrid_key(_name: str) -> ec.EllipticCurvePrivateKey:
    """Give the private key of a name; the same one throughout a run."""
    return ec.generate_private_key(ec.SECP256R1())


def sendgrid_public(name: str) -> str:
    """Give a public key as SendGrid shows it."""
    der = (
        sendgrid_key(name)
        .public_key()
        .public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return base64.b64encode(der).decode()


def sendgrid_headers(name: str, body: bytes, seconds: int = NOW // 1000) -> dict[str, str]:
    """Sign a body as SendGrid does."""
    timestamp = str(seconds)
    signature = sendgrid_key(name).sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    return {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
        "Content-Type": "application/json",
    }


# --- Mailgun


def mailgun_signature(key: str, token: str | None = None, seconds: int = NOW // 1000) -> dict[str, str]:
    """Sign as Mailgun does: timestamp and token, and nothing of the content."""
    token = token or (uuid4().hex + uuid4().hex)[:50]
    timestamp = str(seconds)
    signature = hmac.digest(key.encode(), f"{timestamp}{token}".encode(), "sha256").hex()
    return {"timestamp": timestamp, "token": token, "signature": signature}


def mailgun_body(key: str, recipient: str = "jane@example.com", **signed: Any) -> bytes:
    """Make a post of one event."""
    event = {"event": "failed", "severity": "permanent", "recipient": recipient, "timestamp": NOW / 1000}
    return orjson.dumps({"signature": mailgun_signature(key, **signed), "event-data": event})


# --- SNS


class Signer(NamedTuple):
    """A key of SNS with its certificate in PEM."""

    key: rsa.RSAPrivateKey
    pem: bytes


@cache
def _sns_key(_name: str) -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


@cache
def sns_signer(name: str, days_ago: int = 30) -> Signer:
    """Give the key of a name, with a certificate of 90 days that began some days before `NOW`."""
    key = _sns_key(name)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    begin = datetime.fromtimestamp(NOW / 1000, UTC) - timedelta(days=days_ago)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + timedelta(days=90))
        .sign(key, hashes.SHA256())
    )
    return Signer(key, certificate.public_bytes(serialization.Encoding.PEM))


def sns_message(name: str = "aws", *, at: int = NOW, version: str = "2", **fields: Any) -> dict[str, Any]:
    """Make a signed SNS message; `fields` are laid over those of a notification."""
    inside = {"notificationType": "Bounce", "mail": {"messageId": "m1", "destination": ["ana@example.com"]}}
    message = {
        "Type": "Notification",
        "MessageId": str(uuid4()),
        "TopicArn": TOPIC,
        "Message": orjson.dumps(inside).decode() + "\n",
        "Timestamp": format_time(at),
        "SigningCertURL": PEM_URL,
        **fields,
    }
    names = ["Message", "MessageId", "Subject", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    if message["Type"] == "Notification":
        names = [name for name in names if name not in {"SubscribeURL", "Token"}]
    else:
        names.remove("Subject")
    text = "".join(f"{name}\n{message[name]}\n" for name in names if message.get(name) is not None)
    algorithm = hashes.SHA256() if version == "2" else hashes.SHA1()
    signature = sns_signer(name).key.sign(text.encode(), padding.PKCS1v15(), algorithm)
    return {**message, "SignatureVersion": version, "Signature": base64.b64encode(signature).decode()}


# --- the rest


def basic(credential: str) -> dict[str, str]:
    """Give the header of basic credentials."""
    return {"Authorization": f"Basic {base64.b64encode(credential.encode()).decode()}"}


def configuration(text: str, folder: Path) -> Configuration:
    """Read a configuration; the certificate of `aws` lies beside it as aws.pem."""
    (folder / "aws.pem").write_bytes(sns_signer("aws").pem)
    return parse(text, folder)


def settings(**environ: str) -> Settings:
    """Give settings for a server that is asked for nothing but webhooks."""
    return from_environment(environ, default_secret=b"unused")


@asynccontextmanager
async def serving(webhooks: Webhooks) -> AsyncIterator[str]:
    """Serve webhooks as the worker does, on a free port; gives the address."""
    app = web.Application()
    app.add_routes(webhooks.routes())
    runner = web.AppRunner(app, access_log=None, auto_decompress=False, shutdown_timeout=1.0)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
        await webhooks.close()


class Answered(NamedTuple):
    """What the server answered: `answer` of what is 2xx, else `error` and `detail`."""

    status: int
    answer: str
    headers: Mapping[str, str]
    detail: str = ""


class Client:
    """Posts webhooks to a server."""

    def __init__(self, address: str, session: aiohttp.ClientSession) -> None:
        """Take where to post."""
        self._address = address
        self._session = session

    async def post(
        self, path: str, body: Any = b"", headers: Mapping[str, str] | None = None, method: str = "POST"
    ) -> Answered:
        """Post a body to `/webhooks/{path}`; what is neither bytes nor comes in pieces is written as JSON."""
        data = body
        if not isinstance(body, AsyncIterator):
            data = io.BytesIO(body if isinstance(body, bytes) else orjson.dumps(body))
        async with self._session.request(method, f"{self._address}/webhooks/{path}", data=data, headers=headers) as got:
            content = await got.read()
            told = orjson.loads(content) if content and got.content_type == "application/json" else {}
            assert not got.ok or "error" not in told
            answer = told.get("answer" if got.ok else "error", "")
            return Answered(got.status, answer, got.headers, told.get("detail", ""))


@asynccontextmanager
async def client_of(
    publisher: Publisher, configured: Configuration | None = None, meter: PrometheusMeter | None = None, **more: Any
) -> AsyncIterator[Client]:
    """Serve webhooks into a publisher and give what posts to them; their clock stands still at `NOW`."""
    more = {"now": lambda: NOW, **more}
    made = more.pop("settings", None) or settings()
    webhooks = Webhooks(configured, made, publisher, meter or PrometheusMeter(), **more)
    async with serving(webhooks) as address, aiohttp.ClientSession() as session:
        yield Client(address, session)
