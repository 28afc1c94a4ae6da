"""The tables behind Typofix: what they may hold, and what they refuse."""

import re
from collections import Counter
from importlib.resources import files

import idna
import pytest

from agents.gate.providers import TableInvalid, builtin_providers, load_providers
from agents.gate.typo_table import PRIVATE, TypoTable, load_typos
from agents.gate.typos import builtin_top_level_domains

PROVIDERS = builtin_providers()
KNOWN = load_typos(files("agents.gate").joinpath("typo_domains.toml").read_text("utf-8"), PROVIDERS)
TOP_LEVEL = builtin_top_level_domains()
TABLE = TypoTable(KNOWN, PROVIDERS, TOP_LEVEL)


def test_there_are_over_a_thousand_typos_of_sixty_providers():
    assert len(KNOWN) >= 1_000
    assert len(PROVIDERS.endings) >= 60
    assert len({meant.partition(".")[0] for meant in KNOWN.values()}) >= 60


def test_each_is_corrected_to_a_providers_domain_which_is_no_typo_and_near_nothing_else():
    for meant in KNOWN.values():
        assert meant in PROVIDERS.domains
    for domain in PROVIDERS.domains:
        assert (domain, TABLE.meant(domain), TABLE.near(domain)) == (domain, None, None)


def test_each_ends_as_domains_can_and_is_a_name_of_its_own():
    for typo in KNOWN:
        assert typo.rpartition(".")[2] in TOP_LEVEL, "an ending that does not exist needs no entry"
        assert typo == idna.encode(typo, uts46=True).decode()
        assert not any(typo.endswith(f".{domain}") for domain in PROVIDERS.domains), "a provider's own host"


# The rules for what may stand in the table, as its head tells them.
SHORT = {
    "aol",
    "gmx",
    "live",
    "msn",
    "sfr",
    "web",
    "qq",
    "me",
    "mac",
    "free",
    "mail",
    "neuf",
    "sky",
    "att",
    "cox",
    "163",
}
LABELS = [(typo, typo.partition(".")[0], meant.partition(".")[0]) for typo, meant in KNOWN.items()]


@pytest.mark.parametrize("rule", ["no slips of short names", "the first letter stays, or the first two are swapped"])
def test_the_rules_at_its_head_hold(rule):
    for typo, label, of in LABELS:
        if label == of or typo.startswith("xn--"):
            continue
        if rule == "no slips of short names":
            assert of not in SHORT, typo
        else:
            assert label[0] == of[0] or label[:2] == of[1::-1], typo


def test_a_dotless_i_is_the_one_thing_that_is_not_ascii():
    written = [idna.decode(typo) for typo in KNOWN if "xn--" in typo]
    assert {letter for typo in written for letter in typo if not letter.isascii()} == {"ı"}


def test_another_ending_that_exists_is_in_it_for_names_with_one_ending_or_a_reason():
    endings = Counter(typo.partition(".")[2] for typo, label, of in LABELS if label == of and "com.com" not in typo)
    assert set(endings) == {"co", "cm", "om", "con.br"}


def test_the_list_of_top_level_domains_is_whole_and_dated():
    text = files("agents.gate").joinpath("top_level_domains.txt").read_text("utf-8")
    assert re.search(r"version 20\d{8}", text.splitlines()[0])
    assert len(TOP_LEVEL) > 1_400
    assert {"com", "fr", "uk", "co", "om", "cm", "paris", "bzh", "xn--p1ai"} <= TOP_LEVEL
    assert all(re.fullmatch(r"[a-z]{2,63}|xn--[a-z0-9-]+", one) for one in TOP_LEVEL)
    assert sorted(TOP_LEVEL & PRIVATE) == ["arpa"]


TYPOS = """
"gmail.com" = ["gamil.com"]
"""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[", "typos: "),
        ('"gmail.con" = ["gamil.com"]', "'gmail.con' is no provider's domain"),
        ('"gmail.com" = ["hotmail.com"]', "typos of gmail.com: hotmail.com is in use"),
        ('"gmail.com" = ["gmail.ru"]', "typos of gmail.com: gmail.ru is in use"),
        ('"gmail.com" = ["gamil.com", "gamil.com"]', "gamil.com stands twice"),
        ('"gmail.com" = ["gamil.com"]\n"yahoo.com" = ["gamil.com"]', "typos of yahoo.com: gamil.com stands twice"),
        ('"gmail.com" = ["Gamil.com"]', "'Gamil.com' is no domain in lower case"),
        ('"gmail.com" = ["gmaıl.com"]', "is no domain in lower case"),
        ('"gmail.com" = [" gamil.com"]', "is no domain in lower case"),
        ('"gmail.com" = ["gamil"]', "is no domain in lower case"),
        ('"gmail.com" = [1]', "1 is no domain in lower case"),
        ('"gmail.com" = "gamil com"', "is no domain in lower case"),
        ('[gmail]\ncom = ["gamil.com"]', "'gmail' is no provider's domain"),
    ],
)
def test_a_table_of_typos_that_can_not_be_right_is_refused(text, said):
    with pytest.raises(TableInvalid) as refused:
        load_typos(text, PROVIDERS)
    assert said in str(refused.value)


ALL_TABLES = "[worldwide]\n{}\n[brands]\n{}\n[words]\n{}\n[neighbours]\ndomains = [{}]\n"


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        (('gmail = ["com"]', 'gmail = ["fr"]', "", ""), "a label stands in two tables"),
        (('Gmail = ["com"]', "", "", ""), "'Gmail.com' is no domain in lower case"),
        (('gmail = "com"', "", "", ""), "Expected `array`"),
        (('gmail = [""]', "", "", ""), "'gmail.' is no domain"),
        (("", "", "", '"Mail.com"'), "'Mail.com' is no domain in lower case"),
        (("", "", "", "]\nnames = ["), "unknown field `names`"),
    ],
)
def test_a_table_of_providers_that_can_not_be_right_is_refused(tables, said):
    with pytest.raises(TableInvalid) as refused:
        load_providers(ALL_TABLES.format(*tables))
    assert said in str(refused.value)


def test_a_table_is_missing_nothing():
    with pytest.raises(TableInvalid, match="missing required field `words`"):
        load_providers("[worldwide]\n[brands]\n[neighbours]\ndomains = []\n")
    with pytest.raises(TableInvalid):
        load_providers("not TOML")
    empty = load_providers(ALL_TABLES.format("", "", "", ""))
    assert TypoTable({}, empty, ["com"]).meant("gmail.con") is None
    assert TypoTable({}, empty, ["com"]).near("gamil.com") is None
