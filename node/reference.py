"""Write the reference of the client API, node/API.md, from its docstrings.

`python -m node.reference` writes it, `--check` fails if it has drifted.
"""

import ast
import dataclasses
import enum
import inspect
import re
import sys
import textwrap
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from msgspec import Struct

import node
from node.events import Events
from node.features import kinds
from signaling.schema import filled, renew

HERE = Path(__file__).parent

GROUPS = {
    "Client, agent, tokens": [
        "CallClient", "CallClientOptions", "IceServer", "CallAgent", "ConnectionState",
        "CommunicationTokenCredential", "CommunicationTokenRefreshOptions", "CallingError",
    ],
    "Calls": [
        "IncomingCall", "Call", "CallState", "CallEndReason", "RemoteParticipant", "CallerInfo",
        "StartCallOptions", "AcceptCallOptions", "AudioOptions", "CustomContext",
    ],
    "Group calls": ["GroupCallLocator", "JoinCallOptions", "AddParticipantOptions", "CallInfo"],
    "Transfer": ["TransferCallFeature", "Transfer", "TransferState", "TransferRequested"],
    "Other features of a call": [
        "Features", "MediaStatsFeature", "MediaStatsCollector", "MediaStatsReportSample",
        "MediaStatsReportSummary", "UserFacingDiagnosticsFeature", "Diagnostics", "DiagnosticChanged",
        "DiagnosticQuality", "DominantSpeakersFeature", "DominantSpeakersInfo", "CallSurveyFeature",
        "CallSurvey", "OverallRating", "AudioRating", "RatingScale", "CallSurveyResponse",
    ],
    "Devices": ["DeviceManager", "AudioDevice", "AudioProcessing", "comfort_tone", "music_on_hold"],
    "Where calls go": ["UserSettings", "Settings", "ToPerson", "ToGroup", "ToVoicemail", "Group"],
    "Identifiers": [
        "CommunicationIdentifier", "CommunicationUserIdentifier", "PhoneNumberIdentifier",
        "MicrosoftTeamsUserIdentifier", "UnknownIdentifier",
    ],
}  # fmt: skip

_PLAIN = {"progress_changed": "the progress: `trying`, `ringing`, `forwarded` or `voicemail`"}
_MADE_BY_APPLICATIONS = ("CallClient", "CommunicationTokenCredential", "UserSettings")
_EVENT = re.compile(r"The events? ((?:`\w+`(?:, | and )?)+)")
_OURS = ("node", "media", "signaling")


def api() -> str:
    """Return the whole reference, in Markdown; a public name in no group comes last."""
    listed = {name for names in GROUPS.values() for name in names}
    rest = [name for name in node.__all__ if name not in listed]
    groups = GROUPS | ({"More": rest} if rest else {})
    page = "\n".join(line for title, names in groups.items() for line in _group(title, names))
    return f"{page}\n{_type_names(page)}"


def _group(title: str, names: list[str]) -> Iterator[str]:
    yield f"## {title}\n"
    for name in names:
        yield from _entry(name, getattr(node, name))


def _entry(name: str, thing: Any) -> Iterator[str]:
    yield f"### {name}\n"
    if not inspect.isclass(thing):
        yield f"`{name}{_signature(_tree(thing))}`\n"
        yield f"{_doc(thing)}\n"
        return
    if thing.__name__ != name:
        yield f"Another name for {thing.__name__}.\n"
    if constructor := _constructor(name, thing):
        yield f"`{constructor}`\n"
    yield f"{_doc(thing)}\n"
    if issubclass(thing, enum.Enum):
        yield "Values: " + ", ".join(f"`{each.name}`" for each in thing) + ".\n"
        return
    if attributes := [*_attributes(thing)]:
        yield f"Attributes: {', '.join(attributes)}.\n"
    if rows := [*_members(thing)]:
        yield "| member | what it is or does |\n|---|---|"
        yield from (f"| `{_cell(shown)}` | {_cell(said)} |" for shown, said in rows)
        yield ""
    if events := [*_events(thing)]:
        yield "| event | carries |\n|---|---|"
        yield from (f"| `{event}` | {_cell(said)} |" for event, said in events)
        yield ""


def _constructor(name: str, kind: type) -> str:
    """Return how an application makes one, empty where it is given."""
    if name in _MADE_BY_APPLICATIONS:
        return f"{name}{_signature(_functions(_tree(kind))['__init__'], returns=False)}"
    if issubclass(kind, Struct) or dataclasses.is_dataclass(kind):
        shown = (f"{each.target}{'=…' * (each.value is not None)}" for each in _fields(kind))
        return f"{name}({', '.join(shown)})"
    return ""


class _Field(NamedTuple):
    target: str
    annotation: str
    value: ast.expr | None


def _fields(kind: type) -> Iterator[_Field]:
    """Return the fields of a value, those of its bases first."""
    for base in _bases(kind):
        for line in _tree(base).body:
            if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name):
                yield _Field(line.target.id, _written(line.annotation), line.value)


def _attributes(kind: type) -> Iterator[str]:
    """Return the fields of a value with their types, and what a class sets on itself when it is made."""
    if kind is node.Features:
        for name, feature in kinds().items():
            yield f"`{name}` ([{feature.__name__}](#{feature.__name__.lower()}))"
        return
    for field in _fields(kind):
        yield f"`{field.target}: {field.annotation}`"
    for base in _bases(kind):
        made = _functions(_tree(base)).get("__init__")
        for line in made.body if made else ():
            match line:
                case ast.Assign(targets=[ast.Attribute(attr=name)]):
                    written = name
                case ast.AnnAssign(target=ast.Attribute(attr=name), annotation=annotation):
                    written = f"{name}: {_written(annotation)}"
                case _:
                    continue
            if not name.startswith("_") and not hasattr(kind, name):
                yield f"`{written}`"


def _members(kind: type) -> Iterator[tuple[str, str]]:
    """Return methods and properties, those of bases of ours too, with their docs."""
    found: dict[str, tuple[str, str]] = {}
    for base in _bases(kind):
        for name, function in _functions(_tree(base)).items():
            decorators = {ast.unparse(each) for each in function.decorator_list}
            if name.startswith("_") or name == "on" or decorators - {"property"}:
                continue
            said = " ".join((ast.get_docstring(function) or "").split())
            called = "await " if isinstance(function, ast.AsyncFunctionDef) else ""
            shown = f": {_written(function.returns)}" if decorators else _signature(function)
            found[name] = (f"{called}{name}{shown}", said)
    yield from found.values()


def _events(kind: type) -> Iterator[tuple[str, str]]:
    for event in getattr(kind, "EVENTS", ()):
        payload = _payloads(sys.modules[kind.__module__]).get(event) or _all_payloads().get(event)
        yield event, _PLAIN.get(event) or (_carried(payload) if payload else "nothing: read the property")


def _carried(payload: type) -> str:
    names = ", ".join(f"`{name}`" for name in getattr(payload, "__struct_fields__", ()))
    said = re.split(r"[:;] ", " ".join(_doc(payload).split()), maxsplit=1)[1:]
    return f"{payload.__name__}{f' ({names})' if names else ''}{f': {said[0]}' if said else ''}"


def _payloads(module: Any) -> dict[str, type]:
    found: dict[str, type] = {}
    for thing in vars(module).values():
        if inspect.isclass(thing) and (match := _EVENT.match(thing.__doc__ or "")):
            found |= dict.fromkeys(re.findall(r"`(\w+)`", match.group(1)), thing)
    return found


@cache
def _all_payloads() -> dict[str, type]:
    return {event: kind for module in _modules() for event, kind in _payloads(module).items()}


def _type_names(page: str) -> str:
    """Return what the names of types stand for that the page uses and that are no classes of its own."""
    spans = " ".join(re.findall(r"`([^`]*)`", page))
    used = set(re.findall(r"\b[A-Z]\w+\b", spans)) - set(node.__all__)
    public = [each for name in node.__all__ if inspect.isclass(each := getattr(node, name))]
    modules = {base.__module__: sys.modules[base.__module__] for kind in public for base in _bases(kind)}
    found: dict[str, str] = {}
    for module in modules.values():
        for name in sorted(used & set(vars(module))):
            if written := _alias(name, vars(module)[name], [module, *_modules()]):
                found.setdefault(name, written)
    rows = [f"| `{name}` | `{_cell(written)}` |" for name, written in sorted(found.items())]
    return "\n".join(["## Names of types\n", "| name | stands for |", "|---|---|", *rows]) + "\n"


def _alias(name: str, meant: object, modules: list[Any]) -> str:
    """Return how a name of a type is defined, in the first module that does so; empty for a class."""
    for module in modules:
        if vars(module).get(name) is not meant:
            continue
        for line in _tree_of(module):
            match line:
                case ast.Assign(targets=[ast.Name(id=defined)], value=value) if defined == name:
                    return _written(value) if isinstance(value, ast.Subscript | ast.BinOp) else ""
                case ast.AnnAssign(target=ast.Name(id=defined), value=ast.expr() as value) if defined == name:
                    return _written(value) if isinstance(value, ast.Subscript | ast.BinOp) else ""
    return ""


@cache
def _tree_of(module: Any) -> list[ast.stmt]:
    return ast.parse(inspect.getsource(module)).body


def _modules() -> list[Any]:
    return [each for name, each in sorted(sys.modules.items()) if name.partition(".")[0] in _OURS]


def _bases(kind: type) -> list[type]:
    """Return a class and those of ours that it is made of, the most general first."""
    ours = (base for base in reversed(kind.__mro__) if base.__module__.partition(".")[0] in _OURS)
    return [base for base in ours if base is not Events and not issubclass(base, Exception | enum.Enum)] or [
        kind
    ]


@cache
def _tree(of: Any) -> Any:
    return ast.parse(textwrap.dedent(inspect.getsource(of))).body[0]


def _functions(tree: ast.ClassDef) -> dict[str, ast.FunctionDef | ast.AsyncFunctionDef]:
    defined = (each for each in tree.body if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef))
    found: dict[str, ast.FunctionDef | ast.AsyncFunctionDef] = {}
    for function in defined:
        found.setdefault(function.name, function)  # a property before its setter
    return found


def _signature(function: Any, *, returns: bool = True) -> str:
    arguments = function.args
    positional = [each for each in arguments.args if each.arg not in ("self", "cls")]
    first = len(positional) - len(arguments.defaults)
    shown = [_argument(each, at >= first) for at, each in enumerate(positional)]
    if arguments.vararg:
        shown.append(f"*{_argument(arguments.vararg, False)}")
    elif arguments.kwonlyargs:
        shown.append("*")
    for each, default in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True):
        shown.append(_argument(each, default is not None))
    if arguments.kwarg:
        shown.append(f"**{_argument(arguments.kwarg, False)}")
    return f"({', '.join(shown)})" + (f" -> {_written(function.returns)}" if returns else "")


def _argument(argument: ast.arg, optional: bool) -> str:
    return f"{argument.arg}: {_written(argument.annotation)}{' = …' * optional}"


def _written(annotation: ast.expr | None) -> str:
    """Return a type as the code has it, without the quotes around what is defined later, and limits."""
    match annotation:
        case None:
            return "None"
        case ast.Constant(value=str() as name):
            return name
        case ast.Subscript(value=ast.Name(id="Annotated"), slice=ast.Tuple(elts=[kind, *_])):
            return _written(kind)
    return ast.unparse(annotation)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _doc(of: Any) -> str:
    return inspect.getdoc(of) or ""


FILES: dict[Path, Callable[[str], str]] = {HERE / "API.md": lambda page: filled(page, reference=api)}

if __name__ == "__main__":
    sys.exit(renew("node.reference", __doc__ or "", FILES))
