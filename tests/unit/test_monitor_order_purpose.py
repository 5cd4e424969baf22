"""What an order is for, under which protocol, which salt and how fast: kept with it, whatever version said it."""

from __future__ import annotations

from itertools import permutations

from schemas.events import Dosage, Drug
from schemas.values import Coding, Quantity
from services.monitor.patient.order import Order
from services.monitor.patient.stored import compressed, decode, encode
from tests.support.clinical import order
from tests.support.doses import drug, play, rx

FOR = (Coding("ICD-10", "I48.0", "Atrial fibrillation"),)
FIRST = rx(
    "amphotericin b",
    route="intravenous",
    rate=Quantity(5, "mg/h"),
    indication=FOR,
    protocol="fungal",
    drug=drug("amphotericin b", precise="amphotericin b liposomal"),
)
HELD = order("amphotericin b", 2, version=2, status="held", dosage=Dosage(), drug=Drug())


def kept(*events: object) -> Order:
    (found,) = play(*events)[0].orders.values()  # type: ignore[arg-type]
    return found


def told(found: Order) -> tuple[object, ...]:
    rate = found.dose.rate if found.dose is not None else None
    return (found.indication, found.protocol, found.precise, rate)


def test_it_is_kept_and_stored() -> None:
    state, _ = play(FIRST)
    (found,) = state.orders.values()
    expected = (FOR, "fungal", {"amphotericin b": "amphotericin b liposomal"}, Quantity(5, "mg/h"))
    assert told(found) == expected
    assert not found.versions
    assert decode(encode(state)) == decode(compressed(state)) == state


def test_what_a_later_version_leaves_out_stays() -> None:
    for events in permutations((FIRST, HELD)):
        found = kept(*events)
        assert told(found) == told(kept(FIRST))
        assert found.held


def test_another_medicine_is_of_no_salt_that_the_first_was() -> None:
    changed = order("amphotericin b", 2, version=2, status="changed")
    assert kept(FIRST, changed).precise == {}
