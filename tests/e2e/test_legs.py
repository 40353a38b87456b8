"""What every leg of a call carries: who calls, who forwarded or transferred it, and the custom context."""

import asyncio

import pytest

from node import (
    AcceptCallOptions,
    CallState,
    CustomContext,
    Features,
    StartCallOptions,
    ToPerson,
    TransferState,
)
from tests.e2e.people import PATIENCE, People, eventually, until
from tests.e2e.test_forwarding import rules

pytestmark = pytest.mark.e2e


async def test_context_and_names_travel_over_a_forward_and_a_transfer(people: People) -> None:
    alice, bob, carol = [await people.join(name) for name in ("alice", "bob", "carol")]
    await rules(people, "bob", forwarding=ToPerson("carol"))
    first, second = CustomContext("first", {"Order": "1"}), CustomContext("second", {"Order": "2"})
    call = alice.agent.start_call(["bob"], StartCallOptions(alice.audio(), first))
    forwarded = await carol.ring()
    assert (forwarded.custom_context, forwarded.diverted_for) == (first, "unconditional")
    assert forwarded.forwarded_from is not None and forwarded.forwarded_from.name == "bob"
    assert (forwarded.caller_info.name, forwarded.transferor_info) == ("alice", None)
    taken = await forwarded.accept(AcceptCallOptions(carol.audio()))
    await until(taken, CallState.CONNECTED)
    assert taken.custom_context == first and taken.caller_info.name == "alice"
    assert call.outcome is not None
    assert (call.outcome.kind, call.outcome.party.name, len(call.outcome.via)) == ("forwarded", "carol", 1)

    # To Bob himself, whose rules are not asked.
    transfer = taken.feature(Features.TRANSFER).transfer(
        {"target_participant": "bob"},
        {
            "disable_forwarding_and_unanswered": True,
            "custom_context": second,
            "hang_up_when_transferred": True,
        },
    )
    handed = await bob.ring()
    async with asyncio.timeout(PATIENCE):
        assert (handed.custom_context, handed.forwarded_from) == (second, None)
        assert handed.transferor_info is not None and handed.transferor_info.name == "carol"
        assert handed.caller_info.name == "alice"
        at_bob = await handed.accept(AcceptCallOptions(bob.audio()))
        assert await transfer.wait() is TransferState.TRANSFERRED
    await eventually(lambda: [each.id for each in alice.agent.calls] == [at_bob.id])
    [mine] = alice.agent.calls
    assert (mine.id, mine.custom_context) == (transfer.new_call_id, second)
    assert mine.transferor_info is not None and mine.transferor_info.name == "carol"
    await asyncio.gather(alice.hears("bob"), bob.hears("alice"))
