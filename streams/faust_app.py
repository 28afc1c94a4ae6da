"""The Faust app for Faust's own commands: `faust -A streams.faust_app agents`, `tables`, `model`.

Settings come from the environment, as for a worker. `faust worker` is refused: what a worker is made of beside the app
(publisher, web server, restoring) is started by `bounceline worker`.
"""

import os
from typing import Any, cast

from streams.errors import Failed
from streams.settings import from_environment
from streams.worker import Worker

app = Worker(from_environment(os.environ)).app


async def _refuse() -> None:
    raise Failed("workers are started by bounceline worker")


cast("Any", app).on_start = _refuse
