"""`rxvigil import rxnorm`: a release becomes the site's tables. The release is made up, its format is RxNorm's.

Columns are those of the RxNorm Technical Documentation, section 12: RXNCONSO 18, RXNREL 16, RXNSAT 13, each ended by a bar; a
relation is the one that the second concept has to the first.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from msgspec.structs import replace
from rich.console import Console

from knowledge.loader import load
from knowledge.reading.tables import KnowledgeError
from knowledge.rxnorm import RxNormTable
from schemas.events import Drug, Ingredient
from schemas.values import Coding, Quantity
from services.ingest.terminology.drugs import DrugResolver
from services.local.rxnorm import Imported, RxNormError, import_rxnorm

QUIET = Console(quiet=True)
IN, OTHER_IN, SIMVASTATIN, GAMMAMINE = 9000001, 9000002, 9000003, 9000004
CONCEPTS = [
    (IN, "IN", "alphastatin"), (OTHER_IN, "IN", "Betamycin, synthetic"), (SIMVASTATIN, "IN", "simvastatin"),
    (GAMMAMINE, "IN", "gammamine"), (9000005, "IN", "estrogens, of a name that nobody has"),
    (9000010, "PIN", "alphastatin sodium"), (9000011, "MIN", "alphastatin / betamycin"),
    (9000020, "SCDC", "alphastatin sodium 10 MG"), (9000021, "SCDC", "betamycin 1200000 UNT/ML"),
    (9000022, "SCDC", "alphastatin 20 MG"), (9000023, "SCDC", "gammamine aspartate 5 MG"),
    (9000024, "SCDC", "gammamine sulfate 2.5 MG"),
    (9000030, "SCD", "alphastatin sodium 10 MG / betamycin 1200000 UNT/ML Oral Suspension"),
    (9000031, "SCD", "24 HR alphastatin 20 MG Extended Release Oral Tablet"),
    (9000032, "SCD", "gammamine aspartate 5 MG / gammamine sulfate 2.5 MG Oral Tablet"),
    (9000025, "SCDC", "conjugated estrogens 0.3 MG"), (9000034, "SCD", "conjugated estrogens 0.3 MG Oral Tablet"),
    (9000033, "SCD", "orphanol 1 MG Oral Tablet"),
    (9000040, "BN", "Combistat"),
    (9000041, "SBD", "alphastatin sodium 10 MG / betamycin 1200000 UNT/ML Oral Suspension [Combistat]"),
    (9000050, "GPCK", "{7 (alphastatin sodium 10 MG / betamycin ...) / 14 (24 HR alphastatin 20 MG ...) } Pack"),
    (9000051, "BPCK", "{7 (... [Combistat]) / 14 (...) } Pack [Combistat Starter]"),
]  # fmt: skip
RELATIONS = [
    ("form_of", 9000010, IN), ("has_part", 9000011, IN), ("has_part", 9000011, OTHER_IN),
    ("has_ingredient", 9000020, IN), ("has_precise_ingredient", 9000020, 9000010),
    ("has_ingredient", 9000021, OTHER_IN), ("has_ingredient", 9000022, IN),
    ("has_ingredient", 9000023, GAMMAMINE), ("has_ingredient", 9000024, GAMMAMINE),
    ("consists_of", 9000030, 9000020), ("consists_of", 9000030, 9000021), ("consists_of", 9000031, 9000022),
    ("consists_of", 9000032, 9000023), ("consists_of", 9000032, 9000024),
    ("has_ingredient", 9000025, 9000005), ("consists_of", 9000034, 9000025),
    ("tradename_of", 9000040, IN), ("tradename_of", 9000040, OTHER_IN),
    ("tradename_of", 9000041, 9000030), ("has_ingredient", 9000041, 9000040),
    ("contains", 9000050, 9000030), ("contains", 9000050, 9000031),
    ("contains", 9000051, 9000041), ("contains", 9000051, 9000031),
]  # fmt: skip
NDCS = [
    ("11111000101", 9000030), ("11111000102", 9000041), ("22222000201", 9000031),
    ("33333000301", 9000030), ("33333000301", 9000041),  # the generic and its brand: one medicine
    ("44444000401", 9000031), ("44444000401", SIMVASTATIN),  # two medicines
    ("55555-555-55", 9000031),
]  # fmt: skip


def concept(rxcui: int, tty: str, name: str, *, source: str = "RXNORM", suppress: str = "N") -> str:
    cells = [
        rxcui,
        "ENG",
        "",
        "",
        "",
        "",
        "",
        f"1{rxcui}"[:8],
        "",
        rxcui,
        "",
        source,
        tty,
        rxcui,
        name,
        "",
        suppress,
        "4096",
    ]
    return "|".join(map(str, cells)) + "|"


def relation(name: str, second: int, first: int, *, source: str = "RXNORM") -> str:
    return (
        "|".join(map(str, [first, "", "CUI", "RO", second, "", "CUI", name, "", "", source, "", "", "", "N", "4096"]))
        + "|"
    )


def ndc(code: str, rxcui: int, *, source: str = "RXNORM", name: str = "NDC") -> str:
    return "|".join(map(str, [rxcui, "", "", "1", "AUI", "1", "", "", name, source, code, "N", "4096"])) + "|"


@pytest.fixture
def release(tmp_path: Path) -> Path:
    return made(tmp_path)


def made(place: Path) -> Path:
    """A release in a folder below ``place``."""
    folder = place / "release" / "rrf"
    folder.mkdir(parents=True)
    concepts = [concept(9000030, "SCD", "an obsolete name", suppress="O"), *(concept(*each) for each in CONCEPTS)]
    concepts += [concept(9000033, "SY", "a synonym"), concept(9000060, "SCD", "hidden", suppress="Y")]
    concepts += [concept(9000061, "IN", "of another source", source="MTHSPL")]
    relations = [relation(*each) for each in RELATIONS]
    # both directions are in a release, and those of other sources
    relations += [relation("constitutes", 9000020, 9000030), relation("has_ingredient", 9000033, IN, source="MTHSPL")]
    codes = [ndc(*each) for each in NDCS]
    codes += [ndc("66666000601", 9000030, source="MTHSPL"), ndc("77777000701", 9000030, name="RXN_STRENGTH")]
    codes += [ndc("88888000801", 9000033)]
    for file, rows in (("RXNCONSO.RRF", concepts), ("RXNREL.RRF", relations), ("RXNSAT.RRF", codes)):
        (folder / file).write_text("\n".join(rows) + "\n", "utf-8")
    return folder.parent


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("import")
    import_rxnorm(made(folder), folder / "site", QUIET)
    return folder / "site"


@pytest.fixture(scope="module")
def resolver(site: Path) -> DrugResolver:
    return DrugResolver(load(str(site)))


def test_what_is_written_and_what_is_left_out_is_counted(release: Path, tmp_path: Path) -> None:
    done = import_rxnorm(release, tmp_path / "site", QUIET)
    assert done == Imported(drugs=len(CONCEPTS) - 1, ndcs=4, left_out=1, ambiguous=1, unread=1)
    assert sorted(path.name for path in (tmp_path / "site").iterdir()) == ["ndc.csv", "rxnorm.csv"]


@pytest.mark.parametrize(
    ("rxcui", "expected"),
    [
        (IN, "alphastatin -"),
        (9000010, "alphastatin -"),
        (9000011, "alphastatin - + Betamycin, synthetic -"),
        (9000020, "alphastatin 10 mg"),
        (9000030, "alphastatin 10 mg + Betamycin, synthetic 1200000 unt/ml"),
        (9000032, "gammamine 7.5 mg"),
        (9000040, "alphastatin - + Betamycin, synthetic -"),
        (9000041, "alphastatin 10 mg + Betamycin, synthetic 1200000 unt/ml"),
        (9000050, "alphastatin - + Betamycin, synthetic 1200000 unt/ml"),
        (9000051, "alphastatin - + Betamycin, synthetic 1200000 unt/ml"),
    ],
)
def test_every_term_type_leads_to_its_ingredients_with_strengths(site: Path, rxcui: int, expected: str) -> None:
    with (site / "rxnorm.csv").open(encoding="utf-8", newline="") as stream:
        row = next(row for row in csv.DictReader(stream) if row["rxcui"] == str(rxcui))
    told = zip(row["ingredients"].split("|"), row["strengths"].split("|"), strict=True)
    assert " + ".join(f"{name} {strength}" for name, strength in told) == expected
    assert row["name"] == next(name for code, _, name in CONCEPTS if code == rxcui)


def coded(system: str, code: str, *, text: str = "") -> Drug:
    return Drug(text=text, codings=(Coding(system, code),))


def test_a_code_of_the_release_resolves_to_ingredients_with_their_codes_form_and_amount(resolver: DrugResolver) -> None:
    found = resolver.resolve(coded("RxNorm", "9000041"))
    assert found.resolution == "code"
    assert found.ingredients == (
        Ingredient("alphastatin", str(IN), Quantity(10, "mg")),
        Ingredient("betamycin synthetic", str(OTHER_IN), Quantity(1200000, "unt/ml")),
    )
    assert resolver.resolve(coded("RxNorm", str(SIMVASTATIN))).ingredients == (
        Ingredient("simvastatin", str(SIMVASTATIN)),
    )


@pytest.mark.parametrize(
    ("code", "names"),
    [
        ("11111-0001-01", ["alphastatin", "betamycin synthetic"]),
        ("11111-001-01", ["alphastatin", "betamycin synthetic"]),
        ("11111-0001", ["alphastatin", "betamycin synthetic"]),
        ("22222000201", ["alphastatin"]),
        ("33333000301", ["alphastatin", "betamycin synthetic"]),
        ("44444000401", []),
        ("66666000601", []),
        ("99999999999", []),
        ("00000000001", []),
    ],
)
def test_an_ndc_of_the_release_resolves_in_every_form_and_no_other_does(
    resolver: DrugResolver, code: str, names: list[str]
) -> None:
    assert [each.name for each in resolver.resolve(coded("NDC", code)).ingredients] == names


def test_what_is_shipped_stands_beside_the_release(site: Path, resolver: DrugResolver) -> None:
    assert [each.name for each in resolver.resolve(coded("RxNorm", "864718")).ingredients] == ["methadone"]
    assert resolver.resolve(coded("RxNorm", str(SIMVASTATIN), text="warfarin")).resolution == "unresolved"
    assert load(str(site)).version != load().version


def test_an_ingredient_goes_by_our_name_where_only_that_of_its_drug_is_ours(resolver: DrugResolver) -> None:
    found = resolver.resolve(coded("RxNorm", "9000034", text="Premarin"))
    assert found.ingredients == (Ingredient("conjugated estrogens", "9000005", Quantity(0.3, "mg")),)


@pytest.mark.parametrize("missing", ["RXNCONSO.RRF", "RXNREL.RRF", "RXNSAT.RRF"])
def test_a_missing_file_is_named(release: Path, tmp_path: Path, missing: str) -> None:
    (release / "rrf" / missing).unlink()
    with pytest.raises(RxNormError, match=f"{missing} is neither there nor in"):
        import_rxnorm(release, tmp_path / "site", QUIET)
    assert not (tmp_path / "site").exists()


@pytest.mark.parametrize(
    ("file", "row", "said"),
    [
        ("RXNCONSO.RRF", "1|2|3|", "3 columns where 18 are expected"),
        ("RXNREL.RRF", relation("has_part", 1, 2) + "more|", "17 columns where 16 are expected"),
        ("RXNSAT.RRF", ndc("11111000101", 1)[:-1], "12 columns where 13 are expected"),
        ("RXNSAT.RRF", ndc("11111000101", 1).replace("1|", "x|", 1), "an RXCUI of up to 8 digits is expected"),
        ("RXNCONSO.RRF", "", "0 columns where 18 are expected"),
    ],
)
def test_a_line_that_is_not_of_the_format_is_named_and_nothing_is_written(
    release: Path, tmp_path: Path, file: str, row: str, said: str
) -> None:
    path = release / "rrf" / file
    lines = path.read_text("utf-8").splitlines()
    path.write_text("\n".join([*lines, row]) + "\n", "utf-8")
    with pytest.raises(RxNormError) as caught:
        import_rxnorm(release, tmp_path / "site", QUIET)
    assert f"{path}, line {len(lines) + 1}: {said}" in str(caught.value)
    assert not (tmp_path / "site").exists()


def test_a_release_without_ingredients_is_refused(release: Path, tmp_path: Path) -> None:
    (release / "rrf" / "RXNCONSO.RRF").write_text(concept(9000030, "SCD", "a drug") + "\n", "utf-8")
    with pytest.raises(RxNormError, match="leads to an ingredient"):
        import_rxnorm(release, tmp_path / "site", QUIET)


@pytest.mark.parametrize(
    ("file", "text", "line", "said"),
    [
        ("ndc.csv", "ndc,rxcui\n22222000201,1\n11111000101,1\n", 3, "in the order"),
        ("ndc.csv", "ndc,rxcui\n2222,1\n", 2, "11 digits"),
        ("ndc.csv", "code,rxcui\n", 1, "header"),
        ("rxnorm.csv", "rxcui,tty,name,ingredients,ingredient_rxcuis,strengths\n1,IN,a,a|b,1,-\n", 2, "one strength"),
        ("rxnorm.csv", "rxcui,tty,name,ingredients,ingredient_rxcuis,strengths\n1,IN,a\n", 2, "6 cells"),
    ],
)
def test_a_table_that_was_changed_is_refused_with_its_line(
    tmp_path: Path, file: str, text: str, line: int, said: str
) -> None:
    (tmp_path / file).write_text(text, "utf-8")
    with pytest.raises(KnowledgeError, match=said) as caught:
        RxNormTable(tmp_path).read()
    assert (caught.value.file, caught.value.line) == (file, line)


def test_a_fault_of_a_table_is_told_when_ingest_starts(tmp_path: Path) -> None:
    (tmp_path / "ndc.csv").write_text("ndc,rxcui\n2222,1\n", "utf-8")
    with pytest.raises(KnowledgeError, match="11 digits"):
        DrugResolver(replace(load(), rxnorm=RxNormTable(tmp_path)))
