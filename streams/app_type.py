"""Faust's app with the one thing that we need to know earlier than it tells."""

from collections.abc import Awaitable, Callable

import faust


async def _nothing() -> None:
    pass


class App(faust.App):
    """A Faust app. `before_revoked` is called when a rebalance begins, before Faust waits for the batches in work."""

    before_revoked: Callable[[], Awaitable[None]] = staticmethod(_nothing)
