"""The stack of production, for tests: Apache Kafka 4 (one KRaft node, jars by Maven) and redis-server.

Everything listens on 127.0.0.1, lives in a temporary directory and ends with the block that started it, or
with the test run, also one that was killed (see streams/dev_server.py). Unlike the embedded stack these two
can be stopped, killed and started again on the same port with what they had on disk.

Needs `java` (17 or later), `mvn` the first time, and `redis-server` on the PATH; StackFailed says what is
missing. The jars are fetched once, into .cache/kafka/ of the repository.
"""

import asyncio
import hashlib
import shutil
import signal
import subprocess
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Self

from streams.dev_server import HOST, Server, StackFailed, free_port, on_port
from streams.dev_stack import Endpoints, kafka_answers, redis_answers

HERE = Path(__file__).parent / "kafka"
CACHE = Path(__file__).parents[2] / ".cache" / "kafka"

KAFKA_START_SECONDS = 90.0  # 4 s on two idle cores; a busy CI machine may take many times that
REDIS_CONF = Path(__file__).parents[2] / "deploy" / "redis.conf"  # what operators are told to include
REDIS_START_SECONDS = 15.0
FETCH_SECONDS = 600.0  # 43 MB of jars
FORMAT_SECONDS = 60.0
CLUSTER_ID = "Ym91bmNlbGluZS10ZXN0cw"  # base64url of 16 bytes, as Kafka wants it: "bounceline-tests"

JVM = (
    "-Xms64m",
    "-Xmx512m",  # beside the workers under test on a machine of two cores
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",  # a broker of seconds: start sooner rather than run faster
)

PROPERTIES = """\
process.roles=broker,controller
node.id=1
listeners=BROKER://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=BROKER://{host}:{port}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
controller.listener.names=CONTROLLER
controller.quorum.voters=1@{host}:{controller_port}
log.dirs={folder}/log

# One node holds the only copy of everything, and few partitions of the internal topics start faster.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=4

# A topic nobody created is a mistake that a test must see.
auto.create.topics.enable=false
# Room for the largest record (4 MiB) with key and headers, and for a test of what lies above.
message.max.bytes=6291456

# The first member of a group need not wait 3 s for others, and a killed one may be missed soon (default 6 s).
group.initial.rebalance.delay.ms=100
group.min.session.timeout.ms=1000

# A killed node may come back only when its old session is over: 1.5 s instead of 9.
broker.session.timeout.ms=1500
broker.heartbeat.interval.ms=300

# The cleaner looks every second instead of every 15, and takes 16 MB of the small heap instead of 128.
log.cleaner.backoff.ms=1000
log.cleaner.dedupe.buffer.size=16777216
# What retention takes goes within a second as well, instead of five minutes.
log.retention.check.interval.ms=1000
"""


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise StackFailed(f"{name} is not on the PATH; install it, on Debian with the package {package}.")
    return found


def _run(what: str, command: list[str], seconds: float) -> None:
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds, check=False)
    if done.returncode:
        failed = StackFailed(f"{what} failed with code {done.returncode}.")
        failed.add_note((done.stdout + done.stderr)[-4_000:])
        raise failed


def jars() -> Path:
    """The folder with the jars that kafka/pom.xml names, fetched when it isn't there yet."""
    pom = HERE / "pom.xml"
    ready = CACHE / hashlib.sha256(pom.read_bytes()).hexdigest()[:12]
    if not ready.exists():
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as partial:  # renamed when whole: never half a class path
            command = [tool("mvn", "maven"), "-B", "-ntp", "-f", str(pom), "dependency:copy-dependencies"]
            command += [f"-DoutputDirectory={partial}/jars"]
            _run("Fetching the jars of Apache Kafka", command, FETCH_SECONDS)
            Path(partial, "jars").rename(ready)
    return ready


class _Restartable:
    """A server with its data in a temporary directory that outlives its stops, not the block around it."""

    def __init__(self, prefix: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix=prefix)
        self.data = Path(self._folder.name)
        self._server: Server | None = None
        self._port = 0

    @property
    def pid(self) -> int:
        """Process id of the running server."""
        if self._server is None:
            raise StackFailed(f"{type(self).__name__} is stopped.")
        return self._server.pid

    def log(self) -> str:
        """The end of what the running server has written."""
        if self._server is None:
            raise StackFailed(f"{type(self).__name__} is stopped.")
        return self._server.log()

    async def _begin(self, port: int) -> Server:
        raise NotImplementedError

    async def start(self) -> None:
        """Start it, on the port it had before; StackFailed when it doesn't come up or runs already."""
        if self._server is not None:
            raise StackFailed(f"{type(self).__name__} runs already.")
        self._server, self._port = await on_port(type(self).__name__, self._port, self._begin)

    async def stop(self, *, kill: bool = False) -> None:
        """Stop it in order (SIGTERM), or with `kill` like a lost machine (SIGKILL); twice does no harm."""
        if self._server is not None:
            stopping, self._server = self._server, None
            await asyncio.to_thread(stopping.stop, signal.SIGKILL if kill else signal.SIGTERM)

    async def restart(self, *, kill: bool = False) -> None:
        """Stop and start; the port and what was written to disk stay."""
        await self.stop(kill=kill)
        await self.start()

    async def __aenter__(self) -> Self:
        try:
            await self.start()
        except BaseException:
            self._folder.cleanup()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.stop(kill=True)  # the data goes with it
        self._folder.cleanup()


class ApacheKafka(_Restartable):
    """One Apache Kafka node: `async with ApacheKafka() as kafka:` runs it at `kafka.address`, `host:port`."""

    def __init__(self) -> None:
        super().__init__("bounceline-kafka-")

    @property
    def address(self) -> str:
        """Where it answers, `host:port`; stays through restarts."""
        return f"{HOST}:{self._port}"

    async def _begin(self, port: int) -> Server:
        java = [tool("java", "default-jre-headless"), *JVM, "-cp", f"{await asyncio.to_thread(jars)}/*"]
        java.append(f"-Dlog4j2.configurationFile={HERE / 'log4j2.properties'}")
        settings = self.data / "server.properties"
        if port != self._port:  # not a restart
            text = PROPERTIES.format(host=HOST, port=port, controller_port=free_port(), folder=self.data)
            settings.write_text(text, encoding="utf-8")
            shutil.rmtree(self.data / "log", ignore_errors=True)
            formatting = [*java, "kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings)]
            await asyncio.to_thread(_run, "Formatting Apache Kafka's storage", formatting, FORMAT_SECONDS)
        server = Server("Apache Kafka", [*java, "kafka.Kafka", str(settings)])
        await server.ready(lambda: kafka_answers(f"{HOST}:{port}", CLUSTER_ID), KAFKA_START_SECONDS)
        return server


class DebianRedis(_Restartable):
    """One redis-server: `async with DebianRedis() as redis:` runs it at `redis.url`, `redis://host:port/0`.

    With `append_only` every write is in the append-only file before it is answered, so that a restart,
    also after a kill, brings everything back; without, a restart brings back an empty server.
    """

    def __init__(self, *, append_only: bool = False) -> None:
        super().__init__("bounceline-redis-")
        self._append_only = append_only

    @property
    def url(self) -> str:
        """Where it answers, `redis://host:port/0`; stays through restarts."""
        return f"redis://{HOST}:{self._port}/0"

    async def _begin(self, port: int) -> Server:
        command = [tool("redis-server", "redis-server"), str(REDIS_CONF), "--bind", HOST, "--port", str(port)]
        command += ["--dir", str(self.data), "--save", ""]
        command += ["--appendonly", "yes" if self._append_only else "no", "--appendfsync", "always"]
        server = Server("redis-server", command)
        url = f"redis://{HOST}:{port}/0"
        await server.ready(lambda: redis_answers(url, server.pid), REDIS_START_SECONDS)
        return server


@asynccontextmanager
async def apache_stack() -> AsyncIterator[Endpoints]:
    """Run Apache Kafka and Redis on free ports of 127.0.0.1 until the block ends; may raise StackFailed."""
    async with ApacheKafka() as kafka, DebianRedis() as redis:
        yield Endpoints(kafka.address, redis.url)
