"""Sounds over HTTP: received as a part of a multipart body, served with ranges (RFC 9110 section 14)."""

import logging
from collections.abc import AsyncIterator
from contextlib import aclosing

from aiohttp import BodyPartReader, MultipartReader, web

from signaling.blobs import CHUNK, Blobs, TooLargeError
from signaling.rest import MAX_BODY, RestError, bad_request

MAX_AUDIO = 50 * 1024 * 1024
_OGG = b"OggS"

_log = logging.getLogger("callnode.hub.sounds")


async def serve(request: web.Request, blobs: Blobs, owner: str, name: str) -> web.StreamResponse:
    """Answer with a sound (Ogg Opus), or the one range of it that is asked for; raises RestError 410, 503."""
    try:
        size = await blobs.size(owner, name)
    except OSError as error:
        _log.error("sound %s of %s cannot be read: %s", name, owner, error)
        message = (
            "the sound cannot be read at present, the hub's log says why; the other messages are not affected"
        )
        raise RestError(503, "SoundUnreadable", message) from None
    if not size:
        raise RestError(410, "SoundLost", "the sound is lost or empty; the other messages are not affected")
    start, stop, status = _range(request, size)
    response = web.StreamResponse(status=status)
    response.content_type = "audio/ogg"
    response.content_length = stop - start
    response.headers.update({"Accept-Ranges": "bytes", "Cache-Control": "private, no-store"})
    if status == 206:
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
    await response.prepare(request)
    if request.method != "HEAD":
        try:
            async with aclosing(blobs.read(owner, name, start, stop)) as chunks:
                async for chunk in chunks:
                    await response.write(chunk)
        except OSError as error:
            _log.error("sound %s of %s breaks off: %s", name, owner, error)
            if request.transport is not None:
                request.transport.abort()  # less came than was promised, which the client is to see
    return response


def _range(request: web.Request, size: int) -> tuple[int, int, int]:
    """Return start, end and status; what is no single range is as if it were not there."""
    try:
        wanted = request.http_range
    except ValueError:
        return 0, size, 200
    if wanted.start is None and wanted.stop is None:
        return 0, size, 200
    start, stop, _ = wanted.indices(size)
    if start >= stop:
        headers = {"Content-Range": f"bytes */{size}"}
        raise web.HTTPRequestRangeNotSatisfiable(headers=headers, text="the sound is shorter than that")
    return start, stop, 206


async def multipart(request: web.Request, order: str) -> MultipartReader:
    """Return the parts of a body; `order` says which they are."""
    try:
        return await request.multipart()
    except (ValueError, AssertionError):
        raise bad_request(f"send multipart/form-data: {order}") from None


async def part(reader: MultipartReader, name: str) -> BodyPartReader:
    """Return the next part, which must have this name; raises RestError 400."""
    found = await optional_part(reader, name)
    if found is None:
        raise bad_request(f"the multipart body lacks the part {name}, or it is not in its place")
    return found


async def optional_part(reader: MultipartReader, name: str) -> BodyPartReader | None:
    """Return the next part, None if there is none; raises RestError 400 for another one."""
    try:
        found = await reader.next()
    except ValueError as error:
        raise bad_request(f"the multipart body does not fit: {error}") from None
    if found is None:
        return None
    if not isinstance(found, BodyPartReader) or found.name != name:
        raise bad_request(f"the multipart body lacks the part {name}, or it is not in its place")
    return found


async def small(given: BodyPartReader) -> bytes:
    """Return a whole part that must be small; raises RestError 413."""
    body = bytearray()
    while chunk := await given.read_chunk(CHUNK):
        body += chunk
        if len(body) > MAX_BODY:
            raise RestError(413, "TooLarge", f"the part {given.name} is larger than {MAX_BODY} bytes")
    return bytes(body)


async def keep(chunks: AsyncIterator[bytes], blobs: Blobs, owner: str, name: str) -> None:
    """Write a sound; raises RestError 400 if it is no Ogg file, 413 if too large, 507 if not kept."""
    try:
        await blobs.put(owner, name, _ogg(chunks), MAX_AUDIO)
    except TooLargeError:
        raise RestError(413, "TooLarge", f"the audio is larger than {MAX_AUDIO} bytes") from None
    except ConnectionError:
        raise bad_request("the sound did not come whole") from None
    except OSError as error:
        _log.error("a sound of %s cannot be kept: %s", owner, error)
        why = error.strerror or type(error).__name__
        raise RestError(507, "NotKept", f"the hub cannot keep the sound: {why}") from None


async def chunks(given: BodyPartReader) -> AsyncIterator[bytes]:
    """Yield a part as it comes."""
    while chunk := await given.read_chunk(CHUNK):
        yield bytes(chunk)


async def _ogg(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    first = True
    async for chunk in chunks:
        if first and not chunk.startswith(_OGG):
            raise bad_request("the audio is no Ogg file")
        first = False
        yield chunk
    if first:
        raise bad_request("the audio is empty")
