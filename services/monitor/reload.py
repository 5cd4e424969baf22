"""The site's own files while the monitor runs: what was changed there is in force without a restart, and what cannot be used
leaves the last good version in force."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path
from typing import Literal

import structlog

from knowledge.loader import load_from
from knowledge.model import Knowledge

LOOK_SECONDS = 2.0
"""Files are looked at so often. They are read when two looks find the same, so that one half written is no error."""

Reload = Literal["loaded", "unchanged", "failed"]
"""``unchanged``: files were written, and say what they said before."""
Seen = tuple[tuple[str, int, int], ...]

log = structlog.get_logger(__name__)


class SiteFiles:
    """``folder`` of a site's own knowledge and its ``rules``, a file or a folder; empty for none."""

    def __init__(self, folder: str, rules: str) -> None:
        self._folder = Path(folder) if folder else None
        self._rules = Path(rules) if rules else None
        self._tried: Seen = ()
        self._last: Seen = ()
        self._version = ""

    def load(self) -> Knowledge:
        """What rxvigil ships with what the files say now. Raises ``KnowledgeError`` and what reading a file raises."""
        # a change while they are read is one more change
        self._tried = self._last = self._seen()
        known = load_from(files("knowledge"), self._folder, self._rules)
        self._version = known.version
        return known

    async def watch(self, use: Callable[[Knowledge], None], tell: Callable[[Reload], None]) -> None:
        """Until cancelled: ``use`` is called between two batches with each new version, ``tell`` with what came of a change."""
        while self._folder is not None or self._rules is not None:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look(use, tell)

    async def look(self, use: Callable[[Knowledge], None], tell: Callable[[Reload], None]) -> None:
        """Once. Where ``use`` raises, the version cannot be used."""
        before, self._last = self._last, await asyncio.to_thread(self._seen)
        if self._last == self._tried or self._last != before:
            return
        version = self._version
        try:
            known = await asyncio.to_thread(self.load)
            if known.version != version:
                use(known)
        except Exception as error:
            self._version = version
            log.error(
                "the site's files cannot be used, and the last good version stays in force; mend them",
                error=str(error),
                kind=type(error).__name__,
                in_force=version,
            )
            tell("failed")
            return
        log.info("the site's files were read again", version=known.version, before=version)
        tell("unchanged" if known.version == version else "loaded")

    def _seen(self) -> Seen:
        found = []
        for path in (self._folder, self._rules):
            if path is None:
                continue
            for each in (path, *sorted(path.rglob("*"))) if path.is_dir() else (path,):
                try:
                    about = each.stat()
                except OSError:
                    continue  # it went while we looked, or is not there: another set of files either way
                found.append((str(each), about.st_mtime_ns, about.st_size))
        return tuple(found)
