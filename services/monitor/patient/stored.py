"""A state as it is stored: a small one plainly; of a large one what comes in rows (orders, supplies, results) as columns, and
the whole compressed.

A state of a hundred orders takes a sixth of what it takes plainly, and ten times as long. Most patients have few.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import msgspec
from msgspec.structs import replace

from schemas.values import Origin, Quantity
from services.monitor.patient.columns import Table
from services.monitor.patient.order import ORDER_STATUS, SUPPLY_STATUS, Dose, Order, Precedence, thing_key
from services.monitor.patient.result import RESULT_STATUS, Result
from services.monitor.patient.state import PatientState
from services.monitor.patient.words import WORDS_1, WORDS_2

_COMPRESSED = 0x78
"""The first byte of what zlib writes."""
_LEVEL = 6
"""Of zlib: a tenth fewer bytes than 3 for a quarter more time, most of which goes into the columns."""
_SMALL = 8192
"""Bytes that are stored plainly: a state is stored at each event of its patient, and 5,000 events a second leave 200 µs for
each; columns of 30 rows take 100 of them, the plain state 6."""
_BYTES = {"orders": 170, "supplies": 170, "doses": 110, "standing": 150, "condition_facts": 60, "open_alerts": 1500}
_BYTES_OF_A_RESULT = 100
"""About what one takes plainly: what is large by that is not written plainly first."""

_FOLLOWS: Precedence = (-1, 0.0, 0, "")
"""Stands for a precedence that follows from the rest of the row."""
_SAME = "\x1f"
"""Stands for the canonical value at the beginning of a result as received."""

_ORIGINS = Table(Origin)
_ORDERS = Table(Order, origin=_ORIGINS, dose=Table(Dose, amount=Table(Quantity)))
_RESULTS = Table(Result, origin=_ORIGINS)

# ``rest`` is the state without its rows; ``analytes`` says how many of the results are of which analyte
_STORED: Any = msgspec.defstruct(
    "Stored",
    [
        ("rest", PatientState),
        ("orders", _ORDERS.stored),
        ("supplies", _ORDERS.stored),
        ("analytes", dict[str, int]),
        ("results", _RESULTS.stored),
    ],
    array_like=True,
)

_WORDS = {zlib.adler32(words): words for words in (WORDS_1, WORDS_2)}
"""By the checksum that zlib writes behind its first two bytes."""

_encode = msgspec.msgpack.Encoder(order="sorted").encode
_decode = msgspec.msgpack.Decoder(_STORED).decode
_decode_plain = msgspec.msgpack.Decoder(PatientState).decode


def encode(state: PatientState) -> bytes:
    """Equal states give equal bytes."""
    if _about(state) > _SMALL:
        return compressed(state)
    plain = _encode(state)
    return plain if len(plain) <= _SMALL else compressed(state)


def compressed(state: PatientState) -> bytes:
    """In columns, whatever its size."""
    analytes = {analyte: len(results) for analyte, results in sorted(state.results.items())}
    stored = _STORED(
        rest=replace(state, orders={}, supplies={}, results={}),
        orders=_brief_orders(state.orders),
        supplies=_brief_orders(state.supplies),
        analytes=analytes,
        results=_brief_results([result for analyte in analytes for result in state.results[analyte]]),
    )
    compressor = zlib.compressobj(_LEVEL, zdict=WORDS_2)
    return compressor.compress(_encode(stored)) + compressor.flush()


def decode(stored: bytes) -> PatientState:
    """The state of stored bytes, of this release or an older one. Raises ``msgspec.MsgspecError`` or ``zlib.error``."""
    if stored[0] != _COMPRESSED:
        return _decode_plain(stored)
    found = _decode(zlib.decompressobj(zdict=_words_of(stored)).decompress(stored))
    rest: PatientState = found.rest
    results = (_full_result(result) for result in _RESULTS.rows(found.results) if result is not None)
    return replace(
        rest,
        orders=_by_key(_ORDERS.rows(found.orders)),
        supplies=_by_key(_ORDERS.rows(found.supplies)),
        results={analyte: tuple(islice(results, count)) for analyte, count in found.analytes.items()},
    )


def _words_of(stored: bytes) -> bytes:
    try:
        return _WORDS[int.from_bytes(stored[2:6], "big")]
    except KeyError:
        raise zlib.error("the state was compressed with words that this release has not") from None


def _by_key(orders: list[Order | None]) -> Mapping[str, Order]:
    return {thing_key(order.source, order.record_id): _full_order(order) for order in orders if order is not None}


def _about(state: PatientState) -> int:
    """Bytes of the plain state, roughly."""
    found = sum(len(getattr(state, name)) * each for name, each in _BYTES.items())
    return found + _BYTES_OF_A_RESULT * sum(map(len, state.results.values()))


def _brief_orders(orders: Mapping[str, Order]) -> Any:
    rows = [orders[key] for key in sorted(orders)]
    columns = _ORDERS.columns(rows)
    columns.precedence = [_brief(order.precedence, _order_precedence(order)) for order in rows]
    return columns


def _brief_results(rows: Sequence[Result]) -> Any:
    columns = _RESULTS.columns(rows)
    columns.precedence = [_brief(result.precedence, _result_precedence(result)) for result in rows]
    columns.received = list(map(_brief_received, rows))
    return columns


def _brief(precedence: Precedence, follows: Precedence) -> Precedence:
    return _FOLLOWS if precedence == follows else precedence


def _brief_received(result: Result) -> str:
    number = _number(result)
    return _SAME + result.received[len(number) :] if number and result.received.startswith(number) else result.received


def _full_order(order: Order) -> Order:
    return replace(order, precedence=_order_precedence(order)) if order.precedence == _FOLLOWS else order


def _order_precedence(order: Order) -> Precedence:
    """That of an order whose only version was recorded when it was so."""
    ranks = SUPPLY_STATUS if order.kind == "dispensing" else ORDER_STATUS
    return (order.version, order.first_seen.timestamp(), ranks.index(order.status), "")


def _full_result(result: Result) -> Result:
    repeats = result.received.startswith(_SAME)
    return replace(
        result,
        precedence=_result_precedence(result) if result.precedence == _FOLLOWS else result.precedence,
        received=_number(result) + result.received[len(_SAME) :] if repeats else result.received,
    )


def _result_precedence(result: Result) -> Precedence:
    return (result.version, result.at.timestamp(), RESULT_STATUS.index(result.status), "")


def _number(result: Result) -> str:
    """The canonical value as a laboratory writes it; most results are received in the canonical unit or an equal one."""
    return "" if result.value is None else f"{result.comparator}{result.value:.10g}"
