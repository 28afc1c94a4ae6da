"""The made-up day: it is what it says, and it ends as it says."""

import re
from collections import Counter

import orjson
import pytest

from agents.classify.address import canonical_recipient
from agents.classify.classification import classify
from schemas.codec import decode_report, decode_suppression
from schemas.delivery import DeliveryEvent
from schemas.policy import parse_policy
from schemas.rejected import Rejected
from schemas.suppression import Suppression
from schemas.times import DAY, HOUR, parse_time
from schemas.typology import STATUSES
from streams.demo.day import SEED, Arrival, make_day
from streams.demo.mailings import MIDNIGHT
from streams.demo.show import PAUSE
from streams.replay import replay

# RFC 2606 and RFC 6761: nobody can have these, so no mail of anybody is ever in the demo.
RESERVED = re.compile(r"(.+\.)?(example\.(com|org|net)|[^.]+\.example|[^.]+\.test|[^.]+\.invalid)")
SEEDS = (SEED, 1)


@pytest.fixture(scope="module", params=SEEDS)
def day(request: pytest.FixtureRequest):
    return make_day(request.param)


def told(arrival: Arrival) -> list[DeliveryEvent | Rejected]:
    report = decode_report(arrival.value)
    return [report] if isinstance(report, Rejected) else [event for _, event in classify(report)]


def label(event: DeliveryEvent | Rejected) -> str:
    return event.reason if isinstance(event, Rejected) else event.status or event.effect


async def replayed(day) -> tuple[dict[tuple[str, str], list[Suppression]], Counter[str]]:
    records: dict[tuple[str, str], list[Suppression]] = {}
    rejected: Counter[str] = Counter()

    def on_suppression(line: bytes) -> None:
        record = decode_suppression(line)
        records.setdefault((record.tenant, record.recipient), []).append(record)

    def on_rejected(line: bytes) -> None:
        rejected[orjson.loads(line)["rejected"]] += 1

    lines = [arrival.value for arrival in day.arrivals]
    await replay(lines, parse_policy(""), on_suppression, on_rejected)
    return records, rejected


def test_the_same_seed_gives_the_same_bytes() -> None:
    assert make_day(5) == make_day(5)
    assert make_day(5) != make_day(6)


def test_it_has_about_twenty_thousand_reports_of_one_day(day) -> None:
    assert 19_000 < len(day.arrivals) < 22_000
    assert all(MIDNIGHT < arrival.received_at < MIDNIGHT + DAY + HOUR for arrival in day.arrivals)
    assert list(day.arrivals) == sorted(day.arrivals, key=lambda arrival: arrival.received_at)


def test_every_element_becomes_what_it_is_meant_to(day) -> None:
    for arrival in day.arrivals:
        assert tuple(map(label, told(arrival))) == arrival.intended, arrival.value[:2_000]


def test_every_status_and_every_kind_of_poison_is_there(day) -> None:
    intended = Counter(one for arrival in day.arrivals for one in arrival.intended)
    assert set(STATUSES) < set(intended)
    assert {"reset", "lift", "ignore"} < set(intended)
    assert all(intended[status] > 5 for status in STATUSES)


async def test_replayed_it_rejects_exactly_the_poison(day) -> None:
    _, rejected = await replayed(day)
    no_poison = {*STATUSES, "reset", "lift", "ignore"}
    assert rejected == Counter(one for arrival in day.arrivals for one in arrival.intended if one not in no_poison)


async def test_replayed_every_story_ends_as_told(day) -> None:
    records, _ = await replayed(day)
    for story in day.stories:
        of_contact = records.get((story.tenant.name, story.recipient), [])
        statuses = tuple(reason.status for reason in of_contact[-1].reasons) if of_contact else ()
        assert statuses == story.ending, story.name
        was_released = any(record.action == "release" for record in of_contact)
        assert was_released == story.released, story.name


def test_only_reports_declared_late_come_more_than_an_hour_after_newer_ones(day) -> None:
    newest, late = 0, 0
    for arrival in day.arrivals:
        times = [parse_time(event.occurred_at) for event in told(arrival) if isinstance(event, DeliveryEvent)]
        is_late = any(at < newest - HOUR for at in times)
        assert arrival.late or not is_late, arrival.value[:2_000]
        assert all(at <= arrival.received_at for at in times)
        late += is_late
        newest = max([newest, *times])
    assert 5 <= late <= 20


def test_the_late_report_that_releases_a_block_comes_after_the_pause(day) -> None:
    release = next(story for story in day.stories if story.name == "released-by-a-late-report")
    of_contact = [arrival for arrival in day.arrivals if arrival.key == release.recipient.encode()]
    before = [arrival.intended[0] for arrival in of_contact if arrival.received_at < PAUSE]
    after = [arrival.intended[0] for arrival in of_contact if arrival.received_at >= PAUSE]
    assert before.count("Connection issue") >= 5
    assert set(after) == {"reset"}


def test_the_key_is_the_recipient_of_a_report_that_has_one(day) -> None:
    keyed = 0
    for arrival in day.arrivals:
        recipients = {event.recipient for event in told(arrival) if isinstance(event, DeliveryEvent)}
        if arrival.key is not None:
            assert recipients == {arrival.key.decode()}
            keyed += 1
    assert keyed > len(day.arrivals) / 2


def test_nobody_real_is_in_it(day) -> None:
    for arrival in day.arrivals:
        for address in re.findall(rb"@([\w.-]+\w)", arrival.value):
            assert RESERVED.fullmatch(address.decode()), address
        for event in told(arrival):
            if isinstance(event, DeliveryEvent):
                assert canonical_recipient(event.recipient) == event.recipient
