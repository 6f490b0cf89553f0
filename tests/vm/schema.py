"""As much of JSON Schema as packaging/schema.json uses; fields that it does not name are mistakes here."""

TYPES = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "array": list, "object": dict}
KNOWN = {"$ref", "anyOf", "type", "items", "additionalProperties", "properties", "required", "description"}


def mistakes(value: object, schema: dict, definitions: dict, where: str = "$") -> list[str]:
    """What of *value* is not as *schema* says."""
    assert schema.keys() <= KNOWN, f"{where}: not checked: {schema.keys() - KNOWN}"
    if "$ref" in schema:
        return mistakes(value, definitions[schema["$ref"].removeprefix("#/$defs/")], definitions, where)
    if "anyOf" in schema:
        found = [mistakes(value, item, definitions, where) for item in schema["anyOf"]]
        return [] if [] in found else found[0]
    names = schema.get("type", [])
    names = [names] if isinstance(names, str) else names
    if names and not any(_is(value, name) for name in names):
        return [f"{where}: {value!r} is not {' or '.join(names)}"]
    if isinstance(value, list) and "items" in schema:
        parts = [(item, schema["items"], f"{where}[{number}]") for number, item in enumerate(value)]
        return [line for part in parts for line in mistakes(part[0], part[1], definitions, part[2])]
    if isinstance(value, dict) and names:
        return _of_object(value, schema, definitions, where)
    return []


def _of_object(value: dict, schema: dict, definitions: dict, where: str) -> list[str]:
    found = [f"{where}: there is no {key}" for key in schema.get("required", []) if key not in value]
    for key, item in value.items():
        inner = schema.get("properties", {}).get(key, schema.get("additionalProperties"))
        if inner is None:
            found.append(f"{where}: {key} is not described")
        else:
            found += mistakes(item, inner, definitions, f"{where}.{key}")
    return found


def _is(value: object, name: str) -> bool:
    if name == "null":
        return value is None
    return isinstance(value, TYPES[name]) and (name == "boolean" or not isinstance(value, bool))
