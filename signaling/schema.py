"""Write what others read of the wire: JSON Schema, TypeScript types, the tables in WIRE.md and REASONS.md.

`python -m signaling.schema` writes the files, `--check` fails if one of them has drifted.
"""

import argparse
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import get_args

import msgspec
from msgspec import Struct, inspect

from signaling import reasons
from signaling.messages import ClientMessage, HubMessage
from signaling.reasons import Reason

HERE = Path(__file__).parent


def json_schema() -> str:
    """Return the JSON Schema (2020-12) of both directions."""
    (client, hub), parts = msgspec.json.schema_components(
        (ClientMessage, HubMessage), ref_template="#/$defs/{name}"
    )
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "callnode messages",
        "anyOf": [{"$ref": "#/$defs/ClientMessage"}, {"$ref": "#/$defs/HubMessage"}],
        "$defs": {**parts, "ClientMessage": client, "HubMessage": hub},
    }
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def typescript() -> str:
    """Return a TypeScript declaration of every message and of both unions."""
    blocks = ["// Generated from signaling/messages.py by `python -m signaling.schema`."]
    blocks += [_interface(struct) for struct in _structs(_messages(ClientMessage, HubMessage))]
    blocks += [_union("ClientMessage", ClientMessage), _union("HubMessage", HubMessage)]
    return "\n\n".join(blocks) + "\n"


def table() -> str:
    """Return the table of all messages, in Markdown."""
    both = [kind for kind in get_args(ClientMessage) if kind in get_args(HubMessage)]
    sections: list[tuple[str, list[type[Struct]]]] = [
        ("Agent to hub", [kind for kind in get_args(ClientMessage) if kind not in both]),
        ("Both directions", both),
        ("Hub to agent", [kind for kind in get_args(HubMessage) if kind not in both]),
    ]
    lines: list[str] = []
    for title, kinds in sections:
        lines += [f"### {title}", "", "| message | fields | meaning |", "|---|---|---|"]
        lines += [_row(_info(kind)) for kind in kinds]
        lines.append("")
    used = {
        struct.cls for struct in _structs(_messages(ClientMessage, HubMessage)) if not _is_message(struct)
    }
    lines += ["### Parts", "", "| part | fields | meaning |", "|---|---|---|"]
    lines += [_row(_info(kind)) for kind in sorted(used, key=lambda kind: kind.__name__)]
    return "\n".join(lines) + "\n"


def reason_table() -> str:
    """Return the table of all reasons, in Markdown."""
    named = {name: each for name, each in vars(reasons).items() if isinstance(each, Reason)}
    lines = ["| name | code / sub code | category | meaning | what to do |", "|---|---|---|---|---|"]
    for name, each in sorted(named.items(), key=lambda pair: (pair[1].code, pair[1].sub_code, pair[0])):
        codes = f"{each.code} / {each.sub_code}"
        remedy = reasons.REMEDIES.get(each, "—")
        lines.append(f"| `{name}` | {codes} | {each.category} | {each.message} | {remedy} |")
    return "\n".join(lines) + "\n"


def transfer_table() -> str:
    """Return the table of what a transfer fails for, in Markdown."""
    lines = ["| code / sub code | name | as `Transfer.error` it means | what to do |", "|---|---|---|---|"]
    errors = reasons.TRANSFER_ERRORS.items()
    named = {each: name for name, each in vars(reasons).items() if isinstance(each, Reason)}
    for each, meaning in sorted(errors, key=lambda pair: (pair[0].code, pair[0].sub_code, named[pair[0]])):
        remedy = reasons.REMEDIES.get(each, "—")
        lines.append(f"| {each.code} / {each.sub_code} | `{named[each]}` | {meaning} | {remedy} |")
    return "\n".join(lines) + "\n"


def filled(page: str, **parts: Callable[[], str]) -> str:
    """Return a page with what stands between the marks of each part renewed; raises ValueError."""
    for name, make in parts.items():
        opening, closing = f"<!-- {name}: generated -->\n", f"<!-- end of {name} -->\n"
        before, begin, rest = page.partition(opening)
        _, end, after = rest.partition(closing)
        if not begin or not end:
            raise ValueError(f"the page must hold the lines {opening.strip()} and {closing.strip()}")
        page = f"{before}{begin}\n{make()}\n{end}{after}"
    return page


FILES: dict[Path, Callable[[str], str]] = {
    HERE / "web" / "messages.schema.json": lambda _: json_schema(),
    HERE / "web" / "messages.d.ts": lambda _: typescript(),
    HERE / "WIRE.md": lambda page: filled(page, messages=table),
    HERE / "REASONS.md": lambda page: filled(page, reasons=reason_table, transfers=transfer_table),
}


def main(arguments: list[str] | None = None) -> int:
    """Write or check the files; return the exit status."""
    return renew("signaling.schema", __doc__ or "", FILES, arguments)


def renew(
    module: str, what: str, files: Mapping[Path, Callable[[str], str]], arguments: list[str] | None = None
) -> int:
    """Write or check files, each made from what it was, for `python -m module`; return the exit status."""
    parser = argparse.ArgumentParser(prog=f"python -m {module}", description=what)
    parser.add_argument("--check", action="store_true", help="only say which files have drifted")
    check = parser.parse_args(arguments).check
    drifted = 0
    for path, make in files.items():
        old = path.read_text(encoding="utf-8") if path.exists() else ""
        new = make(old)
        if old == new:
            continue
        drifted += 1
        if check:
            print(f"{path.name} has drifted; run python -m {module}", file=sys.stderr)
        else:
            path.write_text(new, encoding="utf-8")
    return 1 if check and drifted else 0


def _messages(*unions: object) -> list[type[Struct]]:
    return list(dict.fromkeys(kind for union in unions for kind in get_args(union)))


def _info(kind: type[Struct]) -> inspect.StructType:
    info = inspect.type_info(kind)
    assert isinstance(info, inspect.StructType)
    return info


def _structs(kinds: list[type[Struct]]) -> list[inspect.StructType]:
    """Return the structs with all that they are made of, parts first."""
    found: dict[type, inspect.StructType] = {}

    def visit(part: inspect.Type) -> None:
        for inner in _inside(part):
            visit(inner)
        if isinstance(part, inspect.StructType):
            found.setdefault(part.cls, part)

    for kind in kinds:
        visit(_info(kind))
    return list(found.values())


def _inside(part: inspect.Type) -> Iterator[inspect.Type]:
    match part:
        case inspect.StructType(fields=fields):
            yield from (field.type for field in fields)
        case inspect.UnionType(types=types):
            yield from types
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            yield item
        case inspect.DictType(key_type=key, value_type=value):
            yield from (key, value)
        case inspect.Metadata(type=inner):
            yield inner


def _is_message(struct: inspect.StructType) -> bool:
    return struct.tag_field == "type"


def _fields(struct: inspect.StructType) -> list[str]:
    tag = [f"{struct.tag_field}: {json.dumps(struct.tag)}"] if struct.tag_field else []
    return tag + [
        f"{field.encode_name}{'' if field.required else '?'}: {_type(field.type)}" for field in struct.fields
    ]


def _interface(struct: inspect.StructType) -> str:
    body = "".join(f"  {field};\n" for field in _fields(struct))
    return f"/** {_meaning(struct)} */\nexport interface {struct.cls.__name__} {{\n{body}}}"


def _union(name: str, union: object) -> str:
    return f"export type {name} =" + "".join(f"\n  | {kind.__name__}" for kind in get_args(union)) + ";"


def _row(struct: inspect.StructType) -> str:
    name = str(struct.tag) if _is_message(struct) else struct.cls.__name__
    shown = [
        f"`{field}`".replace("|", "\\|")
        for field in _fields(struct)
        if not field.startswith(("type:", "seq?:"))
    ]
    return f"| `{name}` | {', '.join(shown) or '—'} | {_meaning(struct)} |"


def _meaning(struct: inspect.StructType) -> str:
    return " ".join((struct.cls.__doc__ or "").split())


def _type(part: inspect.Type) -> str:
    match part:
        case inspect.Metadata(type=inner):
            return _type(inner)
        case inspect.StructType(cls=cls):
            return cls.__name__
        case inspect.StrType():
            return "string"
        case inspect.IntType() | inspect.FloatType():
            return "number"
        case inspect.BoolType():
            return "boolean"
        case inspect.NoneType():
            return "null"
        case inspect.LiteralType(values=values):
            return " | ".join(json.dumps(value) for value in values)
        case inspect.UnionType(types=types):
            return " | ".join(_type(each) for each in types)
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            inner_type = _type(item)
            return f"({inner_type})[]" if " | " in inner_type else f"{inner_type}[]"
        case inspect.DictType(key_type=key, value_type=value):
            return f"Record<{_type(key)}, {_type(value)}>"
        case _:
            raise TypeError(f"no TypeScript for {part}")


if __name__ == "__main__":
    sys.exit(main())
