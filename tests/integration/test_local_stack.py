"""The embedded servers, and services that stand in for ours: data survive, nothing is left running, errors are clear."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import asyncpg
import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from rich.console import Console

from schemas.topics import MAX_RECORD_BYTES
from services.local import ports
from services.local.errors import ChildDiedError, DataDirError, PortTakenError, StackError
from services.local.stack import SERVICES, Stack
from services.runtime.settings import Settings

pytestmark = [pytest.mark.stack, pytest.mark.faults]

CONSOLE = Console(quiet=True)
ANY_PORTS = Settings(ingest_port=0, monitor_port=0, notify_port=0)
LARGEST = str(MAX_RECORD_BYTES + 65536)

STAND_IN = """
import http.server, json, os, signal, sys, time
name, book = sys.argv[1:3]
def note(what):
    with open(book, "a") as file:
        file.write(f"{what} {name}\\n")
def told(*_):
    if "deaf" in sys.argv:
        return
    note("stopped")
    sys.exit(0)
signal.signal(signal.SIGTERM, told)
class Ready(http.server.BaseHTTPRequestHandler):
    asked = 0
    def do_GET(self):
        Ready.asked += 1
        self.send_response(200 if self.path == "/readyz" and Ready.asked > 2 else 503)
        self.end_headers()
    def log_message(self, *_):
        pass
with open(f"{book}.{name}", "w") as file:
    json.dump({key: value for key, value in os.environ.items() if key.startswith("RXVIGIL_")}, file)
if "broken" in sys.argv:
    raise SystemExit("cannot do it")
http.server.HTTPServer(("127.0.0.1", int(os.environ[f"RXVIGIL_{name.upper()}_PORT"])), Ready).serve_forever()
"""
"""A service as the supervisor sees one: ready at its third answer, writes down its end and the settings that it got."""

SUPERVISOR = """
import asyncio, sys
from pathlib import Path
from rich.console import Console
from services.local.stack import Stack
from services.local.up import run_until_told
from tests.integration.test_local_stack import ANY_PORTS, standing_in
folder, book = map(Path, sys.argv[1:3])
console = Console(width=200)
stack = Stack(folder, settings=ANY_PORTS, console=console, command=standing_in(book))
sys.exit(asyncio.run(run_until_told(stack, console)))
"""


def standing_in(book: Path, **how: str) -> Callable[[str], Sequence[str]]:
    def command(service: str) -> Sequence[str]:
        return (sys.executable, "-c", STAND_IN, service, str(book), how.get(service, ""))

    return command


def servers(folder: Path) -> Stack:
    return Stack(folder, services=(), settings=Settings(), console=CONSOLE)


def running_in(folder: Path) -> list[str]:
    """Processes that work in a folder or have it in their command line, by what the kernel says of them."""
    found = []
    for process in Path("/proc").iterdir():
        try:
            if process.name.isdigit() and int(process.name) != os.getpid():
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                if str(folder) in command or str(folder) in str((process / "cwd").readlink()):
                    found.append(command)
        except OSError:
            continue  # it ended meanwhile
    return found


async def none_left(folder: Path, within: float) -> None:
    deadline = time.monotonic() + within
    while left := running_in(folder):
        assert time.monotonic() < deadline, left
        await asyncio.sleep(0.05)


async def publish(brokers: str, topic: str, value: bytes) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=brokers)
    await admin.start()
    response = await admin.create_topics([NewTopic(topic, 1, 1, topic_configs={"max.message.bytes": LARGEST})])
    assert response.topic_errors[0][1] == 0, response
    await admin.close()
    producer = AIOKafkaProducer(bootstrap_servers=brokers, acks="all", max_request_size=20 * 2**20)
    await producer.start()
    await producer.send_and_wait(topic, value)
    await producer.stop()


async def first_value(brokers: str, topic: str) -> bytes:
    consumer = AIOKafkaConsumer(bootstrap_servers=brokers, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([TopicPartition(topic, 0)])
        return bytes((await asyncio.wait_for(consumer.getone(), 20)).value)
    finally:
        await consumer.stop()


async def test_data_survive_a_stop_and_a_crash_and_the_second_start_is_quick(tmp_path: Path) -> None:
    folder = tmp_path / "dätá, with a comma"
    async with servers(folder) as stack:
        addresses = {stack.brokers, stack.database_url}
        await publish(stack.brokers, "kept", b"x" * 1000)
        connection = await asyncpg.connect(stack.database_url)
        await connection.execute("CREATE TABLE kept (value text)")
        await connection.execute("INSERT INTO kept VALUES ('Grüße')")
        await connection.close()
        with pytest.raises(DataDirError, match=f"process {os.getpid()}"):
            await servers(folder).__aenter__()
    assert running_in(folder) == []

    for crash_before, crash in ((False, True), (True, False)):
        began = time.monotonic()
        async with servers(folder) as stack:
            assert crash_before or time.monotonic() - began < 15
            assert not addresses & {stack.brokers, stack.database_url}, "free ports are chosen anew"
            assert await first_value(stack.brokers, "kept") == b"x" * 1000
            connection = await asyncpg.connect(stack.database_url)
            assert await connection.fetchval("SELECT value FROM kept") == "Grüße"
            await connection.close()
            if crash:
                stack.kill()
        await none_left(folder, 0)


async def test_a_record_of_the_largest_size_is_taken(stack: Stack) -> None:
    await publish(stack.brokers, "large", os.urandom(MAX_RECORD_BYTES))


async def test_the_database_wants_its_password(stack: Stack, fresh_database: str) -> None:
    password = stack.database_url.partition("//rxvigil:")[2].partition("@")[0]
    connection = await asyncpg.connect(fresh_database)
    assert await connection.fetchval("SHOW server_version") == "18.6"
    await connection.close()
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(fresh_database.replace(password, "another"))


@pytest.mark.parametrize("name", ["Kafka", "Postgres"])
async def test_a_killed_server_is_named_and_nothing_is_left(tmp_path: Path, name: str) -> None:
    with pytest.raises(ChildDiedError, match=rf"^{name} ended with signal SIGKILL.*\n?.*"):
        async with servers(tmp_path) as stack:
            os.kill(stack.children[name].pid, signal.SIGKILL)
            await asyncio.wait_for(stack.wait(), 10)
    await none_left(tmp_path, 2)


async def test_a_restarted_server_keeps_its_address(tmp_path: Path) -> None:
    async with servers(tmp_path) as stack:
        brokers, watching = stack.brokers, asyncio.create_task(stack.wait())
        await publish(brokers, "kept", b"x")
        for name in ("Postgres", "Kafka"):
            before = stack.children[name].pid
            await stack.restart(name, kill=True)
            assert stack.children[name].pid != before
        assert await first_value(brokers, "kept") == b"x"
        assert not watching.done(), "an end that was asked for is no death"
        watching.cancel()


async def test_services_get_their_settings_and_are_stopped_in_order(tmp_path: Path) -> None:
    book, port = tmp_path / "book", ports.free_ports(1)[0]
    folder = tmp_path / "data"
    settings = Settings(
        ingest_port=0, monitor_port=0, notify_port=port, webhook_url="http://127.0.0.1:1/hook", log_level="warning"
    )
    async with Stack(folder, settings=settings, console=CONSOLE, command=standing_in(book)) as stack:
        assert stack.urls["notify"] == f"http://127.0.0.1:{port}"
        for service in SERVICES:
            got = json.loads(Path(f"{book}.{service}").read_text())
            assert got["RXVIGIL_BROKERS"] == stack.brokers
            assert got["RXVIGIL_DATABASE_URL"] == stack.database_url
            assert got["RXVIGIL_STATE_DIR"] == str(folder / "state")
            assert (got["RXVIGIL_WEBHOOK_URL"], got["RXVIGIL_LOG_LEVEL"]) == ("http://127.0.0.1:1/hook", "warning")
            assert stack.urls[service].endswith(":" + got[f"RXVIGIL_{service.upper()}_PORT"])
    assert book.read_text().split("\n") == ["stopped notify", "stopped monitor", "stopped ingest", ""]


async def test_services_that_hear_nothing_are_killed_within_20_seconds(tmp_path: Path) -> None:
    deaf = dict.fromkeys(SERVICES, "deaf")
    command = standing_in(tmp_path / "book", **deaf)
    async with Stack(tmp_path / "data", settings=ANY_PORTS, console=CONSOLE, command=command) as stack:
        began, pids = time.monotonic(), [child.pid for child in stack.children.values()]
    assert time.monotonic() - began < 20
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


async def test_a_service_that_cannot_start_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    command = standing_in(tmp_path / "book", monitor="broken")
    with pytest.raises(ChildDiedError, match=r"(?s)^monitor ended with exit code 1\..*monitor\.log.*cannot do it"):
        await Stack(tmp_path / "data", settings=ANY_PORTS, console=CONSOLE, command=command).__aenter__()
    await none_left(tmp_path, 0)


async def test_a_named_port_in_use_stops_the_start_before_anything_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(PortTakenError, match=str(port)):
            await Stack(tmp_path, settings=Settings(ingest_port=port), console=CONSOLE).__aenter__()
    assert not (tmp_path / "postgres").exists()


async def test_data_that_cannot_be_used_are_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir(mode=0o700)
    (tmp_path / "postgres.password").write_text("secret")
    with pytest.raises(StackError, match=r"(?s)^Postgres ended .*postgres\.log"):
        await servers(tmp_path).__aenter__()
    await none_left(tmp_path, 0)


def stand_in(tmp_path: Path, service: str) -> int:
    """The process id of a stand-in, by its command line."""
    wanted = f"\0{service}\0{tmp_path / 'book'}\0".encode()
    (found,) = (each.parent for each in Path("/proc").glob("[0-9]*/cmdline") if wanted in each.read_bytes())
    return int(found.name)


class Supervisor:
    """`rxvigil up` with stand-ins, in a process of its own."""

    def __init__(self, process: asyncio.subprocess.Process, folder: Path) -> None:
        self.process, self.folder, self.said = process, folder, ""

    @classmethod
    async def launched(cls, tmp_path: Path) -> Supervisor:
        arguments = (sys.executable, "-c", SUPERVISOR, str(tmp_path / "data"), str(tmp_path / "book"))
        process = await asyncio.create_subprocess_exec(*arguments, stdout=asyncio.subprocess.PIPE)
        return cls(process, tmp_path / "data")

    @classmethod
    async def started(cls, tmp_path: Path) -> Supervisor:
        supervisor = await cls.launched(tmp_path)
        await supervisor.says("data and logs")
        return supervisor

    async def says(self, text: str) -> None:
        assert self.process.stdout is not None
        async with asyncio.timeout(60):
            while text not in self.said:
                line = await self.process.stdout.readline()
                assert line, f"it ended without saying {text!r}: {self.said}"
                self.said += line.decode()

    async def code(self, within: float) -> int:
        rest, _ = await asyncio.wait_for(self.process.communicate(), within)
        self.said += rest.decode()
        assert self.process.returncode is not None
        return self.process.returncode


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
async def test_up_prints_its_addresses_and_ends_with_0_when_told(tmp_path: Path, number: signal.Signals) -> None:
    up = await Supervisor.started(tmp_path)
    assert "page" in up.said
    password = (up.folder / "postgres.password").read_text()
    up.process.send_signal(number)
    assert await up.code(within=20) == 0
    assert password not in up.said
    await none_left(up.folder, 0)
    assert (tmp_path / "book").read_text().split() == [
        word for service in ("notify", "monitor", "ingest") for word in ("stopped", service)
    ]


async def test_up_ends_with_1_and_names_the_child_that_died(tmp_path: Path) -> None:
    up = await Supervisor.started(tmp_path)
    os.kill(stand_in(tmp_path, "monitor"), signal.SIGKILL)
    assert await up.code(within=25) == 1
    assert "monitor ended with signal SIGKILL" in up.said
    await none_left(tmp_path, 0)


async def test_a_second_signal_ends_everything_at_once(tmp_path: Path) -> None:
    up = await Supervisor.started(tmp_path)
    # a stopped process hears nothing and so holds up the stop
    os.kill(stand_in(tmp_path, "notify"), signal.SIGSTOP)
    up.process.send_signal(signal.SIGINT)
    await up.says("stopping")
    up.process.send_signal(signal.SIGINT)
    assert await up.code(within=2) == 130
    await none_left(tmp_path, 2)


async def test_a_signal_during_the_start_ends_it(tmp_path: Path) -> None:
    up = await Supervisor.launched(tmp_path)
    async with asyncio.timeout(30):
        while not any("kafka.Kafka" in command for command in running_in(up.folder)):
            await asyncio.sleep(0.02)
    up.process.send_signal(signal.SIGINT)
    assert await up.code(within=20) == 0
    await none_left(up.folder, 0)


async def test_what_is_written_is_closed_to_other_users(tmp_path: Path) -> None:
    async with servers(tmp_path):
        for private in ("kafka", "postgres", "logs", "postgres.password"):
            assert (tmp_path / private).stat().st_mode & 0o077 == 0, private


async def test_a_killed_supervisor_leaves_no_child_and_the_next_start_works(tmp_path: Path) -> None:
    up = await Supervisor.started(tmp_path)
    assert len(running_in(tmp_path)) >= 5
    up.process.kill()
    await up.process.wait()
    await none_left(tmp_path, 3)
    async with servers(up.folder) as stack:
        await (await asyncpg.connect(stack.database_url)).close()
