"""The jars of Apache Kafka: fetched once by jgo, pinned and verified by SHA-256 at every start.

They come into a folder of their own that is renamed when it is whole and verified, so an interrupted first start leaves
nothing that is later believed.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import logging
import shutil
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path

import platformdirs
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeElapsedColumn

from services.local.errors import StackError

KAFKA_VERSION = "4.3.1"
ENDPOINT = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# Kafka's own jars bring log4j and nothing that binds the log to it; resolved alone, so that it moves no other version
BINDING = ("org.apache.logging.log4j", "log4j-slf4j-impl", "2.25.4")

_UNFINISHED = ".fetching-"

Fetch = Callable[[Path], None]
"""Puts all jars somewhere below a folder."""


class JarsError(StackError):
    """The jars cannot be had or are not those that were pinned; the message says what to do."""


def pinned() -> dict[str, tuple[str, int]]:
    """SHA-256 and size in bytes of each jar by its file name."""
    lines = resources.files("services.local").joinpath("kafka-jars.txt").read_text().splitlines()
    rows = (line.split() for line in lines if line and not line.startswith("#"))
    return {name: (digest, int(size)) for digest, size, name in rows}


def cache_folder() -> Path:
    """The jars' folder for this user. Another list of pins has another folder."""
    pins = hashlib.sha256(repr(sorted(pinned().items())).encode()).hexdigest()
    return Path(platformdirs.user_cache_dir("rxvigil")) / f"kafka-{KAFKA_VERSION}-{pins[:8]}"


def ensure(console: Console, folder: Path | None = None, fetch: Fetch | None = None) -> Path:
    """The folder with every jar, verified. Fetches them when the folder is not there; Ctrl-C is heard meanwhile.

    Raises ``JarsError``: no way to the registry, no room, interrupted, or a jar that is not the pinned one.
    """
    folder = folder or cache_folder()
    if not folder.exists():
        _fetch_into(folder, console, fetch or _from_maven)
    elif wrong := _wrong(folder):
        raise JarsError(
            f"{folder / wrong[0]} is not the pinned file (SHA-256 differs; {len(wrong)} such): it is damaged or was changed. "
            f"Delete the folder {folder} and start again to fetch the jars anew."
        )
    return folder


def _wrong(folder: Path) -> list[str]:
    return [name for name, (digest, _) in pinned().items() if _digest(folder / name) != digest]


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "missing"


def _fetch_into(folder: Path, console: Console, fetch: Fetch) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    _sweep(folder.parent)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=_UNFINISHED) as place:
        fetched, whole = Path(place) / "fetched", Path(place) / "whole"
        with _progress(fetched, console), _interruptible():
            try:
                fetch(fetched)
            except KeyboardInterrupt:
                raise JarsError(f"interrupted while the jars of Kafka {KAFKA_VERSION} came: start again") from None
            except Exception as error:
                raise JarsError(_failure(error, folder)) from error
        whole.mkdir()
        found = {path.name: path for path in fetched.rglob("*.jar")}
        for name in pinned().keys() & found.keys():
            shutil.move(found[name], whole / name)
        if wrong := _wrong(whole):
            raise JarsError(
                f"what came for {wrong[0]} is not the pinned file (SHA-256 differs; {len(wrong)} such) and was thrown away: "
                "something between here and Maven Central changes files, or cuts them short. Start again, or from "
                "another network."
            )
        with contextlib.suppress(FileExistsError):  # where another start was quicker
            whole.rename(folder)


def _failure(error: Exception, folder: Path) -> str:
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return f"the disk of {folder.parent} is full: the jars of Kafka {KAFKA_VERSION} need about 100 MB there once"
    return (
        f"the jars of Kafka {KAFKA_VERSION} could not be fetched ({type(error).__name__}). The first start needs a way to "
        "Maven Central (about 45 MB); later starts need none. Check the network and start again."
    )


def _sweep(parent: Path) -> None:
    """Remove what a start that was killed an hour ago or earlier had fetched."""
    for left in parent.glob(f"{_UNFINISHED}*"):
        if left.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(left, ignore_errors=True)


@contextlib.contextmanager
def _interruptible() -> Iterator[None]:
    """The fetch blocks the event loop, which then hears no signal: let SIGINT and SIGTERM raise ``KeyboardInterrupt``."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _from_maven(folder: Path) -> None:
    from jgo.env import EnvironmentBuilder
    from jgo.maven import MavenContext

    logging.getLogger("jgo").setLevel(logging.ERROR)
    context = MavenContext(repo_cache=folder)
    EnvironmentBuilder(context=context, cache_dir=folder.with_name("environment")).from_endpoint(ENDPOINT)
    group, artifact, version = BINDING
    context.project(group, artifact).at_version(version).artifact().resolve()


class _progress:  # noqa: N801 - used as a context manager
    """A bar that follows the bytes that appear below a folder."""

    def __init__(self, folder: Path, console: Console) -> None:
        self._folder = folder
        self._done = threading.Event()
        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeElapsedColumn())
        self._bar = Progress(*columns, console=console)
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> None:
        self._bar.start()
        total = sum(size for _, size in pinned().values())
        self._task = self._bar.add_task(f"Kafka {KAFKA_VERSION}, the first time only", total=total)
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()
        self._bar.stop()

    def _follow(self) -> None:
        while not self._done.wait(0.2):
            here = sum(path.stat().st_size for path in self._folder.rglob("*.jar") if path.is_file())
            self._bar.update(self._task, completed=here)
