"""Everybody else: people of whom there is nothing to say, who are most."""

from __future__ import annotations

from examples.quarter.cases.places import at_home, on_the_ward
from examples.quarter.person import BASIC, LIVER, Person

HOME = (("amlodipine",), ("levothyroxine",), ("losartan",), ("metoprolol",), ("atorvastatin",), ("sertraline",), ())
TESTS = {"levothyroxine": ("TSH",), "losartan": BASIC, "atorvastatin": LIVER}
WARD = (
    ("ceftriaxone", "acetaminophen"),
    ("amlodipine", "acetaminophen"),
    ("levothyroxine", "pantoprazole"),
    ("metoprolol",),
    ("cefazolin", "acetaminophen"),
)


def lives(p: Person, number: int) -> None:
    p.be(p.rng.randint(32, 62), p.rng.choice(("female", "male")), p.rng.randint(60, 90))
    if number % 3:
        day = at_home(p)
        for drug in HOME[number % len(HOME)]:
            # who is looked after has the tests of the medicine, before it and some weeks after
            for test_day in (-95, -80, -40, day - 3):
                p.panel(test_day, TESTS.get(drug, ()))
            p.takes(drug, -90)
    else:
        day = on_the_ward(p, days=p.rng.randint(3, 6))
        for drug in WARD[number % len(WARD)]:
            p.order(drug, day + 0.1)
