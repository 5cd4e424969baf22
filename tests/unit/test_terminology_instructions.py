"""Weekly and daily: an instruction that says one in words and the other in numbers says neither."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from msgspec import UNSET

from knowledge.loader import load
from schemas.codec import encode
from schemas.events import Dosage, Drug, Prescription
from schemas.values import Origin
from services.ingest.pipeline import Pipeline
from services.ingest.terminology.instructions import agreed

WEEK = 1 / 7


@pytest.mark.parametrize(
    ("text", "often", "kept"),
    [
        ("Take 4 tablets once weekly", 1, False),
        ("15 mg every week", 1.0, False),
        ("Take 6 tablets on Mondays", 1, False),
        ("10 mg every 7 days", 2, False),
        ("1 injection per month", 1, False),
        ("1 tablet daily", WEEK, False),
        ("1 tab PO BID PRN", WEEK, False),
        ("10 mg q4-6h", WEEK, False),
        ("Take 4 tablets once weekly", WEEK, True),
        ("1 tablet daily", 1, True),
        ("once daily for a week", 1, True),
        ("once a week in the morning", 1, True),
        ("1 tablet daily on Monday to Friday", 5 / 7, True),
        ("every other day", 0.5, True),
        ("every 7 days, not daily", 1, True),
        ("3 times a week", 3 / 7, True),
        ("1 tablet for 2 weeks", 1, True),
        ("as directed", 1, True),
        ("", 1, True),
    ],
)
def test_how_often_is_not_known_where_words_and_numbers_disagree(text: str, often: float, kept: bool) -> None:
    given = Dosage(text=text, frequency_per_day=often)
    assert agreed(given) == (given if kept else Dosage(text=text))


@pytest.mark.parametrize("often", [UNSET, None])
def test_what_is_not_said_stays_so(often: Any) -> None:
    given = Dosage(text="weekly", frequency_per_day=often)
    assert agreed(given) is given


def test_every_order_is_looked_at() -> None:
    at = datetime(2026, 11, 24, tzinfo=UTC)
    order = Prescription(
        patient_id="p", source="s", record_id="o", occurred_at=at, status="ordered", drug=Drug(text="methotrexate 2.5 mg"),
        dosage=Dosage(text="6 tablets once a week", frequency_per_day=1),
    )  # fmt: skip
    [found] = Pipeline(load(), lambda: at).take(encode(order), Origin("t", 0, 0)).events
    assert isinstance(found, Prescription)
    assert found.dosage == Dosage(text="6 tablets once a week")
