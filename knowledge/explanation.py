"""What a patient is told of an alert in plain words, by language (``explanations/*.toml``). No alert depends on it."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

OTHER = "other"
"""The entry of every alert that has none of its own: a family that a site made."""


class Entry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``found`` are ways to say what was found, the fullest first; the first whose placeholders the alert can fill is told, and
    the last has none. ``why`` is what it can do, ``ask`` whom to turn to, ``help`` when to seek help at once."""

    found: tuple[str, ...]
    why: str
    ask: str
    help: str = ""


class Meaning(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one problem (``potassium:high``) can do, whatever rule found it; it stands in place of the entry's own words."""

    why: str
    help: str = ""


class Words(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a language writes. ``date`` has ``{day}``, ``{month}`` and ``{year}``; ``capitals``: names begin with a capital.

    ``told`` is said of what calls a pharmacist (critical and high), ``keep`` of everything, ``call`` is how help is reached;
    ``resolved`` and ``withdrawn`` come before all else once the alert has ended so.
    """

    decimal: str
    both: str
    above: str
    below: str
    date: str
    months: tuple[str, ...]
    capitals: bool
    told: str
    keep: str
    call: str
    resolved: str
    withdrawn: str


class Language(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """All texts of a language. ``code`` is its tag (``de``), ``name`` what it calls itself."""

    code: str
    name: str
    words: Words
    families: Mapping[str, Entry]
    rules: Mapping[str, Entry]
    problems: Mapping[str, Meaning]

    def entry(self, rule: str, family: str) -> Entry:
        """The rule's own, else its family's, else that of everything."""
        return self.rules.get(rule) or self.families.get(family) or self.families[OTHER]


class Explanations(Struct, frozen=True, kw_only=True):
    """The languages by their code; the first is told to whoever asks for none that there is."""

    languages: Mapping[str, Language]

    @property
    def default(self) -> Language:
        return next(iter(self.languages.values()))
