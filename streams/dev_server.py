"""One server process on this machine, bound to our own life: started, waited for, stopped.

A server comes up through a three-line launcher that asks Linux to kill it when the thread that started it
ends (PR_SET_PDEATHSIG), so that nothing stays behind even after `kill -9`. Hence: start servers in the main
thread. macOS has no such call; there, and only after `kill -9`, a server is left running.
"""

import asyncio
import os
import random
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress

from streams.errors import Failed

HOST = "127.0.0.1"
POLL_SECONDS = 0.02
PROBE_SECONDS = 2.0  # one that hangs talks to a stranger on our port: look whether ours has ended
ATTEMPTS = 5  # somebody else may bind a free port between our look and the server's bind: choose again
LOG_BYTES = 4_000

# Below the ports that systems hand out for outgoing connections (Linux from 32768, macOS from 49152): from
# among those, a client that keeps reconnecting to a stopped server can connect to itself and hold its port.
PORTS = range(20_000, 32_768)

# Runs between fork and exec in an interpreter of its own, since `preexec_fn` is unsafe beside threads. The
# parent may have died before prctl(PR_SET_PDEATHSIG = 1, SIGKILL = 9) took hold, hence the look at getppid.
_LAUNCHER = """import ctypes, os, sys
if sys.platform == "linux": ctypes.CDLL(None).prctl(1, 9)
if os.getppid() == int(sys.argv[1]): os.execv(sys.argv[2], sys.argv[2:])"""


class StackFailed(Failed):
    """A server could not be started: the text is one sentence, `__notes__` has the end of its log."""


class ServerEnded(StackFailed):
    """A server ended before it answered; on a port of our own choosing, worth another try on another."""


class Server:
    """One server process bound to the life of the thread that makes it.

    `command` starts with an absolute path, `environ` is its environment (ours if None). Its output goes to a
    file without a name, which even a killed run leaves nowhere; with `echo` to our own standard error. It
    gets a session of its own, so that Ctrl-C in a terminal reaches only us, who still need it while we shut
    down.
    """

    def __init__(
        self, name: str, command: list[str], *, environ: Mapping[str, str] | None = None, echo: bool = False
    ) -> None:
        self.name = name
        self._log = tempfile.TemporaryFile()  # noqa: SIM115  lives as long as the server, stop() closes it
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command],
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr if echo else self._log,
            stderr=subprocess.STDOUT,
            env=environ,
            start_new_session=True,
        )
        self.pid = self._process.pid  # the server's own: the launcher turns into it

    async def ready(self, answers: Callable[[], Awaitable[bool]], seconds: float) -> None:
        """Return once `answers()` is true; otherwise stop the process and raise StackFailed.

        ServerEnded when the process ended by itself, StackFailed when `seconds` passed without an answer.
        """
        answered = False
        try:
            async with asyncio.timeout(seconds):
                while self._process.poll() is None:
                    with suppress(TimeoutError):
                        async with asyncio.timeout(PROBE_SECONDS):
                            answered = await answers()
                    if answered:
                        return
                    await asyncio.sleep(POLL_SECONDS)
            raise self.failure(f"ended with code {self.ended} before it answered", ServerEnded)
        except TimeoutError:
            raise self.failure(f"did not answer within {seconds:g} s") from None
        finally:
            if not answered:
                self.stop()

    @property
    def ended(self) -> int | None:
        """Its exit code once it has ended by itself, None while it runs; negative for a signal."""
        return self._process.poll()

    def failure(self, what: str, kind: type[StackFailed] = StackFailed) -> StackFailed:
        """The error that says what became of the server, with the end of its log as a note."""
        failed = kind(f"{self.name} {what}.")
        failed.add_note(self.log())
        return failed

    def log(self) -> str:
        """The end of what the server has written so far, at most 4,000 bytes of it."""
        size = os.fstat(self._log.fileno()).st_size
        # pread leaves alone the place in the file, which the server shares and writes at
        return os.pread(self._log.fileno(), LOG_BYTES, max(0, size - LOG_BYTES)).decode(errors="replace")

    def kill(self) -> None:
        """End the process on the spot; `stop` still cleans up after it."""
        self._process.kill()
        self._process.wait()

    def stop(self, sig: signal.Signals = signal.SIGKILL, seconds: float = 30.0) -> None:
        """Send `sig` and wait until the process is gone; still there after `seconds`, it is killed."""
        self._process.send_signal(sig)
        try:
            self._process.wait(seconds)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()


def port_free(port: int) -> bool:
    """Whether we may listen on this TCP port of 127.0.0.1 and nobody else does."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: TIME_WAIT counts as free
        with suppress(OSError):
            probe.bind((HOST, port))
            return True
    return False


def free_port() -> int:
    """A TCP port of 127.0.0.1 that was free a moment ago; StackFailed when there is none."""
    for port in random.sample(PORTS, len(PORTS)):
        if port_free(port):
            return port
    raise StackFailed(f"No port of {HOST} from {PORTS.start} to {PORTS.stop - 1} is free.")


async def on_port(name: str, port: int, start: Callable[[int], Awaitable[Server]]) -> tuple[Server, int]:
    """Start a server on `port`, or, when that is 0, on free ports until it gets one; give the port too.

    StackFailed when the given port is taken, or when the server can't be started.
    """
    if port and not port_free(port):
        raise StackFailed(f"{name} can't have port {port} of {HOST}: it is taken or not permitted.")
    for _ in range(0 if port else ATTEMPTS - 1):
        with suppress(ServerEnded):
            chosen = free_port()
            return await start(chosen), chosen
    chosen = port or free_port()
    return await start(chosen), chosen
