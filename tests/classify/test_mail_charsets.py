"""Mails in other charsets than UTF-8 are read where they say which, whoever made text of them; else nobody pays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.classify.mail_bytes import mail_text
from schemas.rejected import Rejected
from tests.support.mails import bounce, classified, one, rejected

QE, UU, CI = "Quota exceeded", "User unknown", "Connection issue"

WORDS = [
    ("iso-8859-1", "Boîte aux lettres pleine", QE),
    ("latin1", "Boîte aux lettres inexistante", UU),
    ("ISO-8859-15", "Användaren finns inte", UU),
    ("windows-1252", "Postfach überfüllt", QE),
    ("iso-8859-2", "Nieznany użytkownik", UU),
    ("windows-1250", "Schránka příjemce je plná", QE),
    ("windows-1251", "Почтовый ящик переполнен", QE),
    ("koi8-r", "Неизвестный пользователь", UU),
    ("windows-1253", "Άγνωστος χρήστης", UU),
    ("windows-1254", "Alıcının posta kutusu dolu", QE),
    ("windows-1256", "المستخدم غير موجود", UU),
    ("gb18030", "收件人邮箱已满", QE),
    ("gb2312", "该用户不存在", UU),
    ("big5", "信箱已滿", QE),
    ("euc-kr", "메일함이 가득 찼습니다", QE),
    ("shift_jis", "ユーザーが存在しません", UU),
    ("iso-2022-jp", "メールボックスがいっぱいです", QE),
    ("utf-8", "Boîte aux lettres pleine", QE),
]


def mail(charset: str | None, words: str) -> str:
    """Give a bounce whose words for people are all the evidence, in one part of that charset."""
    text = bounce(Status="5.0.0", words=words)
    declared = f'text/plain;\n\tformat=flowed; charset="{charset}"' if charset else "text/plain"
    return text.replace("Content-Type: text/plain", f"Content-Type: {declared}\nContent-Transfer-Encoding: 8bit")


@pytest.mark.parametrize(("charset", "words", "status"), WORDS)
def test_a_part_is_read_in_the_charset_it_declares(charset, words, status):
    raw = mail(charset, words).encode(charset)
    for ends in (b"\n", b"\r\n"):
        found = one(mail_text(raw.replace(b"\n", ends)))
        assert (found.status, found.recipient) == (status, "jane@example.com")
        assert words in (found.diagnostic or "")


@pytest.mark.parametrize(("charset", "words", "status"), WORDS)
def test_a_producer_that_made_a_character_of_every_byte_is_understood(charset, words, status):
    found = one(mail(charset, words).encode(charset).decode("latin-1"))
    assert (found.status, found.diagnostic) == (status, words)


@pytest.mark.parametrize(("charset", "words", "status"), WORDS)
def test_a_producer_that_decoded_the_mail_is_not_decoded_again(charset, words, status):
    found = one(mail(charset, words))
    assert (found.status, found.diagnostic) == (status, words)


@pytest.mark.parametrize("declared", [None, "x-unknown", "utf-7", "us-ascii", "base64", "big5"])
def test_bytes_in_no_charset_that_is_known_block_nobody_at_once(declared):
    for words in ("550 A c\xedmzett postafi\xf3kja", "550 \xff\xfe\xe9"):
        found = one(mail_text(mail(declared, words).encode("latin-1")))
        assert (found.status, found.effect) == (CI, "count")


def test_a_diagnostic_that_could_not_be_decoded_blocks_nobody_at_once():
    raw = bounce(Status="5.0.0", Diagnostic_Code="smtp; 550 Bo\xeete refus\xe9e").encode("latin-1")
    assert one(mail_text(raw)).status == CI


def test_each_part_has_its_own_charset_and_a_signature_ends_none():
    text = mail("windows-1251", "Здравствуйте.\n-- \n--\nПочтовый ящик переполнен")
    assert one(mail_text(text.encode("windows-1251"))).status == QE
    raw = mail("windows-1251", "@").encode().replace(b"@\n", "Ящик".encode("cp1251") + b"\n", 1)
    assert mail_text(raw + "Grüße".encode("latin-1")).endswith("Gr\ufffd\ufffde")


def test_a_recipient_in_other_bytes_is_refused_and_not_guessed():
    raw = mail("iso-8859-1", "é").replace("jane@example.com", "jané@example.com").encode("latin-1")
    assert rejected(mail_text(raw)) == "bad-recipient"


def test_what_is_utf_8_stays_as_it_is_whatever_it_declares():
    text = mail("windows-1251", "Boîte aux lettres pleine")
    assert mail_text(text.encode()) == text


PIECES = [b"--b\n", b"--b--\n", b"\n", b"\r\n", b"\xe9", b"\x1b$B", b"\x1b(B", "é".encode(), b"a", b"\x00"]
PIECES += [b"Content-Type: text/plain; charset=", b"iso-2022-jp", b"gb18030", b"hex"]
PIECES += [b"Content-Type: multipart/mixed; boundary=b"]


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=30).map(b"".join))
def test_any_bytes_are_a_text(raw):
    text = mail_text(raw)
    text.encode()
    assert all(isinstance(found.reason, str) for found in classified(text) if isinstance(found, Rejected))
