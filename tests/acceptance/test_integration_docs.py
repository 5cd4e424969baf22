"""Who follows docs/integration.md sees what it says: its files are written, its commands run against a real `rxvigil up`."""

from __future__ import annotations

import asyncio
import os
import re
import shlex
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

pytestmark = [pytest.mark.stack, pytest.mark.filterwarnings("default")]

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "integration.md").read_text()
BLOCK = re.compile(r"^```(?P<language>\w+)(?: (?P<name>\S+))?\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
SETS_UP = ("export ", "rxvigil up ", "mkdir ")
"""What the first two blocks do, and the fixtures here."""
LOOKS = ("python alerts.py ", "python dead_letters.py")
"""Commands that only look, at what may come a moment later."""
SECONDS = 60.0


class Step(NamedTuple):
    """A command and what the page says it prints; ``...`` stands for anything."""

    command: str
    printed: str

    def is_met_by(self, output: str) -> bool:
        return re.fullmatch(re.escape(self.printed).replace(r"\.\.\.", ".*"), output, re.DOTALL) is not None


def blocks() -> Iterator[tuple[str, str, str]]:
    for match in BLOCK.finditer(PAGE):
        yield match["language"], match["name"] or "", match["text"]


def steps(text: str) -> Iterator[Step]:
    """The steps of one block: a command begins with ``$``, and goes on in the next line after a backslash."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        lines = part.splitlines()
        end = next(number for number, line in enumerate(lines) if not line.endswith("\\")) + 1
        yield Step("\n".join(lines[:end]), bare("\n".join(lines[end:])))


def bare(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


class Reader:
    """Sits at a terminal in a folder of their own, with rxvigil running."""

    def __init__(self, folder: Path, addresses: dict[str, str], environment: dict[str, str]) -> None:
        self.folder, self._addresses, self._environment = folder, addresses, environment

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(self._here(text))

    async def run(self, command: str) -> str:
        process = await asyncio.create_subprocess_exec(
            *("bash", "-c", self._here(command)),
            cwd=self.folder,
            env=self._environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await asyncio.wait_for(process.communicate(), SECONDS)
        return bare(output.decode())

    async def sees(self, step: Step) -> str:
        """What the command printed; one that only looks is repeated until it prints what the page says."""
        deadline = asyncio.get_running_loop().time() + SECONDS
        output = await self.run(step.command)
        while step.command.startswith(LOOKS) and not step.is_met_by(output) and not _over(deadline):
            await asyncio.sleep(0.5)
            output = await self.run(step.command)
        return output

    def _here(self, text: str) -> str:
        for written, here in self._addresses.items():
            text = text.replace(written, here)
        return text


def _over(deadline: float) -> bool:
    return asyncio.get_running_loop().time() > deadline


def environment(folder: Path) -> dict[str, str]:
    """`rxvigil` and `python` on the path are this checkout and this interpreter."""
    commands = folder / "bin"
    commands.mkdir()
    for name, module in (("rxvigil", "-m services.cli"), ("python", "")):
        script = commands / name
        script.write_text(f'#!/bin/sh\nPYTHONPATH={shlex.quote(str(ROOT))} exec {sys.executable} {module} "$@"\n')
        script.chmod(0o755)
    ports = {f"RXVIGIL_{name}_PORT": "0" for name in ("INGEST", "MONITOR", "NOTIFY")}
    return os.environ | ports | {"PATH": f"{commands}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "80"}


async def told(process: asyncio.subprocess.Process) -> dict[str, str]:
    """The addresses that `rxvigil up` prints once it is ready."""
    found: dict[str, str] = {}
    assert process.stderr is not None
    while "data and logs" not in found:
        line = (await process.stderr.readline()).decode()
        assert line, f"rxvigil up ended: {found}"
        what, _, where = re.sub(r"\s{2,}", "\t", line.strip()).partition("\t")
        found[what] = where
    return found


@pytest.fixture(scope="module")
async def reader(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Reader]:
    folder = tmp_path_factory.mktemp("reader")
    around = environment(folder)
    process = await asyncio.create_subprocess_exec(
        *("rxvigil", "up", "--data-dir", str(folder / "data")),
        env=around | {"COLUMNS": "200"},
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        found = await asyncio.wait_for(told(process), 150)
        addresses = {
            "http://127.0.0.1:9103": found["page"].rstrip("/"),
            "http://127.0.0.1:9101": found["metrics of ingest"].removesuffix("/metrics"),
        }
        (folder / "feed").mkdir()
        yield Reader(folder / "feed", addresses, around | {"RXVIGIL_BROKERS": found["Kafka"]})
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await asyncio.wait_for(process.communicate(), 30)


async def test_every_command_prints_what_the_page_says(reader: Reader) -> None:
    done = 0
    for language, name, text in blocks():
        if name:
            reader.write(name, text)
        for step in steps(text) if language == "console" else ():
            output = await reader.sees(step)
            assert step.is_met_by(output), f"{step.command}\nprinted\n{output}\nand the page says\n{step.printed}"
            done += 1
    assert done >= 10


def test_a_block_is_a_file_or_is_run() -> None:
    for language, name, text in blocks():
        if language == "sh":
            assert all(line.startswith(SETS_UP) for line in text.splitlines())
        else:
            assert name or language == "console", text
