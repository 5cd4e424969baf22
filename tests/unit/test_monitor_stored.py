"""The stored form of a state: what comes back is what went in, also from an older release, and it is small."""

from __future__ import annotations

import zlib
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace

from schemas.values import Origin, Quantity
from services.monitor.evaluate import take_event
from services.monitor.patient.columns import Table
from services.monitor.patient.order import Dose
from services.monitor.patient.state import PatientState
from services.monitor.patient.stored import compressed, decode, encode
from services.monitor.patient.words import WORDS_1, WORDS_2
from tests.support.clinical import KNOWLEDGE, at, daily, lab, order
from tests.unit.test_monitor_facts import play


class Former(Struct, array_like=True):
    name: str
    dose: Dose | None


class Present(Struct, array_like=True):
    name: str
    dose: Dose | None
    since: int = 7


DOSES = st.builds(Dose, st.text(max_size=2), st.none() | st.builds(Quantity, st.floats(0, 9)), st.none())
ROWS = st.lists(st.builds(Present, st.text(max_size=3), st.none() | DOSES, st.integers(0, 9)))


@given(ROWS)
def test_rows_come_back_from_their_columns(rows: list[Present]) -> None:
    table: Any = Table(Present, dose=Table(Dose, amount=Table(Quantity)))
    stored = msgspec.msgpack.encode(table.columns(rows))
    assert table.rows(msgspec.msgpack.decode(stored, type=table.stored)) == rows


def test_a_column_that_an_older_release_did_not_write_has_its_default() -> None:
    former: Any = Table(Former, dose=Table(Dose))
    present: Any = Table(Present, dose=Table(Dose))
    stored = msgspec.msgpack.encode(former.columns([Former("a", None), Former("b", Dose("x", None, 1.0))]))
    assert present.rows(msgspec.msgpack.decode(stored, type=present.stored)) == [
        Present("a", None, 7),
        Present("b", Dose("x", None, 1.0), 7),
    ]


def full() -> PatientState:
    origin = Origin("hospital.messages", 1, 7, received_at=at(1))
    return play(
        order("simvastatin", 0, end=at(9), dosage=daily(20), origin=origin),
        order("simvastatin", 2, version=2, status="held", recorded_at=at(3)),
        order("clarithromycin", 1),
        lab("potassium", 7.5, 1, origin=origin, unit="mEq/L", comparator=">"),
        lab("potassium", 4.0, 2, resulted_at=at(5), status="cancelled"),
        lab("", None, 3, id="nobody", status="cancelled", version=2),
    )


def test_a_state_comes_back_and_equal_states_give_equal_bytes() -> None:
    state = full()
    other = replace(state, orders=dict(reversed(state.orders.items())), results=dict(reversed(state.results.items())))
    for stored in (encode, compressed):
        assert decode(stored(state)) == state
        assert stored(other) == stored(state)


def test_a_state_that_an_older_release_stored_plainly_is_read() -> None:
    state = full()
    plain = msgspec.msgpack.decode(msgspec.msgpack.encode(state))
    # its fields ended with the open alerts, and those of an order with its versions
    former = [part if name != "orders" else {key: each[:24] for key, each in part.items()}
              for name, part in zip(PatientState.__struct_fields__[:12], plain, strict=False)]  # fmt: skip
    found = decode(msgspec.msgpack.encode(former))
    assert (found.results, found.open_alerts, found.clock) == (state.results, state.open_alerts, state.clock)
    assert {key: each.label for key, each in found.orders.items()} == {
        key: each.label for key, each in state.orders.items()
    }
    assert play_on(found).orders["ward\x1fsimvastatin"].status == "resumed"


def play_on(state: PatientState) -> PatientState:
    return take_event(state, order("simvastatin", 4, version=3, status="resumed"), KNOWLEDGE, at(0))[0]


def test_a_hundred_orders_take_less_than_four_kilobytes() -> None:
    names = [
        f"{name} {strength} mg" for name in ("simvastatin", "metformin", "heparin", "digoxin") for strength in range(25)
    ]
    state = play(*(order(name, number, id=f"o{number}", dosage=daily(number)) for number, name in enumerate(names)))
    assert len(state.orders) == 100
    assert len(encode(state)) < 4096


@pytest.mark.parametrize("words", [WORDS_1, WORDS_2], ids=["first words", "second words"])
def test_a_small_state_is_stored_plainly_and_what_was_compressed_at_any_level_is_read(words: bytes) -> None:
    """By this release or by one that had the words of then."""
    large = full()
    assert encode(large) == msgspec.msgpack.encode(large, order="sorted")
    columns = zlib.decompressobj(zdict=WORDS_2).decompress(compressed(large))
    for level in range(1, 10):
        compressor = zlib.compressobj(level, zdict=words)
        assert decode(compressor.compress(columns) + compressor.flush()) == large


def test_the_words_of_a_newer_release_are_an_error_and_no_other_state() -> None:
    compressor = zlib.compressobj(6, zdict=WORDS_2 + b"more")
    with pytest.raises(zlib.error, match="words that this release has not"):
        decode(compressor.compress(b"columns") + compressor.flush())


def test_words_that_states_were_stored_with_are_never_changed() -> None:
    assert (zlib.adler32(WORDS_1), zlib.adler32(WORDS_2)) == (2967550380, 4033196276)
