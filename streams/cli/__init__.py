"""The command line: `bounceline COMMAND`. Exit 0 ok, 1 failed, 2 wrong use; errors are one sentence on stderr."""

import os
import sys

from cyclopts import App, CycloptsError

from streams.cli import files, running
from streams.dev_stack import StackFailed
from streams.settings import SettingsInvalid
from streams.topics import TopicsWrong

app = App(
    name="bounceline",
    help="Bounce and suppression stream processor: delivery events in, suppressions out.",
    help_format="plaintext",
)
app.command(running.demo)
app.command(running.dev)
app.command(running.worker)
app.command(running.topics)
app.command(files.classify)
app.command(files.replay)


def main() -> None:
    """Run one command and exit."""
    try:
        app(exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _exit(2, f"{error} Try: bounceline --help")
    except SettingsInvalid as error:
        _exit(2, str(error))
    except (StackFailed, TopicsWrong, OSError) as error:
        _exit(1, str(error))
    except BrokenPipeError:
        # Whoever read our output has had enough: `bounceline replay … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _exit(code: int, sentence: str) -> None:
    print(f"bounceline: {sentence}", file=sys.stderr)
    sys.exit(code)
