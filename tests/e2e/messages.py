"""Voice messages that are there already."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from media.audio import SAMPLE_RATE
from tests.e2e.people import SENTENCES, People
from tests.shell.recording import record
from tests.shell.test_mailbox import put

PEAKS = 100


async def left(
    people: People, whom: str, caller: str, folder: Path, seconds: float | None = None, **more: object
) -> str:
    """File what a caller said, in the mailbox of somebody, and return its id; `more` is of the envelope.

    Of the sentence so many seconds; a `transcript` is what an engine has understood.
    """
    transcript = more.pop("transcript", None)
    owner, _ = await people.client.token(whom)
    raw_id, _ = await people.client.token(caller)
    _, service = await people.client.token("voicemail", voicemail=True)
    said, message_id = SENTENCES[caller][: seconds and round(seconds * SAMPLE_RATE)], f"of-{caller}"
    record(folder / message_id, said).close()
    parts = np.array_split(np.abs(said.astype(np.int32)), PEAKS)
    envelope = {
        "caller": {"raw_id": raw_id, "name": caller, "display_name": caller.title()},
        "received_at": datetime.now(UTC).isoformat(),
        "duration": len(said) / SAMPLE_RATE,
        "peaks": [int(part.max()) >> 7 for part in parts],
    }
    sound = (folder / message_id).read_bytes()
    answer = await put(people.client, service, owner, message_id, envelope=envelope | more, sound=sound)
    assert answer.status == 201, answer.body
    if transcript:
        path = f"/v1/mailboxes/{owner}/messages/{message_id}/transcript"
        assert (await people.client.call("PUT", path, service, json={"text": transcript})).status == 204
    return message_id
