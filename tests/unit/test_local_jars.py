"""The jars of Kafka: only whole and pinned ones are ever used, and a fetch that fails leaves nothing."""

from __future__ import annotations

import errno
import hashlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
from rich.console import Console

from services.local import jars
from services.local.errors import StackError

CONTENT = {"a-1.jar": b"first", "b-2.jar": b"second"}
CONSOLE = Console(quiet=True)


@pytest.fixture(autouse=True)
def pins(monkeypatch: pytest.MonkeyPatch) -> None:
    digests = {name: (hashlib.sha256(body).hexdigest(), len(body)) for name, body in CONTENT.items()}
    monkeypatch.setattr(jars, "pinned", lambda: digests)


def writing(content: dict[str, bytes], then: Callable[[], None] = lambda: None) -> jars.Fetch:
    """A fetch that puts the jars into nested folders, as a Maven repository has them, among other files."""

    def fetch(folder: Path) -> None:
        for name, body in content.items():
            place = folder / "org" / name
            place.mkdir(parents=True)
            (place / name).write_bytes(body)
            (place / "index.pom").write_text("")
        then()

    return fetch


def raising(error: BaseException) -> Callable[[], None]:
    def fail() -> None:
        raise error

    return fail


def test_jars_are_fetched_once_and_found_again_without_a_network(tmp_path: Path) -> None:
    folder = tmp_path / "cache" / "kafka"
    assert jars.ensure(CONSOLE, folder, writing(CONTENT)) == folder
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == CONTENT
    assert jars.ensure(CONSOLE, folder, writing({}, raising(AssertionError("fetched again")))) == folder
    assert list(folder.parent.iterdir()) == [folder]


def test_a_jar_that_was_changed_on_disk_is_refused_with_its_path(tmp_path: Path) -> None:
    folder = jars.ensure(CONSOLE, tmp_path / "kafka", writing(CONTENT))
    (folder / "b-2.jar").write_bytes(b"secone")
    with pytest.raises(StackError, match=r"kafka/b-2\.jar is not the pinned file .* Delete the folder"):
        jars.ensure(CONSOLE, folder)


def test_a_jar_that_comes_wrong_is_thrown_away_and_a_later_fetch_is_good(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"a-1\.jar is not the pinned file"):
        jars.ensure(CONSOLE, tmp_path / "kafka", writing(CONTENT | {"a-1.jar": b"forged"}))
    assert list(tmp_path.iterdir()) == []
    jars.ensure(CONSOLE, tmp_path / "kafka", writing(CONTENT))


def test_a_jar_that_does_not_come_is_missed(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"b-2\.jar"):
        jars.ensure(CONSOLE, tmp_path / "kafka", writing({"a-1.jar": CONTENT["a-1.jar"]}))


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ConnectionError("no route"), "a way to Maven Central"),
        (OSError(errno.ENOSPC, "No space left on device"), "is full"),
        (KeyboardInterrupt(), "interrupted"),
    ],
)
def test_a_fetch_that_fails_says_why_and_leaves_nothing(tmp_path: Path, error: BaseException, said: str) -> None:
    with pytest.raises(StackError, match=said):
        jars.ensure(CONSOLE, tmp_path / "kafka", writing(CONTENT, raising(error)))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_the_fetch_and_its_handler_is_put_back(tmp_path: Path, number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with pytest.raises(StackError, match="interrupted"):
        jars.ensure(CONSOLE, tmp_path / "kafka", writing(CONTENT, lambda: os.kill(os.getpid(), number)))
    assert list(tmp_path.iterdir()) == []
    assert signal.getsignal(number) is before


def test_what_a_killed_start_left_is_swept_and_what_is_being_fetched_stays(tmp_path: Path) -> None:
    old, young = tmp_path / ".fetching-old", tmp_path / ".fetching-young"
    for folder in (old, young):
        folder.mkdir()
    os.utime(old, (0, 0))
    jars.ensure(CONSOLE, tmp_path / "kafka", writing(CONTENT))
    assert not old.exists()
    assert young.exists()


def test_the_list_pins_each_jar_by_digest_and_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    pinned = jars.pinned()
    assert {"kafka_2.13-4.3.1.jar", "kafka-clients-4.3.1.jar", "log4j-slf4j-impl-2.25.4.jar"} <= pinned.keys()
    assert all(len(bytes.fromhex(digest)) == 32 and size > 0 for digest, size in pinned.values())
