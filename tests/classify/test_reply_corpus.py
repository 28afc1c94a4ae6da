"""Real replies of many servers mean what `replies.toml` says, and no refusal ever counts, whatever the codes claim."""

import re
import tomllib
from itertools import compress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agents.classify.evidence import Happening
from agents.classify.rules import builtin_rules
from schemas.typology import STATUSES

RULES = builtin_rules()
SERVERS = tomllib.loads((Path(__file__).parent / "replies.toml").read_text("utf-8"))
REPLIES = [
    (server, meaning, reply)
    for server, said in SERVERS.items()
    for meaning, replies in said.items()
    if meaning != "source"
    for reply in replies
]
COUNTED = [one for one in REPLIES if one[1] != "ignored"]
IGNORED = [one for one in REPLIES if one[1] == "ignored"]
PROVIDERS = (
    *("gmail", "outlook", "yahoo", "icloud", "united-internet", "orange", "free", "laposte", "ovh", "proton", "zoho"),
    *("yandex", "mailru", "qq"),
)


def decide(diagnostic, **told):
    happening = {"recipient": "jane@example.com", "occurred_at": 0, "outcome": "bounced", "diagnostic": diagnostic}
    return RULES.decide(Happening(**{**happening, **told}))


def test_the_corpus_is_as_large_as_promised():
    assert len(REPLIES) >= 400
    assert len(IGNORED) >= 150
    assert len({reply for _, _, reply in REPLIES}) > len(REPLIES) - 20, "few replies are said by several servers"


@pytest.mark.parametrize("server", PROVIDERS)
def test_the_corpus_knows_the_large_providers(server):
    said = SERVERS[server]
    assert len(said["source"]) > 10
    assert said["User unknown"]
    assert said["Quota exceeded"]
    assert said["ignored"]


def test_the_corpus_names_statuses_that_exist():
    assert {meaning for _, meaning, _ in REPLIES} <= {*STATUSES, "ignored"}


def misread(replies, *flags, outcomes=("bounced",)):
    """Give the replies that are not decided as written down, with the rules that decided."""
    tried = [(one, flag, outcome) for one in replies for flag in flags for outcome in outcomes]
    decided = [(one, decide(one[2], permanent=flag, outcome=outcome)) for one, flag, outcome in tried]
    return [(verdict.rule, reply) for (_, meaning, reply), verdict in decided if told(verdict) != meaning]


def told(verdict):
    return "ignored" if (verdict.status, verdict.effect) == (None, "ignore") else verdict.status


def of(server, replies):
    return [one for one in replies if one[0] == server]


@pytest.mark.parametrize("server", SERVERS)
def test_a_reply_about_the_contact_means_what_is_written_down(server):
    assert misread(of(server, COUNTED), True, None) == []


@pytest.mark.parametrize("server", SERVERS)
def test_a_full_mailbox_is_full_under_a_soft_flag_too(server):
    full = [one for one in of(server, COUNTED) if one[1] == "Quota exceeded"]
    assert misread(full, True, False, None) == []


@pytest.mark.parametrize("server", SERVERS)
def test_a_reply_that_is_not_about_the_contact_never_counts(server):
    assert misread(of(server, IGNORED), True, False, None, outcomes=("bounced", "blocked")) == []


# A provider that leaves out the codes leaves words. With these nothing else is left that tells.
WORDS_THAT_NEED_THEIR_CODE = ("Temporary System Problem", "need MAIL command", "Email quota exceeded")
CODES = re.compile(r"^[45][0-9]{2}[- ]?|\b[45][0-9]{2}[- ](?=[45]\.)|#?\b[45]\.[0-9]\.[0-9]{1,3}\b", re.MULTILINE)


@pytest.mark.parametrize("server", SERVERS)
def test_it_never_counts_without_its_codes_either(server):
    bare = [(server, meaning, CODES.sub("", reply)) for _, meaning, reply in of(server, IGNORED)]
    assert not any(re.match(r"[45][0-9]{2}", words) for _, _, words in bare)
    lasting = [one for one in bare if not any(known in one[2] for known in WORDS_THAT_NEED_THEIR_CODE)]
    assert misread(lasting, True, False, None) == []


def place(rule):
    return [row.verdict.rule for row in RULES.rows].index(rule)


FULL = place("iana-x.2.2")
LASTING = place("iana-5.1.1")
WORDED = [row.wordings and row.verdict.effect == "ignore" and not row.enhanced for row in RULES.rows]
REFUSALS = list(compress(RULES.rows[:FULL], WORDED[:FULL]))
WEAKER = list(compress(RULES.rows[FULL:LASTING], WORDED[FULL:LASTING]))
ABOUT_THE_CONTACT = re.compile(r"[45]\.2\.2|5\.7\.(?:13|17|18)")


def phrases(rows):
    return sorted({wording.phrase.replace("...", "198 51 100 7") for row in rows for wording in row.wordings})


BEFORE = st.sampled_from(["", "550 ", "552 5.2.2 ", "550-5.1.1 ", "452 4.2.2 ", "<jane@example.com>: ", "x\n550 "])


FLAGS = st.sampled_from([True, False, None])
REPLY_CODES = st.one_of(st.none(), st.from_regex(r"[45][0-7][0-9]", fullmatch=True))
ENHANCED_CODES = st.one_of(st.none(), st.from_regex(r"[45]\.[0-7]\.[0-9]{1,3}", fullmatch=True))
# What a provider says of a reply that it passes on. What it suppressed on its own came with no reply.
CATEGORIES = st.sampled_from(
    [
        *[("mailjet", f"recipient/{error}") for error in ("user unknown", "mailbox inactive", "quota exceeded")],
        *[("mailjet", f"domain/{error}") for error in ("invalid domain", "no mail host", "relay/access denied")],
        *[("sendgrid", f"bounce/{why}") for why in ("invalid address", "mailbox unavailable", "technical failure")],
        *[("ses", f"Permanent/{kind}") for kind in ("NoEmail", "General", "CustomTimeoutExceeded")],
        ("mailgun", "bounce"),
        ("mailgun", "generic"),
        ("brevo", "10"),
        (None, None),
    ]
)


def test_there_are_many_refusals_to_try():
    assert len(phrases(REFUSALS)) > 500
    assert len(phrases(WEAKER)) > 100


@settings(max_examples=2_000, deadline=None)
@given(
    st.tuples(BEFORE, st.sampled_from(phrases(REFUSALS))).map("".join),
    FLAGS,
    REPLY_CODES,
    ENHANCED_CODES,
    CATEGORIES,
    st.sampled_from(["bounced", "blocked"]),
)
def test_no_code_flag_or_category_makes_a_refusal_count(words, permanent, reply, enhanced, category, outcome):
    told = {"permanent": permanent, "smtp_code": reply, "enhanced_code": enhanced, "outcome": outcome}
    verdict = decide(words, **told, provider=category[0], provider_code=category[1])
    assert (verdict.status, verdict.effect) == (None, "ignore"), verdict.rule


@settings(max_examples=1_000, deadline=None)
@given(st.sampled_from(phrases(WEAKER)), FLAGS, REPLY_CODES, ENHANCED_CODES, st.sampled_from(["bounced", "blocked"]))
def test_weaker_words_give_way_only_to_codes_that_are_about_the_contact(words, permanent, reply, enhanced, outcome):
    verdict = decide(words, permanent=permanent, smtp_code=reply, enhanced_code=enhanced, outcome=outcome)
    if not (enhanced and ABOUT_THE_CONTACT.fullmatch(enhanced)):
        assert (verdict.status, verdict.effect) == (None, "ignore"), verdict.rule
