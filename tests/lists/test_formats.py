"""Every format by its columns: what its rows lead to, and what is passed over or rejected."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.classify.classification import classify
from agents.classify.rules import builtin_rules
from agents.lists.entry import Entry, Skipped, column_name
from agents.lists.formats import ALLOW_LIST, BY_NAME, FORMATS, read_row, recognise
from agents.lists.mautic import REASONS
from schemas.rejected import Rejected
from schemas.report import Report
from schemas.times import DAY, parse_time
from schemas.typology import STATUSES

AT = parse_time("2026-11-20T10:15:30Z")


def read(name: str, default_at: int | None = AT, **row: object) -> list:
    named = {column_name(column): value for column, value in row.items()}
    return read_row(BY_NAME[name], named, builtin_rules(), default_at)


def status_of(name: str, **row: object) -> str:
    """Give the status of the one entry of a row, or why it is passed over."""
    [one] = read(name, **row)
    return one.why if isinstance(one, Skipped) else one.reason if isinstance(one, Rejected) else one.status


HEADERS = {
    "bounceline": "recipient,status,category,since,expires_at,reasons",
    "mautic": "id,email,date_added,reason,channel,channel_id,comments",
    "mailjet-contacts": "Email,IsExcludedFromCampaigns,ExclusionFromCampaignsUpdatedAt,Name",
    "mailjet-messages": "ContactAlt,ArrivedAt,Status,StateID,StatePermanent",
    "ses": "EmailAddress,Reason,LastUpdateTime",
    "mailgun-bounces": "address,code,error,created_at",
    "mailgun-unsubscribes": "address,tags,created_at",
    "mailgun-complaints": "address,created_at",
    "sendgrid": "status,reason,email,created",
    "sendgrid-invalid": "reason,email,created",
    "sendgrid-spam": "email,ip,created",
    "sendgrid-groups": "email,group_id,group_name,created_at",
    "sendgrid-unsubscribes": "email,created",
}


@pytest.mark.parametrize(("name", "header"), HEADERS.items())
def test_a_list_is_recognised_by_its_columns(name, header):
    found = recognise([column_name(column) for column in header.split(",")])
    assert found is not None
    assert found.name == name


def test_every_format_has_a_header_here_or_is_told_by_the_name_of_its_file():
    assert {one.name for one in FORMATS if not one.hint and one is not ALLOW_LIST} == set(HEADERS)


@pytest.mark.parametrize(
    ("file", "name"),
    [
        ("suppression_bounces.csv", "sendgrid-bounces"),
        ("suppression_blocks.csv", "sendgrid-blocks"),
        ("export.csv", "sendgrid"),
    ],
)
def test_bounces_and_blocks_of_sendgrid_are_told_apart_by_the_name_of_the_file(file, name):
    assert recognise(["status", "reason", "email", "created"], file) == BY_NAME[name]


@pytest.mark.parametrize(
    "header",
    [
        "email,created_at",
        "email,created,name",
        "email,first_name,ip,created",
        "address,created_at,name",
        "address,domain",
        "email",
        "lead_id,date_added,reason,channel,comments",
    ],
)
def test_a_list_of_contacts_does_not_pass_for_one_of_suppressions(header):
    assert recognise([column_name(column) for column in header.split(",")]) is None


def test_mailguns_list_of_whom_to_mail_whatever_happens_is_known_to_be_refused():
    assert recognise(["value", "type", "reason", "createdat"]) is ALLOW_LIST
    assert ALLOW_LIST.name not in BY_NAME


MAUTIC = {
    # Mautic 2 to 4.3: `related: error`
    ("2", "recipient: user unknown"): "User unknown",
    ("2", "domain: typofix"): "Typofix",
    ("2", "domain: invalid domain"): ":",
    ("2", "recipient: quota exceeded"): "Quota exceeded",
    ("2", "system: connection issue"): "Connection issue",
    ("2", "mailjet: preblocked"): "Preblock",
    ("2", "recipient: spam reporter"): "Spam",
    ("2", "recipient: blacklisted"): "User",
    ("2", ": "): ":",
    ("2", ":"): ":",
    ("2", ""): ":",
    # What is not the contact's blocked it all the same in those versions
    ("2", "spam: policy issue"): "not-the-contact",
    ("2", "policy issue: "): "not-the-contact",
    ("2", "spam: something new"): "not-the-contact",
    ("2", "domain: greylisted"): "not-the-contact",
    ("2", "mailjet: duplicate in campaign"): "not-the-contact",
    ("2", "recipient: mailbox inactive"): "soft",
    # 4.4 and the plugin: HARD, SOFT and BLOCKED
    ("2", "HARD: recipient: user unknown"): "User unknown",
    ("2", "HARD: recipient: mailbox inactive"): "User unknown",
    ("2", "HARD: : "): ":",
    ("2", "HARD"): ":",
    ("2", "BLOCKED: mailjet: preblocked"): "Preblock",
    ("2", "BLOCKED: : "): "Preblock",
    ("2", "BLOCKED"): "Preblock",
    ("2", "SOFT: recipient: user unknown: 450 4.1.1 try again"): "soft",
    ("2", "SOFT: : : 452 4.2.2 over quota"): "soft",
    ("2", "SOFT: : "): "soft",
    ("2", "HARD: : : 550 5.7.1 blocked using zen.spamhaus.org"): "not-the-contact",
    # The labels of Webmecanik's guide by themselves
    ("2", "User unknown"): "User unknown",
    ("2", "spam"): "Spam",
    ("2", "Quota exceeded"): "Quota exceeded",
    ("2", "Preblock"): "Preblock",
    ("3", "User unknown"): "User unknown",
    # Replies, as mailbox monitors write them
    ("2", "550 5.1.1 user unknown"): "User unknown",
    ("2", "550 5.7.1 rejected due to policy reasons"): "not-the-contact",
    # Unsubscribes, complaints, manual entries
    ("1", "User unsubscribed."): "User",
    ("1", ":"): "User",
    ("1", "User unknown"): "User",
    ("1", "Preblock"): "User",
    ("1", ""): "User",
    ("unsubscribed", "user"): "User",
    ("3", "user"): "User",
    ("3", "asked by phone"): "User",
    ("3", ":"): "User",
    ("3", ": "): "User",
    ("3", "preblock"): "User",
    ("3", "recipient: quota exceeded"): "User",
    ("3", "Quota exceeded"): "Quota exceeded",
    ("0", ""): "contactable",
    ("7", "user"): "unknown-event",
}


@pytest.mark.parametrize(("row", "expected"), MAUTIC.items())
def test_a_comment_of_mautic_is_read_as_the_version_that_wrote_it_meant_it(row, expected):
    reason, comment = row
    assert status_of("mautic", email="jane@example.com", reason=reason, comments=comment, channel="email") == expected


@pytest.mark.parametrize("comment", ["", ":", "Spam", "HARD", *STATUSES])
def test_an_unsubscribe_of_mautic_is_one_whatever_the_comment_says(comment):
    found = read("mautic", email="jane@example.com", reason="1", comments=comment)
    assert [(one.status, one.rule) for one in found] == [("User", None)]


@pytest.mark.parametrize("reason", ["1", "3"])
def test_a_complaint_that_mautic_files_as_an_unsubscribe_is_both(reason):
    comment = "User reported email as spam, source: JMRPP"
    found = read("mautic", email="jane@example.com", reason=reason, comments=comment)
    assert [one.status for one in found] == ["Spam", "User"]


@pytest.mark.parametrize("status", STATUSES)
def test_every_label_of_the_guide_is_a_comment_of_mautic_by_itself(status):
    assert status_of("mautic", email="jane@example.com", reason="2", comments=status) == status


def test_every_reason_of_mautic_is_read():
    said = {reason: status_of("mautic", email="jane@example.com", reason=reason, comments="x") for reason in REASONS}
    assert said["0"] == said["contactable"] == "contactable"
    assert said["1"] == said["3"] == said["manual"] == said["unsubscribed"] == "User"
    assert said["2"] == said["bounced"] == "soft"  # x says nothing


@pytest.mark.parametrize("comment", [":", ": ", "", " : : "])
def test_only_a_bare_colon_goes_by_the_rule_import_unverified(comment):
    [bare] = read("mautic", email="jane@example.com", reason="2", comments=comment)
    assert (bare.status, bare.rule) == (":", "import-unverified")
    [hard] = read("mautic", email="jane@example.com", reason="2", comments=f"HARD: {comment}")
    assert (hard.status, hard.rule) == (":", None)


def test_other_channels_than_mail_are_passed_over():
    assert status_of("mautic", email="jane@example.com", reason="1", comments="", channel="sms") == "other-channel"


def test_mautic_stores_times_in_utc():
    [one] = read("mautic", email="j@example.com", reason="1", comments="", date_added="2026-11-20 10:15:30")
    assert one.at == AT


SENDGRID = {
    ("sendgrid-bounces", "550 5.1.1 no such user", "5.1.1"): "User unknown",
    ("sendgrid-bounces", "550 so sorry", "5.0.0"): "User unknown",  # a bounce, says SendGrid
    ("sendgrid", "550 so sorry", "5.0.0"): ":",  # a bounce or a block: by the code alone
    ("sendgrid-blocks", "550 so sorry", "5.0.0"): "not-the-contact",
    ("sendgrid", "", ""): "soft",
    ("sendgrid", "550 5.1.1 no such user", "5.1.1"): "User unknown",
    ("sendgrid-blocks", "550 5.7.1 message content rejected as spam", "5.7.1"): "not-the-contact",
    ("sendgrid-bounces", "550 5.7.1 blocked using zen.spamhaus.org", "5.1.1"): "not-the-contact",
    ("sendgrid-bounces", "552 5.2.2 mailbox full", "5.2.2"): "soft",
    ("sendgrid-bounces", "552", "552"): "soft",
    ("sendgrid-invalid", "Mail domain mentioned in email address is unknown", ""): ":",
    ("sendgrid-spam", "", ""): "Spam",
    ("sendgrid-groups", "", ""): "User",
    ("sendgrid-unsubscribes", "", ""): "User",
}


@pytest.mark.parametrize(("row", "expected"), SENDGRID.items())
def test_a_row_of_sendgrid_is_judged_by_its_list_its_words_and_its_code(row, expected):
    name, reason, status = row
    assert status_of(name, email="jane@example.com", reason=reason, status=status, created="1795428930") == expected


@pytest.mark.parametrize("classification", [None, "Technical Failure"])
def test_a_block_of_sendgrids_list_is_read_as_one_of_its_webhook(classification):
    """In both, nothing that calls the address wrong counts. The list has no classification: words tell of outages."""
    servers = tomllib.loads((Path(__file__).parents[1] / "classify" / "replies.toml").read_text("utf-8"))
    replies = {one for said in servers.values() for meaning in said if meaning != "source" for one in said[meaning]}
    expected = {"ignore": "not-the-contact", "count": "soft"}
    event = {"event": "bounce", "type": "blocked", "email": "j@example.com", "timestamp": 1795428930}
    for reply in replies if classification is None else ["unable to get mx info: no such host"]:
        told = {**event, "reason": reply, "bounce_classification": classification}
        [(_, webhook)] = classify(Report("sendgrid", "acme", [told]))
        listed = status_of("sendgrid-blocks", email="j@example.com", reason=reply, status="", created="1795428930")
        assert listed == expected.get(webhook.effect, webhook.status)
        assert listed not in ("User unknown", ":")


MAILGUN = {
    ("mailgun-bounces", "550", "No such mailbox"): "User unknown",
    ("mailgun-bounces", "550", ""): ":",
    ("mailgun-bounces", "550", "5.7.1 message rejected due to policy reasons"): "not-the-contact",
    ("mailgun-bounces", "552", "mailbox full"): "soft",
    ("mailgun-bounces", "605", "Not delivering to previously bounced address"): "Preblock",
    ("mailgun-bounces", "607", ""): "Spam",
    ("mailgun-complaints", "", ""): "Spam",
    ("mailgun-unsubscribes", "", ""): "User",
}


@pytest.mark.parametrize(("row", "expected"), MAILGUN.items())
def test_a_row_of_mailgun_is_judged_by_its_list_its_words_and_its_code(row, expected):
    name, code, error = row
    at = "Fri, 20 Nov 2026 10:15:30 GMT"
    assert status_of(name, address="jane@example.com", code=code, error=error, created_at=at) == expected


SES = {"BOUNCE": "User unknown", "complaint": "Spam", "MANUAL": "unknown-event", "": "unknown-event"}


@pytest.mark.parametrize(("reason", "expected"), SES.items())
def test_a_suppressed_destination_of_ses_bounced_or_complained(reason, expected):
    at = "2026-11-20T10:15:30+00:00"
    assert status_of("ses", EmailAddress="jane@example.com", Reason=reason, LastUpdateTime=at) == expected


def test_a_contact_of_mailjet_is_blocked_where_it_is_excluded_unsubscribed_or_complained():
    jane = {"Email": "jane@example.com", "LastUpdateAt": "2026-11-20T10:15:30Z"}
    assert status_of("mailjet-contacts", **jane, IsExcludedFromCampaigns="true") == "User"
    assert status_of("mailjet-contacts", **jane, IsUnsubscribed=True) == "User"
    assert status_of("mailjet-contacts", **jane, UnsubscribedAt="2026-11-20T10:15:30Z") == "User"
    assert status_of("mailjet-contacts", **jane, IsUnsubscribed="0", UnsubscribedAt="x") == "contactable"
    assert status_of("mailjet-contacts", **jane, IsExcludedFromCampaigns="false") == "contactable"
    both = read("mailjet-contacts", **jane, IsExcludedFromCampaigns=True, IsSpamComplaining=True)
    assert [one.status for one in both] == ["Spam", "User"]


@pytest.mark.parametrize("column", ["UnsubscribedAt", "ExclusionFromCampaignsUpdatedAt"])
def test_a_complaint_in_mailjets_list_is_not_lost_where_only_the_unsubscribe_has_a_time(column):
    row = {"Email": "jane@example.com", "IsSpamComplaining": True, "IsExcludedFromCampaigns": True}
    both = read("mailjet-contacts", None, **row, **{column: "2026-11-20T10:15:30Z"})
    assert [(one.status, one.at) for one in both] == [("Spam", AT), ("User", AT)]


MAILJET = {
    ("hardbounced", "1", ""): "User unknown",
    ("softbounced", "3", ""): "soft",
    ("bounce", "", "user unknown"): "User unknown",
    ("bounce", "9", ""): "not-the-contact",
    ("blocked", "14", ""): "Preblock",
    ("blocked", "15", ""): "not-the-contact",
    ("blocked", "21", ""): "Spam",
    ("typofix", "", ""): "Typofix",
    ("spam", "", ""): "Spam",
    ("unsub", "", ""): "User",
    ("sent", "", ""): "not-a-block",
    ("vanished", "", ""): "unknown-event",
}


@pytest.mark.parametrize(("row", "expected"), MAILJET.items())
def test_a_message_of_mailjet_is_judged_by_its_state_or_its_error(row, expected):
    status, state, error = row
    told = {"Status": status, "StateID": state, "error": error, "ArrivedAt": "2026-11-20T10:15:30Z"}
    assert status_of("mailjet-messages", ContactAlt="jane@example.com", **told) == expected


def test_our_own_row_has_an_entry_for_each_of_its_reasons():
    reasons = '[{"status": "Spam", "since": "2026-11-20T10:15:30.000Z"}, {"status": "user", "since": 1760000000}]'
    found = read("bounceline", recipient="Jane <JANE@example.com>", status="Spam", since="", reasons=reasons)
    assert [(one.recipient, one.status) for one in found] == [
        ("jane@example.com", "Spam"),
        ("jane@example.com", "User"),
    ]
    assert [one.at for one in found] == [AT, 1_760_000_000_000]


def test_a_reason_of_our_own_keeps_its_rule_and_one_that_has_ended_is_not_imported_for_anew():
    reasons = [
        {"status": "User unknown", "since": "2026-11-01T00:00:00.000Z", "expires_at": None, "rule": "of-monday"},
        {"status": "Preblock", "since": "2026-10-01T00:00:00.000Z", "expires_at": "2026-10-31T00:00:00.000Z"},
    ]
    row = {"recipient": "j@example.com", "reasons": reasons}
    [stands, ended] = read_row(BY_NAME["bounceline"], row, builtin_rules(), None, AT)
    assert (stands.status, stands.rule, stands.expires_at) == ("User unknown", "of-monday", None)
    assert ended == Skipped("expired")
    reasons[1]["expires_at"] = "2026-12-20T00:00:00.000Z"
    [_, holds] = read_row(BY_NAME["bounceline"], {"recipient": "j@example.com", "reasons": reasons}, builtin_rules())
    assert (holds.status, holds.expires_at) == ("Preblock", 1_797_724_800_000)


@pytest.mark.parametrize("status", STATUSES)
def test_a_status_in_our_own_list_stands_for_itself(status):
    assert status_of("bounceline", recipient="jane@example.com", status=status) == status


def test_a_release_in_our_own_list_blocks_nobody():
    assert status_of("bounceline", recipient="j@example.com", status="User", action="release") == "contactable"


WRONG = {
    "bad-recipient": {"recipient": "nobody at all", "status": "User"},
    "missing-field": {"recipient": "", "status": "User"},
    "unknown-status": {"recipient": "j@example.com", "status": "Hard"},
    "bad-time": {"recipient": "j@example.com", "status": "User", "since": "11/10/2026"},
    "wrong-type": {"recipient": "j@example.com", "status": "User", "reasons": "[1]"},
    "not-json": {"recipient": "j@example.com", "status": "User", "reasons": "User"},
}


@pytest.mark.parametrize(("reason", "row"), WRONG.items())
def test_what_can_not_be_read_is_rejected_without_its_content(reason, row):
    [rejected] = read("bounceline", **row)
    assert isinstance(rejected, Rejected)
    assert rejected.reason == reason
    assert "@" not in rejected.detail
    assert "nobody" not in rejected.detail


PREBLOCKED = {
    "bounceline": {"recipient": "j@example.com", "status": "Preblock", "since": "{}"},
    "mautic": {"email": "j@example.com", "reason": "2", "comments": "mailjet: preblocked", "date_added": "{}"},
    "mailjet-messages": {"email": "j@example.com", "event": "blocked", "error": "preblocked", "time": "{}"},
    "mailgun-bounces": {"address": "j@example.com", "code": "605", "error": "previously bounced", "created_at": "{}"},
}


@pytest.mark.parametrize("name", PREBLOCKED)
def test_a_preblock_of_any_list_whose_window_is_over_is_passed_over(name):
    def of(at):
        row = {column_name(key): value.format(at) for key, value in PREBLOCKED[name].items()}
        [one] = read_row(BY_NAME[name], row, builtin_rules(), None, AT, 30 * DAY)
        return one

    assert of("2026-10-21T10:15:30Z") == Skipped("expired")
    assert of("2026-10-21T10:15:31Z").status == "Preblock"


def test_a_preblock_that_names_its_end_begins_a_window_before_that():
    row = {"recipient": "j@example.com", "status": "Preblock", "since": "2026-09-10", "expiresat": "2026-11-21"}
    [one] = read_row(BY_NAME["bounceline"], row, builtin_rules(), None, AT, 30 * DAY)
    assert one.at == parse_time("2026-10-22T00:00:00Z")


def test_a_preblock_that_ends_later_than_the_window_can_reach_begins_when_it_says():
    row = {"recipient": "j@example.com", "status": "Preblock", "since": "2026-11-19", "expiresat": "2027-11-19"}
    [one] = read_row(BY_NAME["bounceline"], row, builtin_rules(), None, AT, 30 * DAY)
    assert one.at == parse_time("2026-11-19T00:00:00Z")


def test_a_row_without_a_time_needs_one_from_outside():
    row = {"recipient": "j@example.com", "status": "User"}
    assert [one.reason for one in read("bounceline", None, **row)] == ["missing-field"]
    assert [one.at for one in read("bounceline", AT, **row)] == [AT]


def test_a_time_in_the_future_is_not_believed():
    row = {"recipient": "j@example.com", "status": "User", "since": "2026-11-20T10:15:30Z"}
    [late] = read_row(BY_NAME["bounceline"], row, builtin_rules(), None, AT - 1)
    assert late.reason == "implausible-time"
    [just] = read_row(BY_NAME["bounceline"], row, builtin_rules(), None, AT)
    assert just.at == AT


VALUES = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=40) | st.lists(st.integers())
COLUMNS = sorted(
    {column for one in FORMATS for names in one.required for column in names} | {"reasons", "channel", "expiresat"}
)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(sorted(BY_NAME)), st.dictionaries(st.sampled_from(COLUMNS), VALUES))
def test_any_row_gives_values(name, row):
    for one in read_row(BY_NAME[name], row, builtin_rules()):
        assert isinstance(one, Entry | Skipped | Rejected)
