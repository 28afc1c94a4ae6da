"""The command line: `bounceline COMMAND`. Exit 0 ok, 1 failed, 2 wrong use; errors are one sentence on stderr."""

import os
import sys
from importlib import metadata

from streams.packages import ForeignPackage, check_places

try:
    check_places()
except ForeignPackage as error:
    sys.exit(f"bounceline: {error}")

from aiokafka.errors import KafkaError
from cyclopts import App, CycloptsError
from redis.exceptions import RedisError

from streams.cli import files, running
from streams.dev_stack import StackFailed
from streams.installation import Disagreement
from streams.settings import SettingsInvalid
from streams.topics import TopicsWrong

app = App(
    name="bounceline",
    help="Bounce and suppression stream processor: delivery events in, suppressions out. Begin with: bounceline demo",
    version=metadata.version("bounceline"),
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
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        _exit(2, f"{error} Try: bounceline --help")
    except SettingsInvalid as error:
        _exit(2, str(error))
    except KafkaError as error:
        _exit(1, f"the broker can't be used: {error}")
    except RedisError as error:
        _exit(1, f"Redis can't be used: {error}")
    except BrokenPipeError:
        # Whoever read our output has had enough: `bounceline replay … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _exit(1, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (StackFailed, TopicsWrong, Disagreement, ForeignPackage) as error:
        _exit(1, str(error))
    except KeyboardInterrupt:
        sys.exit(130)  # as shells tell it: 128 and the number of SIGINT


def _exit(code: int, sentence: str) -> None:
    print(f"bounceline: {sentence}", file=sys.stderr)
    sys.exit(code)
