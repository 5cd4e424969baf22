"""What notify reads of a record beside its value."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from services.notify.intake.reading import epoch_of


@pytest.mark.parametrize(
    ("headers", "epoch"),
    [((), 0), ((("epoch", b"12"),), 12), ((("ce_id", b"x"), ("epoch", b"3")), 3), ((("epoch", b"-1"),), 0),
     ((("epoch", b""),), 0), ((("epoch", "²".encode()),), 0)],
)  # fmt: skip
def test_a_record_without_a_readable_epoch_is_of_the_oldest_owner(headers: tuple[Any, ...], epoch: int) -> None:
    record: Any = SimpleNamespace(headers=headers)
    assert epoch_of(record) == epoch
