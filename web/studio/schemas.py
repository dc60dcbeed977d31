"""What a schema of the API's description says to people: an example, and the kind of a value."""

from __future__ import annotations

from typing import Any

#: Schemas that others refer to, by name.
Parts = dict[str, Any]


def example(schema: dict[str, Any], parts: Parts) -> Any:  # noqa: ANN401 - JSON
    """What a schema says as an example, or else the plainest value that fits it."""
    for said in ("example", "const", "default"):
        if said in schema:
            return schema[said]
    for several in ("examples", "enum", "anyOf", "oneOf", "allOf"):
        if several in schema:
            first = schema[several][0]
            return first if several in ("examples", "enum") else example(first, parts)
    if "$ref" in schema:
        return example(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "properties" in schema:
        # What may be left out, and has no example, would only ask for something odd.
        return {
            name: example(one, parts)
            for name, one in schema["properties"].items()
            if name in schema.get("required", ()) or "examples" in one or one.get("default")
        }
    if schema.get("type") == "array":
        return [example(schema["items"], parts)]
    plain = {"string": "…", "integer": 0, "number": 0.0, "boolean": False, "null": None}
    return plain.get(schema.get("type", ""), {})


def kind(schema: dict[str, Any], parts: Parts) -> str:
    """Of a value that a schema takes, as ``integer`` or ``newest | oldest``."""
    if "$ref" in schema:
        return kind(parts[schema["$ref"].rpartition("/")[2]], parts)
    if "anyOf" in schema:
        kinds = [kind(one, parts) for one in schema["anyOf"]]
        return " | ".join(one for one in kinds if one != "null")
    if "enum" in schema or "const" in schema:
        return " | ".join(map(str, schema.get("enum", [schema.get("const")])))
    if schema.get("type") == "array":
        inner = kind(schema["items"], parts)
        return f"({inner})[]" if " | " in inner else f"{inner}[]"
    return str(schema.get("format") or schema.get("type", ""))
