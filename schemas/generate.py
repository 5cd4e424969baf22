"""Write the JSON Schemas of all contracts into ``schemas/json/<type>/<version>.json``: ``python -m schemas.generate``.

A published version is never changed: a change that old readers or old writers would notice gets a new version.
"""

from __future__ import annotations

import inspect
import json
from pathlib import Path
from typing import Any

import msgspec

from schemas.adoption import Adoption
from schemas.alerts import Alert
from schemas.cloudevents import schema_path
from schemas.dead_letters import DeadLetter
from schemas.events import EVENT_TYPES
from schemas.feedback import Feedback
from schemas.patients import PatientPicture

MESSAGES: dict[str, type[msgspec.Struct]] = {
    **{str(kind.__struct_config__.tag): kind for kind in EVENT_TYPES},
    "adoption": Adoption,
    "alert": Alert,
    "patient_picture": PatientPicture,
    "feedback": Feedback,
    "dead_letter": DeadLetter,
}


def _closed(node: Any) -> Any:
    """The writer's side is strict: an object takes only the fields that the schema names.

    Docstrings lose their indentation, which Python keeps up to 3.12 and not after.
    """
    if isinstance(node, dict):
        node = {name: _closed(value) for name, value in node.items()}
        if isinstance(node.get("description"), str):
            node["description"] = inspect.cleandoc(node["description"])
        if node.get("type") == "object" and "properties" in node:
            node["additionalProperties"] = False
    elif isinstance(node, list):
        node = [_closed(value) for value in node]
    return node


def json_schema(message_type: str) -> dict[str, Any]:
    """The JSON Schema 2020-12 of one message type."""
    schema, components = msgspec.json.schema_components((MESSAGES[message_type],), ref_template="#/$defs/{name}")
    (reference,) = schema
    name = reference["$ref"].rsplit("/", 1)[1]
    top = components.pop(name)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": schema_path(message_type),
        **_closed(top),
        "$defs": _closed(components),
    }


def write(root: Path) -> list[Path]:
    """Write every schema below ``root`` (the ``schemas`` folder); gives the files written."""
    written = []
    for message_type in MESSAGES:
        path = root / schema_path(message_type)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(json_schema(message_type), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        written.append(path)
    return written


if __name__ == "__main__":
    for path in write(Path(__file__).parent):
        print(path)
