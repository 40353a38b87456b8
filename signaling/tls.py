"""TLS of a running hub: the certificate is looked at once a minute, and one that has changed is shown."""

import asyncio
import logging
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Self

from signaling.certificates import Files

PERIOD_SECONDS = 60.0

_log = logging.getLogger("callnode.hub.tls")


class Tls:
    """Keep a server's SSLContext up to date; `files` returns the certificate to show now."""

    def __init__(self, files: Callable[[], Files], shown: Files) -> None:
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._files = files
        self._stamp = self._show(shown)
        self._task = asyncio.create_task(self._run(), name="tls")

    @classmethod
    async def open(cls, files: Callable[[], Files]) -> Self:
        """Show the certificate that there is; raises TlsError, OSError."""
        shown = await asyncio.to_thread(files)
        shown.check()
        return cls(files, shown)

    async def close(self) -> None:
        """Look at it no more."""
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task

    async def look(self) -> None:
        """Show the certificate as it is now; one that cannot be used is left aside, and said."""
        try:
            files = await asyncio.to_thread(self._files)
            if (files, *files.stamp()) == self._stamp:
                return
            files.check()
            self._stamp = self._show(files)
            _log.info("another certificate is shown from now on")
        except (OSError, ValueError) as error:
            _log.error("the certificate cannot be renewed: %s", error)

    def _show(self, files: Files) -> tuple[object, ...]:
        stamp = (files, *files.stamp())
        self.context.load_cert_chain(files.certificate, files.key)
        return stamp

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_SECONDS)
            await self.look()
