"""What engines have understood of messages: kept beside their sound, sealed and deleted as that is."""

import logging
from collections.abc import AsyncIterator

from signaling.blobs import Blobs
from signaling.mailbox_store import MailboxMessage
from signaling.mailboxes import Message, message_of

MOST_BYTES = 64 * 1024

_log = logging.getLogger("callnode.hub.mailbox")


def transcript_name(message_id: str) -> str:
    """Return the name of the blob of a message's transcript."""
    return f"{message_id}.transcript"


async def write(blobs: Blobs, owner: str, message_id: str, text: str) -> None:
    """Keep a transcript."""

    async def chunks() -> AsyncIterator[bytes]:
        yield text.encode()

    await blobs.put(owner, transcript_name(message_id), chunks(), MOST_BYTES)


async def read(blobs: Blobs, owner: str, message: MailboxMessage) -> str | None:
    """Return the transcript of a message, None if there is none, or it cannot be read."""
    if not message.envelope.transcribed:
        return None
    try:
        return b"".join([chunk async for chunk in blobs.read(owner, transcript_name(message.id))]).decode()
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("the transcript of message %s cannot be read: %s", message.id, error)
        return None


async def seen(blobs: Blobs, owner: str, message: MailboxMessage) -> Message:
    """Return a message as its owner sees it."""
    return message_of(message.id, message.folder, message.envelope, await read(blobs, owner, message))
