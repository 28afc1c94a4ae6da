"""The contracts are what the types say today, and every example keeps them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

import schemas
from schemas.codec import encode
from schemas.decision import SendDecision, SendError, SendResult
from schemas.topics import catalogue
from streams.contracts import MESSAGES, OPENAPI, asyncapi, contracts, examples, openapi, schema_files
from streams.yaml_text import to_yaml
from tests.support.json_schema import faults

HERE = Path(schemas.__file__).parent
SCHEMAS = schema_files()


def schema(name: str) -> dict[str, Any]:
    return SCHEMAS[f"json/{name}.schema.json"]


def test_the_files_are_what_make_contracts_writes():
    written = {f"json/{file.name}": file.read_text("utf-8") for file in (HERE / "json").iterdir()}
    assert written | {"asyncapi.yaml": (HERE / "asyncapi.yaml").read_text("utf-8")} == contracts()


def test_the_openapi_document_says_of_a_contact_what_the_type_says():
    assert OPENAPI.read_text("utf-8") == openapi()


@pytest.mark.parametrize("file", sorted((HERE / "examples").glob("*/*.json")), ids=lambda file: file.stem)
def test_every_example_is_valid_as_one_kind_of_record_of_its_topic(file):
    shown = orjson.loads(file.read_bytes())
    [message] = [one for one in MESSAGES if file in examples(one)]
    if message.value is None:
        assert faults(schema("dead-letter-headers"), shown["headers"]) == []
    else:
        assert faults(schema(message.name), shown) == []


@pytest.mark.parametrize("name", ["report", "delivery-event", "suppression"])
def test_a_record_without_a_field_it_must_have_is_not_valid(name):
    [message] = [one for one in MESSAGES if one.name == name]
    shown = orjson.loads(examples(message)[0].read_bytes())
    for field in schema(name)["required"]:
        assert faults(schema(name), {key: value for key, value in shown.items() if key != field}) != []


@pytest.mark.parametrize("received_at", ["2026-11-20T10:15:30Z", 1795428930, 1795428930.5, "1795428930", None])
def test_a_report_may_say_when_it_came_in_in_every_form_of_time(received_at):
    report = {"provider": "ses", "tenant": "acme", "payload": {}, "received_at": received_at}
    assert faults(schema("report"), report) == []


@pytest.mark.parametrize("wrong", [{"tenant": "a b"}, {"payload": 7}, {"received_at": []}, {"provider": None}])
def test_a_report_that_would_be_rejected_is_not_valid(wrong):
    assert faults(schema("report"), {"provider": "ses", "tenant": "acme", "payload": {}} | wrong) != []


def test_the_answers_to_requests_without_and_with_an_id_are_valid():
    import msgspec

    for given in (msgspec.UNSET, "r1"):
        answer = SendDecision(given, (SendResult("a@example.com", send=True), SendResult("b", False, ":", None, None)))
        assert faults(schema("send-decision"), orjson.loads(encode(answer))) == []
        error = SendError(given, "wrong-type", "a request is a JSON object")
        assert faults(schema("send-error"), orjson.loads(encode(error))) == []


def test_the_document_has_a_channel_for_each_public_topic_and_says_what_asyncapi_demands():
    document = asyncapi()
    assert document["asyncapi"] == "3.0.0"
    assert set(document["info"]) >= {"title", "version"}
    assert list(document["channels"]) == [topic.name for topic in catalogue().values() if not topic.internal]
    assert all(channel["address"] == name for name, channel in document["channels"].items())
    assert {operation["action"] for operation in document["operations"].values()} == {"send", "receive"}
    told = {name for channel in document["channels"].values() for name in channel["messages"]}
    assert told == set(document["components"]["messages"])


def references(value: Any) -> Iterator[str]:
    for name, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        if name == "$ref":
            yield inner
        yield from references(inner)


def test_every_reference_leads_somewhere():
    document = asyncapi()
    found = set(references(document))
    assert len(found) > 20
    for reference in found:
        if reference.startswith("#/"):
            place = document
            for step in reference.removeprefix("#/").split("/"):
                place = place[step]
        else:
            assert (HERE / reference).is_file()


def test_yaml_is_written_so_that_nothing_is_taken_for_something_else():
    value = {"$ref": "#/a", "no": "no", "a b": [1, {"x": None, "y": [True]}, [], "3:1"], "c": {}}
    assert to_yaml(value) == (
        '"$ref": "#/a"\n"no": "no"\n"a b":\n  - 1\n  -\n    x: null\n    "y":\n      - true\n  - []\n  - "3:1"\nc: {}\n'
    )
