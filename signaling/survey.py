"""The REST API of surveys: users submit them, whoever has the access key reads them."""

from datetime import UTC, datetime

from aiohttp import web
from msgspec.structs import replace

from signaling.accounts import Accounts
from signaling.history import History
from signaling.hub import Hub
from signaling.rest import Gate, decode, not_found, query, reply
from signaling.store import Store
from signaling.surveys import CallSurveyResponse, SurveyPage, SurveyQuery, SurveySubmission


class SurveyApi:
    """What users say of their calls."""

    def __init__(self, gate: Gate, accounts: Accounts, store: Store, history: History, hub: Hub) -> None:
        self._gate = gate
        self._accounts = accounts
        self._store = store
        self._history = history
        self._hub = hub

    def routes(self) -> list[web.AbstractRouteDef]:
        """Return the routes."""
        return [web.post("/v1/surveys", self.submit), web.get("/v1/surveys", self.list)]

    async def submit(self, request: web.Request) -> web.Response:
        """File what a user says of a call that they had a part in, whether it is over or not."""
        me = self._gate.user(request).user.raw_id
        submitted = decode(await request.read(), SurveySubmission)
        if not await self._had_part(me, submitted.call_id):
            raise not_found()
        number = await self._store.save_survey(me, submitted.call_id, submitted.survey, datetime.now(UTC))
        return reply(CallSurveyResponse(str(number), submitted.call_id, me))

    async def list(self, request: web.Request) -> web.Response:
        """Return what was said, newest first; the query is a SurveyQuery."""
        await self._gate.admin(request)
        wanted = query(request, SurveyQuery)
        entries = await self._store.surveys(wanted)
        more = entries[-1].number if len(entries) == wanted.limit else None
        named = (replace(each, user=self._accounts.party(each.user.raw_id)) for each in entries)
        return reply(SurveyPage(tuple(named), more))

    async def _had_part(self, raw_id: str, call_id: str) -> bool:
        hub = self._hub
        # Who leaves a group that was a call of two has had a part in that call, which is not over.
        origins = (group.origin for group in hub.groups.all.values() if group.origin is not None)
        legs = ((leg, call.id) for call in (*hub.calls.all.values(), *origins) for leg in call.legs)
        mine = ((leg.session, each) for leg, each in legs if leg.party.raw_id == raw_id)
        if any(hub.names.of(session, each) == call_id for session, each in mine):
            return True
        await self._history.flush()
        return await self._store.had_part(raw_id, call_id)
