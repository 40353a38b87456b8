"""`callnode history`: the calls that were; `callnode surveys`: what people say of them."""

from collections.abc import Iterator
from urllib.parse import urlencode

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from node.commands.event import minutes, shown_name, when
from node.commands.options import Access, OwnerAccess, json_option, owner_options, user_options
from node.commands.process import OK, run
from signaling.history import CallSummary, HistoryPage
from signaling.surveys import AudioRating, OverallRating, SurveyEntry, SurveyPage

_limit = click.option(
    "--limit", type=click.IntRange(1, 500), default=50, show_default=True, help="How many, at most."
)
_before = click.option("--before", type=click.IntRange(1), metavar="N", help="Only those before number N.")
_HEADS = ("number", "when", "", "with", "how it went", "talked")


@click.command(short_help="The calls that were.")
@_limit
@_before
@click.option("--direction", type=click.Choice(["incoming", "outgoing"]), help="Only calls of one direction.")
@click.option("--missed", is_flag=True, help="Only incoming calls that no person answered.")
@click.option("--with", "party", metavar="NAME", help="Only calls that somebody else had a part in.")
@json_option
@user_options
def history(
    access: Access,
    as_json: bool,
    limit: int,
    before: int | None,
    direction: str | None,
    missed: bool,
    party: str | None,
) -> None:
    """Show the calls that you had a part in, the newest first.

    Examples: callnode history --missed; callnode history --with bob --json
    """
    query = {"limit": limit, "before": before, "direction": direction, "party": party}
    query |= {"missed": "true"} if missed else {}
    given = {name: str(value) for name, value in query.items() if value is not None}
    run(lambda _: _history(access, given, as_json))


async def _history(access: Access, query: dict[str, str], as_json: bool) -> int:
    body = await access.request("GET", f"/v1/history?{urlencode(query)}")
    if as_json:
        click.echo(body)
        return OK
    page = msgspec.json.decode(body, type=HistoryPage)
    _show([_call(call) for call in page.calls], "There is no such call.", page.next)
    return OK


def _call(call: CallSummary) -> tuple[str, ...]:
    """Return a call in words: its number, when, which way, with whom, how it went, how long."""
    out = call.direction == "outgoing"
    other = shown_name(call.callee if out else call.caller)
    talked = "" if call.duration is None else minutes(call.duration)
    return (str(call.number), when(call.placed_at), "→" if out else "←", other, _course(call), talked)


def _course(call: CallSummary) -> str:
    words = []
    if call.transferor is not None:
        words.append(f"transferred by {shown_name(call.transferor)}")
    if call.via:
        words.append(f"via {', '.join(map(shown_name, call.via))}")
    if call.answered_by is None:
        words.append(call.reason.message)
    elif call.kind == "voicemail":
        words.append("voicemail answered")
    elif call.answered_by != (call.callee if call.direction == "outgoing" else None):
        words.append(f"{shown_name(call.answered_by)} answered")
    if call.answered_by is not None and call.reason.category != "Success":
        words.append(call.reason.message)
    return "; ".join(words)


@click.command(short_help="What people say of their calls (for the hub's owner).")
@_limit
@_before
@json_option
@owner_options
def surveys(access: OwnerAccess, as_json: bool, limit: int, before: int | None) -> None:
    """Show the surveys that were submitted after calls, the newest first.

    Needs the hub's data folder, or its access key in CALLNODE_ACCESS_KEY and its URL.
    """
    query = urlencode({"limit": limit} | ({} if before is None else {"before": before}))
    run(lambda _: _surveys(access, query, as_json))


async def _surveys(access: OwnerAccess, query: str, as_json: bool) -> int:
    body = await access.request("GET", f"/v1/surveys?{query}")
    if as_json:
        click.echo(body)
        return OK
    page = msgspec.json.decode(body, type=SurveyPage)
    _show([_survey(entry) for entry in page.surveys], "No survey was submitted yet.", page.next)
    return OK


def _survey(entry: SurveyEntry) -> tuple[str, ...]:
    said = entry.survey
    overall, audio = _rating("call", said.overall_rating), _rating("sound", said.audio_rating)
    ratings = "; ".join(filter(None, (overall, audio)))
    return (str(entry.number), when(entry.submitted_at), "", shown_name(entry.user), ratings, entry.call_id)


def _rating(what: str, rating: OverallRating | AudioRating | None) -> str:
    if rating is None:
        return ""
    issues = f" ({', '.join(rating.issues)})" if rating.issues else ""
    return f"{what} {rating.score}/{rating.scale.upper_bound}{issues}"


def _show(rows: list[tuple[str, ...]], none: str, more: int | None) -> None:
    """Print rows as a table, without a terminal as lines; then how to see more."""
    console = Console(highlight=False)
    if not rows:
        click.echo(none)
    elif console.is_terminal:
        table = Table(*_HEADS, box=None, header_style="bold")
        for row in rows:
            table.add_row(*map(escape, row))
        console.print(table)
    else:
        for line in _lines(rows):
            click.echo(line)
    if more is not None:
        click.echo(f"For those before: --before {more}")


def _lines(rows: list[tuple[str, ...]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        padded = (text.ljust(width) for text, width in zip(row, widths, strict=True) if width)
        yield "  ".join(padded).rstrip()
