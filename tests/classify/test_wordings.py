"""Wordings: phrases in words, gaps, and scripts without spaces."""

import pytest

from agents.classify.wordings import Wording, words_of

FOUND = [
    ("user unknown", "550 User Unknown"),
    ("user unknown", "user-unknown"),
    ("user unknown", "user_unknown in table"),
    ("user doesn't exist", "the user doesn't exist."),
    ("mailbox ... full", "Mailbox of that person is FULL"),
    ("mailbox ... full", "mailbox full"),
    ("boîte pleine", "La boi\u0302te pleine"),
    ("用户不存在", "550 该用户不存在 (x)"),
    ("邮箱...已满", "550 邮箱空间已满"),
    ("ไม่พบผู้ใช้", "550 ไม่พบผู้ใช้งาน"),
    ("пользователь не найден", "550 Пользователь не найден"),
    ("blocked", "host mx.example.com[192.0.2.1] said: blocked"),
    ("host not found", "Host not found"),
    ("mail at a rate that", "450-4.2.1 is receiving mail at\n450-4.2.1 a rate that\n450 4.2.1 prevents"),
    ("mail at a rate that", "450-4.2.1 is receiving mail at 450-4.2.1 a rate that 450 4.2.1 prevents"),
    ("unavailable reject due to", "550-Mailbox unavailable\n550 Reject due to policy"),
]
NOT_FOUND = [
    ("unknown user", "too many unknown users"),
    ("user unknown", "superuser unknown"),
    ("mailbox ... full", "mailbox one two three four five six seven full"),
    ("mailbox full", "550 <mailbox.full@example.com> refused"),
    ("barracuda", "host mx.barracuda.example[192.0.2.1] said: no"),
    ("spamhaus", "connect to spamhaus.mx.example[192.0.2.1]:25: refused"),
    ("用户不存在", "用户存在"),
    ("user 550 unknown", "550-5.1.1 user\n550 5.1.1 unknown"),
]


@pytest.mark.parametrize(("phrase", "text"), FOUND)
def test_a_phrase_is_found(phrase, text):
    wording = Wording(phrase)
    assert wording.matches(words_of(text))
    assert f" {wording.key} " in words_of(text) or not wording.key


@pytest.mark.parametrize(("phrase", "text"), NOT_FOUND)
def test_a_phrase_is_not_found(phrase, text):
    assert not Wording(phrase).matches(words_of(text))


@pytest.mark.parametrize("phrase", ["", "...", "... full", "mailbox ...", "!?"])
def test_a_phrase_without_words_is_refused(phrase):
    with pytest.raises(ValueError, match="has no words"):
        Wording(phrase)
