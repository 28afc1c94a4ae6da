"""An operator's own rules: tried before the built-in ones, checked all at once, with rows that can't match named."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.classify.evidence import Happening
from agents.classify.rows import covers
from agents.classify.rule_check import check_rules
from agents.classify.rule_file import RulesInvalid
from agents.classify.rules import builtin_rules, builtin_text, own_rules
from schemas.typology import OUTCOMES


def rule(name: str, *lines: str, example: str, status: str = 'status = "User unknown"') -> str:
    return "\n".join(["[[rule]]", f'id = "{name}"', 'source = "test"', status, f"example = {example}", *lines, ""])


GONE = rule("acme-gone", 'text = ["mailbox was retired"]', example='{ diagnostic = "550 mailbox was retired" }')


def decided(table, **told):
    return table.decide(Happening(**{"recipient": "jane@example.com", "occurred_at": 0, "outcome": "bounced", **told}))


def faults(text):
    return [(fault.row, fault.line, fault.sentence) for fault in check_rules(text).faults]


# --- how they are used


def test_own_rows_are_tried_first_and_the_built_in_ones_behind_them():
    table = own_rules(GONE)
    assert decided(table, diagnostic="550 this mailbox was retired").rule == "acme-gone"
    assert decided(table, diagnostic="550 no such user").rule == "text-user-unknown"
    assert len(table.rows) == len(builtin_rules().rows) + 1


def test_a_row_with_the_id_of_a_built_in_one_replaces_it():
    text = rule("text-autoreply", 'text = ["gone fishing"]', example='{ diagnostic = "gone fishing" }')
    table = own_rules(text)
    assert len(table.rows) == len(builtin_rules().rows)
    assert decided(table, diagnostic="gone fishing").status == "User unknown"
    assert decided(table, diagnostic="out of office").rule == "bounced-unexplained"


def test_the_built_in_table_itself_is_a_rule_file_that_changes_nothing():
    found = check_rules(builtin_text())
    assert (found.faults, found.changes) == ([], [])
    assert [one.row for one in found.rows] == [row.verdict.rule for row in builtin_rules().rows]


def test_a_table_has_a_fingerprint_of_its_own_rows_whatever_comments_and_spaces_stand_there():
    own = own_rules(GONE).fingerprint
    assert len(own) == 64
    assert own_rules(f"# ours\n\n{GONE}").fingerprint == own
    assert own_rules(GONE.replace("retired", "closed")).fingerprint != own
    assert builtin_rules().fingerprint == ""


def test_an_unusable_file_is_refused_with_line_and_row():
    with pytest.raises(RulesInvalid, match=r"^line 8: acme-odd: unknown key colour$"):
        own_rules(f"{GONE}\n{rule('acme-odd', 'colour = 1', example='{ }')}")


# --- what is found


def test_a_good_file_has_no_faults_and_shows_what_its_examples_hit():
    found = check_rules(GONE)
    assert (found.faults, found.changes) == ([], [])
    [row] = found.rows
    assert (row.row, row.line, row.says.status, row.example) == ("acme-gone", 1, "User unknown", row.says)


def test_all_faults_are_found_at_once_each_with_its_line():
    text = "\n".join(
        [
            rule("Acme", example="{ }"),
            rule("acme-odd", 'reply = "250"', example="{ }"),
            GONE,
            GONE,
            rule("acme-none", 'text = ["never said"]', example='{ diagnostic = "no such user" }'),
        ]
    )
    assert faults(text) == [
        ("row 1", 1, "id is not lower-case words with dashes (was 'Acme')"),
        ("acme-odd", 7, "reply '250' is not of the form the top of the built-in table tells"),
        ("acme-gone", 21, "two rows have this id"),
        ("acme-none", 28, "its example does not match it, and is decided by text-user-unknown"),
    ]


@pytest.mark.parametrize(
    ("text", "beginning"),
    [
        ("", "the file is empty: a rule table holds [[rule]] rows"),
        (" \n", "the file is empty: "),
        ("# later", "the file has no rows: "),
        ("rule = []", "the file has no rows: "),
        ("[[rules]]", "unknown key 'rules': a rule table holds [[rule]] rows and nothing else"),
        ("[rule]", "'rule' is one thing and no list of rows: each begins with [[rule]]"),
        ("[[rule]\n", "not TOML: Expected ']]' at the end of an array declaration (at line 1,"),
        (f"x = {'[' * 100_000}", ""),  # in words that differ between versions of Python
    ],
)
def test_a_file_that_is_none_is_one_fault(text, beginning):
    [(row, line, sentence)] = faults(text)
    assert (row, line) == (None, None)
    assert sentence.startswith(beginning)


def test_all_faults_of_a_row_are_found_at_once_one_for_each_key():
    text = """
[[rule]]
id = "Acme"
colour = 1
status = "Spam"
effect = "ignore"
text = 1
outcome = "lost"
permanent = "yes"
enhanced = "5.2"
reply = "250"
provider_code = "Spam"
regex = '(a+)+$'
example = { }
[[rule]]
given = "lost"
status = "Spam"
source = ""
"""
    assert [(row, sentence.partition(":")[0]) for row, _, sentence in faults(text)] == [
        ("row 1", "id is not lower-case words with dashes (was 'Acme')"),
        ("row 1", "unknown key colour"),
        ("row 1", "source is missing"),
        ("row 1", "needs a status or an effect, and not both"),
        ("row 1", f"outcome 'lost' is none of {', '.join(OUTCOMES)}"),
        ("row 1", "permanent is neither true nor false"),
        ("row 1", "enhanced '5.2' is not of the form the top of the built-in table tells"),
        ("row 1", "reply '250' is not of the form the top of the built-in table tells"),
        ("row 1", "provider_code 'Spam' is not of the form the top of the built-in table tells"),
        ("row 1", "text is neither text nor a list of texts"),
        ("row 1", "regex may repeat without end"),
        ("row 2", "id is missing"),
        ("row 2", "source is missing"),
        ("row 2", "given 'lost' is not one of the eight labels"),
        ("row 2", "example is missing"),
    ]


def test_an_id_that_another_row_has_hides_no_other_fault():
    regex = rule("acme-gone", "regex = '(a+)+$'", example='{ diagnostic = "550 mailbox was retired" }')
    example = rule("acme-gone", 'text = ["retired for good"]', example='{ diagnostic = "no" }')
    assert [(row, sentence.partition(":")[0]) for row, _, sentence in faults(GONE + regex + example)] == [
        ("acme-gone", "two rows have this id"),
        ("acme-gone", "regex may repeat without end"),
        ("acme-gone", "two rows have this id"),
        ("acme-gone", "its example does not match it"),
    ]


def test_rows_written_without_headers_have_no_line():
    text = "rule = [{ id = 'a', source = 'x', status = 'Spam', reply = '550', colour = 1, example = {} }]\n#[[rule]]"
    assert faults(text) == [("a", None, "unknown key colour")]


def test_replacing_the_last_row_by_a_narrower_one_leaves_events_without_a_row():
    text = rule("blocked-unexplained", 'outcome = "blocked"', 'reply = "550"', example="{ smtp_code = '550' }")
    assert (None, None, "no row decides every blocked event") in faults(text)
    with pytest.raises(RulesInvalid, match="no row decides every blocked event"):
        own_rules(text)


# --- rows that can never match

WIDER_THEN_NARROWER = {
    "the same words": ('text = ["mailbox was retired"]', 'text = ["mailbox was retired"]'),
    "words within more words": ('text = ["was retired", "x"]', 'text = ["mailbox was retired", "it was retired"]'),
    "words within a part of a gap": ('text = ["was retired"]', 'text = ["mailbox ... was retired"]'),
    "the same gap": ('text = ["mailbox ... retired"]', 'text = ["mailbox ... retired"]'),
    "no words and words": ('reply = "550"', 'reply = "550"\ntext = ["retired"]'),
    "a family of replies": ('reply = "5xx"', 'reply = ["550", "5xx"]'),
    "any detail": ('enhanced = "5.1.x"', 'enhanced = "5.1.1"'),
    "any class": ('enhanced = "X.1.1"', 'enhanced = ["4.1.1", "5.1.1"]'),
    "any subject": ('enhanced = "5.x.x"', 'enhanced = ["5.7.x", "5.1.1"]'),
    "a family of a provider's codes": ('provider_code = "spam/*"', 'provider_code = ["spam/new", "spam/*"]'),
    "several providers": ('provider = ["ses", "mailjet"]', 'provider = "ses"'),
    "any flag": ('reply = "550"', 'reply = "550"\npermanent = true'),
    "both outcomes": ('reply = "550"', 'reply = "550"\noutcome = "blocked"'),
    "all of a given status": ('given = "Spam"', 'given = "Spam"\nbare = true'),
    "the same pattern": ("regex = 'ab{0,3}c'", "regex = 'ab{0,3}c'\nreply = '550'"),
}
NEITHER = {
    "more words first": ('text = ["mailbox was retired"]', 'text = ["was retired"]'),
    "other words": ('text = ["one two"]', 'text = ["one two", "three four"]'),
    "a gap first": ('text = ["mailbox ... retired"]', 'text = ["retired"]'),
    "one reply of a family": ('reply = "550"', 'reply = "5xx"'),
    "one detail of any": ('enhanced = "5.1.1"', 'enhanced = "5.1.x"'),
    "one provider of all": ('provider = "ses"', 'reply = "550"'),
    "another flag": ("permanent = true", "permanent = false"),
    "one outcome of two": ('outcome = "blocked"', 'reply = "550"'),
    "another given status": ('given = "Spam"', 'given = "User"'),
    "a given status and none": ('given = "Spam"', 'reply = "550"'),
    "another pattern": ("regex = 'abc'", "regex = 'abcd'"),
    "a code of another kind": ('reply = "550"', 'enhanced = "5.1.1"'),
}


def two_rows(first, second):
    text = "\n".join([rule("first", first, example="{ }"), rule("second", second, example="{ }")])
    found = check_rules(text)
    return [fault.sentence for fault in found.faults if fault.row == "second"]


@pytest.mark.parametrize(("first", "second"), WIDER_THEN_NARROWER.values(), ids=WIDER_THEN_NARROWER)
def test_a_row_behind_one_that_takes_all_it_would_take_can_never_match(first, second):
    assert two_rows(first, second) == ["can never match: first, before it, takes all that it would take"]


@pytest.mark.parametrize(("first", "second"), NEITHER.values(), ids=NEITHER)
def test_a_row_that_has_something_left_is_not_called_unreachable(first, second):
    assert not any("can never match" in sentence for sentence in two_rows(first, second))


def test_no_built_in_row_is_hidden_by_another():
    rows = builtin_rules().rows
    hidden = [
        (first.verdict.rule, second.verdict.rule)
        for place, second in enumerate(rows)
        for first in rows[:place]
        if covers(first, second)
    ]
    assert hidden == []


# --- what a file changes


def test_a_row_that_counts_what_was_ignored_is_shown():
    text = rule("acme-spam", 'text = ["spam detected"]', example='{ diagnostic = "550 spam detected" }')
    [change] = check_rules(text).changes
    assert (change.row, change.was.effect, change.now.rule, change.now.status) == (
        *("spam-refusal", "ignore", "acme-spam", "User unknown"),
    )


def test_a_row_that_says_the_same_as_a_built_in_one_changes_nothing():
    same = 'effect = "ignore"'
    text = rule("acme-spam", 'text = ["spam detected"]', example='{ diagnostic = "spam detected" }', status=same)
    assert check_rules(text).changes == []


# --- whatever the text

VALUES = st.sampled_from(
    [
        '"x"',
        "1",
        "true",
        "[]",
        '["a"]',
        "[1]",
        "{}",
        "1979-05-27",
        "nan",
        '"5.1.1"',
        '"Spam"',
        '["bounced"]',
        '"("',
        '"..."',
    ]
)
KEYS = st.sampled_from(
    [
        *("id", "source", "why", "example", "status", "effect", "given", "bare", "outcome", "provider", "permanent"),
        *("temporary", "enhanced", "reply", "provider_code", "text", "regex", "other"),
    ]
)
ROWS = st.lists(st.dictionaries(KEYS, VALUES, max_size=8), max_size=3).map(
    lambda rows: "\n".join(["[[rule]]\n" + "".join(f"{key} = {value}\n" for key, value in row.items()) for row in rows])
)


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), ROWS))
def test_any_text_is_checked_and_never_raises(text):
    found = check_rules(text)
    assert found.faults or found.rows
