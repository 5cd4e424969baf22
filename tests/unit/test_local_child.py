"""One supervised process: what is said when it dies, and that it never outstays its share."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from services.local.child import LARGE_LOG, Child, Command, run_to_end, together
from services.local.errors import ChildDiedError, StackError

FOREVER = "import time; print('up', flush=True); time.sleep(600)"
DEAF = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN);" + FOREVER

Make = Callable[..., Child]


@pytest.fixture
async def child(tmp_path: Path) -> AsyncIterator[Make]:
    made: list[Child] = []

    def make(code: str, **options: float) -> Child:
        command = Command(name="part", arguments=(sys.executable, "-c", code), log=tmp_path / "part.log", **options)  # type: ignore[arg-type]
        made.append(Child(command))
        return made[-1]

    yield make
    for each in made:
        await each.kill()


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


async def is_up(child: Child) -> None:
    async def waits() -> str:
        return "" if child.command.log.exists() and "up" in child.command.log.read_text() else "not up"

    await child.ready(waits, 20)


async def test_a_death_is_told_with_name_code_log_and_its_last_lines(child: Make) -> None:
    part = child("print('one'); print('the reason'); raise SystemExit(7)")
    part.command.log.write_text("of an earlier run\n")
    await part.start()
    with pytest.raises(ChildDiedError) as death:
        await part.died()
    assert str(death.value) == (
        f"part ended with exit code 7. The end of its log {part.command.log}:\n  one\n  the reason"
    )


async def test_a_kill_is_told_by_the_signals_name(child: Make) -> None:
    part = child(FOREVER)
    await part.start()
    os.kill(part.pid, signal.SIGKILL)
    with pytest.raises(ChildDiedError, match="part ended with signal SIGKILL"):
        await part.died()


async def test_a_full_disk_is_said_in_words(child: Make) -> None:
    part = child("raise SystemExit('write failed: No space left on device')")
    await part.start()
    with pytest.raises(ChildDiedError, match="The disk is full"):
        await part.died()


async def test_an_end_that_was_asked_for_is_no_death(child: Make) -> None:
    part = child(FOREVER)
    await part.start()
    assert await part.stop()
    assert gone(part.pid)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(part.died(), 0.2)


async def test_a_deaf_child_is_killed_when_its_share_is_over(child: Make) -> None:
    part = child(DEAF, share=0.5)
    await part.start()
    await is_up(part)
    began = time.monotonic()
    assert not await part.stop()
    assert 0.5 <= time.monotonic() - began < 5
    assert gone(part.pid)


async def test_a_stop_twice_or_before_the_start_does_nothing(child: Make) -> None:
    part = child(FOREVER)
    await part.stop()
    await part.start()
    await part.stop()
    await part.stop()


async def test_a_death_during_the_start_ends_the_wait(child: Make) -> None:
    part = child("raise SystemExit('no port')")
    await part.start()

    async def never() -> str:
        return "no answer yet"

    with pytest.raises(ChildDiedError, match="no port"):
        await part.ready(never, 60)


async def test_a_wait_that_takes_too_long_says_what_for(child: Make) -> None:
    part = child(FOREVER)
    await part.start()
    said: list[str] = []

    async def restoring() -> str:
        return "restoring 3 of 4"

    with pytest.raises(StackError, match=r"part was not ready after 0 s: restoring 3 of 4\. Its log is .*part\.log"):
        await part.ready(restoring, 0.2, said.append)
    assert said[0] == "part: restoring 3 of 4"


async def test_a_child_can_be_started_again(child: Make) -> None:
    part = child(FOREVER)
    await part.start()
    first = part.pid
    os.kill(first, signal.SIGKILL)
    with pytest.raises(ChildDiedError):
        await part.died()
    await part.start()
    assert part.pid != first
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(part.died(), 0.2)
    os.kill(part.pid, signal.SIGKILL)
    with pytest.raises(ChildDiedError):
        await part.died()


async def test_ctrl_c_in_the_terminal_does_not_reach_a_child(child: Make) -> None:
    part = child(FOREVER)
    await part.start()
    assert os.getsid(part.pid) == part.pid != os.getsid(0)


async def test_a_large_log_is_set_aside(child: Make) -> None:
    part = child(FOREVER)
    part.command.log.write_bytes(b"x" * (LARGE_LOG + 1))
    await part.start()
    await is_up(part)
    assert part.command.log.read_text() == "up\n"
    assert part.command.log.with_name("part.log.1").stat().st_size == LARGE_LOG + 1


async def test_a_command_that_fails_is_told_and_one_that_ends_well_is_not(tmp_path: Path) -> None:
    def command(code: str) -> Command:
        return Command(name="format", arguments=(sys.executable, "-c", code), log=tmp_path / "log")

    await run_to_end(command("pass"))
    with pytest.raises(ChildDiedError, match="format ended with exit code 3"):
        await run_to_end(command("raise SystemExit(3)"))


async def test_when_one_of_several_fails_the_others_have_ended() -> None:
    ended = asyncio.Event()

    async def slow() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            await asyncio.sleep(0.05)
            ended.set()

    async def fails() -> None:
        raise StackError("no")

    with pytest.raises(StackError):
        await together(slow(), fails())
    assert ended.is_set()
