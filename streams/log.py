"""Structured logs without addresses, one JSON object a line on stderr: agents log none, libraries' words are cut."""

import logging
import re
import sys
from typing import Any, Final

import structlog

# What a library quotes from a record may hold an address; nothing else with an at sign belongs in a log.
_ADDRESS: Final = re.compile(r"[^\s\"'<>@]+@[^\s\"'<>@]+\.[^\s\"'<>@]+")


def _without_addresses(_logger: Any, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {name: _cut(value) for name, value in fields.items()}


def _cut(value: Any) -> Any:
    return _ADDRESS.sub("<address>", value) if isinstance(value, str) else value


def set_up(level: str) -> None:
    """Send our own and all libraries' logs to stderr, from `level` on."""
    shared: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _without_addresses,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processor=structlog.processors.JSONRenderer(),
            foreign_pre_chain=shared,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    # Libraries tell of every rebalance and connection at info: theirs is for those who ask for debug. The two of ours
    # are Faust's parts by inheritance, and log as Faust does.
    for chatty in (
        "faust",
        "mode",
        "aiokafka",
        "kafka",
        "asyncio",
        "aiohttp",
        "streams.batches",
        "streams.redis_store",
    ):
        logging.getLogger(chatty).setLevel(logging.DEBUG if level == "DEBUG" else logging.WARNING)
