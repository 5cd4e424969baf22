"""What happens when medicines with certain properties act together."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from itertools import product
from typing import Literal, NamedTuple

from knowledge.conditions import Conditions
from knowledge.statement import Advised, Statement, Step, decides_before
from schemas.values import Severity

Role = Literal["object", "precipitant", "third"]
ROLES: tuple[Role, ...] = ("object", "precipitant", "third")


class Context(Statement, frozen=True, kw_only=True):
    """What makes a combination more or less grave: when all of ``when`` hold, ``severity``; the reason in a sentence.
    ``problem``: what it then shares with other rules that show the same, over that of the mechanism; empty where it is that."""

    when: Conditions
    severity: Step
    problem: str
    reason: str


class Mechanism(Advised, frozen=True, kw_only=True):
    """Medicines that change one another: every object with every precipitant (and every third, where there is one).

    ``severity`` holds where no context does. ``problem`` names what it shares with other rules that show the same, empty where
    nothing. ``onc_number`` is its number in the published list of low-priority pairs, None where it is not from there.
    """

    id: str
    problem: str
    onc_number: int | None
    members: Mapping[Role, frozenset[str]]
    severity: Severity
    contexts: tuple[Context, ...]
    mechanism: str
    onset: str
    monitor: tuple[str, ...]

    def problem_under(self, context: Context | None) -> str:
        """What it shares with other rules that show the same, when ``context`` decides."""
        return (context.problem if context is not None else "") or self.problem

    def graded(self, holding: Iterable[Context]) -> tuple[Step, Context | None]:
        """The severity under the contexts that hold, with the one that decides: one that says ``none``, else the gravest."""
        gravest = min(holding, key=lambda each: decides_before(each.severity), default=None)
        return (self.severity, None) if gravest is None else (gravest.severity, gravest)


class Combination(NamedTuple):
    """A mechanism with the ingredients in its roles; ``third`` is empty where it has none."""

    mechanism: Mechanism
    object: str
    precipitant: str
    third: str = ""

    @property
    def ingredients(self) -> tuple[str, ...]:
        return tuple(filter(None, (self.object, self.precipitant, self.third)))


class Mechanisms:
    """All of them, ready to look up. Two ingredients of ``stand_over`` have a statement of their own in ``pairs.csv`` and its
    neighbours: no mechanism of two speaks of them."""

    def __init__(
        self, mechanisms: Iterable[Mechanism] = (), stand_over: Collection[tuple[str, str]] = frozenset()
    ) -> None:
        self.by_id: Mapping[str, Mechanism] = {each.id: each for each in mechanisms}
        self._stand_over = stand_over
        of: dict[str, list[str]] = {}
        for each in self.by_id.values():
            for ingredient in frozenset().union(*each.members.values()):
                of.setdefault(ingredient, []).append(each.id)
        self._of: Mapping[str, tuple[str, ...]] = {ingredient: tuple(ids) for ingredient, ids in of.items()}

    @property
    def ingredients(self) -> Collection[str]:
        """Every ingredient that has a role in one."""
        return self._of.keys()

    def of(self, ingredient: str) -> tuple[Mechanism, ...]:
        """Those in which it has a role."""
        return tuple(self.by_id[each] for each in self._of.get(ingredient, ()))

    def among(self, ingredients: Collection[str], changed: Collection[str] = ()) -> Iterator[Combination]:
        """Every combination among these ingredients, each once; only those with one of ``changed``, where that is given."""
        found: dict[str, None] = {}
        for ingredient in changed or ingredients:
            found |= dict.fromkeys(self._of.get(ingredient, ()))
        for each in found:
            for combination in self.of_one(self.by_id[each], ingredients):
                if not changed or any(one in changed for one in combination.ingredients):
                    yield combination

    def of_one(self, mechanism: Mechanism, ingredients: Collection[str]) -> Iterator[Combination]:
        """Every combination of one mechanism among these ingredients, each once."""
        for combination in _combinations(mechanism, ingredients):
            if combination.third or _key(combination) not in self._stand_over:
                yield combination


def _combinations(mechanism: Mechanism, ingredients: Collection[str]) -> Iterator[Combination]:
    roles = [role for role in ROLES if role in mechanism.members]
    seen: set[frozenset[str]] = set()
    for taken in product(*(sorted(mechanism.members[role].intersection(ingredients)) for role in roles)):
        # where an ingredient may stand on either side, the combination is the same the other way round
        if len(set(taken)) == len(taken) and frozenset(taken) not in seen:
            seen.add(frozenset(taken))
            yield Combination(mechanism, *taken)


def _key(combination: Combination) -> tuple[str, str]:
    one, other = sorted((combination.object, combination.precipitant))
    return (one, other)
