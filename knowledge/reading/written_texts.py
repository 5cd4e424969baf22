"""Checks what a written rule says: its placeholders, and that its summary fits whatever stands in them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from knowledge.conditions import Names, nearest
from knowledge.written import WrittenRule

PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
SUMMARY = 139
"""Characters of a summary."""
WIDTHS = {
    "medicine": 30, "medicines": 40, "ordered": 40, "value": 14, "when": 20, "since": 20, "days": 4, "age": 3, "sex": 6,
    "weight": 6, "egfr": 5, "crcl": 5, "missing": 30, "last": 31, "due": 20, "beside": 30, "count": 2, "unit": 10,
}  # fmt: skip
"""What may stand in braces beside the names of analytes, and how many characters of a summary are kept free for it."""
_VALUE = 14


def check_texts(rule: WrittenRule, names: Names) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Where something is wrong, the text that is meant, and what is wrong with it."""
    texts: list[tuple[tuple[str | int, ...], str]] = [
        (("title",), rule.title), (("summary",), rule.summary), (("detail",), rule.detail), (("patient",), rule.patient),
        *((("actions",), each) for each in rule.actions),
    ]  # fmt: skip
    for place, step in enumerate(rule.steps):
        texts.append((("steps", place, "detail"), step.detail))
        texts += [(("steps", place, "actions"), each) for each in step.actions]
    known = {*WIDTHS, *names.analytes}
    for path, text in texts:
        if not text.strip() and path[0] != "steps":
            yield path, "", f"{path[-1]!r} says nothing"
        for name in PLACEHOLDER.findall(text):
            if name not in known:
                yield path, f"{{{name}}}", f"{{{name}}} is no placeholder; {nearest(name, known)}"
        if "{" in PLACEHOLDER.sub("", text) or "}" in PLACEHOLDER.sub("", text):
            yield path, text, "a brace stands alone; a placeholder is a name in { }"
    length = _longest(rule)
    if length > SUMMARY:
        yield ("summary",), "", f"may have {length} characters when filled; at most {SUMMARY} are shown: shorten it"


def _longest(rule: WrittenRule) -> int:
    widest = max((len(each) for each in rule.trigger.members), default=WIDTHS["medicine"])
    widths = WIDTHS | {"medicine": min(widest, WIDTHS["medicine"])}
    if rule.missing is not None:
        each = [len(" or ".join(names)) for names in rule.missing.results]
        widths["missing"] = sum(each) + 2 * (len(each) - 1)
        widths["last"] += max(each) + 1 if len(each) > 1 else 0
    return len(PLACEHOLDER.sub(lambda found: "x" * widths.get(found[1], _VALUE), rule.summary))
