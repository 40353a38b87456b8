"""The mixer service: an ordinary node that answers for groups instead of for a person."""

import logging
from collections.abc import Callable, Sequence

from media.engine import IceServer
from node.agent import CallAgent, IncomingCallEvent
from node.call import AcceptCallOptions, AudioOptions, Call, IncomingCall, Updated
from node.client import CallClientOptions
from node.credential import TokenCredential
from node.errors import CallingError
from node.exchange import Speakers
from node.mixer.conference import Conference
from node.service import answer_for_ever

log = logging.getLogger("callnode.mixer")


class MixerService:
    """Mix the group calls that the hub gives it; the credential's token needs the right `mixer`.

    `hub` overrides the hub that the token names.
    """

    def __init__(
        self, credential: TokenCredential, *, hub: str | None = None, ice_servers: Sequence[IceServer] = ()
    ) -> None:
        self._credential = credential
        self._options = CallClientOptions(hub=hub, ice_servers=ice_servers)
        self._conferences: dict[str, Conference] = {}
        self._agent: CallAgent | None = None

    async def serve(self, ready: Callable[[], None] | None = None) -> None:
        """Serve until cancelled; `ready` is called once calls are taken.

        Raises CallingError: 495/4507 when the hub does not accept the token, 410/3100 if the hub cannot be
        reached at first.
        """
        await answer_for_ever(self._options, self._credential, self._use, ready)

    def _use(self, agent: CallAgent) -> None:
        self._agent = agent
        self._conferences.clear()
        agent.on("incoming_call", self._incoming)
        agent.on("calls_updated", self._updated)
        log.info("the mixer is online")

    async def _incoming(self, event: IncomingCallEvent) -> None:
        incoming = event.incoming_call
        if incoming.info.group_id is None:
            await incoming.reject()
        else:
            await self._take(incoming, incoming.info.group_id)

    async def _take(self, incoming: IncomingCall, group_id: str) -> None:
        party = self._conference(group_id).party(incoming.id)
        audio = AudioOptions(source=party.source, sink=party.sink)
        try:
            await incoming.accept(AcceptCallOptions(audio, hold_other_calls=False))
        except CallingError as error:
            self._left(group_id, incoming.id)
            log.info("somebody was gone before the mixer answered: %s", error)

    def _updated(self, event: Updated[Call]) -> None:
        for call in event.added:
            if (group_id := call.info.group_id) is not None:
                conference = self._conference(group_id)
                if call.direction == "Outgoing":
                    party = conference.party(call.id)
                    call.start_audio(party.source)
                    call.set_sink(party.sink)
                conference.enter(call)
        for call in event.removed:
            if (group_id := call.info.group_id) is not None:
                self._left(group_id, call.id)

    def _conference(self, group_id: str) -> Conference:
        if group_id not in self._conferences:
            self._conferences[group_id] = Conference(lambda calls: self._tell(group_id, calls))
        return self._conferences[group_id]

    def _left(self, group_id: str, call_id: str) -> None:
        conference = self._conferences.get(group_id)
        if conference is not None:
            conference.leave(call_id)
            if conference.empty:
                del self._conferences[group_id]

    def _tell(self, group_id: str, calls: tuple[str, ...]) -> None:
        if self._agent is not None:
            self._agent._runtime.give(Speakers(group_id, calls))
