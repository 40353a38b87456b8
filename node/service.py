"""What services have in common: an agent that answers, and another one whenever that is Disconnected."""

from collections.abc import Callable

import tenacity

from node.agent import CallAgent, until_disconnected
from node.client import CallClient, CallClientOptions
from node.credential import TokenCredential
from node.errors import CallingError
from signaling.reasons import INVALID_TOKEN, NETWORK


async def answer_for_ever(
    options: CallClientOptions,
    credential: TokenCredential,
    use: Callable[[CallAgent], None],
    ready: Callable[[], None] | None,
) -> None:
    """Hand each agent to `use` until cancelled; `ready` is called after the first.

    Raises CallingError: 495/4507 when the hub does not accept the token, 410/3100 if it cannot be reached at
    first.
    """
    async with CallClient(options) as client:
        agent = await client.create_call_agent(credential, transfer_consent=True)
        while True:
            use(agent)
            if ready is not None:
                ready()
                ready = None
            if await until_disconnected(agent) == "invalidToken":
                raise CallingError.of(INVALID_TOKEN)
            await agent.dispose()
            async for attempt in tenacity.AsyncRetrying(
                retry=tenacity.retry_if_exception(_is_network),
                wait=tenacity.wait_random_exponential(max=10),
            ):
                with attempt:
                    agent = await client.create_call_agent(credential, transfer_consent=True)


def _is_network(error: BaseException) -> bool:
    return isinstance(error, CallingError) and error.code == NETWORK.code
