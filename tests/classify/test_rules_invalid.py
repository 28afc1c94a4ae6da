"""Rule tables that can't be used are refused, with the row named and the fault told."""

import pytest

from agents.classify.evidence import Happening
from agents.classify.rules import RulesInvalid, load_rules
from schemas.typology import OUTCOMES, STATUSES

CLOSING = "".join(
    f"""
[[rule]]
id = "given-{number}"
given = "{status}"
status = "{status}"
source = "test"
example = {{ status = "{status}" }}
"""
    for number, status in enumerate(STATUSES)
) + "".join(
    f"""
[[rule]]
id = "told-{outcome}"
outcome = "{outcome}"
effect = "ignore"
source = "test"
example = {{ outcome = "{outcome}" }}
"""
    for outcome in OUTCOMES
)
ROW = """
[[rule]]
id = "full"
text = ["mailbox full"]
status = "Quota exceeded"
source = "test"
example = { diagnostic = "mailbox full" }
"""
GOOD = ROW + CLOSING
STATUS, TEXT, EXAMPLE = 'status = "Quota exceeded"', '["mailbox full"]', '{ diagnostic = "mailbox full" }'


def change(old: str, new: str) -> str:
    """Change the first place of the good table."""
    assert old in GOOD
    return GOOD.replace(old, new, 1)


def add(line: str) -> str:
    """Add a line to the first row."""
    return change("source", f"{line}\nsource")


def decide(text: str, diagnostic: str) -> str:
    happening = Happening(recipient="jane@example.com", occurred_at=0, outcome="bounced", diagnostic=diagnostic)
    return load_rules(text).decide(happening).rule


WITHOUT_END = "full: regex may repeat without end"
INVALID = {
    "no TOML": ("[[rule]\n", "not TOML"),
    "no rows": ("", "holds .* rows"),
    "something else": (GOOD + "[other]\n", "holds .* rows"),
    "rows that are no tables": ("rule = [1]", "row 1: it is no table"),
    "no id": (change('id = "full"', ""), "row 1: id is missing$"),
    "a strange id": (change('"full"', '"Full Mailbox"'), "row 1: id"),
    "an id twice": (GOOD + ROW, "full: two rows"),
    "an unknown key": (add("colour = 1"), "full: unknown key colour"),
    "no source": (change('source = "test"', ""), "full: source is missing"),
    "an empty source": (change('"test"', '" "'), "full: source is missing"),
    "no example": (change(f"example = {EXAMPLE}", ""), "full: example is missing"),
    "an unknown key in the example": (change("diagnostic", "comment"), "full: unknown key comment"),
    "a number in the example": (change('= "mailbox full" }', "= 1 }"), "full: diagnostic in the example"),
    "an unknown outcome in the example": (change(EXAMPLE, '{ outcome = "x" }'), "full: outcome in the"),
    "an unknown status in the example": (change(EXAMPLE, '{ status = "x" }'), "full: status in the"),
    "an unknown status": (change("Quota exceeded", "Full"), "full: status 'Full' is not"),
    "no verdict": (change(STATUS, ""), "full: needs a status or an effect"),
    "two verdicts": (add('effect = "ignore"'), "full: needs a status or an effect"),
    "an effect that follows from a status": (change(STATUS, 'effect = "block"'), "full: effect 'block'"),
    "an unknown outcome": (add('outcome = "lost"'), "full: outcome 'lost'"),
    "an unknown given status": (add('given = "lost"'), "full: given 'lost'"),
    "an outcome for a given status": (add('given = "User"\noutcome = "bounced"'), "full: a row for a given"),
    "a flag that is text": (add('permanent = "true"'), "full: permanent is neither"),
    "an enhanced code that is none": (add('enhanced = "5.1"'), "full: enhanced '5.1'"),
    "a reply code that is none": (add('reply = "250"'), "full: reply '250'"),
    "a provider code in capitals": (add('provider_code = "Spam"'), "full: provider_code 'Spam'"),
    "a phrase without words": (change(TEXT, '["..."]'), "full: .* has no words"),
    "no phrases": (change(TEXT, "[]"), "full: text is empty"),
    "phrases that are numbers": (change(TEXT, "[1]"), "full: text is neither"),
    "a regex that is none": (add("regex = '('"), "full: regex: "),
    "a regex that is a number": (add("regex = 1"), "full: regex is not text"),
    "a regex in capitals": (add("regex = 'Full'"), "full: regex is not text in lower case"),
    "a regex with a star": (add("regex = 'mail.*full'"), WITHOUT_END),
    "a regex with a plus in a group": (add("regex = '(a+)+$'"), WITHOUT_END),
    "a regex with an open range": (add("regex = 'a{2,}'"), WITHOUT_END),
    "a regex with a repeated group": (add("regex = '(a{0,9}){0,9}b'"), WITHOUT_END),
    "a regex with long repeats": (add("regex = 'a{0,999}b'"), WITHOUT_END),
    "a regex with many repeats": (add("regex = 'a{0,9}a{0,9}a{0,9}b'"), WITHOUT_END),
    "a regex that matches all": (add("regex = 'a?'"), "full: regex matches the empty text"),
    "a row hidden by an earlier one": (ROW + GOOD.replace("full", "again", 1), "again: .* decided by full"),
    "an example of another row": (change(EXAMPLE, '{ diagnostic = "gone" }'), "full: .* by told-bounced"),
    "no last row for an outcome": (
        change('outcome = "blocked"', 'outcome = "bounced"'),
        "no row decides every blocked",
    ),
    "no row for a given status": (change('given = "User"', 'given = "Spam"'), "no row decides .* 'User'"),
}


@pytest.mark.parametrize(("text", "sentence"), INVALID.values(), ids=INVALID.keys())
def test_a_bad_table_is_refused_with_the_row_named(text, sentence):
    with pytest.raises(RulesInvalid, match=sentence):
        load_rules(text)


def test_a_good_table_is_accepted():
    assert decide(GOOD, "Mailbox full") == "full"


def test_a_regex_may_use_bounded_repeats_classes_and_escapes():
    row = change(f"text = {TEXT}", r"""regex = 'mailbox[^*+\S]{0,60}f\w{0,9}l\b'""")
    assert decide(row, "MAILBOX FULL") == "full"


def test_a_wording_in_a_script_without_spaces_is_found():
    assert decide(GOOD.replace("mailbox full", "邮箱已满"), "550 该邮箱已满。") == "full"
