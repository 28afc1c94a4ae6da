"""The contracts that others program against: `schemas/json/*.schema.json` and `schemas/asyncapi.yaml`, from our types.

Of `streams/web/openapi.json` what tells of a contact is made too; the rest is written by hand.

    make contracts

A new kind of record is a line in `MESSAGES`; what stands in the files follows from its type, from the topic catalogue
and from `schemas/examples/`. `tests/streams/test_contracts.py` fails while the files are not what this makes.
"""

import inspect
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, get_args

import msgspec
import orjson
from msgspec import UnsetType

import schemas
import streams.web
from schemas.command import ContactCommand
from schemas.contact import ContactState
from schemas.dead_letter import DeadLetterHeaders
from schemas.decision import SendDecision, SendError, SendRequest
from schemas.delivery import REPORT_HEADER, DeliveryEvent
from schemas.report import Report
from schemas.suppression import Suppression
from schemas.topics import Topic, catalogue
from streams.yaml_text import to_yaml

HERE: Final = Path(schemas.__file__).parent
OPENAPI: Final = Path(streams.web.__file__).parent / "openapi.json"
DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"

_ORIGIN: Final = {
    "type": "object",
    "properties": {
        REPORT_HEADER: {
            "type": "string",
            "pattern": "^[0-9]+:[0-9]+:[0-9]+$",
            "description": "Partition, offset and timestamp in ms of the record on esp-reports that it follows from.",
        }
    },
}


class Message(NamedTuple):
    """One kind of record on a topic: the type of its value (None: any bytes), and its headers, if any.

    Headers are a type, or a schema as it is.
    """

    topic: str
    name: str
    value: type[msgspec.Struct] | None
    headers: type[msgspec.Struct] | Mapping[str, Any] | None = None


MESSAGES: Final = (
    Message("esp-reports", "report", Report),
    Message("delivery-events", "delivery-event", DeliveryEvent, _ORIGIN),
    Message("suppressions", "suppression", Suppression),
    Message("contact-commands", "contact-command", ContactCommand),
    Message("send-requests", "send-request", SendRequest),
    Message("send-decisions", "send-decision", SendDecision),
    Message("send-decisions", "send-error", SendError),
    Message("dead-letters", "dead-letter", None, DeadLetterHeaders),
)
"""What can stand on the topics today. A topic of the catalogue without a line here is a channel without messages."""

READ_BY_US: Final = frozenset({"esp-reports", "contact-commands", "send-requests"})
"""The topics that others write. Of the other ones we are the source."""


def json_schema(kind: type[msgspec.Struct]) -> dict[str, Any]:
    """Give the JSON Schema of a type, with the type itself at the root."""
    made = msgspec.json.schema(kind)
    definitions = made.pop("$defs")
    for definition in definitions.values():
        if "description" in definition:
            definition["description"] = inspect.cleandoc(definition["description"])
        for field in definition.get("properties", {}).values():
            # `also` in an annotation: further forms that input may have (msgspec overwrites an `anyOf` of ours).
            field.get("anyOf", []).extend(field.pop("also", []))
    root = definitions.pop(kind.__name__)
    # A field that may be unset may be absent, though it has no default.
    unset = {field.encode_name for field in msgspec.structs.fields(kind) if UnsetType in get_args(field.type)}
    root["required"] = [name for name in root["required"] if name not in unset]
    return {"$schema": DIALECT, **root} | ({"$defs": definitions} if definitions else {})


def schema_files() -> dict[str, dict[str, Any]]:
    """Give the schemas, by their path below `schemas/`."""
    kinds = {f"json/{one.name}.schema.json": one.value for one in MESSAGES if one.value}
    kinds |= {f"json/{one.name}-headers.schema.json": one.headers for one in MESSAGES if isinstance(one.headers, type)}
    return {path: json_schema(kind) for path, kind in kinds.items()}


def asyncapi() -> dict[str, Any]:
    """Give the AsyncAPI 3 document: a channel for each public topic, a message for each kind of record."""
    topics = [topic for topic in catalogue().values() if not topic.internal]
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "Bounceline",
            "version": "1",
            "description": "Reports on mail go in, decisions on whom not to mail come out. Written by `make contracts`."
            " The prefix of an installation (BOUNCELINE_TOPIC_PREFIX) stands before every address.",
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in topics},
        "operations": {
            f"{'receive' if topic.name in READ_BY_US else 'send'}-{topic.name}": {
                "action": "receive" if topic.name in READ_BY_US else "send",
                "channel": {"$ref": f"#/channels/{topic.name}"},
                "summary": topic.description,
            }
            for topic in topics
        },
        "components": {"messages": {one.name: _message(one) for one in MESSAGES} | {"erasure": _ERASURE}},
    }


_ERASURE: Final = {
    "title": "erasure",
    "summary": "A null value: nothing is known of this contact any more.",
    "payload": {"type": "null"},
}


def _channel(topic: Topic) -> dict[str, Any]:
    names = [one.name for one in MESSAGES if one.topic == topic.name]
    names += ["erasure"] if topic.name == "suppressions" else []
    kafka = {
        "topic": topic.name,
        "partitions": topic.partitions,
        "topicConfiguration": {
            name: value.split(",") if name == "cleanup.policy" else int(value)
            for name, value in topic.configs().items()
        },
        "bindingVersion": "0.5.0",
    }
    return {
        "address": topic.name,
        "description": f"{topic.description} Key: {topic.key}. Value: {topic.value}.",
        "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in names},
        "bindings": {"kafka": kafka},
    }


def _message(one: Message) -> dict[str, Any]:
    topic = catalogue()[one.topic]
    made: dict[str, Any] = {"title": one.name, "summary": topic.value}
    if one.value is None:
        made |= {"contentType": "application/octet-stream", "payload": {}}
    else:
        made["payload"] = {"$ref": f"./json/{one.name}.schema.json"}
    if isinstance(one.headers, type):
        made["headers"] = {"$ref": f"./json/{one.name}-headers.schema.json"}
    elif one.headers:
        made["headers"] = dict(one.headers)
    made["bindings"] = {"kafka": {"key": {"type": "string", "description": topic.key}, "bindingVersion": "0.5.0"}}
    # AsyncAPI wants examples in the document itself; an extension may name the files.
    made["x-examples"] = [{"$ref": f"./examples/{one.topic}/{file.name}"} for file in examples(one)]
    return {name: value for name, value in made.items() if name != "x-examples" or value}


def examples(one: Message) -> list[Path]:
    """Give the files of `schemas/examples/` that show this kind of record: those with all fields it must have."""
    files = sorted((HERE / "examples" / one.topic).glob("*.json"))
    if one.value is None:
        return files
    must = set(json_schema(one.value)["required"])
    return [file for file in files if must <= set(orjson.loads(file.read_bytes()))]


def contracts() -> dict[str, str]:
    """Give the text of every file, by its path below `schemas/`."""
    texts = {path: json.dumps(schema, indent=2, ensure_ascii=False) + "\n" for path, schema in schema_files().items()}
    return texts | {"asyncapi.yaml": "# Written by `make contracts`; do not edit.\n" + to_yaml(asyncapi())}


def openapi() -> str:
    """Give the text of the OpenAPI document: as it is, with what the types say of a contact."""
    document = json.loads(OPENAPI.read_text("utf-8"))
    _, made = msgspec.json.schema_components([ContactState], ref_template="#/components/schemas/{name}")
    for schema in made.values():
        schema["description"] = inspect.cleandoc(schema["description"])
    # The document calls it so; every other type by its name.
    made["Contact"] = made.pop(ContactState.__name__)
    document["components"]["schemas"] |= made
    return json.dumps(document, indent=1) + "\n"


def main() -> None:
    """Write the files, and delete schemas that are no longer made."""
    made = contracts()
    (HERE / "json").mkdir(exist_ok=True)
    for file in (HERE / "json").glob("*.schema.json"):
        if f"json/{file.name}" not in made:
            file.unlink()
    for path, text in made.items():
        (HERE / path).write_text(text, "utf-8")
    OPENAPI.write_text(openapi(), "utf-8")


if __name__ == "__main__":
    main()
