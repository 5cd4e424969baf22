"""Brings the schema to the present: applies what is missing of ``migrations/`` in the order of the names."""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Any, NamedTuple

from services.notify.errors import NotifyError
from services.notify.store.sql import load

_SQL = load("migrations")
_LOCK = 0x7278_7669_6769_6C31
"""The key of the advisory lock, any number that nobody else uses: "rxvigil1"."""


class MigrationError(NotifyError):
    """The database was migrated by other files than these; the message says by which."""


class Migration(NamedTuple):
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> list[Migration]:
    """Every migration in order."""
    folder = resources.files("services.notify.store").joinpath("migrations")
    files = sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    return [Migration(file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")) for file in files]


async def migrate(connection: Any) -> list[str]:
    """Apply what is missing; the names of what was applied. Several processes may do so at once: one does it.

    Each migration is a transaction with the note that it was applied, so a crash leaves none half done. Raises
    ``MigrationError`` when a file was changed after it was applied, or when the database is ahead of this version.
    """
    await connection.execute(_SQL["lock"], _LOCK)
    try:
        await connection.execute(_SQL["prepare"])
        applied = {row["name"]: row["sha256"] for row in await connection.fetch(_SQL["applied"])}
        missing = _missing(applied)
        for migration in missing:
            async with connection.transaction():
                await connection.execute(migration.sql)
                await connection.execute(_SQL["add"], migration.name, migration.sha256)
        return [migration.name for migration in missing]
    finally:
        await connection.execute(_SQL["unlock"], _LOCK)


def _missing(applied: dict[str, str]) -> list[Migration]:
    known = migrations()
    ahead = applied.keys() - {migration.name for migration in known}
    if ahead:
        raise MigrationError(
            f"the database has the migration {min(ahead)}, which this version does not know: start the newer version"
        )
    for migration in known:
        if applied.get(migration.name, migration.sha256) != migration.sha256:
            raise MigrationError(
                f"the migration {migration.name} was changed after it was applied to this database: "
                "put the file back and write the change as a new migration"
            )
    return [migration for migration in known if migration.name not in applied]
