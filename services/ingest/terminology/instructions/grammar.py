"""How the words of an instruction go together: tokens to parts, from the first to the last, each token in exactly one part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

from knowledge.wording import DoseUnit, Word, Wording, phrase_at
from schemas.values import Quantity
from services.ingest.terminology.instructions.amounts import Amounts, Span
from services.ingest.terminology.instructions.parts import Part

_TOO_OFTEN = 24
"""More often than hourly nobody takes a dose without a limit that is said in other words."""
_SIMPLE = {
    "single": "single", "need": "need", "directed": "directed", "moment": "moment", "meal": "meal", "filler": "filler",
    "unclear_frequency": "unclear_frequency", "unclear_dose": "unclear_dose", "comma": "comma", "range": "comma", "and": "and",
}  # fmt: skip

_JOINS_REASONS = ("and", "or", "comma", "lasting")

Found: TypeAlias = "tuple[Part, int] | None"


def parts(said: Sequence[str], wording: Wording) -> list[Part]:
    """The parts of an instruction; what is not understood is ``unknown``, one token at a time."""
    grammar, found, place = _Grammar(said, wording), [], 0
    while place < len(said):
        part, place = grammar.next(place)
        found.append(part)
    return found


class _Grammar(Amounts):
    def __init__(self, said: Sequence[str], wording: Wording) -> None:
        super().__init__(said, wording)
        self._for_reasons = False
        """Whether what is said stands behind "as needed" or "for": the names of complaints."""

    def next(self, place: int) -> tuple[Part, int]:
        """The part that begins at ``place``, and the place after it. Always moves on."""
        reason = self._reason(place) if self._for_reasons else None
        if reason is not None:
            return reason
        self._for_reasons = False
        found = self._led_by_number(place) or self._led_by_word(place)
        if found is None:
            return Part("unknown", key=self.at(place)), place + 1
        self._for_reasons = found[0].kind == "need" or found[0].key == "reason"
        return found

    def _reason(self, place: int) -> Found:
        """``pain``, ``for pain or fever``; what joins two reasons belongs to them."""
        joined = place
        while joined < place + 2 and (self.is_kind(joined, *_JOINS_REASONS) or self.at(joined) in ("/", "-")):
            joined += 1
        found = self.word(joined)
        if found is None or found[0].kind != "reason":
            return None
        return Part("filler", key="reason"), found[1]

    def _led_by_word(self, place: int) -> Found:
        often = phrase_at(self.wording.frequencies, self.said, place, self.wording.longest)
        word = self.word(place)
        if often is not None and (word is None or len(often) >= word[1] - place):
            times = self.wording.frequencies[often]
            return Part("often", times, times), place + len(often)
        if word is None:
            return self._named(place)
        meaning, after = word
        if meaning.kind in _SIMPLE and (meaning.kind, self.at(place)) != ("range", "to"):
            return Part(_SIMPLE[meaning.kind], key=meaning.meaning or self.at(place)), after  # type: ignore[arg-type]
        led: dict[str, Callable[[int, Word], Found]] = {
            "count": self._counted, "every": self._every, "most": self._most, "up_to": self._up_to, "lasting": self._lasting,
            "times": self._lasting, "over": self._over, "per": self._per, "within": self._per, "weekday": self._days,
            "short_weekday": self._days,
        }  # fmt: skip
        follow = led.get(meaning.kind)
        return follow(after, meaning) if follow is not None else None

    def _named(self, place: int) -> Found:
        """``on Mondays``, ``at 8 am``."""
        if self.at(place) == "on":
            day = self.word(place + 1)
            if day is None or "weekday" not in day[0].kind:
                return None
            found = self._days(day[1], day[0])
            return (found[0]._replace(key=""), found[1]) if found is not None else None
        return self._clock(place + 1) if self.at(place) == "at" else None

    # --- numbers

    def _led_by_number(self, place: int) -> Found:
        if self.at(place)[:1] in "0123456789." or self.is_kind(place, "number") or self.at(place) in ("a", "an"):
            return self._clock(place) or self._number_led(place)
        return None

    def _number_led(self, place: int) -> Found:
        span = self.range(place)
        if span is None:
            form = self.unit(place + 1) if self.at(place) in ("a", "an") else None
            return self._dose(Span(1, 1, place + 1)) if form is not None and form[0].measure == "form" else None
        if self.is_kind(span.after, "times"):
            return self._period(span, span.after + 1, "often") or self._once(place)
        hourly = span.after + 1 if self.at(span.after) == "-" else span.after
        if self.is_kind(hourly, "hourly"):
            return self._interval(span, 1 / 24, hourly + 1)
        return (
            self._dose(span)
            or self._once(place)
            or self._before_a_meal(span)
            or (Part("bare", span.low, span.high), span.after)
        )

    def _before_a_meal(self, span: Span) -> Found:
        """``30 minutes before breakfast``: breakfast."""
        unit = self.unit(span.after, time=True)
        meal = self.word(unit[1]) if unit is not None and self.at(unit[1]) in ("before", "after") else None
        if meal is None or meal[0].kind not in ("moment", "meal", "filler"):
            return None
        return Part(meal[0].kind, key=meal[0].meaning), meal[1]

    def _once(self, place: int) -> Found:
        """``one time only``."""
        word = self.word(place)
        return (Part("single"), word[1]) if word is not None and word[0].kind == "single" else None

    def _dose(self, span: Span) -> Found:
        found = self.unit(span.after)
        if found is None:
            return self._dose_of_unclear_unit(span)
        unit, after = found
        if span.low == span.high and self.is_kind(after, "range", "or"):
            wider = self.range(after + 1)
            other = self.unit(wider.after) if wider is not None else None
            if wider is not None and other is not None and wider.low == wider.high:
                if other[0] != unit or wider.low <= span.low:
                    return None
                span, after = Span(span.low, wider.high, other[1]), other[1]
        named = self.wording.unit_named(unit.name)
        times = unit.size / named.size if named is not None else 1  # "million units" are units
        span = Span(span.low * times, span.high * times, after)
        return self._divided(span, unit.name, after) or self._bracketed(span, unit, after)

    def _dose_of_unclear_unit(self, span: Span) -> Found:
        """``10 U``: an amount in a unit that is misread."""
        return (Part("unclear_dose"), span.after + 1) if self.is_kind(span.after, "unclear_unit") else None

    def _divided(self, span: Span, unit: str, after: int) -> Found:
        """``5 mg/h``, ``500 mg per day``, ``10 mg/kg``."""
        body = self.word(after)
        if body is not None and body[0].kind == "per_body":
            return self._by_body(span, unit, after, body[1])
        if not self.is_kind(after, "per", "within"):
            return None
        times = self._length(after + 1)
        if times is None:
            return None
        days, end, of_one = times
        if days == 1:
            return Part("per_day", span.low, span.high, unit), end
        if days < 1 / 2 and of_one and self.is_kind(after, "per"):
            return Part("rate", span.low, span.high, f"{unit}/{'min' if days < 1 / 24 else 'h'}"), end
        return Part("unknown", 1 / days), end

    def _by_body(self, span: Span, unit: str, after: int, end: int) -> Found:
        """An amount for each kilogram is a dose only with the weight that somebody meant."""
        body = "kg" if self.at(end - 1).startswith("k") or self.at(end - 1) == "weight" else "m2"
        if self.is_kind(end, "per"):
            length = self._length(end + 1)
            if length is not None and length[0] < 1 / 2 and length[2]:
                return Part(
                    "rate", span.low, span.high, f"{unit}/{body}/{'min' if length[0] < 1 / 24 else 'h'}"
                ), length[1]
            if length is not None or self.at(end + 1) == "dose":
                return Part("unclear_dose", key="per_body"), length[1] if length is not None else end + 2
        return Part("unclear_dose", key="per_body"), end

    def _bracketed(self, span: Span, unit: DoseUnit, after: int) -> Found:
        """``5 mL (250 mg)``: the amount in other words. As written first it is the dose. What stands in brackets behind several
        tablets may be the strength of one of them, and ``500 mg (2 tablets)`` may be 500 mg or twice that."""
        also: tuple[Quantity, ...] = ()
        if self.at(after) == "(":
            inner = self.range(after + 1)
            other = self.unit(inner.after) if inner is not None else None
            if inner is not None and other is not None:
                end = self._strength(other[1])
                end += self.at(end) == "total"
                if self.at(end) == ")":
                    one_of_several = unit.measure == "form" and span.low != 1 and self.at(other[1]) != "total"
                    many_forms = other[0].measure == "form" != unit.measure and inner.high != 1
                    if many_forms or (other[0] == unit and inner[:2] != span[:2]):
                        return Part("unclear_dose"), end + 1
                    if self.at(other[1]) in (")", "total") and not one_of_several:
                        also = (Part("dose", inner.low, inner.high, other[0].name).quantity,)
                    after = end + 1
        return Part("dose", span.low, span.high, unit.name, also=also), after

    def _strength(self, after: int) -> int:
        """The place after ``/5 mL`` or ``/tablet``."""
        if self.at(after) != "/":
            return after
        amount = self.range(after + 1)
        unit = self.unit(amount.after if amount is not None else after + 1)
        return unit[1] if unit is not None else after

    # --- how often

    def _length(self, place: int) -> tuple[float, int, bool] | None:
        """A length of time in days, the place after it, and whether it is one of its unit: ``day``, ``24 hours``."""
        span = self.range(place)
        one = self.at(place) in ("a", "an", "one")
        begins = place + 1 if self.at(place) in ("a", "an") else span.after if span is not None else place
        found = self.unit(begins, time=True)
        if found is None or (span is not None and span.low != span.high):
            return None
        many = span.low if span is not None else 1
        return many * found[0].size, found[1], one or span is None

    def _counted(self, after: int, meaning: Word) -> Found:
        """``twice a day``; ``once`` alone is a single dose."""
        found = self._period(Span(meaning.value, meaning.value, after), after, "often")
        return found or ((Part("single"), after) if meaning.value == 1 else None)

    def _period(self, times: Span, place: int, kind: str) -> Found:
        """``daily``, ``a day``, ``per week``, ``in 24 hours`` after a number of times."""
        often = phrase_at(self.wording.frequencies, self.said, place, self.wording.longest)
        if often is not None and self.wording.frequencies[often] in (1, *_WHOLE):
            factor, end = self.wording.frequencies[often], place + len(often)
        elif self.is_kind(place, "per", "within", "every"):
            length = self._length(place + 1)
            if length is None or length[0] < 1:
                return None
            factor, end = 1 / length[0], length[1]
        else:
            return None
        if times.high * factor > _TOO_OFTEN:
            return None
        return Part(kind, times.low * factor, times.high * factor), end  # type: ignore[arg-type]

    def _every(self, after: int, _: Word) -> Found:
        """``q4-6h``, ``every 12 hours``, ``every Monday``."""
        day = self.word(after)
        if day is not None and day[0].kind == "weekday":
            return self._days(day[1], day[0])
        span = self.range(after)
        unit = self.unit(span.after, time=True) if span is not None else None
        if span is None or unit is None:
            return None
        return self._interval(span, unit[0].size, unit[1])

    def _interval(self, span: Span, size: float, end: int) -> Found:
        low, high = 1 / (span.high * size), 1 / (span.low * size)
        if high > _TOO_OFTEN + 1e-9:
            return Part("unclear_frequency"), end
        return Part("often", low, high), end

    def _per(self, after: int, _: Word) -> Found:
        """A length of time that nothing counts: no reading, but it says how often."""
        length = self._length(after)
        return (Part("unknown", 1 / length[0]), length[1]) if length is not None and length[0] > 0 else None

    def _days(self, after: int, meaning: Word) -> Found:
        """``Monday``, ``Monday to Friday``; days in a row with commas are parts of their own."""
        first = int(meaning.value)
        last = self.word(after + 1) if self.is_kind(after, "range", "through") else None
        if last is None or "weekday" not in last[0].kind:
            return Part("weekday", first, first, key="short" if meaning.kind == "short_weekday" else ""), after
        return (Part("weekday", first, last[0].value), last[1]) if last[0].value > first else None

    def _clock(self, place: int) -> Found:
        """``18:00``, ``8 am``, ``8:30 p.m.``"""
        hour = self.at(place)
        if not hour.isascii() or not hour.isdecimal() or len(hour) > 2 or int(hour) > 24:
            return None
        end, minutes = place + 1, self.at(place + 2)
        if (
            self.at(end) == ":"
            and len(minutes) == 2
            and minutes.isascii()
            and minutes.isdecimal()
            and int(minutes) < 60
        ):
            end += 2
        if self.at(end) in ("am", "pm") or (end > place + 1 and self.at(end) in ("h", "hrs", "hours")):
            end += 1
        return (Part("clock", key=" ".join(self.said[place:end])), end) if end > place + 1 else None

    # --- limits and lengths

    def _most(self, after: int, _: Word) -> Found:
        """``max 8 tablets in 24 hours``, ``no more than 4 doses a day``, ``not to exceed 4 g daily``."""
        found = self._led_by_number(after)
        if found is None:
            counted = self.word(after)
            found = (
                self._counted(counted[1], counted[0]) if counted is not None and counted[0].kind == "count" else None
            )
        if found is None:
            return None
        part, end = found
        daily = phrase_at(self.wording.frequencies, self.said, end, self.wording.longest)
        if part.kind == "dose" and daily is not None and self.wording.frequencies[daily] == 1:
            part, end = part._replace(kind="per_day"), end + len(daily)
        if part.low != part.high:
            return None
        if part.kind == "per_day" and part.unit != "dose":
            return part._replace(kind="most"), end
        often = part.kind == "per_day" or (part.kind == "often" and part.low >= 1)
        return (Part("most_often", part.low, part.high), end) if often else None

    def _up_to(self, after: int, meaning: Word) -> Found:
        """``up to 3 times a day`` is as needed, ``up to 8 tablets a day`` a limit."""
        found = self._most(after, meaning)
        if found is None:
            return None
        part, end = found
        if part.kind == "most_often" and self.at(end - 1) and not self._doses_between(after, end):
            return part._replace(kind="up_to"), end
        return part, end

    def _doses_between(self, begin: int, end: int) -> bool:
        return any(token in ("dose", "doses") for token in self.said[begin:end])

    def _lasting(self, after: int, meaning: Word) -> Found:
        """``for 7 days``, ``x 10 days``, ``for 2 doses``, ``x1``, ``for pain``."""
        reason = self.word(after)
        if meaning.kind == "lasting" and reason is not None and reason[0].kind == "reason":
            return Part("filler", key="reason"), reason[1]
        span = self.range(after)
        if span is None:
            length = self._length(after) if meaning.kind == "lasting" else None
            return (Part("lasting", length[0], length[0]), length[1]) if length is not None else None
        unit = self.unit(span.after, time=True)
        if unit is not None:
            return Part("lasting", span.low * unit[0].size, span.high * unit[0].size), unit[1]
        if self.at(span.after) in ("dose", "doses"):
            return Part("count", span.low, span.high), span.after + 1
        alone = meaning.kind == "times" and (span.low, span.high) == (1, 1)
        return (Part("single"), span.after) if alone and self.unit(span.after) is None else None

    def _over(self, after: int, _: Word) -> Found:
        """How long one dose runs."""
        length = self._length(after)
        span = self.range(after)
        unit = self.unit(span.after, time=True) if span is not None else None
        if unit is not None:
            return Part("filler"), unit[1]
        return (Part("filler"), length[1]) if length is not None else None


_WHOLE = (1 / 7, 1 / 30.4375)
"""Of the adverbs of time those that a number of times may stand before: ``twice weekly``; not ``twice every other day``."""
