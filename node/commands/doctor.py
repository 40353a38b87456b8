"""`callnode doctor`: what is wrong here, and what to do."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import nullcontext
from pathlib import Path

import click
import msgspec
from rich.console import Console
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from media.engine import IceServer
from node import doctor as checks
from node.commands.doctor_devices import Show, devices
from node.commands.event import plain
from node.commands.options import hub_option, json_option, token_file_option, token_text
from node.commands.process import ERROR, NETWORK, OK, TOKEN, run
from node.credential import AccessToken, read_token
from node.doctor import Check, Finding
from node.errors import CallingError
from node.trust import trusted

_MARKS = {"ok": "[green]✓[/]", "warning": "[yellow]![/]", "problem": "[red]✗[/]", "skipped": "[dim]–[/]"}
_CODES: dict[Check, int] = {"token": TOKEN, "sign-in": TOKEN, "hub": NETWORK, "clock": NETWORK}
_CODES |= {"network": NETWORK, "stun": NETWORK, "turn": NETWORK}


@click.command(short_help="Say what is wrong here, and what to do.")
@token_file_option
@hub_option
@click.option("--sound", is_flag=True, help="Play a tone and listen to the microphone: speak meanwhile.")
@json_option
def doctor(token_file: Path | None, hub: str | None, sound: bool, as_json: bool) -> None:
    """Look at token, hub, network, microphone and speaker, and say what is wrong and what to do.

    It signs in for a moment. Exit codes: 0 nothing is wrong, 1 microphone or speaker are, 5 hub or network,
    6 the token.
    """
    text = token_text(token_file)
    run(lambda stop: _doctor(stop, text, hub, sound, as_json))


async def _doctor(stop: asyncio.Event, text: str, url: str | None, sound: bool, as_json: bool) -> int:
    console = Console(highlight=False)
    found: list[Finding] = []
    screen = console.is_terminal and not as_json
    with console.status("looking …") if screen else nullcontext() as status:
        show = status.update if status is not None else _nothing
        async for finding in _examine(stop, text, url, sound, show):
            found.append(finding)
            if screen:
                console.print(_row(finding))
            elif not as_json:
                for line in _lines(finding):
                    click.echo(line)
    if as_json:
        click.echo(msgspec.json.encode(found))
    problems = [finding for finding in found if finding.status == "problem"]
    if not as_json:
        click.echo("Nothing is wrong." if not problems else f"{len(problems)} problem(s).")
    return max((_CODES.get(problem.check, ERROR) for problem in problems), default=OK)


def _row(finding: Finding) -> Table:
    grid = Table.grid(padding=(0, 1))
    grid.add_column(width=1)
    grid.add_column(width=11)
    grid.add_column()
    advice = f"\n[bold]→ {escape(plain(finding.advice))}[/]" if finding.advice else ""
    grid.add_row(_MARKS[finding.status], finding.check, escape(plain(finding.found)) + advice)
    return grid


def _lines(finding: Finding) -> Iterator[str]:
    yield plain(f"{finding.status:<8} {finding.check:<11} {finding.found}")
    if finding.advice:
        yield plain(f"{'':<8} {'':<11} → {finding.advice}")


def _nothing(_: Text) -> None:
    pass


async def _examine(
    stop: asyncio.Event, text: str, url: str | None, sound: bool, show: Show
) -> AsyncIterator[Finding]:
    token, finding = _token(text, url)
    yield finding
    hub = (url or (token.issuer if token else "")).rstrip("/")
    reachable, servers = False, tuple[IceServer, ...]()
    if hub.startswith(("http://", "https://")):
        try:
            ssl = trusted(text)
        except CallingError as error:
            yield Finding("hub", "problem", error.message)
        else:
            async for finding in checks.hub(hub, ssl):
                reachable = reachable or (finding.check == "hub" and finding.status != "problem")
                yield finding
            if reachable and token is not None:
                finding, servers = await checks.sign_in(hub, token, ssl)
                yield finding
    elif hub:
        yield Finding("hub", "problem", f"{hub!r} is no address", "It begins with http:// or https://.")
    else:
        yield Finding("hub", "skipped", "which one is not known", "Give --hub URL, or a token.")
    async for finding in checks.network(hub if reachable else None, servers):
        yield finding
    async for finding in devices(stop, show, sound=sound):
        yield finding


def _token(text: str, url: str | None) -> tuple[AccessToken | None, Finding]:
    if not text:
        advice = "Get one where the hub runs (callnode token NAME), and set CALLNODE_TOKEN to it."
        return None, Finding("token", "problem", "there is none", advice)
    try:
        token = read_token(text)
    except CallingError as error:
        return None, Finding("token", "problem", "what is given is no token", error.message)
    return token, checks.token(token, (url or token.issuer).rstrip("/"))
