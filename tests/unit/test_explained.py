"""An alert in plain words: the patient's own medicines and values, in the form of the language."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from msgspec.structs import replace

from knowledge.reading.explanation import load_explanations
from schemas.alerts import Alert, Implicated
from schemas.values import SEVERITIES
from services.notify.console.pages import render
from services.notify.explained import Explained, explained, language_for
from tests.support.alerts import T0, alert

KNOWN = load_explanations()
EN, DE = KNOWN.languages["en"], KNOWN.languages["de"]


def in_english(one: Alert) -> Explained:
    return explained(one, EN, KNOWN)


def in_german(one: Alert) -> Explained:
    return explained(one, DE, KNOWN)


def result(value: float | None, at: datetime = T0, label: str = "Creatinine", **more: Any) -> Implicated:
    fields: dict[str, Any] = {"unit": "mg/dL", "received": "" if value is None else f"{value:g} mg/dL"} | more
    return Implicated(
        kind="lab_result", source="lab", record_id=f"{label}-{at}", version=1, label=label, at=at, value=value, **fields
    )


def order(label: str = "ibuprofen 600 mg tablet") -> Implicated:
    return Implicated(kind="prescription", source="cpoe", record_id="o-1", version=1, label=label, at=T0)


def kidney(**more: Any) -> Alert:
    day = timedelta(days=1)
    facts = (result(0.9, T0 - 2 * day), order(), result(2.1, T0), result(1.4, T0 - day), result(30.0, T0 + day, "Urea"))
    fields: dict[str, Any] = {
        "rule": "acute-kidney-injury", "family": "kidney injury", "subject": "acute-kidney-injury", "implicated": facts,
        "medicines": ("ibuprofen", "lisinopril"), "patient_explanation": "",
    }  # fmt: skip
    return alert("high", **(fields | more))


def test_the_newest_value_of_what_stands_first_and_the_oldest_before_it() -> None:
    assert in_english(kidney()).found.endswith(
        "The result was: Creatinine 2.1 mg/dL, on November 2, 2026. It had been 0.9 mg/dL."
    )
    assert in_german(kidney()).found.endswith(
        "Der Wert war: Creatinine 2,1 mg/dL, am 2. November 2026. Davor war er: 0,9 mg/dL."
    )


def test_medicines_are_listed_as_people_say_it_and_keep_their_names() -> None:
    one = alert("high", rule="drug-drug-interaction", family="interaction", subject="x", patient_explanation="")
    for medicines, english, german in (
        (("warfarin",), "together: warfarin.", "zusammen: Warfarin."),
        (("warfarin", "ibuprofen"), "together: warfarin and ibuprofen.", "zusammen: Warfarin und Ibuprofen."),
        (("a", "b", "c"), "together: a, b and c.", "zusammen: A, B und C."),
    ):
        assert in_english(replace(one, medicines=medicines)).found.endswith(english)
        assert in_german(replace(one, medicines=medicines)).found.endswith(german)


def test_what_the_alert_does_not_have_is_not_said() -> None:
    without = in_english(kidney(implicated=(), medicines=()))
    assert without.found == "A blood test shows that your kidneys work less well than before."
    once = in_english(kidney(implicated=(result(2.1),)))
    assert once.found.endswith("The result was: Creatinine 2.1 mg/dL, on November 2, 2026.")
    same = in_english(kidney(implicated=(result(2.1, T0 - timedelta(days=1)), result(2.1))))
    assert "It had been" not in same.found


@pytest.mark.parametrize(
    ("received", "value", "english", "german"),
    [
        (">30 mmol/L", 30.0, "above 30 mmol/L", "über 30 mmol/L"),
        ("< 0.5 mg/dL", 0.5, "below 0.5 mg/dL", "unter 0,5 mg/dL"),
        ("7.15", 7.15, "7.15", "7,15"),
        ("8.60 mmol/L", 8.6, "8.60 mmol/L", "8,60 mmol/L"),
        ("1,200 K/uL", None, "1,200 K/uL", "1,200 K/uL"),
        ("strongly positive", None, "strongly positive", "strongly positive"),
        ("", 80.44444, "80.44 mg/dL", "80,44 mg/dL"),
    ],
)
def test_values_are_written_as_the_language_writes_them(
    received: str, value: float | None, english: str, german: str
) -> None:
    one = kidney(implicated=(result(value, received=received),))
    assert f"Creatinine {english}, on" in in_english(one).found
    assert f"Creatinine {german}, am" in in_german(one).found


def test_the_day_is_that_of_the_place_where_it_happened() -> None:
    late = datetime(2026, 3, 31, 21, 30, tzinfo=timezone(timedelta(hours=-5)))
    one = kidney(implicated=(result(2.1, late),))
    assert "on March 31, 2026" in in_english(one).found
    assert "am 31. März 2026" in in_german(one).found


def test_the_alerts_own_sentence_is_told_in_its_language_and_nothing_twice() -> None:
    own = "One of your medicines makes the other stronger. Your care team is checking this. Do not stop it on your own."
    one = kidney(patient_explanation=own)
    said = in_english(one)
    assert said.why == own
    assert "care team" not in said.ask
    assert "on your own" not in said.ask
    assert in_german(one) == in_german(kidney())
    plain = in_english(kidney())
    assert plain.why == EN.families["kidney injury"].why
    assert plain.ask == " ".join((EN.words.told, EN.families["kidney injury"].ask, EN.words.keep))


@pytest.mark.parametrize(
    "own",
    [
        "codeine can harm. Please give no more of it until you have called the doctor.",
        "Do not take the medicine until they have answered.",
        "Your blood sugar was very high. Keep taking your medicines as agreed.",
    ],
)
def test_what_the_own_sentence_says_of_taking_it_is_not_contradicted(own: str) -> None:
    said = in_english(kidney(patient_explanation=own))
    assert said.why == own[:1].upper() + own[1:]
    assert EN.words.keep not in said.ask


def test_what_a_problem_means_stands_for_the_words_of_the_family() -> None:
    one = alert("critical", patient_explanation="")
    assert in_english(one).why == EN.problems["potassium:high"].why
    assert in_german(one).help.startswith(DE.problems["potassium:high"].help)


@pytest.mark.parametrize("severity", SEVERITIES)
def test_what_is_grave_always_says_when_to_seek_help_and_how(severity: Any) -> None:
    due = {"rule": "amiodarone-thyroid", "family": "monitoring", "subject": "x", "patient_explanation": ""}
    grave = severity in ("critical", "high")
    for language in KNOWN.languages.values():
        said = explained(alert(severity, **due), language, KNOWN)
        assert bool(said.help) == grave
        assert said.help.endswith(language.words.call) == grave
        assert said.ask.startswith(language.words.told) == grave


def test_a_family_that_nobody_wrote_for_is_told_in_general_words() -> None:
    one = alert("moderate", rule="site-rule", family="the site's own", subject="x", medicines=("digoxin",))
    assert (
        in_german(one).found
        == "Wir haben Ihre Medikamente geprüft und wollen mit Ihnen etwas klären. Es geht um: Digoxin."
    )
    assert in_german(one).ask
    assert in_english(one).why == one.patient_explanation


def test_what_has_ended_is_not_told_as_if_it_were_so() -> None:
    for status, words in (("resolved", EN.words.resolved), ("withdrawn", EN.words.withdrawn)):
        said = in_english(kidney(status=status))
        assert said.found.startswith(words)
        assert EN.words.told not in said.ask


@pytest.mark.parametrize(
    ("asked", "accepted", "code"),
    [
        ("de", "", "de"),
        ("de-AT", "en", "de"),
        ("DE", "", "de"),
        ("", "de-DE,de;q=0.9,en;q=0.8", "de"),
        ("", "fr, en;q=0.4, de;q=0.7", "de"),
        ("", "de;q=0, en;q=0.1", "en"),
        ("", "fr", "en"),
        ("fr", "de", "de"),
        ("", "", "en"),
        ("", ";;q=x,,de", "de"),
    ],
)
def test_the_language(asked: str, accepted: str, code: str) -> None:
    assert language_for(KNOWN, asked, accepted).code == code


def page_of(one: Alert, said: Explained) -> str:
    return render(
        "alert.html", alert=one, list="open", answers=[], pending=[], form={}, fault="", explained=said,
        languages=KNOWN.languages, now=datetime(2026, 11, 3, tzinfo=UTC),
    )  # fmt: skip


def test_the_page_has_it_in_the_chosen_language_with_the_others_to_choose() -> None:
    page = page_of(kidney(), in_german(kidney()))
    assert '<div class="told" lang="de">' in page
    assert "Creatinine 2,1 mg/dL" in page
    assert 'href="?language=en#patient"' in page
    assert 'hreflang="de" lang="de" aria-current="true"' in page
    assert 'hreflang="en" lang="en" aria-current' not in page


def test_a_name_from_outside_cannot_become_markup() -> None:
    hostile = kidney(implicated=(result(2.1, label="<b>{medicines}</b>"),), medicines=("<img src=x>",))
    said = in_english(hostile)
    assert "<b>{medicines}</b>" in said.found
    page = page_of(hostile, said)
    assert "<img" not in page
    assert "<b>{" not in page
