"""Kafka's configuration: loopback only, no topic by accident, room for the largest record."""

from __future__ import annotations

from services.local.kafka import config


def parsed(text: str) -> dict[str, str]:
    lines = (line for line in text.splitlines() if line and not line.startswith("#"))
    return dict(line.split("=", 1) for line in lines)


def test_every_address_is_on_loopback() -> None:
    found = parsed(config("kafka", 1111, 2222))
    addresses = [part.rpartition("//")[2] for part in found["listeners"].split(",")]
    assert addresses == ["127.0.0.1:1111", "127.0.0.1:2222"]
    assert found["advertised.listeners"] == "BROKER://127.0.0.1:1111"
    assert found["controller.quorum.voters"] == "1@127.0.0.1:2222"


def test_only_addresses_change_with_the_ports_so_data_outlive_them() -> None:
    one, other = parsed(config("kafka", 1111, 2222)), parsed(config("kafka", 3333, 4444))
    changed = {name for name in one if one[name] != other[name]}
    assert changed == {"listeners", "advertised.listeners", "controller.quorum.voters"}


def test_topics_are_never_made_by_a_misspelt_name_and_the_largest_record_fits() -> None:
    found = parsed(config("kafka", 1111, 2222))
    assert found["auto.create.topics.enable"] == "false"
    assert int(found["message.max.bytes"]) > 16 * 1024 * 1024
    assert {found[name] for name in found if name.endswith("replication.factor")} == {"1"}
