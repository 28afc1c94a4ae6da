"""Settings come from the environment, once; what can't be used is refused in a sentence that names it."""

import dataclasses
from pathlib import Path

import pytest

from agents.classify.rules import builtin_rules
from schemas.policy import parse_policy
from streams.settings import DEV_SECRET, Settings, SettingsInvalid, from_environment, read_policy

SECRET = {"BOUNCELINE_CONTACT_SECRET": "a-secret-of-ours"}


def refusal(environ: dict[str, str], default_secret: bytes | None = None) -> str:
    with pytest.raises(SettingsInvalid) as refused:
        from_environment(environ, default_secret)
    said = str(refused.value)
    assert "\n" not in said
    return said


@pytest.mark.parametrize(
    "environ",
    [
        SECRET,
        {**SECRET, "PATH": "/usr/bin", "bounceline_kafka": "elsewhere:1"},
        SECRET
        | {
            f"BOUNCELINE_{name}": ""
            for name in ("KAFKA", "REDIS", "TOPIC_PREFIX", "POLICY", "RULES", "WEBHOOKS", "SESSION_TIMEOUT")
        },
        SECRET | {"BOUNCELINE_LOG_LEVEL": ""},
    ],
)
def test_a_worker_needs_no_more_than_the_contact_secret(environ):
    found = from_environment(environ)
    assert (found.kafka, found.redis) == ("127.0.0.1:9092", "redis://127.0.0.1:6379/0")
    assert found.webhooks is None
    assert (found.topic_prefix, found.group) == ("", "bounceline")
    assert found.contact_secret == b"a-secret-of-ours"
    assert found.policy.fingerprint == parse_policy("").fingerprint
    assert found.rules is None
    assert (found.session_timeout_seconds, found.log_level) == (10.0, "INFO")


def test_everything_can_be_set(tmp_path):
    policy = tmp_path / "policy.toml"
    policy.write_text("soft_bounce.limit = 3")
    tokens = tmp_path / "tokens.toml"
    tokens.write_text('acme = "a long random text"')
    environ = {
        "BOUNCELINE_KAFKA": "kafka-1:9092,kafka-2:9092",
        "BOUNCELINE_REDIS": "rediss://:password@redis:6380/1",
        "BOUNCELINE_POLICY": str(policy),
        "BOUNCELINE_SESSION_TIMEOUT": "4500ms",
        "BOUNCELINE_LOG_LEVEL": "Warning",
        "BOUNCELINE_TOKENS": str(tokens),
    }
    found = from_environment(SECRET | environ)
    assert (found.kafka, found.redis) == (environ["BOUNCELINE_KAFKA"], environ["BOUNCELINE_REDIS"])
    assert found.policy.of("acme").soft_bounce.limit == 3
    assert (found.session_timeout_seconds, found.log_level) == (4.5, "WARNING")
    assert found.tokens
    assert found.tokens.verdict("Bearer a long random text", "acme") == "yes"


def test_the_prefix_stands_literally_before_topics_and_group():
    found = from_environment(SECRET | {"BOUNCELINE_TOPIC_PREFIX": "eu.prod-"})
    assert found.topic("esp-reports") == "eu.prod-esp-reports"
    assert found.group == "eu.prod-bounceline"


@pytest.mark.parametrize("prefix", ["eu/", "eu ", "é-", "x" * 201, "a\n"])
def test_a_prefix_that_no_topic_can_have_is_refused(prefix):
    said = refusal(SECRET | {"BOUNCELINE_TOPIC_PREFIX": prefix})
    assert said == f"BOUNCELINE_TOPIC_PREFIX {prefix!r} is not up to 200 of A-Z a-z 0-9 . _ -"


# --- the contact secret


def test_a_secret_is_the_same_as_value_and_as_file(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b"a-secret-of-ours\n")
    by_file = from_environment({"BOUNCELINE_CONTACT_SECRET": str(file)})
    assert by_file.contact_secret == from_environment(SECRET).contact_secret
    spaced = from_environment({"BOUNCELINE_CONTACT_SECRET": " a-secret-of-ours\n"})
    assert spaced.contact_secret == b"a-secret-of-ours"


def test_a_file_may_hold_any_bytes_and_a_value_any_text(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b"\x00\xff\x80")
    assert from_environment({"BOUNCELINE_CONTACT_SECRET": str(file)}).contact_secret == b"\x00\xff\x80"
    assert from_environment({"BOUNCELINE_CONTACT_SECRET": "schlüssel"}).contact_secret == "schlüssel".encode()
    assert from_environment({"BOUNCELINE_CONTACT_SECRET": "x" * 5_000}).contact_secret == b"x" * 5_000
    assert from_environment({"BOUNCELINE_CONTACT_SECRET": "\udcff"}).contact_secret == b"\xff"


@pytest.mark.parametrize("environ", [{}, {"BOUNCELINE_CONTACT_SECRET": ""}, {"BOUNCELINE_CONTACT_SECRET": " \n"}])
def test_a_missing_secret_is_told_with_what_to_do(environ):
    expected = "BOUNCELINE_CONTACT_SECRET is not set; give it the secret of the contact keys, or a file that holds it"
    assert expected == refusal(environ)
    assert from_environment(environ, DEV_SECRET).contact_secret == DEV_SECRET


def test_an_empty_secret_file_is_refused(tmp_path):
    file = tmp_path / "secret"
    file.write_bytes(b" \n")
    expected = f"BOUNCELINE_CONTACT_SECRET names {file}, which is empty"
    assert expected == refusal({"BOUNCELINE_CONTACT_SECRET": str(file)}, DEV_SECRET)


def test_a_secret_file_that_is_not_there_does_not_become_the_secret(tmp_path):
    expected = "BOUNCELINE_CONTACT_SECRET begins with / but names no file; a secret itself may not"
    for path in (tmp_path / "not-mounted", tmp_path):
        assert expected == refusal({"BOUNCELINE_CONTACT_SECRET": str(path)})


def test_a_secret_file_that_can_not_be_read_is_told(tmp_path, monkeypatch):
    file = tmp_path / "secret"
    file.write_bytes(b"x")

    def refused(_path: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(file))

    monkeypatch.setattr(Path, "read_bytes", refused)
    expected = f"BOUNCELINE_CONTACT_SECRET: {file} can't be read: Permission denied"
    assert expected == refusal({"BOUNCELINE_CONTACT_SECRET": str(file)})


def test_no_secret_shows():
    found = from_environment(SECRET | {"BOUNCELINE_REDIS": "redis://:hunter2@redis:6379/0"})
    for text in (repr(found), str(found), f"{found}"):
        assert "secret-of-ours" not in text
        assert "hunter2" not in text
    assert "hunter2" not in refusal(SECRET | {"BOUNCELINE_REDIS": "redis:hunter2@redis"})


def test_settings_are_frozen():
    found = from_environment(SECRET)
    assert isinstance(found, Settings)
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.kafka = "elsewhere:9092"


# --- what can't be used


def test_a_misspelt_variable_is_refused_with_the_names_there_are():
    said = refusal(SECRET | {"BOUNCELINE_REDIS_URL": "x", "BOUNCELINE_ZZZ": "y"})
    assert said.startswith("BOUNCELINE_REDIS_URL is not a setting of bounceline; it knows BOUNCELINE_KAFKA, ")
    assert "BOUNCELINE_LOG_LEVEL" in said


@pytest.mark.parametrize("url", ["redis:6379", "127.0.0.1:6379", "http://redis:6379", "unix:///run/redis.sock"])
def test_what_is_no_redis_url_is_refused(url):
    expected = "BOUNCELINE_REDIS: not a URL that begins with one of redis://, rediss://, redis-sentinel://,"
    assert expected in refusal(SECRET | {"BOUNCELINE_REDIS": url})


@pytest.mark.parametrize(
    ("timeout", "expected"),
    [
        ("10", "BOUNCELINE_SESSION_TIMEOUT: '10' is not a duration such as 365d, 1h, 30m or 10s"),
        ("soon", "BOUNCELINE_SESSION_TIMEOUT: 'soon' is not a duration such as 365d, 1h, 30m or 10s"),
        ("-1s", "BOUNCELINE_SESSION_TIMEOUT: '-1s' is not a duration such as 365d, 1h, 30m or 10s"),
        ("0s", "BOUNCELINE_SESSION_TIMEOUT is no time at all"),
    ],
)
def test_a_bad_session_timeout_is_refused(timeout, expected):
    assert expected == refusal(SECRET | {"BOUNCELINE_SESSION_TIMEOUT": timeout})


def test_a_log_level_that_does_not_exist_is_refused():
    expected = "BOUNCELINE_LOG_LEVEL 'loud' is none of debug, info, warning, error, critical"
    assert expected == refusal(SECRET | {"BOUNCELINE_LOG_LEVEL": "loud"})


# --- the policy file


def test_an_unusable_policy_is_told_with_file_and_line(tmp_path):
    file = tmp_path / "policy.toml"
    file.write_text("[soft_bounce]\nlimits = 3\n")
    assert refusal(SECRET | {"BOUNCELINE_POLICY": str(file)}) == f"{file}: line 2: unknown key `soft_bounce.limits`"
    file.write_text("[soft_bounce")
    assert refusal(SECRET | {"BOUNCELINE_POLICY": str(file)}).startswith(f"{file}: the policy is not TOML: ")


@pytest.mark.parametrize(
    ("prepare", "why"),
    [
        (lambda _file: None, "can't be read: No such file or directory"),
        (Path.mkdir, "can't be read: Is a directory"),
        (lambda file: file.write_bytes(b"# \xff"), "is not UTF-8"),
    ],
)
def test_a_policy_that_can_not_be_read_is_told(prepare, why, tmp_path):
    file = tmp_path / "policy.toml"
    prepare(file)
    with pytest.raises(SettingsInvalid) as refused:
        read_policy(str(file))
    assert str(refused.value) == f"the policy {file} {why}"


# --- the rule file

GONE = """
[[rule]]
id = "acme-gone"
text = ["mailbox was retired"]
status = "User unknown"
source = "the postmaster of acme.example"
example = { diagnostic = "550 this mailbox was retired" }
"""


def test_own_rules_stand_before_the_built_in_ones(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(GONE)
    found = from_environment(SECRET | {"BOUNCELINE_RULES": str(file)}).rules
    assert found.rows[0].verdict.rule == "acme-gone"
    assert found.rows[1:] == builtin_rules().rows


def test_workers_agree_on_policy_and_own_rules_together(tmp_path):
    policy, rules, others = tmp_path / "policy.toml", tmp_path / "rules.toml", tmp_path / "others.toml"
    policy.write_text("soft_bounce.limit = 3")
    rules.write_text(GONE)
    others.write_text(GONE.replace("retired", "closed"))
    environs = [
        *({}, {"BOUNCELINE_POLICY": str(policy)}, {"BOUNCELINE_RULES": str(rules)}, {"BOUNCELINE_RULES": str(others)}),
        {"BOUNCELINE_POLICY": str(policy), "BOUNCELINE_RULES": str(rules)},
    ]
    agreements = [from_environment(SECRET | environ).agreement for environ in environs]
    assert len(set(agreements)) == len(environs)
    rules.write_text(f"# the same\n{GONE}")
    assert from_environment(SECRET | environs[2]).agreement == agreements[2]


def test_unusable_rules_are_told_with_file_line_and_row(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(GONE.replace("[[rule]]", "[[rule]]\norigin = 1"))
    said = refusal(SECRET | {"BOUNCELINE_RULES": str(file)})
    assert said == f"{file}: line 2: acme-gone: unknown key origin; to see all of it: bounceline rules test {file}"
    assert refusal(SECRET | {"BOUNCELINE_RULES": "none"}).startswith("the rule file none can't be read: No such file")


def test_the_webhooks_file_is_named_and_read_by_the_worker_alone():
    assert from_environment(SECRET | {"BOUNCELINE_WEBHOOKS": "/etc/none.toml"}).webhooks == "/etc/none.toml"
