"""The table as Faust sees it: a name, a changelog topic, and how far each partition's store is.

Faust assigns it, says from where to restore, and waits until the end is reached. Reading and writing goes by the ``Stores``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import faust
from faust.stores.base import Store

from services.streaming.stores import Stores


class _StoreForFaust(Store[Any, Any]):
    def __init__(self, stores: Stores, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stores = stores

    def persisted_offset(self, tp: Any) -> int | None:
        return self._stores.of(tp.partition).offset

    async def on_rebalance(self, assigned: Any, revoked: Any, newly_assigned: Any, generation_id: int = 0) -> None:
        topic = self.table.changelog_topic.get_topic_name()
        mine = [*self.app.assignor.assigned_actives(), *self.app.assignor.assigned_standbys()]
        self._stores.assign(tp.partition for tp in mine if tp.topic == topic)

    def apply_changelog_batch(self, batch: Any, to_key: Any, to_value: Any) -> None:
        raise NotImplementedError

    async def backup_partition(self, tp: Any, flush: bool = True, purge: bool = False, keep: int = 1) -> None:
        raise NotImplementedError

    def restore_backup(self, tp: Any, latest: bool = True, backup_id: int = 0) -> None:
        raise NotImplementedError

    def reset_state(self) -> None:
        raise NotImplementedError("delete the state folder while no worker runs")


class BatchTable(faust.Table[Any, Any]):
    """Gives nothing to its restored events: the consumer has applied them (``BatchConsumer.getmany``)."""

    stores: Stores

    def _new_store(self) -> Any:
        return _StoreForFaust(self.stores, "memory://", self.app, self, table_name=self.name)

    def apply_changelog_batch(self, batch: Iterable[Any]) -> None:
        pass

    async def on_changelog_event(self, event: Any) -> None:
        pass
