"""The command line: `bounceline COMMAND`. Exit 0 ok, 1 failed, 2 wrong use; errors are one sentence on stderr."""

import os
import sys
from collections.abc import Iterable
from importlib import metadata

from streams.packages import ForeignPackage, check_places

try:
    check_places()
except ForeignPackage as error:
    sys.exit(f"bounceline: {error}")

from cyclopts import App, CycloptsError, MissingArgumentError

from agents.classify.rule_file import BuiltinInvalid
from streams.cli import asking, commands, dead_letters, files, lists, rules, running, why
from streams.errors import Failed, WrongUse
from streams.settings import SettingsInvalid

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
app.command(asking.check)
app.command(why.why)
app.command(commands.release)
app.command(commands.suppress)
app.command(commands.erase)
app.command(commands.retract)
app.command(lists.import_, name="import")
app.command(lists.export)
app.command(rules.app)
app.command(dead_letters.app)


def main() -> None:
    """Run one command and exit."""
    try:
        app(sys.argv[1:], exit_on_error=False, print_error=False)
    except CycloptsError as error:
        command = " ".join(("bounceline", *(error.command_chain or ())))
        _exit(2, f"{_wrong(error)} Try: {command} --help")
    except (SettingsInvalid, WrongUse) as error:
        _exit(2, str(error))
    except BrokenPipeError:
        # Whoever read our output has had enough: `bounceline replay … | head`.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:
        _exit(1, f"{error.filename}: {error.strerror}" if error.filename else str(error))
    except (BuiltinInvalid, Failed) as error:
        _exit(1, str(error), getattr(error, "__notes__", ()))
    except KeyboardInterrupt:
        sys.exit(130)  # as shells tell it: 128 and the number of SIGINT


def _wrong(error: CycloptsError) -> str:
    """Say what is wrong; Cyclopts says of what is missing, too, that it "requires an argument"."""
    if isinstance(error, MissingArgumentError) and error.argument and not (error.keyword or error.argument.tokens):
        return f"{error.argument.name} is missing."
    return str(error)


def _exit(code: int, sentence: str, notes: Iterable[str] = ()) -> None:
    for note in notes:
        print(note.rstrip(), file=sys.stderr)
    print(f"bounceline: {sentence}", file=sys.stderr)
    sys.exit(code)
