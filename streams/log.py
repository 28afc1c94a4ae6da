"""Structured logs without addresses, one JSON object a line on stderr: agents log none, libraries' words are cut."""

import logging
import re
import sys
from types import TracebackType
from typing import Any, Final

import structlog

# What a library quotes from a record may hold an address; nothing else with an at sign belongs in a log. Rather cut too
# much than too little: what is written up to a word's at sign, and what stands after it. A word is tried from its
# beginning alone, and all that looks further is bounded, so that long texts take no time.
_LOCAL: Final = r"""(?:"[^"\n]*(?:\\"[^"\n]*){0,4}"|(?<![^\s"<>@])[^\s"<>@]+)"""
# As it is, wide, in URLs (once or twice), in HTML, in JSON and in Python.
_AT: Final = r"""[@\uff20\ufe6b]|%(?:25)?40|&\#(?:64|[xX]40);|\\u0040|\\x40"""
# In quoted-printable, and with space beside it, only where a domain follows: `lag=40`, `a @ b` are none.
_LOOSE: Final = r"""(?:=40|[ \t]{1,3}@[ \t]{0,3}|@[ \t]{1,3})(?=[\w.-]{1,255}\.[^\W\d_]{2})"""
_ADDRESS: Final = re.compile(rf"""{_LOCAL}(?:{_AT}|{_LOOSE})[^\s"'<>@]+""")


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
