"""National Drug Codes: every way of writing them, and that only known ones resolve."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from knowledge.loader import load
from schemas.events import Drug
from schemas.values import Coding
from services.ingest.terminology.drugs import DrugResolver
from services.ingest.terminology.ndc import candidates

NDC = "http://hl7.org/fhir/sid/ndc"
KNOWN = {
    ("NDC", "00002759701"): "simvastatin 20 MG Oral Tablet",
    ("NDC", "605754112"): "warfarin sodium 5 MG Oral Tablet",
}
RESOLVE = DrugResolver(replace(load(), drug_codes=KNOWN)).resolve


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        # the three conversions as published for claims (0002-7597-01, 50242-040-62 and 60575-4112-1 are its examples)
        ("0002-7597-01", ("00002759701",)),
        ("50242-040-62", ("50242004062",)),
        ("60575-4112-1", ("60575411201",)),
        ("50242-0040-62", ("50242004062",)),
        ("50242004062", ("50242004062",)),
        (" 50242004062 ", ("50242004062",)),
        ("0002759701", ("00002759701", "00027059701", "00027597001")),
        ("0002-7597", ("000027597",)),
        ("50242-040", ("502420040",)),
        ("50242-0040", ("502420040",)),
        ("502420040", ("502420040",)),
        ("00027597", ("000027597", "000270597")),
    ],
)
def test_every_segment_form_becomes_eleven_digits(written: str, expected: tuple[str, ...]) -> None:
    assert candidates(written) == expected


@pytest.mark.parametrize(
    "written",
    ["", "0", "00000000000", "1234", "123456789012", "5024-040-62", "50242-040-6", "50242-040-62-1", "5024x-040-62", "-", "--",
     "٥٠٢٤٢٠٠٤٠٦٢", "502 4200 4062"],
)  # fmt: skip
def test_what_is_not_written_as_an_ndc_is_none(written: str) -> None:
    assert candidates(written) == ()


@given(st.from_regex(r"[0-9]{5}-[0-9]{4}-[0-9]{2}", fullmatch=True))
def test_hyphens_change_nothing(code: str) -> None:
    assert candidates(code) == candidates(code.replace("-", ""))


@given(st.text(max_size=20))
def test_any_text_is_taken(text: str) -> None:
    assert all(len(each) in (9, 11) and each.isdigit() for each in candidates(text))


@pytest.mark.parametrize(
    ("code", "name"),
    [
        ("0002-7597-01", "simvastatin"),
        ("00002759701", "simvastatin"),
        ("0002759701", "simvastatin"),
        ("60575-4112-1", "warfarin"),
        ("60575-4112-30", "warfarin"),
        ("60575411230", "warfarin"),
        ("60575-4112", "warfarin"),
    ],
)
@pytest.mark.parametrize("system", [NDC, "NDC", "urn:oid:2.16.840.1.113883.6.69"])
def test_a_known_code_resolves_in_every_form(system: str, code: str, name: str) -> None:
    found = RESOLVE(Drug(codings=(Coding(system, code),)))
    assert ([each.name for each in found.ingredients], found.resolution) == ([name], "code")


@pytest.mark.parametrize("code", ["0002-7597-02", "0002-7598-01", "99999999999", "0", "simvastatin"])
def test_an_unknown_code_does_not(code: str) -> None:
    assert RESOLVE(Drug(codings=(Coding(NDC, code),))).resolution == "unresolved"


def test_ten_digits_that_may_be_two_medicines_are_none() -> None:
    both = {("NDC", "00002759701"): "simvastatin", ("NDC", "00027597001"): "warfarin"}
    resolve = DrugResolver(replace(load(), drug_codes=both)).resolve
    assert resolve(Drug(codings=(Coding(NDC, "0002759701"),))).resolution == "unresolved"
    assert resolve(Drug(codings=(Coding(NDC, "0002-7597-01"),))).resolution == "code"


def test_two_codes_of_different_medicines_are_not_decided_between() -> None:
    drug = Drug(codings=(Coding(NDC, "0002-7597-01"), Coding(NDC, "60575-4112-1")))
    assert (RESOLVE(drug).resolution, RESOLVE(drug).ingredients) == ("unresolved", ())


def test_a_name_without_strength_takes_that_of_the_code() -> None:
    found = RESOLVE(Drug(text="Zocor", codings=(Coding(NDC, "0002-7597-01"),)))
    assert (found.ingredients[0].strength.value, found.form) == (20, "tablet")  # type: ignore[union-attr]
