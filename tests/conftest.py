"""Fixtures that several suites share: the embedded servers, once a session, and what a test needs to be run at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from rich.console import Console

from services.local.stack import Stack
from services.runtime.settings import Settings

SHARED = Path(__file__).parents[2] / "shared"
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
ANY_PORTS = Settings(ingest_port=0, monitor_port=0, notify_port=0)
"""For stacks with services: two that start at the same moment may both see a default port as free."""
REQUIRE_ALL = "RXVIGIL_REQUIRE_ALL"
"""The variable that turns a test skipped for want of something on the machine into a failure."""


def missing(mark: str) -> str:
    """What a marked test needs and this machine has not; empty when nothing is missing."""
    if mark == "browser" and not any(map(shutil.which, CHROMIUM)):
        return f"no Chromium on the path ({', '.join(CHROMIUM)})"
    if mark == "promtool" and not shutil.which("promtool"):
        return "no promtool on the path"
    if mark == "shared" and not SHARED.is_dir():
        return f"no reference material at {SHARED}"
    return ""


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers():
        if reason := missing(mark.name):
            if os.environ.get(REQUIRE_ALL) == "1":
                pytest.fail(f"{reason}, and {REQUIRE_ALL}=1 allows no skip", pytrace=False)
            pytest.skip(reason)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium of this machine."""
    return next(path for name in CHROMIUM if (path := shutil.which(name)))


@pytest.fixture(scope="session")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    """Kafka and Postgres, without services; one pair for the whole session."""
    folder = tmp_path_factory.mktemp("stack")
    async with Stack(folder, services=(), settings=Settings(), console=Console(stderr=True)) as stack:
        yield stack


@pytest.fixture
def brokers(stack: Stack) -> str:
    """host:port of Kafka. Topics are shared by all tests of a session: a test makes its own."""
    return stack.brokers


@pytest.fixture
def database_url(stack: Stack) -> str:
    """The URL of the database that all tests of a session share; ``fresh_database`` is a test's own."""
    return stack.database_url


@pytest.fixture
async def fresh_database(stack: Stack) -> AsyncIterator[str]:
    """The URL of an empty database that is dropped after the test, whoever is still connected to it."""
    name = f"test_{uuid4().hex}"
    connection = await asyncpg.connect(stack.database_url)
    try:
        await connection.execute(f"CREATE DATABASE {name}")
        yield stack.database_url.replace("/rxvigil?", f"/{name}?")
        await connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    finally:
        await connection.close()
