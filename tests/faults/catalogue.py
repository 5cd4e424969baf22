"""The faults, each a function that does something bad to a run under load. What it does is its docstring and its notes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

from schemas.topics import MAX_RECORD_BYTES
from tests.faults.load import KEYS
from tests.faults.run import SESSION, Fault, Run, RunError

FAULTS: dict[str, Fault] = {}
FROZEN_SECONDS = SESSION + 4
ROOM = 200
"""Bytes of a record of the largest size that are not padding."""


class NotPossibleError(RuntimeError):
    """This machine cannot do the fault; the message says why. The run counts as skipped, never as passed."""


def fault(name: str) -> Callable[[Fault], Fault]:
    def enter(function: Fault) -> Fault:
        FAULTS[name] = function
        return function

    return enter


async def _two_workers(run: Run, rate: float = 600, **options: int) -> None:
    await run.load(rate, **options)
    await asyncio.gather(run.start("a"), run.start("b"))
    await run.progress(500)


@fault("kill-mid-batch")
async def kill_mid_batch(run: Run) -> None:
    """SIGKILL at five points inside a batch, and at a random moment, on two workers in turn."""
    await run.load(800)
    last = f"--at=commit:{run.rnd.randrange(5, 15)}:KILL"
    pairs = (("handle", "output"), ("handed", "changelog"), ("commit", ""))
    for first, second in pairs[: 2 if run.short else 3]:
        for name, point in (("a", first), ("b", second)):
            count = run.rnd.randrange(10, 80)
            option = last if point == "commit" else f"--at={point}:{count}:KILL"
            await run.start(name, *([option] if point else []), wait=False)
        await run.ended("a", 60)
        if not second:
            await asyncio.sleep(run.rnd.uniform(0.5, 2))
            await run.kill("b")
        else:
            await run.ended("b", 60)
    await asyncio.gather(run.start("a"), run.start("b"))
    await run.progress(2000)


@fault("kill-mid-restore")
async def kill_mid_restore(run: Run) -> None:
    """Stores deleted; the worker that restores is ended in the middle: by SIGKILL twice, by SIGTERM once."""
    await run.load(3000)
    await asyncio.gather(run.start("a"), run.start("b"))
    await run.progress(25000)
    await run.end_load()
    await run.load(400)
    for name in ("a", "b"):
        await run.kill(name)
        run.delete_store(name)
    for order in ("restore:5:KILL", "restore:10:KILL", "restore:5:TERM"):
        worker = await run.start("a", f"--at={order}", wait=False)
        begun = asyncio.get_running_loop().time()
        code = await run.ended("a", 45)
        expected = 0 if order.endswith("TERM") else -signal.SIGKILL
        if code != expected:
            run.finding(f"worker a ended with code {code} and not {expected} on {order}: {run.last_words('a')}")
        run.note(f"{order}: pid {worker.child.pid} lived {asyncio.get_running_loop().time() - begun:.1f} s")
    await asyncio.gather(run.start("a"), run.start("b"))
    await run.progress(1000)


@fault("freeze")
async def freeze(run: Run) -> None:
    """SIGSTOP past the session time-out, then SIGCONT: between alerts and changelog, with a changelog batch at the
    producer, and at a random moment; the others take over meanwhile."""
    if not Path("/proc/self/stat").exists():
        raise NotPossibleError("whether a process is frozen is read from /proc, which is not there")
    await run.load(600)
    await run.start("b")
    for name, point in (("a", "output"), ("c", "handed")):
        await run.start(name, f"--at={point}:{run.rnd.randrange(20, 60)}:STOP", wait=False)
    await run.until(lambda: run.workers["a"].stopped, 60, "worker a to freeze after its alerts")
    await run.until(lambda: run.workers["c"].stopped, 60, "worker c to freeze with a batch at its producer")
    run.note("workers a and c are frozen")
    await run.seconds(FROZEN_SECONDS)
    await run.progress(1000)
    for name in ("a", "c"):
        run.workers[name].signal(signal.SIGCONT)
        run.note(f"SIGCONT worker {name}")
    await run.seconds(6)
    if run.short:
        return
    run.workers["b"].signal(signal.SIGSTOP)
    run.note("SIGSTOP worker b")
    await run.seconds(FROZEN_SECONDS)
    run.workers["b"].signal(signal.SIGCONT)
    run.note("SIGCONT worker b")
    await run.seconds(8)


@fault("sigterm")
async def sigterm(run: Run) -> None:
    """SIGTERM to one worker after the other under load; each must end within its bound, with code 0."""
    await _two_workers(run)
    for name in ("a", "b", "a"):
        await run.stop(name)
        await run.seconds(run.rnd.uniform(0.2, 2))
        await run.start(name)
        await run.progress(300)


@fault("scale")
async def scale(run: Run) -> None:
    """A worker added and removed, three times: partitions go away from their owner and come back to it."""
    await _two_workers(run)
    for _ in range(3):
        await run.start("c")
        await run.seconds(run.rnd.uniform(2, 4))
        await run.stop("c")
        await run.seconds(run.rnd.uniform(2, 4))
    await run.progress(500)


@fault("broker-restart")
async def broker_restart(run: Run) -> None:
    """kill -9 of the broker and its start, twice."""
    await _two_workers(run)
    for _ in range(2):
        run.note("SIGKILL the broker")
        await run.stack.restart("Kafka", kill=True)
        run.note("the broker is back")
        await run.progress(1000, 120)


@fault("broker-down")
async def broker_down(run: Run) -> None:
    """The broker is away for a minute."""
    await _two_workers(run)
    run.note("SIGKILL the broker")
    await run.stack.children["Kafka"].kill()
    await run.seconds(60)
    await run.stack.restart("Kafka")
    run.note("the broker is back")
    await run.progress(1000, 120)


@fault("disk-full")
async def disk_full(run: Run) -> None:
    """The disk of a worker's store becomes full while it runs, and is full while it restores. The worker must end with an
    error and not go on with part of its state."""
    await run.load(600)
    await run.start("b")
    disk = run.folder / "disk"
    disk.mkdir()
    if not await _mounted(disk):
        await _file_limit(run)
        return
    try:
        await run.start("a", folder=disk / "store")
        await run.progress(500)
        for moment in ("while it runs", "while it restores"):
            ballast = _fill(disk)
            run.note(f"the disk of worker a is full {moment} ({ballast.stat().st_size} bytes of ballast)")
            if moment == "while it restores":
                await run.kill("a")
                run.delete_store("a")
                _fill(disk, leave=600_000)
                await run.start("a", folder=disk / "store", wait=False)
            await _must_fail(run)
            ballast.unlink()
            await run.start("a", folder=disk / "store")
            await run.progress(500)
        await run.stop("a")
    finally:
        await run.workers["a"].child.kill()
        subprocess.run(["umount", disk], check=False)
    await run.start("a")


async def _mounted(disk: Path) -> bool:
    if os.geteuid() != 0:
        return False
    command = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(disk)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


def _fill(disk: Path, leave: int = 0) -> Path:
    """Take what is free on a file system but for ``leave`` bytes."""
    ballast = disk / "ballast"
    ballast.unlink(missing_ok=True)
    with ballast.open("wb", buffering=0) as file:
        with contextlib.suppress(OSError):  # the worker writes at the same time: nobody knows what is free but the disk
            while file.write(bytes(16 * 1024)):
                pass
        file.truncate(max(file.tell() - leave, 0))
    return ballast


async def _file_limit(run: Run) -> None:
    run.note("no small file system can be mounted here: a limit on the size of files stands in for a full disk")
    await run.start("a", f"--file-limit={64 * 1024}", wait=False)
    await _must_fail(run)
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 64 * 1024
    await run.start("a")
    await run.progress(500)


async def _must_fail(run: Run) -> None:
    try:
        code = await run.ended("a", 45)
    except RunError:
        run.finding("worker a goes on though its store cannot be written")
        await run.kill("a")
    else:
        run.note(f"it said: {run.last_words('a')}")
        if code == 0:
            run.finding("worker a ended with code 0 though its store cannot be written")


@fault("store-deleted")
async def store_deleted(run: Run) -> None:
    """The store's directory is deleted: of a worker that was killed, of one that was stopped, and of one that runs."""
    await _two_workers(run)
    await run.kill("a")
    run.delete_store("a")
    await run.start("a")
    await run.progress(500)
    await run.stop("b")
    run.delete_store("b")
    await run.start("b")
    await run.progress(500)
    run.delete_store("a")
    run.workers["a"].asked = True  # whether it lives on or ends is its own affair; what counts is what comes out
    await asyncio.sleep(3)
    await run.kill("a")
    await run.start("a")
    await run.progress(500)


@fault("poison")
async def poison(run: Run) -> None:
    """Every 37th fact makes the handler raise; a worker is killed among them."""
    await _two_workers(run, poison_every=37)
    await run.kill("a")
    await run.start("a")
    await run.progress(2000)


@fault("largest-record")
async def largest_record(run: Run) -> None:
    """Records just under 16 MiB: facts, an answer, and one that is refused and whose dead letter is as large; a worker is
    killed while they are in hand."""
    await _two_workers(run, rate=300)
    topics, pad = run.topics, b"p" * (MAX_RECORD_BYTES - ROOM)
    for number in range(2):
        await run.publish(topics.facts, [(b"key-%d" % number, b'{"n":%d,"x":1,"pad":"%s"}' % (10**9 + number, pad))])
    await run.publish(topics.answers, [(b"key-2", b'{"a":1000000000,"pad":"%s"}' % pad)])
    await run.publish(topics.facts, [(b"key-3", b"poison" + pad)])
    run.note(f"two facts, an answer and a poison record of {len(pad)} bytes published")
    await asyncio.sleep(run.rnd.uniform(0, 0.5))
    await run.kill("a")
    await run.start("a")
    await run.progress(500)


@fault("replay")
async def replay(run: Run) -> None:
    """The input is replayed from the start: the group's offsets are set back while no worker runs."""
    await _two_workers(run)
    await run.progress(1500)
    await asyncio.gather(run.stop("a"), run.stop("b"))
    await run.rewind()
    await asyncio.gather(run.start("a"), run.start("b"))
    await run.progress(2000)
    await run.kill("a")
    await run.start("a")


@fault("stale-writer")
async def stale_writer(run: Run) -> None:
    """A process writes old states with their old epoch to the end of the changelog: under load, while no worker runs, when
    all is quiet, and while no worker runs and none of the keys is written again."""
    await _two_workers(run)
    await run.kill("a")
    await run.start("a")
    await run.progress(1500)
    await _stale(run)
    await run.seconds(3)
    await asyncio.gather(run.kill("a"), run.kill("b"))
    await _stale(run)
    await asyncio.gather(run.start("a"), run.start("b"))
    await run.progress(1000)
    if run.short:
        return
    await run.end_load()
    await run.drain()
    await _stale(run)
    await run.seconds(QUIET_SECONDS)
    # from here on no key changes any more: only the owner itself can put its state behind the stale one
    await asyncio.gather(run.stop("a"), run.stop("b"))
    await _stale(run)
    await asyncio.gather(run.start("a"), run.start("b"))
    await run.tell("woken", KEYS)
    await run.seconds(QUIET_SECONDS)


QUIET_SECONDS = 12.0
"""Seconds within which a quiet owner must have noticed what somebody else wrote to its changelog."""


async def _stale(run: Run) -> None:
    if await run.stale_writer() <= 0:
        run.finding("the stale writer found no older epoch to write: the fault did not happen")


SHORT = ("kill-mid-batch", "freeze", "stale-writer")
"""The choice for CI. The other tests of the engine hold the rest at a smaller scale."""
EXPOSES = {"ack-before-produce": "slow-broker-kill", "stale-cache": "scale", "no-fencing": "stale-writer"}
"""For each build broken on purpose the fault that must show it."""


@fault("slow-broker-kill")
async def slow_broker_kill(run: Run) -> None:
    """The broker takes two seconds over a batch of alerts and the worker is killed before they are out; three times."""
    await run.load(600)
    await run.start("b")
    for _ in range(3):
        await run.start("a", "--at=slow:1:KILL", wait=False)
        await run.ended("a", 60)
    await run.start("a")
    await run.progress(1000)


@fault("none")
async def none(run: Run) -> None:
    """No fault: two workers under load. What fails here is the job, the checker or the machine."""
    await _two_workers(run)
    await run.progress(3000)
