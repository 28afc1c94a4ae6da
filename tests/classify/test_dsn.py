"""Delivery status notifications, field by field. Whole mails of mail servers are in test_mails.py."""

import pytest

from agents.classify.classification import classify
from agents.classify.providers.dsn import ACTIONS
from schemas.report import Report
from tests.support.mails import RETURNED, bounce, classified, letter, one, rejected, report

UU, CO, QE, CI = "User unknown", ":", "Quota exceeded", "Connection issue"

MEANINGS = {
    "failed": ("bounced", UU),
    "error": ("bounced", UU),
    "delayed": ("deferred", None),
    "delivered": ("delivered", None),
    "relayed": ("other", None),
    "expanded": ("other", None),
}


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("written", ["{}", "{} (a comment)", "{}; a comment"])
def test_an_action_means_with_a_comment_and_without(action, written):
    for spelled in (action, action.title(), action.upper()):
        found = one(bounce(Action=written.format(spelled)))
        assert (found.outcome, found.status) == MEANINGS[action]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ({"Action": None, "Status": None}, "missing-field"),
        ({"Action": "", "Status": "unknown"}, "missing-field"),
        ({"Action": None, "Status": None, "Diagnostic_Code": "smtp; it did not work"}, "missing-field"),
        ({"Action": "lost"}, "unknown-event"),
    ],
)
def test_a_recipient_of_whom_nothing_says_what_became_is_rejected(written, reason):
    assert rejected(bounce(**written)) == reason


@pytest.mark.parametrize(
    ("status", "diagnostic", "meaning"),
    [
        ("5.1.1", None, ("bounced", UU)),
        ("5.7.1", None, ("bounced", None)),
        ("5.2.2", "smtp; 452 4.2.2 mailbox full", ("bounced", QE)),
        ("4.4.7", None, ("deferred", None)),
        ("4.2.2", "smtp; 550 5.1.1 user unknown", ("deferred", None)),
        ("2.1.5", None, ("delivered", None)),
        (None, "smtp; 550 5.1.1 user unknown", ("bounced", UU)),
        (None, "smtp; 552 mailbox full", ("bounced", QE)),
        (None, "smtp; 451 try again later", ("deferred", None)),
    ],
)
def test_without_an_action_the_class_of_the_code_says_what_became_of_it(status, diagnostic, meaning):
    for action in (None, ""):
        found = one(bounce(Action=action, Status=status, Diagnostic_Code=diagnostic))
        assert (found.outcome, found.status) == meaning


STATUSES = {
    ("5.1.1", None): UU,
    ("5.1.1 (bad destination)", None): UU,
    ("5.1.2", None): CO,
    ("5.2.2", None): QE,
    ("4.2.2", None): QE,
    ("4.4.7", "smtp; 550 4.4.7 message expired"): CI,
    ("4.4.7", "smtp; 452 4.2.2 mailbox full"): QE,
    ("5.7.1", None): None,
    ("5.7.1", "smtp; 550 5.7.1 user unknown"): UU,
    ("5.0.0", "smtp; 550 5.1.1 no"): UU,
    ("5.0.0", "smtp; 550 Unknown user"): UU,
    ("5.0.0", "smtp; 554 blocked using dnsbl.example"): None,
    ("5.1.1", "smtp; 550 blocked using dnsbl.example"): None,
    ("5.1.1", "smtp; 550 5.7.1 refused"): None,
    ("5.1.1", "smtp; 552 5.2.2 full"): QE,
    ("5.1.1", "smtp; 550 5.0.0 no"): UU,
    ("5.0.0", None): CO,
    (None, "smtp; 552 mailbox full"): QE,
    (None, "SMTP;550 5.1.2 host unknown"): CO,
    (None, "X-Postfix; connect to mx.example[192.0.2.5]:25: Connection timed out"): CI,
    (None, "550 5.1.1 no type before"): UU,
    (None, "greylisted; come again"): None,
    (None, None): CI,
    ("unknown", None): CI,
    ("2.0.0", None): CI,
}


@pytest.mark.parametrize(("status", "diagnostic"), STATUSES)
def test_a_failure_is_judged_by_its_status_and_by_the_servers_words(status, diagnostic):
    assert one(bounce(Status=status, Diagnostic_Code=diagnostic)).status == STATUSES[status, diagnostic]


def test_the_type_of_a_diagnostic_is_taken_off_and_its_lines_are_joined():
    found = one(bounce(Diagnostic_Code="smtp; 550-5.1.1 The account\n  550 5.1.1 does not exist"))
    assert found.diagnostic == "550-5.1.1 The account 550 5.1.1 does not exist"
    assert found.enhanced_code == "5.1.1"


def test_a_diagnostic_in_encoded_words_is_read():
    found = one(bounce(Status="5.0.0", Diagnostic_Code="smtp; =?utf-8?Q?552_bo=C3=AEte_pleine:_mailbox_is_full?="))
    assert (found.diagnostic, found.status) == ("552 boîte pleine: mailbox is full", QE)


def test_encoded_words_that_are_none_are_left_alone():
    assert one(bounce(Diagnostic_Code="smtp; =?utf-8?B?a?= =?nonsense?Q?x?=")).diagnostic


def test_a_diagnostic_is_cut_before_it_fills_a_record():
    assert len(one(bounce(Diagnostic_Code="smtp; 550 5.1.1 " + "no " * 50_000)).diagnostic) <= 4_096


def test_without_diagnostic_and_with_a_vague_status_the_words_for_people_are_the_evidence():
    words = (
        "The mailbox of jane@example.com is full.\n\n--- Below this line is a copy of the message.\n\nblocked as spam"
    )
    assert one(bounce(Status="5.0.0", words=words)).status == QE
    assert one(bounce(Status=None, words=words)).status == QE
    assert one(bounce(Status="5.1.1", words=words)).status == UU
    assert one(bounce(Status="5.0.0", Diagnostic_Code="smtp; 550 5.1.1 no", words=words)).status == UU


def test_words_for_people_are_about_nobody_in_particular_where_there_are_several():
    groups = "".join(
        f"\nFinal-Recipient: rfc822; {name}@example.com\nAction: failed\nStatus: 5.0.0\n" for name in ("a", "b")
    )
    found = classified(report("delivery-status", groups, words="The mailbox of a@example.com is full."))
    assert [event.status for event in found] == [CO, CO]


RECIPIENTS = {
    ("rfc822; Jane@Example.com", None): "jane@example.com",
    ("RFC822;jane@example.com", None): "jane@example.com",
    ("rfc822 ; <jane@example.com>", None): "jane@example.com",
    ("<jane@example.com>", None): "jane@example.com",
    ("jane@example.com", None): "jane@example.com",
    ("smtp; jane@example.com", None): "jane@example.com",
    ("rfc822; jane@example.com (forwarded)", None): "jane@example.com",
    ("rfc822; stranger@example.net", "rfc822;jane@example.com"): "jane@example.com",
    ("rfc822; jane@example.com", "rfc822;"): "jane@example.com",
    ("rfc822; jane@example.com", "x400; /S=Doe/G=Jane/"): "jane@example.com",
    ("rfc822; jane@example.com", "rfc822; jane"): "jane@example.com",
    # xtext
    ("rfc822; stranger@example.net", "rfc822;jane+2Bnews@example.com"): "jane+news@example.com",
    ("rfc822; stranger@example.net", "rfc822;jane+2Ba+3Db@example.com"): "jane+a=b@example.com",
    ("rfc822; stranger@example.net", "rfc822;jane+2024@example.com"): "jane+2024@example.com",
    ("rfc822; stranger@example.net", "rfc822;jane+news@example.com"): "jane+news@example.com",
    ("rfc822; jane+2bis@example.com", "rfc822;jane+2bis@example.com"): "jane+2bis@example.com",
    ("rfc822; jane+2B@example.com", "rfc822;jane+2B@example.com"): "jane+2b@example.com",
    # RFC 6533
    ("utf-8; jürgen@bücher.example", None): "jürgen@xn--bcher-kva.example",
    ("utf-8; j\\x{FC}rgen@example.com", None): "jürgen@example.com",
    ("utf-8; j\\x{00FC}rgen\\x{2B}a@example.com", None): "jürgen+a@example.com",
    ("utf-8; \\x{1F600}@example.com", None): "😀@example.com",
    ("rfc822; stranger@example.net", "utf-8;j\\x{FC}rgen@example.com"): "jürgen@example.com",
}


@pytest.mark.parametrize(("final", "original"), RECIPIENTS)
def test_the_recipient_is_the_one_we_wrote_to_however_it_is_spelled(final, original):
    assert one(bounce(Final_Recipient=final, Original_Recipient=original)).recipient == RECIPIENTS[final, original]


@pytest.mark.parametrize(
    "final",
    [
        "rfc822; jane",
        "x400; /S=Doe/G=Jane/",
        "rfc822; jan\ufffd@example.com",
        "rfc822; a@example.com, b@example.com",
        "utf-8; \\x{D800}@example.com",
        "utf-8; \\x{FFFFFF}@example.com",
        "local; jane",
    ],
)
def test_a_recipient_that_is_no_mail_address_is_rejected(final):
    assert rejected(bounce(Final_Recipient=final)) == "bad-recipient"


def test_a_local_name_gives_way_to_the_actual_recipient():
    found = one(bounce(Final_Recipient="rfc822; jane", X_Actual_Recipient="rfc822; jane@example.com"))
    assert found.recipient == "jane@example.com"


def test_the_time_is_that_of_the_last_attempt_else_of_the_report_else_of_the_arrival():
    attempt, arrival = "Thu, 20 Nov 2025 11:15:30 +0100", {"Arrival-Date": "Sat, 15 Nov 2025 10:00:00 +0000"}
    assert one(bounce(arrival, Last_Attempt_Date=attempt)).occurred_at == "2025-11-20T10:15:30.000Z"
    assert one(bounce(arrival)).occurred_at == "2025-11-20T10:15:31.000Z"
    assert one(bounce(arrival, Last_Attempt_Date="yesterday")).occurred_at == "2025-11-20T10:15:31.000Z"
    assert one(bounce(arrival, date=None)).occurred_at == "2025-11-15T10:00:00.000Z"
    assert rejected(bounce(date=None)) == "missing-field"
    assert rejected(bounce(date="yesterday")) == "bad-time"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Thu, 20 Nov 2025 10:15:31 +0000 (UTC)", "2025-11-20T10:15:31.000Z"),
        ("20 Nov 2025 11:15 +0100", "2025-11-20T10:15:00.000Z"),
        ("Thu, 20 Nov 2025 05:15:31 EST", "2025-11-20T10:15:31.000Z"),
        ("Thu, 20 Nov 2025 10:15:31 -0000", "2025-11-20T10:15:31.000Z"),
        ("Thu, 20 Nov 2025 10:15:31", "2025-11-20T10:15:31.000Z"),
        ("2025-11-20T11:15:31.5+01:00", "2025-11-20T10:15:31.500Z"),
    ],
)
def test_dates_are_read_as_mail_writes_them(written, expected):
    assert one(bounce(date=written)).occurred_at == expected


@pytest.mark.parametrize("written", ["Thu, 32 Nov 2025 10:15:31 +0000", "1 Jan 1969 00:00:00 +0000", "9" * 300, "Thu"])
def test_dates_that_are_none_are_rejected(written):
    assert rejected(bounce(date=written)) == "bad-time"


def returned(text: str, kind: str = "message/rfc822") -> str | None:
    status = "Final-Recipient: rfc822; jane@example.com\nAction: failed\nStatus: 5.1.1\n"
    mail = report("delivery-status", status, returned=text).replace("message/rfc822", kind)
    return one(mail.replace("To: bounces", "In-Reply-To: <other@shop.example>\nTo: bounces")).message_id


@pytest.mark.parametrize(
    "kind",
    [
        "message/rfc822",
        "text/rfc822-headers",
        "message/global",
        "message/global-headers",
        "text/rfc822-headers; charset=us-ascii",
    ],
)
def test_the_message_is_named_by_what_came_back_of_it(kind):
    assert returned(RETURNED, kind) == "m1@shop.example"


@pytest.mark.parametrize(
    ("written", "message_id"),
    [
        ("<m1@shop.example>", "m1@shop.example"),
        ("\n <m1@shop.example>", "m1@shop.example"),
        ("< m1@shop.example > (added by the server)", "m1@shop.example"),
        ("m1@shop.example", "m1@shop.example"),
        ("<" + "m" * 998 + ">", "m" * 998),
        ("<" + "m" * 999 + ">", "other@shop.example"),
        ("no id at all", "other@shop.example"),
        ("", "other@shop.example"),
    ],
)
def test_the_message_id_has_no_brackets_and_where_there_is_none_the_report_answers_to_it(written, message_id):
    assert returned(f"Subject: Spring\nMessage-ID: {written}\n\nDear reader") == message_id


def test_a_report_within_the_message_that_came_back_is_not_ours():
    inner = (
        bounce(Final_Recipient="rfc822; other@example.com").replace("boundary=b", "boundary=c").replace("--b", "--c")
    )
    status = "Final-Recipient: rfc822; jane@example.com\nAction: failed\nStatus: 5.1.1\n"
    assert one(report("delivery-status", status, returned=inner)).recipient == "jane@example.com"


def test_recipients_in_one_block_with_the_message_or_after_many_blank_lines_are_found():
    group = "Final-Recipient: rfc822; jane@example.com\nAction: failed\nStatus: 5.1.1\n"
    for status in (
        f"Reporting-MTA: dns; mx.example\n{group}",
        f"\n\n \n\nReporting-MTA: dns; mx\n \n\t\n\n{group}\n\n",
    ):
        assert one(report("delivery-status", status)).recipient == "jane@example.com"


def test_the_same_report_again_is_the_same_event_and_each_recipient_one_of_its_own():
    assert one(bounce()).event_uid == one(bounce()).event_uid
    assert one(bounce()).event_uid != one(bounce(Final_Recipient="rfc822; joe@example.com")).event_uid


@pytest.mark.parametrize("payload", [[], {}, ["mail"], {"mail": "x"}])
def test_a_payload_that_is_no_text_is_rejected_as_a_whole(payload):
    [(place, found)] = classify(Report("dsn", "acme", payload))
    assert (place, found.reason) == (None, "wrong-type")


@pytest.mark.parametrize("text", ["", "\n", "no mail", "{}", "\x00", "Subject: hello"])
def test_a_text_that_is_no_report_is_rejected(text):
    assert rejected(text) == "not-a-report"


QSBMF = "<gone@example.com>:\n550 5.1.1 user unknown"


@pytest.mark.parametrize(
    "fields",
    [
        {"From": "MAILER-DAEMON@mx.example"},
        {"From": "Mail Delivery Subsystem <mailer-daemon@mx.example>"},
        {"From": '"Post" <Postmaster@mx.example>'},
        {"From": "MAILER-DAEMON@mx.example", "Auto_Submitted": "auto-replied"},
        {"From": "Mail Delivery System <noreply@mx.example>"},
        {"X_Failed_Recipients": "gone@example.com"},
        {"Subject": "Undelivered Mail Returned to Sender"},
        {"Subject": "Échec de la remise", "Return_Path": None},
        {"Subject": "=?utf-8?q?=C3=89chec?="},
    ],
)
def test_a_mail_without_status_is_a_bounce_by_its_sender_its_subject_or_its_failed_recipients(fields):
    found = one(letter(fields.pop("Subject", "hello"), QSBMF, **fields))
    assert (found.recipient, found.outcome, found.status) == ("gone@example.com", "bounced", UU)


@pytest.mark.parametrize(
    "fields",
    [
        {"Subject": "hello"},
        {"Subject": "Re: Undelivered Mail Returned to Sender"},
        {"Subject": "Undelivered Mail Returned to Sender", "Return_Path": "<joe@example.net>"},
        {"Subject": "Undelivered Mail Returned to Sender", "Auto_Submitted": "auto-replied (vacation)"},
        {"Subject": "Automatic reply: hello", "From": "MAILER-DAEMON@mx.example"},
        {"Subject": "AW: Out of office", "From": "MAILER-DAEMON@mx.example"},
        {"Subject": "hello", "From": "MAILER-DAEMON@mx.example", "X_Autoreply": "yes"},
        {"Subject": "hello", "From": "postmaster@mx.example", "Precedence": "auto_reply"},
    ],
)
def test_a_letter_and_an_automatic_reply_are_no_bounces_whatever_they_say(fields):
    assert rejected(letter(fields.pop("Subject"), QSBMF, **fields)) == "not-a-report"


def test_a_bounce_of_our_own_mail_about_being_out_of_office_is_a_bounce():
    found = one(letter("Undeliverable: Out of office? Our offers", QSBMF, From="MAILER-DAEMON@mx.example"))
    assert found.status == UU


@pytest.mark.parametrize(
    ("subject", "words"),
    [
        ("Warning: could not send message for past 4 hours", QSBMF),
        ("Delivery Status Notification (Delay)", QSBMF),
        ("Delivery delayed", QSBMF),
        ("failure notice", f"{QSBMF}\nThe message will be retried for 2 more days."),
        ("failure notice", f"It has not yet been delivered to:\n\n{QSBMF}"),
        ("failure notice", f"{QSBMF}\nYou do not need to resend your message."),
    ],
)
def test_what_is_tried_again_has_not_failed(subject, words):
    assert one(letter(subject, words, From="MAILER-DAEMON@mx.example")).outcome == "deferred"


def test_words_of_the_returned_message_are_no_evidence_and_give_its_id():
    copy = (
        "--- Below this line is a copy of the message.\n\nMessage-ID: <m9@shop.example>\n\nmailbox full, spam, policy"
    )
    found = one(
        letter("failure notice", f"<gone@example.com>:\nIt did not work.\n\n{copy}", From="MAILER-DAEMON@mx.example")
    )
    assert (found.status, found.rule, found.message_id) == (CI, "bounced-unexplained", "m9@shop.example")
    assert "copy" not in found.diagnostic


def test_our_own_address_and_the_servers_are_not_recipients():
    words = "<bounces@shop.example>:\nno\n\n<mailer-daemon@mx.example>:\nno\n\n<gone@example.com>:\n550 user unknown"
    assert one(letter("failure notice", words, From="MAILER-DAEMON@mx.example")).recipient == "gone@example.com"


def test_one_address_in_two_spellings_is_one_recipient():
    words = f"{QSBMF}\n\n<Gone@Example.com>:\n550 5.1.1 user unknown"
    assert one(letter("failure notice", words, From="MAILER-DAEMON@mx.example")).recipient == "gone@example.com"


def test_a_bounce_in_html_is_read_without_its_tags():
    body = "<p>Fehler</p><pre>&lt;gone@example.com&gt;:\n550 5.1.1 <b>user</b> unknown</pre>"
    found = one(letter("failure notice", body, From="MAILER-DAEMON@mx.example", Content_Type="text/html"))
    assert (found.recipient, found.status) == ("gone@example.com", UU)


@pytest.mark.parametrize("kind", ["multipart/mixed", "multipart/report; boundary=x", 'multipart/mixed; boundary=""'])
def test_a_bounce_that_says_it_has_parts_and_has_none_is_read_as_it_is(kind):
    found = one(letter("failure notice", QSBMF, From="MAILER-DAEMON@mx.example", Content_Type=kind))
    assert (found.recipient, found.status) == ("gone@example.com", UU)


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("base64", "PGdvbmVAZXhhbXBsZS5jb20+Ogo1NTAgdXNlciB1bmtub3du"),
        ("quoted-printable", "<gone=40example.com>:\n550 user unk=\nnown"),
    ],
)
def test_a_bounce_in_a_transfer_encoding_is_read(encoding, body):
    found = one(letter("failure notice", body, From="MAILER-DAEMON@mx.example", Content_Transfer_Encoding=encoding))
    assert (found.recipient, found.status) == ("gone@example.com", UU)
