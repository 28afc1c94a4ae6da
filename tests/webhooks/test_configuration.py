"""The webhooks file: strict, and no secret of it is ever quoted."""

from pathlib import Path

import pytest

from schemas.times import HOUR
from streams.settings import SettingsInvalid
from streams.web.webhooks.configuration import load, parse
from tests.support.webhooks import TOPIC, configuration, sendgrid_public, sns_signer

FULL = f"""
[limits]
rate = 50
burst = 100
waiting = 10

[tenants.acme]
mailjet.credentials = ["mailjet:one", "mailjet:two"]
sparkpost = {{ credentials = ["s:p"] }}

[tenants.acme.sendgrid]
public_keys = ["{sendgrid_public("old")}", "{sendgrid_public("new")}"]

[tenants.acme.ses]
topics = ["{TOPIC}"]
certificates = ["aws.pem"]
confirm = false
sha1 = false

[tenants."acme.example".mailgun]
signing_keys = ["a key"]
freshness = "1h"

[tenants.globex]
brevo.tokens = ["t"]
normalized.tokens = ["t"]
dsn.tokens = ["t"]
"""


def refusal(text: str, folder: Path) -> str:
    with pytest.raises(SettingsInvalid) as refused:
        parse(text, folder)
    said = str(refused.value)
    assert "\n" not in said
    assert "hunter2" not in said
    assert not refused.value.__cause__ or "hunter2" not in str(refused.value.__cause__)
    return said


def test_every_provider_of_every_tenant_has_its_own_secrets(tmp_path):
    read = configuration(FULL, tmp_path)
    assert (read.limits.rate, read.limits.burst, read.limits.waiting) == (50, 100, 10)
    acme = read.tenants["acme"]
    assert [one.reveal() for one in acme.mailjet.credentials] == [b"mailjet:one", b"mailjet:two"]
    assert len(acme.sendgrid.public_keys) == 2
    assert [topic.arn for topic in acme.ses.topics] == [TOPIC]
    assert (len(acme.ses.certificates), acme.ses.confirm, acme.ses.sha1) == (1, False, False)
    assert acme.brevo is None
    assert read.tenants["acme.example"].mailgun.freshness == HOUR
    assert read.tenants["globex"].dsn.tokens[0].reveal() == b"t"


def test_an_empty_file_lets_nobody_in(tmp_path):
    assert parse("", tmp_path).tenants == {}


def test_what_is_not_said_has_a_default(tmp_path):
    read = configuration(f'[tenants.a]\nses.topics = ["{TOPIC}"]\nmailgun.signing_keys = ["k"]', tmp_path).tenants["a"]
    assert (read.ses.confirm, read.ses.sha1, read.ses.freshness) == (True, True, 2 * HOUR)
    assert read.mailgun.freshness == 9 * HOUR


def test_no_secret_shows_in_what_is_read(tmp_path):
    shown = repr(configuration(FULL, tmp_path))
    assert "mailjet:one" not in shown
    assert "a key" not in shown


MAILJET, SENDGRID, SES = "[tenants.acme.mailjet]\n", "[tenants.acme.sendgrid]\n", "[tenants.acme.ses]\n"
NO_PASSWORD = "line 2: tenants.acme.mailjet.credentials[0]: credentials are name:password"
EMPTY = "Expected `array` of length >= 1"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("tenant = 1", "line 1: unknown key `tenant`"),
        ("[limits]\nrates = 1", "line 2: unknown key `limits.rates`"),
        ("[limits]\nrate = 0", "line 2: limits.rate: Expected `int` >= 1"),
        ("limits = 5", "line 1: limits: Expected `object`, got `int`"),
        ("tenants = 5", "line 1: tenants is a table of tables"),
        ("[tenants]\nacme = 5", "line 2: tenants.acme: Expected `object`, got `int`"),
        ("[tenants.'a b']", "line 1: tenants.'a b': tenant is not 1 to 64 of A-Z a-z 0-9 . _ -"),
        ("[tenants.acme.mandrill]", "line 1: unknown key `tenants.acme.mandrill`"),
        ("[tenants.acme.mailjet]", "line 1: tenants.acme.mailjet: needs credentials or tokens"),
        (MAILJET + "credential = ['s:hunter2']", "line 2: unknown key `tenants.acme.mailjet.credential`"),
        (
            MAILJET + "credentials = 's:hunter2'",
            "line 2: tenants.acme.mailjet.credentials: Expected `array`, got `str`",
        ),
        (MAILJET + "credentials = ['hunter2']", NO_PASSWORD),
        (MAILJET + "credentials = ['hunter2:']", NO_PASSWORD),
        (MAILJET + "tokens = ['t']\ncredentials = ['s:p', 'hunter2']", "line 3" + NO_PASSWORD[6:].replace("0", "1")),
        (MAILJET + "credentials = []", f"line 2: tenants.acme.mailjet.credentials: {EMPTY}"),
        (MAILJET + "tokens = [' ']", "line 2: tenants.acme.mailjet.tokens[0]: a secret is empty"),
        (MAILJET + "tokens = [7]", "line 2: tenants.acme.mailjet.tokens[0]: must be text"),
        (SENDGRID + "public_keys = []", f"line 2: tenants.acme.sendgrid.public_keys: {EMPTY}"),
        ("[tenants.acme.sendgrid]", "line 1: tenants.acme.sendgrid: Object missing required field `public_keys`"),
        (
            SENDGRID + "public_keys = ['hunter2']",
            "line 2: tenants.acme.sendgrid.public_keys[0]: a public key is base64 of DER, as SendGrid shows it",
        ),
        (SENDGRID + "signing_keys = ['hunter2']", "line 2: unknown key `tenants.acme.sendgrid.signing_keys`"),
        ("[tenants.acme.mailgun]\nsigning_keys = []", f"line 2: tenants.acme.mailgun.signing_keys: {EMPTY}"),
        (
            "[tenants.acme.mailgun]\nsigning_keys = ['s']\nfreshness = 5",
            "line 3: tenants.acme.mailgun.freshness: must be text",
        ),
        (SES + "topics = []", f"line 2: tenants.acme.ses.topics: {EMPTY}"),
        (
            SES + "topics = ['ses']",
            "line 2: tenants.acme.ses.topics[0]: a topic is an ARN such as arn:aws:sns:eu-west-1:111122223333:name",
        ),
    ],
)  # fmt: skip
def test_what_can_not_be_used_is_refused_with_its_line_and_key(text, said, tmp_path):
    assert refusal(text, tmp_path) == said


def test_what_is_not_toml_is_refused_without_quoting_it(tmp_path):
    assert refusal(MAILJET + "tokens = ['hunter2", tmp_path).startswith("not TOML: ")


def test_a_certificate_that_is_none_is_named(tmp_path):
    section = SES + f"topics = ['{TOPIC}']\ncertificates = ['x.pem']"
    assert refusal(section, tmp_path).endswith(f"{tmp_path / 'x.pem'} can't be read: No such file or directory")
    (tmp_path / "x.pem").write_text("hunter2")
    assert refusal(section, tmp_path).endswith(f"{tmp_path / 'x.pem'} is no certificate in PEM")


def test_the_file_is_named_and_its_certificates_lie_beside_it(tmp_path):
    file = tmp_path / "webhooks.toml"
    (tmp_path / "aws.pem").write_bytes(sns_signer("aws").pem)
    file.write_text(FULL)
    assert set(load(str(file)).tenants) == {"acme", "acme.example", "globex"}
    file.write_text("x = 1")
    with pytest.raises(SettingsInvalid, match=r"webhooks\.toml: line 1: unknown key `x`"):
        load(str(file))
    file.write_bytes(b"\xff")
    with pytest.raises(SettingsInvalid, match="are not UTF-8"):
        load(str(file))
    with pytest.raises(SettingsInvalid, match="can't be read: No such file"):
        load(str(tmp_path / "none"))
