"""How much an order says a day, from the event to the pharmacist's page; and states that yesterday's release stored."""

from __future__ import annotations

import base64
from typing import Any

import pytest

from knowledge.loader import load
from schemas.events import Dosage, Drug, Ingredient
from schemas.patients import Medicine
from schemas.values import Quantity
from services.ingest.terminology.instructions import Instructions
from services.monitor.patient.order import Dose, Order
from services.monitor.patient.picture import picture
from services.monitor.patient.stored import compressed, decode, encode
from services.notify.console import picture as words
from services.notify.console.pages import render
from tests.support.clinical import at, order
from tests.unit.test_monitor_facts import play

MG_325 = Drug(text="acetaminophen 325 mg", ingredients=(Ingredient("acetaminophen", strength=Quantity(325, "mg")),))


def ordered(dosage: Dosage, drug: Drug = MG_325) -> Order:
    (found,) = play(order("acetaminophen", 0, drug=drug, dosage=dosage)).orders.values()
    return found


@pytest.mark.parametrize(
    ("dosage", "least", "most"),
    [
        # one to two tablets of 325 mg, four to six times a day
        (Dosage(dose=Quantity(1, "tablet", 2), frequency_per_day=4, frequency_high=6), 1300, 3900),
        (Dosage(dose=Quantity(1, "tablet", 2), frequency_per_day=4, frequency_high=6, as_needed=True), 0, 3900),
        (
            Dosage(
                dose=Quantity(1, "TAB", 2), frequency_per_day=4, frequency_high=6, max_daily_dose=Quantity(8, "tab")
            ),
            1300,
            2600,
        ),
        # a limit in another unit than the dose is kept and not guessed into tablets
        (Dosage(dose=Quantity(2, "tablet"), frequency_per_day=6, max_daily_dose=Quantity(3, "g")), 3900, 3900),
        (Dosage(dose=Quantity(650, "mg"), frequency_per_day=4), 2600, 2600),
        (Dosage(dose=Quantity(650, "mg"), frequency_per_day=1 / 7), 650 / 7, 650 / 7),
        # what ingest read in words that are no dose times frequency: 1 in the morning, 2 at night
        (Dosage(dose=Quantity(1, "tablet", 2), frequency_per_day=2, daily_dose=Quantity(3, "tablet")), 975, 975),
        (Dosage(text="2 g per day", daily_dose=Quantity(2, "g")), 2000, 2000),
    ],
)
def test_the_least_and_the_most_of_a_day(dosage: Dosage, least: float, most: float) -> None:
    found = ordered(dosage)
    assert found.daily_mg_of("acetaminophen") == pytest.approx(most)
    assert found.least_daily_mg_of("acetaminophen") == pytest.approx(least)
    assert found.daily_mg == pytest.approx(most)


@pytest.mark.parametrize(
    "dosage",
    [
        Dosage(),
        Dosage(text="as told"),
        Dosage(dose=Quantity(1, "tablet")),
        Dosage(frequency_per_day=2),
        Dosage(dose=None),
    ],
)
def test_what_is_not_known_is_neither_nothing_nor_something(dosage: Dosage) -> None:
    found = ordered(dosage)
    assert found.daily_mg_of("acetaminophen") is None
    assert found.least_daily_mg_of("acetaminophen") is None


def test_a_daily_dose_that_follows_from_the_rest_is_not_kept_twice() -> None:
    told = Dosage(dose=Quantity(1, "tablet"), frequency_per_day=2, daily_dose=Quantity(2, "tablet"))
    dose = ordered(told).dose
    assert dose is not None
    assert (dose.daily, dose.a_day) == (None, Quantity(2, "tablet"))


def test_a_later_version_says_its_dose_whole() -> None:
    first = order("warfarin", 0, dosage=Dosage(dose=Quantity(5, "mg"), frequency_per_day=1, as_needed=True))
    second = order("warfarin", 1, version=2, dosage=Dosage(dose=Quantity(3, "mg"), frequency_per_day=1))
    third = order("warfarin", 2, version=3, status="held", dosage=Dosage())
    (found,) = play(first, second, third).orders.values()
    assert found.dose == Dose("", Quantity(3, "mg"), 1)


PLAIN = (
    "3AAdoXDW/2roXyACgMCgoKCAgrB3YXJkH3NpbXZhc3RhdGlu3AAgpHdhcmSrc2ltdmFzdGF0aW4ClALLQdq6F8gAAAABoKdjaGFuZ2Vkq3NpbXZhc3RhdGlu"
    "katzaW12YXN0YXRpbsOkb3JhbKCgy0A0AAAAAAAAwMDW/2roQwDCwsCAwJOggqR1bml0om1npXZhbHVlCgKAwJLcABSUActB2roQwAAAAACgp29yZGVyZWTW"
    "/2roQwDAq3NpbXZhc3RhdGlukatzaW12YXN0YXRpboDApG9yYWzDk6sxLTIgdGFiIHFoc4OkaGlnaCikdW5pdKJtZ6V2YWx1ZRQBwMDCwMDAwMDA3AAUlALL"
    "Qdq6F8gAAAABoKdjaGFuZ2Vk1v9q6F8gwKtzaW12YXN0YXRpbpGrc2ltdmFzdGF0aW6AwMDDk6CCpHVuaXSibWeldmFsdWUKAsDAwsDAwMDAwKxwcmVzY3Jp"
    "cHRpb26gwKDAwKCgrXdhcmQfd2FyZmFyaW7cACCkd2FyZKh3YXJmYXJpbgGUActB2roURAAAAACgp29yZGVyZWSod2FyZmFyaW6RqHdhcmZhcmluw6RvcmFs"
    "oKdhcyB0b2xkwMDA1v9q6FEQwsLAgMCToMDAgMCQrHByZXNjcmlwdGlvbqDAoMDAoKRmZWxvgICAgICAgIDAwMDAwIDDwJCTAKDCkA=="
)
COLUMNS = (
    "eH2w4TmsfVW9TsMwELYzdspQiQmpbCwMIB6AiifgCVCkUihq+YsEqwUvYF9MZ4OCglSegOmULEjZGao8AG9RfHYTEiH4dLrEjvXdn3P3WLHNp6vP1fnX8SAQ"
    "aIwRDZAgCpQJM7ms2JaE9C66GTkFi3gyu42om00uXu3OOLI/AQQcdFAOl+8bH4wxbvSqtE8PA9l6EmRr63+QqDa3+iEvCkipbzgFxoDJotimdzqC8mDfG0FA"
    "JxTSISN9FEKeW5kD45IAQtgTWloGrbjqqefZqUII0H8AqFhfcwoiROd37a7nxI537YVA51mRLHZ39qhvDq7P4oeUar6d0uyyhl7cPehzxNzlF8lYO2N1jnxN"
    "/jOGRWLuu7y9oOGV8GanczPtOwvKnQ3Ua/9i0vHJ9JKK/AvzekdLaaULUbGws9Oc/gZVzSUA"
)


@pytest.mark.parametrize("stored", [PLAIN, COLUMNS])
def test_a_state_that_the_release_before_stored_has_its_doses(stored: str) -> None:
    state = decode(base64.b64decode(stored))
    simvastatin, warfarin = state.orders["ward\x1fsimvastatin"], state.orders["ward\x1fwarfarin"]
    assert [version.dose for version in simvastatin.versions] == [
        Dose("1-2 tab qhs", Quantity(20, "mg", 40), 1),
        Dose("", Quantity(10, "mg"), 2),
    ]
    assert (simvastatin.daily_mg_of("simvastatin"), simvastatin.least_daily_mg_of("simvastatin")) == (20, 20)
    assert (warfarin.dosage, warfarin.daily_mg_of("warfarin")) == ("as told", None)
    assert decode(encode(state)) == state
    assert decode(compressed(state)) == state


def test_a_state_keeps_all_that_a_dose_says() -> None:
    told = Dosage(
        text="1-2 tablets q4-6h prn, max 8", dose=Quantity(1, "tablet", 2), frequency_per_day=4, frequency_high=6, as_needed=True,
        max_daily_dose=Quantity(8, "tablet"), daily_dose=Quantity(0, "tablet", 7), remark="partly_read",
    )  # fmt: skip
    state = play(order("acetaminophen", 0, drug=MG_325, dosage=told))
    assert decode(encode(state)) == decode(compressed(state)) == state


# --- what a pharmacist sees


def test_the_picture_shows_how_the_instruction_was_understood(knowledge_words: Instructions) -> None:
    dosage = knowledge_words.understood(Dosage(text="1-2 tablets q4-6h prn, max 8 tablets in 24 hours", route="oral"))
    (found,) = picture(play(order("acetaminophen", 0, drug=MG_325, dosage=dosage))).medicines
    assert (found.dose, found.frequency_per_day, found.frequency_high) == (Quantity(1, "tablet", 2), 4, 6)
    assert (found.as_needed, found.daily_dose, found.dosage_remark) == (True, Quantity(0, "tablet", 8), "")
    assert words.taken(found) == "1-2 tablet, 4 to 6 times a day, as needed: 0-8 tablet a day"


def test_the_picture_says_what_was_not_understood(knowledge_words: Instructions) -> None:
    dosage = knowledge_words.understood(Dosage(text="4 tabs x 3 days, then 2", route="oral"))
    later = order("acetaminophen", 0, drug=MG_325, dosage=dosage, start=at(9))
    shown = picture(play(later))
    assert shown.medicines[0].dosage_remark == "unread"
    page = render("patient.html", list="patients", picture=shown, key="k", now=at(1), words="")
    assert "4 tabs x 3 days, then 2" in page
    assert "instruction not understood" in page


def medicine(**more: Any) -> Medicine:
    fields: dict[str, Any] = {"source": "s", "record_id": "r", "label": "warfarin", "ingredients": ("warfarin",)}
    return Medicine(**(fields | more))


@pytest.mark.parametrize(
    ("more", "shown"),
    [
        ({}, ""),
        ({"dose": Quantity(5, "mg")}, "5 mg"),
        ({"dose": Quantity(5, "mg"), "frequency_per_day": 1}, "5 mg, once a day"),
        ({"dose": Quantity(2.5, "mg", 5), "frequency_per_day": 2}, "2.5-5 mg, twice a day"),
        ({"frequency_per_day": 3}, "3 times a day"),
        ({"frequency_per_day": 1 / 7}, "once a week"),
        ({"frequency_per_day": 3 / 7}, "3 times a week"),
        ({"frequency_per_day": 0.5}, "every 2 days"),
        ({"frequency_per_day": 12 / 365.25}, "every 30.4 days"),
        ({"frequency_per_day": 0}, ""),
        ({"as_needed": True}, "as needed"),
        ({"as_needed": False, "daily_dose": Quantity(40, "mg")}, "40 mg a day"),
        ({"dose": Quantity(1), "frequency_per_day": 1, "daily_dose": Quantity(1)}, "1, once a day: 1 a day"),
    ],
)
def test_a_dose_in_words(more: dict[str, Any], shown: str) -> None:
    assert words.taken(medicine(**more)) == shown


@pytest.mark.parametrize(
    ("remark", "said"),
    [
        ("unread", "instruction not understood"),
        ("partly_read", "instruction understood in part"),
        ("contradictory", "instruction contradicts itself"),
    ],
)
def test_a_remark_in_words(remark: Any, said: str) -> None:
    assert words.basis(medicine(dosage_remark=remark), at(0)) == [said]


@pytest.fixture(scope="module")
def knowledge_words() -> Instructions:
    return Instructions(load().wording)
