"""Structured logs without addresses, one JSON object a line on stderr: agents log none, libraries' words are cut."""

import logging
import re
import sys
from types import TracebackType
from typing import Any, Final

import structlog

# What a library quotes from a record may hold an address; nothing else with an at sign belongs in a log. Rather cut too
# much than too little: what is written up to a word's at sign (in URLs %40), and what stands after it. A word is tried
# from its beginning alone, so that long ones take no time.
_ADDRESS: Final = re.compile(
    r"""(?:"[^"\n]*"|(?<![^\s"<>@])[^\s"<>@]+)(?:@|%40)[^\s"'<>@]+""",
)


def _without_addresses(_logger: Any, _method: str, fields: structlog.typing.EventDict) -> structlog.typing.EventDict:
    # structlog's own entries (`_record`, `_from_structlog`) are on their way to ProcessorFormatter, not to the log.
    return {_cut(name): value if name.startswith("_") else _cut(value) for name, value in fields.items()}


def _cut(value: Any) -> Any:
    match value:
        case None | bool() | int() | float():
            return value
        case dict():
            return {_cut(name): _cut(within) for name, within in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_cut(within) for within in value]
        case _:
            return masked(value if isinstance(value, str) else repr(value))


def masked(text: str) -> str:
    """Give a text with every address in it cut out."""
    return _ADDRESS.sub("<address>", text)


def _unexpected(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger().critical("unexpected", exc_info=(kind, error, trace))


def set_up(level: str, *, brief: bool = False) -> None:
    """Send our own and all libraries' logs to stderr, from `level` on; warnings and uncaught exceptions too.

    Args:
        level: Name of the least level that is logged, such as `INFO`.
        brief: Leave out the libraries' warnings, of a retry for example: for commands that say themselves what failed.

    """
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
    logging.captureWarnings(capture=True)
    sys.excepthook = _unexpected
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
        "flufl.bounce",
        "streams.transport",
        "streams.state.store",
    ):
        least = logging.ERROR if brief else logging.WARNING
        logging.getLogger(chatty).setLevel(logging.DEBUG if level == "DEBUG" else least)
