"""What is told of a contact: each event, its rule in words, and what it counts for."""

from collections.abc import Sequence
from typing import Any

import msgspec

from agents.classify.rules import builtin_rules, own_rules
from agents.suppress.contact import Contact
from agents.suppress.coordinates import Place
from agents.suppress.decision import carry_out, decide
from agents.suppress.why import Teller
from schemas.command import Erase, Release, Retract, Suppress
from schemas.delivery import Origin
from schemas.order import Denial
from schemas.policy import parse_policy
from schemas.times import DAY, format_time
from tests.support.histories import START, delivery_event
from tests.support.oracle import EVENT_RULE, HOUR, Event

NAME = ("acme", "jane@example.com")
POLICY = parse_policy("")
WHOM = {"tenant": NAME[0], "recipient": NAME[1]}


def soft(*numbers: int) -> list[Event]:
    return [Event(START + n * HOUR, f"m{n}", "Quota exceeded") for n in numbers]


def told(
    events: Sequence[Event] = (),
    orders: Sequence[Any] = (),
    now: int = START + 100 * HOUR,
    incidents: Sequence[Retract] = (),
) -> dict[str, Any]:
    contact = Contact()
    places: list[Place | None] = [(3, n, Origin(7, n, START)) for n in range(len(events))]
    decide({NAME: contact}, [(delivery_event(e), e.at) for e in events], POLICY, START, places=places)
    carry_out({NAME: contact}, [(order, order.at) for order in orders], POLICY)
    teller = Teller(POLICY, {EVENT_RULE: "as a rule says"}, lambda name: f"eu.{name}")
    state = teller.state(*NAME, contact, now, incidents)
    return msgspec.json.decode(msgspec.json.encode(state))


def counts(state: dict[str, Any]) -> dict[str, str | None]:
    return {one["attempt_id"]: one.get("counts_for") for one in state["events"]}


def test_an_event_has_its_rule_in_words_its_policy_and_both_of_its_places():
    [event] = told(soft(0))["events"]
    assert event == {
        "at": format_time(START),
        "status": "Quota exceeded",
        "attempt_id": "m0",
        "rule": EVENT_RULE,
        "rule_text": "as a rule says",
        "effect": "count",
        "provider": "mailjet",
        "policy": POLICY.hash_of("acme"),
        "record": {"topic": "eu.delivery-events", "partition": 3, "offset": 0},
        "report": {"topic": "eu.esp-reports", "partition": 7, "offset": 0},
        "counts_for": "run",
    }


def test_the_five_are_evidence_of_the_block_and_those_after_them_of_the_run_alone():
    state = told(soft(0, 1, 2, 3, 4, 5))
    assert state["blocked"]
    assert counts(state) == {**{f"m{n}": "Quota exceeded" for n in range(5)}, "m5": "run"}
    assert state["run"]["failures"] == 6


def test_a_success_parts_what_counts_from_what_does_not():
    state = told([*soft(0, 1), Event(START + 90 * 60_000, "ok", "delivered"), *soft(2)])
    assert counts(state) == {"m0": None, "m1": None, "ok": None, "m2": "run"}
    [success] = [one for one in state["events"] if one.get("outcome") == "delivered"]
    assert (success["effect"], "status" in success) == ("reset", False)


def test_of_a_message_reported_twice_the_report_that_decided_counts():
    again = Event(START + 60_000, "m0", "Quota exceeded")
    assert [one.get("counts_for") for one in told([*soft(0), again])["events"]] == ["run", None]


def test_after_a_release_the_failures_are_shown_as_released_and_the_run_is_empty():
    release = Release(id="r", at=START + 9 * HOUR, statuses=("Quota exceeded",), record=(2, 9), **WHOM)
    state = told(soft(0, 1, 2, 3, 4), [release])
    assert (state["blocked"], state["reasons"], state["run"]["failures"]) == (False, [], 0)
    assert [(one["released"], one.get("counts_for")) for one in state["events"]] == [(True, None)] * 5
    [command] = state["commands"]
    assert (command["command"], command["statuses"]) == ("release", ["Quota exceeded"])
    assert command["record"] == {"topic": "eu.contact-commands", "partition": 2, "offset": 9}


def test_an_incident_that_reaches_the_contact_is_told_of():
    incident = Retract(id="i", at=START, statuses=("Spam",), start=START, end=START + 1, record=(1, 2))
    [command] = told((), (), incidents=[incident])["commands"]
    assert (command["command"], command["id"], command["from"], command["record"]["offset"]) == (
        "retract",
        "i",
        format_time(START),
        2,
    )


def test_a_reason_by_hand_names_its_command_and_a_check_what_it_found():
    by_hand = Suppress(id="ticket", at=START, status="Quota exceeded", record=(2, 9), **WHOM)
    state = told([], [by_hand])
    [event] = state["events"]
    assert (event["command_id"], event["rule"], event["counts_for"]) == ("ticket", "by-hand", "Quota exceeded")
    assert event["rule_text"] == "a suppress command added it"

    contact = Contact()
    carry_out({NAME: contact}, [(Denial(*NAME, "Typofix", format_time(START), (3, 5)), START)], POLICY)
    [event] = Teller(POLICY, {}).state(*NAME, contact, START).events
    assert (event.status, event.attempt_id, event.counts_for) == ("Typofix", None, "Typofix")
    assert "known typos" in (event.rule_text or "")


def test_a_pre_block_that_has_expired_is_shown_as_such_and_blocks_no_more():
    events = [Event(START, "old", "Preblock"), Event(START + 40 * DAY, "new", "Preblock")]
    within = told(events, now=START + 41 * DAY)
    assert within["blocked"]
    assert counts(within) == {"old": None, "new": "Preblock"}  # the chain was broken between them
    assert "expired" not in within["reasons"][0]
    after = told(events, now=START + 70 * DAY)
    assert (after["blocked"], after["reasons"][0]["expired"], after["events"][1]["expired"]) == (False, True, True)


def test_the_networks_pre_block_is_one_event_without_an_attempt():
    contact = Contact()
    carry_out({NAME: contact}, [(Denial(*NAME, "Preblock", format_time(START), (3, 5)), START)], POLICY)
    [event] = Teller(POLICY, {}).state(*NAME, contact, START).events
    assert (event.rule, event.counts_for, event.record and event.record.offset) == ("check-network", "Preblock", 5)


def test_of_a_forgotten_person_only_what_still_denies_is_told():
    erase = Erase(id="e", at=START + 9 * HOUR, **WHOM)
    state = told([*soft(0), Event(START, "gone", "User unknown")], [erase])
    assert (state["blocked"], state["events"], state["commands"], state["reasons"]) == (False, [], [], [])
    assert [one["status"] for one in state["denied"]] == ["User unknown"]


def test_a_block_whose_record_the_brake_holds_back_is_told_as_held():
    contact = Contact()
    contact.unsaid = True
    assert Teller(POLICY, {}).state(*NAME, contact, START).held
    assert "held" not in told(soft(0))


def test_a_consent_is_an_event_that_lifts():
    state = told([Event(START, "left", "User"), Event(START + 1, "back", "resubscribed")])
    assert [(one["outcome"], one["effect"], one["rule"]) for one in state["events"]] == [
        ("resubscribed", "lift", EVENT_RULE)
    ]


def test_every_rule_of_the_table_is_told_in_words_and_an_operators_own_too():
    rules = builtin_rules()
    assert set(rules.texts) == {row.verdict.rule for row in rules.rows}
    assert rules.texts["status-given-spam"] == "Spam when given Spam (SPEC 1: an explicit status wins)"
    row = '[[rule]]\nid = "ours"\nstatus = "Spam"\ntext = ["go away"]\nsource = "us"\nwhy = "they said so"\n'
    table = own_rules(row + 'example = { diagnostic = "go away" }\n')
    assert table.texts["ours"] == "Spam when text go away: they said so (us)"
    assert table.texts["status-given-spam"] == rules.texts["status-given-spam"]
