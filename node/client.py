"""Where an application starts (ACS CallClient)."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from media.audio import Source
from media.engine import IceServer, IceTransportPolicy
from media.processing import AudioProcessing
from media.tones import check_country
from node.agent import CallAgent
from node.credential import TokenCredential, token_of
from node.devices import DeviceManager
from node.errors import CallingError
from signaling.reasons import BAD_ARGUMENT

_ROOT = logging.getLogger("callnode")


class _Forward(logging.Handler):
    """Hand records on to an application's logger, unless it is one of those they come from."""

    def __init__(self, to: logging.Logger) -> None:
        super().__init__()
        self._to = to

    def emit(self, record: logging.LogRecord) -> None:
        if self._to is not _ROOT and not self._to.name.startswith("callnode."):
            self._to.handle(record)


@dataclass(frozen=True)
class CallClientOptions:
    """`hub` overrides the hub that the token names; `ice_servers` are used besides those the hub tells of.

    `ice_transport_policy` `relay` lets sound pass by TURN servers only, which hides this machine's addresses.
    Logs go to the standard logger `callnode` and its children; a `logger`, if given, gets them too.
    `tones` is the country (ISO 3166-1, such as `de`) whose ringback, busy and waiting tones are heard with
    calls on the devices; with `rings` the ring device rings for incoming calls. `hold_audio` opens what the
    other end hears while it is held, such as `music_on_hold`: silence without it.
    `audio_processing` is what is done to the microphone's sound; the device manager can change it later.
    """

    hub: str | None = None
    ice_servers: Sequence[IceServer] = ()
    ice_transport_policy: IceTransportPolicy = "all"
    logger: logging.Logger | None = None
    tones: str = "us"
    rings: bool = False
    hold_audio: Callable[[], Source] | None = None
    audio_processing: AudioProcessing = field(default_factory=AudioProcessing)


class CallClient:
    """Make agents, and own the devices they use; raises ValueError for tones of an unknown country."""

    def __init__(self, options: CallClientOptions | None = None) -> None:
        self._options = options or CallClientOptions()
        self._tones = check_country(self._options.tones)
        self._devices = DeviceManager(self._options.audio_processing)
        self._agents: set[CallAgent] = set()
        self._forward = _Forward(self._options.logger) if self._options.logger is not None else None
        if self._forward is not None:
            _ROOT.addHandler(self._forward)

    async def create_call_agent(
        self, credential: TokenCredential, *, display_name: str = "", transfer_consent: bool = False
    ) -> CallAgent:
        """Connect as the user of a token; with `transfer_consent` it is asked before it is transferred.

        Raises CallingError: 495/4507 for a token the hub does not accept, 410/3100 if it cannot be reached;
        and what `hold_audio` raises, which is tried.
        """
        if self._options.hold_audio is not None:  # music is made at the first time, and not amid a call
            (await asyncio.to_thread(self._options.hold_audio)).close()
        hub = self._options.hub or (await token_of(credential)).issuer
        if not hub.startswith(("http://", "https://")):
            message = "The token names no hub; give CallClientOptions(hub='http://…')."
            raise CallingError(BAD_ARGUMENT.code, BAD_ARGUMENT.sub_code, message)
        agent = CallAgent(
            credential,
            hub,
            self._devices,
            display_name=display_name,
            transfer_consent=transfer_consent,
            ice_servers=self._options.ice_servers,
            ice_transport_policy=self._options.ice_transport_policy,
            tones=self._tones,
            rings=self._options.rings,
            hold_audio=self._options.hold_audio,
            on_disposed=self._agents.discard,
        )
        await agent._open()
        self._agents.add(agent)
        return agent

    async def get_device_manager(self) -> DeviceManager:
        """Return the devices of this client."""
        return self._devices

    async def dispose(self) -> None:
        """Dispose every agent and let every device go; may be called more than once."""
        while self._agents:
            await self._agents.pop().dispose()
        await self._devices.dispose()
        if self._forward is not None:
            _ROOT.removeHandler(self._forward)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.dispose()
