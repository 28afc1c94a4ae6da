"""The policy file: what is built in, what tenants have instead, and what is refused, with the line named."""

import math

import pytest

from schemas.policy import PolicyInvalid, parse_policy
from schemas.times import DAY, HOUR, MINUTE

BUILT_IN = parse_policy("")


def refusal(text: str) -> str:
    with pytest.raises(PolicyInvalid) as refused:
        parse_policy(text)
    return str(refused.value)


def test_the_empty_file_gives_the_numbers_of_the_specification():
    policy = BUILT_IN.of("acme")
    assert (policy.soft_bounce.limit, policy.soft_bounce.window) == (5, 365 * DAY)
    assert policy.soft_bounce.allowed_lateness == HOUR
    assert (policy.preblock.window, policy.preblock.enabled) == (30 * DAY, True)
    assert (policy.preblock.min_tenants, policy.preblock.share) == (1, True)
    assert policy.dead_letters.budget == "off"
    assert policy.brake.enabled is False
    assert (policy.brake.factor, policy.brake.floor, policy.brake.hold) == (10, 100, 10 * MINUTE)


def test_a_campaign_warns_and_alerts_at_the_shares_of_the_specification():
    health = BUILT_IN.of("acme").campaign_health
    assert (health.stale_list_warn, health.stale_list_alert, health.stale_list_jump) == (0.025, 0.05, 3)
    assert (health.hard_bounce_warn, health.hard_bounce_alert) == (0.05, 0.1)
    assert (health.complaint_warn, health.complaint_alert) == (0.001, 0.003)
    assert (health.min_attempts_1h, health.min_events_1h, health.min_complaints_1h) == (200, 20, 5)
    assert (health.min_attempts_24h, health.min_events_24h, health.min_complaints_24h) == (1000, 50, 10)


OVERRIDES = """
[soft_bounce]
limit = 4
window = "180d"

[tenants.acme.soft_bounce]
limit = 3                   # a cautious one

[tenants."acme.example"]
preblock = { window = "7d", share = false }

[tenants]
umbrella.soft_bounce.allowed_lateness = "30m"
"""


def test_a_tenant_has_its_own_values_and_everybody_elses_for_the_rest():
    policy = parse_policy(OVERRIDES)
    assert (policy.of("acme").soft_bounce.limit, policy.of("acme").soft_bounce.window) == (3, 180 * DAY)
    assert policy.of("acme").preblock == policy.of("anybody").preblock
    assert (policy.of("acme.example").preblock.window, policy.of("acme.example").preblock.share) == (7 * DAY, False)
    assert policy.of("acme.example").preblock.min_tenants == 1
    assert policy.of("umbrella").soft_bounce.allowed_lateness == 30 * MINUTE
    assert policy.of("umbrella").soft_bounce.limit == policy.of("anybody").soft_bounce.limit == 4


def test_a_budget_is_a_number_of_elements_within_a_time():
    policy = parse_policy("[dead_letters]\nbudget = '1000/1h'\n[tenants.acme.dead_letters]\nbudget = 'off'")
    assert policy.of("globex").dead_letters.limit() == (1000, 60 * MINUTE)
    assert policy.of("acme").dead_letters.limit() is None
    assert BUILT_IN.of("acme").dead_letters.limit() is None


UNKNOWN = {
    # file -> line and key
    "[soft_bounce]\nlimit = 5\nlimits = 3": (3, "soft_bounce.limits"),
    "\n[soft_bounces]\nlimit = 5": (2, "soft_bounces"),
    "limit = 5": (1, "limit"),
    "# one\n\nsoft_bounce.limits = 3": (3, "soft_bounce.limits"),
    "\nsoft_bounce = { limit = 5, limits = 3 }": (2, "soft_bounce.limits"),
    "[preblock]\nwindow = '7d'\n[soft_bounce]\nwindow = '7d'\nwindows = '7d'": (5, "soft_bounce.windows"),
    "[soft_bounce.limits]\nx = 1": (1, "soft_bounce.limits"),
    "[preblock] # why\n'min tenants' = 3": (2, "preblock.min tenants"),
    '[preblock]\n"share`" = 3': (2, "preblock.share`"),
    "[tenants.acme]\n\n[tenants.acme.soft_bounce]\nlimits = 3": (4, "tenants.acme.soft_bounce.limits"),
    "[soft_bounce]\nlimit = 5\n[tenants]\nacme = { soft_bounce = { limits = 3 } }": (
        4,
        "tenants.acme.soft_bounce.limits",
    ),
    "[tenants.acme]\nsoft_bounce.limit = 3\nlimit = 3": (3, "tenants.acme.limit"),
    '[tenants."acme.example".preblock]\nshares = true': (2, "tenants.acme.example.preblock.shares"),
    "[tenants.umbrella.brake]\n[tenants.acme.brake]\nspeed = 1": (3, "tenants.acme.brake.speed"),
    "[tenants.acme.tenants.umbrella.brake]\n": (1, "tenants.acme.tenants"),
    "# \u2028 is no line end in TOML\r\n[brake]\r\nspeed = 1": (3, "brake.speed"),
}


@pytest.mark.parametrize(("text", "place"), UNKNOWN.items())
def test_an_unknown_key_is_refused_with_its_line(text, place):
    line, key = place
    assert refusal(text) == f"line {line}: unknown key `{key}`"


NO_BUDGET = "is neither off nor a number within a time, such as 1000/1h"

WRONG = {
    # file -> what the refusal says
    "[soft_bounce]\nlimit = '5'": "line 2: soft_bounce.limit: Expected `int`, got `str`",
    "[soft_bounce]\nlimit = 5.0": "line 2: soft_bounce.limit: Expected `int`, got `float`",
    "[soft_bounce]\nlimit = true": "line 2: soft_bounce.limit: Expected `int`, got `bool`",
    "[soft_bounce]\nlimit = 0": "line 2: soft_bounce.limit: Expected `int` >= 1",
    "[soft_bounce]\nlimit = 257": "line 2: soft_bounce.limit: Expected `int` <= 256",
    f"[soft_bounce]\nlimit = {10**30}": "line 2: soft_bounce.limit: Expected `int` <= 256",
    "[preblock]\nenabled = 1": "line 2: preblock.enabled: Expected `bool`, got `int`",
    "[preblock]\nmin_tenants = 0": "line 2: preblock.min_tenants: Expected `int` >= 1",
    "[campaign_health]\nstale_list_warn = nan": "line 2: campaign_health.stale_list_warn: Expected `float` > 0.0",
    "[campaign_health]\nstale_list_warn = 2.5": "line 2: campaign_health.stale_list_warn: Expected `float` <= 1.0",
    "[dead_letters]\nbudget = 5": "line 2: dead_letters.budget: Expected `str`, got `int`",
    "[dead_letters]\nbudget = '5'": f"line 2: dead_letters.budget: '5' {NO_BUDGET}",
    "[dead_letters]\nbudget = '0/1h'": f"line 2: dead_letters.budget: '0/1h' {NO_BUDGET}",
    "[dead_letters]\nbudget = '5/0s'": f"line 2: dead_letters.budget: '5/0s' {NO_BUDGET}",
    "[dead_letters]\nbudget = '5/1h '": f"line 2: dead_letters.budget: '5/1h ' {NO_BUDGET}",
    "[dead_letters]\nbudget = '1000000/1h'": f"line 2: dead_letters.budget: '1000000/1h' {NO_BUDGET}",
    "[dead_letters]\nbudget = '5/1w'": (
        "line 2: dead_letters.budget: '1w' is not a duration such as 365d, 1h, 30m or 10s"
    ),
    "[tenants.acme.dead_letters]\nbudget = '/1h'": f"line 2: tenants.acme.dead_letters.budget: '/1h' {NO_BUDGET}",
    "\nsoft_bounce = 5": "line 2: soft_bounce: Expected `object`, got `int`",
    "[[soft_bounce]]": "line 1: soft_bounce: Expected `object`, got `array`",
    "tenants = 1": "line 1: tenants is a table of tables",
    "\n[tenants]\nacme = 1": "line 3: tenants.'acme' is not a table",
    "[[tenants]]\nacme.brake = {}": "line 1: tenants is a table of tables",
    "[tenants.acme.soft_bounce]\nlimit = 0": "line 2: tenants.acme.soft_bounce.limit: Expected `int` >= 1",
    # A name that no tenant can have would never be in force.
    '[brake]\n[tenants."acme inc".brake]': "line 2: tenants.'acme inc': tenant is not 1 to 64 of A-Z a-z 0-9 . _ -",
}


@pytest.mark.parametrize(("text", "expected"), WRONG.items())
def test_a_value_of_the_wrong_type_or_out_of_range_is_refused_with_its_line(text, expected):
    assert expected == refusal(text)


@pytest.mark.parametrize("value", ["3600", '"1w"', '"1 h"', '""', "true", "1979-05-27", "[]"])
@pytest.mark.parametrize("key", ["soft_bounce.window", "soft_bounce.allowed_lateness", "preblock.window"])
def test_a_duration_is_text_with_a_unit(key, value):
    said = refusal(f"\n{key} = {value}")
    assert said.startswith(f"line 2: {key}: ")
    assert said.endswith("is not a duration such as 365d, 1h, 30m or 10s")


def test_a_window_is_longer_than_nothing_and_lateness_need_not_be():
    assert refusal("[soft_bounce]\nwindow = '0d'") == "line 2: soft_bounce.window: a window can't be empty"
    said = refusal("[tenants.acme.preblock]\nwindow = '0s'")
    assert said == "line 2: tenants.acme.preblock.window: a window can't be empty"
    assert parse_policy("soft_bounce.allowed_lateness = '0s'").of("acme").soft_bounce.allowed_lateness == 0


def test_nothing_is_held_back_for_more_than_a_day():
    assert parse_policy("[brake]\nhold = '1d'").of("acme").brake.hold == DAY
    said = refusal("[tenants.acme.brake]\nenabled = true\nhold = '25h'")
    assert said == "line 3: tenants.acme.brake.hold: nothing is held back for more than 1d"


def test_a_tenant_may_have_a_brake_of_its_own():
    policy = parse_policy("[brake]\nenabled = true\nhold = '5m'\n[tenants.acme.brake]\nfloor = 7\nfactor = 2")
    brake = policy.of("acme").brake
    assert (brake.enabled, brake.floor, brake.factor, brake.hold) == (True, 7, 2, 5 * MINUTE)
    assert policy.of("globex").brake.floor == 100


def test_what_is_not_toml_is_refused_with_its_place():
    assert refusal("[soft_bounce]\nlimit = ") == "the policy is not TOML: Invalid value (at end of document)"
    assert "line 2" in refusal("[soft_bounce]\nlimit 5\n")
    assert "line 3" in refusal("[soft_bounce]\nlimit = 5\nlimit = 5\n")


EQUAL = [
    "",
    "# nothing",
    "[soft_bounce]\n[preblock]\n[brake]",
    "soft_bounce.limit = 5",
    "soft_bounce = { allowed_lateness = '60m', limit = 5 }",
    "[preblock]\nshare = true\nwindow = '720h'\n[soft_bounce]\nwindow = '365d'",
    "[soft_bounce]\nwindow = '31536000s'\nallowed_lateness = '3600000ms'",
    "[campaign_health]\nstale_list_jump = 3",
    "[tenants.acme.soft_bounce]\nlimit = 5",
]


@pytest.mark.parametrize("text", EQUAL)
def test_the_hash_is_that_of_the_values_however_they_are_written(text):
    assert BUILT_IN.hash_of("acme") == parse_policy(text).hash_of("acme")


DIFFERENT = [
    "",
    "soft_bounce.limit = 4",
    "soft_bounce.window = '364d'",
    "soft_bounce.window = '30d'",
    "soft_bounce.allowed_lateness = '0s'",
    "preblock.window = '365d'",
    "preblock.enabled = false",
    "preblock.share = false",
    "preblock.min_tenants = 2",
    "campaign_health.complaint_warn = 0.002",
    "campaign_health.min_events_1h = 21",
]


def test_the_hash_differs_where_a_value_does():
    assert len({parse_policy(text).hash_of("acme") for text in DIFFERENT}) == len(DIFFERENT)


def test_the_hash_is_that_of_the_policy_in_force_for_the_tenant():
    policy = parse_policy(OVERRIDES)
    assert policy.hash_of("anybody") == policy.hash_of("somebody") != BUILT_IN.hash_of("anybody")
    assert len({policy.hash_of(tenant) for tenant in ("anybody", "acme", "acme.example", "umbrella")}) == 4
    alone = parse_policy("[soft_bounce]\nlimit = 3\nwindow = '180d'")
    assert alone.hash_of("anybody") == policy.hash_of("acme")


def test_the_hash_is_sha256_in_hex():
    assert len(BUILT_IN.hash_of("acme")) == 64
    assert 0 <= int(BUILT_IN.hash_of("acme"), 16) < math.inf


def test_the_fingerprint_tells_whether_two_workers_have_the_same_policy():
    policy = parse_policy(OVERRIDES)
    assert parse_policy(OVERRIDES + "# a comment").fingerprint == policy.fingerprint
    fewer = parse_policy(OVERRIDES.replace('[tenants."acme.example"]', '[tenants."acme.test"]'))
    assert len({policy.fingerprint, fewer.fingerprint, BUILT_IN.fingerprint}) == 3


def test_all_policies_are_the_default_and_each_tenants_own():
    assert list(BUILT_IN.all) == [BUILT_IN.of("anybody")]
    policy = parse_policy(OVERRIDES)
    tenants = ("anybody", "acme", "acme.example", "umbrella")
    assert {policy.of(tenant) for tenant in tenants} == set(policy.all)
