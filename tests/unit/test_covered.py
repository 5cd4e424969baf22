"""Days covered: the worked examples that the publisher of the measure gives, to the day, and the method's sides."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime

from services.monitor.patient.covered import Fill, covered_days, day_of, share, taken


def day(text: str) -> int:
    """``2018-03-25`` as a day number."""
    return date.fromisoformat(text).toordinal() - date(1970, 1, 1).toordinal()


def doses(*fills: tuple[str, int], away: Sequence[int] = ()) -> list[tuple[str, str]]:
    """First and last dose of each supply."""
    spans = taken([Fill(day(when), days) for when, days in fills], away)
    first = date(1970, 1, 1).toordinal()
    return [
        (date.fromordinal(first + one).isoformat(), date.fromordinal(first + last).isoformat()) for one, last in spans
    ]


# pqaalliance.org/assets/Measures/pdc-dr.js.txt: fills of one agent with the dates of first and last dose printed there
def test_a_refill_before_the_end_of_the_first_starts_the_day_after_it() -> None:
    assert doses(("2018-01-01", 90), ("2018-03-25", 90)) == [("2018-01-01", "2018-03-31"), ("2018-04-01", "2018-06-29")]


def test_a_refill_of_25_september_waits_for_the_supply_that_runs_to_2_october() -> None:
    assert doses(("2018-03-25", 90), ("2018-07-05", 90), ("2018-09-25", 90)) == [
        ("2018-03-25", "2018-06-22"), ("2018-07-05", "2018-10-02"), ("2018-10-03", "2018-12-31"),
    ]  # fmt: skip


def test_a_month_of_thirty_days_shifts_a_month() -> None:
    assert doses(("2018-10-04", 30), ("2018-11-01", 30)) == [("2018-10-04", "2018-11-02"), ("2018-11-03", "2018-12-02")]


def test_different_agents_on_one_day_do_not_wait_for_one_another() -> None:
    one = [Fill(day("2018-01-01"), 90)]
    covered = covered_days({"metformin": one, "glipizide": one})
    assert covered == frozenset(range(day("2018-01-01"), day("2018-03-31") + 1))


def test_the_order_in_which_fills_come_does_not_matter() -> None:
    fills = [("2018-01-01", 90), ("2018-03-25", 90), ("2018-07-05", 90)]
    assert doses(*fills) == doses(*reversed(fills))


def test_days_away_are_neither_covered_nor_wanted_and_use_nothing_up() -> None:
    away = range(day("2018-01-11"), day("2018-01-16"))
    assert doses(("2018-01-01", 30), away=away) == [("2018-01-01", "2018-02-04")]
    covered = covered_days({"x": [Fill(day("2018-01-01"), 30)]}, away)
    found = share(covered, day("2018-01-01"), day("2018-02-14"), away)
    assert (found.days, found.covered, found.percent) == (40, 30, 75.0)


def test_a_share_of_a_period() -> None:
    # 30 days each 52: 60 of the first 104 days
    covered = covered_days({"x": [Fill(0, 30), Fill(52, 30)]})
    assert share(covered, 0, 103).covered == 60
    assert (share(covered, 0, 29).percent, share(covered, 0, 59).covered) == (100.0, 38)
    assert share(covered, 0, -1).percent == 100.0


def test_days_are_counted_in_utc() -> None:
    assert day_of(datetime(2018, 3, 25, 23, 59, tzinfo=UTC)) == day("2018-03-25")
    assert day_of(datetime(1969, 12, 31, 23, 0, tzinfo=UTC)) == -1
