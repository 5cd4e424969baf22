"""The benchmark's own parts: the job is done alike by everybody, a wrong contender is found, figures are computed rightly."""

from __future__ import annotations

import itertools
import json
import random
import runpy
from collections import Counter
from pathlib import Path
from typing import Any

import msgspec
import pytest

from bench import delay, job, linear, load, restore, run, throughput, workers
from bench.broker import Stamped
from bench.contenders import ENGINE, LOOP
from bench.figures import Figure, Report
from services.streaming.handler import Record
from services.streaming.memory import MemoryEngine

KNOWN = job.knowledge()
EVENTS = list(job.events(20_000, patients=40, seed=11))
LINEAR = linear.recompute((value for _, value in EVENTS), KNOWN.partners, KNOWN.limits)
RECORDS = [Record("events", 0, offset, 0, key, value) for offset, (key, value) in enumerate(EVENTS)]


def in_batches(records: list[Record]) -> linear.Alerts:
    engine = MemoryEngine(job.JobHandler(KNOWN, "alerts"))
    rnd, start, found = random.Random(5), 0, Counter[Any]()
    while start < len(records):
        size = rnd.choice((1, 7, 300, 2000))
        found.update(linear.identify(send.value or b"") for send in engine.feed(records[start : start + size]))
        start += size
    assert engine.errors == []
    return found


def event(number: int, **fields: object) -> bytes:
    return json.dumps({"id": f"e{number}", "patient": "p1", **fields}).encode()


def test_the_recomputation_gives_the_alerts_that_follow_from_three_events_by_hand() -> None:
    values = [
        event(1, type="prescribed", drug="a"),
        event(2, type="dispensed", drug="b"),
        event(3, type="prescribed", drug="b"),
        event(4, type="lab", code="k", value=5.5),
        event(5, type="lab", code="k", value=5.6),
    ]
    alerts = linear.recompute(values, {"a": ("b",), "b": ("a",)}, {"k": (3.5, 5.5)})
    pair = b'{"rule": "ddi", "patient": "p1", "by": "e2", "pair": ["b", "a"]}'
    high = b'{"by": "e5", "rule": "lab", "patient": "p1", "code": "k", "value": 5.6}'
    assert alerts == Counter([linear.identify(pair), linear.identify(high)])


def test_the_load_has_both_kinds_of_alerts() -> None:
    rules = Counter(dict(alert)["rule"] for alert in LINEAR)  # type: ignore[call-overload]
    assert rules["ddi"] > 100
    assert rules["lab"] > 100


def test_the_handler_gives_the_recomputed_alerts_in_batches_of_any_size() -> None:
    assert linear.difference(LINEAR, in_batches(RECORDS)) == ""


def test_the_handler_skips_what_is_replayed() -> None:
    assert linear.difference(LINEAR, in_batches(RECORDS[:9000] + RECORDS[4000:])) == ""


def test_the_handler_leaves_the_states_it_is_given_alone() -> None:
    handler = job.JobHandler(KNOWN, "alerts")
    key = EVENTS[0][0]
    own = [record for record in RECORDS if record.key == key]
    before = handler.handle(own[:50], {key: None}).states[key]
    assert before is not None
    stored = handler.encode_state(before)
    after = handler.handle(own[50:100], {key: before}).states[key]
    assert after is not None
    assert handler.encode_state(before) == stored != handler.encode_state(after)


def test_the_job_over_dictionaries_gives_the_recomputed_alerts() -> None:
    peer = runpy.run_path(str(Path(run.__file__).parent / "peers" / "dict_job.py"))
    steps = peer["Job"](json.loads(msgspec.json.encode(KNOWN)))
    states: dict[bytes, Any] = {}
    found: linear.Alerts = Counter()
    for key, value in EVENTS:
        alerts = steps.step(states.setdefault(key, peer["new"]()), json.loads(value))
        found.update(linear.identify(json.dumps(alert).encode()) for alert in alerts)
    assert linear.difference(LINEAR, found) == ""


def test_a_lost_a_wrong_and_a_repeated_alert_are_told_apart() -> None:
    assert linear.difference(Counter("abc"), Counter("abbd")) == "1 alerts lost, 1 wrong, 1 sent twice"


def test_a_contender_with_a_wrong_alert_has_no_figure() -> None:
    given = throughput.Load("events", 1, Counter([linear.identify(b'{"by": "e1"}')]), linear.identify)
    throughput.check([Stamped(0, 0.0, 0, b'{"by": "e1"}')], given)
    with pytest.raises(throughput.WrongError, match="1 alerts lost, 1 wrong"):
        throughput.check([Stamped(0, 0.0, 0, b'{"by": "e2"}')], given)


def stamped(*appended: int) -> list[Stamped]:
    return [Stamped(each, each / 1000, 0, b"") for each in appended]


def test_the_first_quarter_of_the_alerts_is_warm_up() -> None:
    # 3 of 5 alerts, so 600 of 1,000 events, in the 1.5 seconds behind the second
    assert throughput.events_per_second(stamped(0, 11_500, 12_000, 12_500, 13_000), 1000) == pytest.approx(400)
    assert throughput.events_per_second(stamped(0, 11_500, 12_000, 12_400), 1000) is None


def test_two_workers_are_counted_in_the_middle() -> None:
    records = stamped(*range(0, 1010, 10), 60_000)  # one event every millisecond, then a straggler
    assert workers.windowed(records, 1020) == pytest.approx(1000, rel=0.01)


def test_a_take_over_ends_with_the_silence_that_the_kill_began() -> None:
    records = [
        # one alert was in flight at the kill; the chance gap after the take-over is longer than the survivor's
        *(Stamped(0, time, 0, b"") for time in (1.0, 2.0, 3.0, 14.0, 14.5)),
        *(Stamped(0, time, 1, b"") for time in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 11.0, 30.0)),
    ]
    assert workers.silence_after(records, 2.5) == pytest.approx(11.5)


def test_no_alert_after_the_kill_is_no_take_over() -> None:
    with pytest.raises(throughput.WrongError):
        workers.silence_after(stamped(1000, 2000), 5.0)


def test_growth_compares_the_last_whole_minute_with_the_first() -> None:
    rate = 10
    # 3.5 minutes: 10 ms in the first, 20 in the second, 30 in the third
    delays = [delay.Delay(number, 0.01 * (1 + number // 600)) for number in range(2100)]
    assert delay.growth(delays, rate) == pytest.approx((10.0, 30.0))
    # whichever partition's alert was read first
    assert delay.growth([delays[9], *delays[:9], *delays[10:]], rate) == pytest.approx((10.0, 30.0))
    assert delay.growth(delays[:900], rate) is None


def test_the_restored_changelog_holds_the_states_of_the_job() -> None:
    settings = run.Run(brokers="", input="in", output="out", group="g", folder="", partitions=4)
    handler = job.JobHandler(KNOWN, "out")
    for (name, state), (mine, (key, value, _)), (_, (stock_key, stock, _)) in itertools.islice(
        zip(job.states(5), restore._records(settings, 5, False), restore._records(settings, 5, True), strict=True), 5
    ):
        assert (mine, key) == (name, name.encode())
        assert handler.decode_state(value or b"") == state
        assert json.loads(stock_key or b"") == name
        assert json.loads(stock or b"")["drugs"] == list(state.drugs)


def test_the_file_for_a_contender_can_be_read_again(tmp_path: Path) -> None:
    settings = run.Run(brokers="b", input="in", output="out", group="g", folder=str(tmp_path), partitions=4)
    assert run.read(str(settings.write())) == settings


@pytest.mark.parametrize(("key", "partition"), [(b"21", -973932308), (b"foobar", -790332482), (b"abc", 479470107)])
def test_keys_go_to_the_partition_that_java_chooses(key: bytes, partition: int) -> None:
    """Hashes from the test of Kafka's own ``Utils.murmur2``."""
    assert load.partition_of(key, 4) == (partition & 0x7FFFFFFF) % 4


def test_the_report_shows_a_wrong_contender_without_its_number(tmp_path: Path) -> None:
    good = Figure(about="speed", contender=ENGINE, unit="events/s", values=[3.0, 1.0, 2.0], against=LOOP)
    good.ratios = [0.5, 0.7, 0.6]
    bad = Figure(about="speed", contender="other", unit="events/s", values=[99.0], wrong="does not count")
    report = Report(command="bench", figures=[good, bad])
    columns = [list(column.cells) for column in report.table().columns]
    assert columns[2] == ["2 events/s", "-"]
    assert columns[4] == ["0.60 x loop", ""]
    report.write(tmp_path / "figures.json")
    assert msgspec.json.decode((tmp_path / "figures.json").read_bytes(), type=Report) == report
