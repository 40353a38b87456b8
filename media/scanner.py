"""Ask a sound server what it has, in threads of their own: one that hangs does not answer."""

import threading
import time
from concurrent.futures import Future, wait

from media.cards import AudioDevice, cards
from media.threads import in_a_thread

PATIENCE_SECONDS = 0.5
_FRESH_SECONDS = 5.0  # for a late answer to be one


class Scanner:
    """Look for microphones and speakers; may be asked by several threads, and does so once for all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._scan: Future[list[AudioDevice]] | None = None
        self._begun = 0.0

    def scan(self) -> list[AudioDevice] | None:
        """Return what there is now, in milliseconds; None where no sound server answers within 0.5 s.

        A late answer is for whoever asks next.
        """
        with self._lock:
            now = time.monotonic()
            if self._scan is None or (self._scan.done() and now - self._begun > _FRESH_SECONDS):
                self._scan, self._begun = in_a_thread(cards), now
            scan, patience = self._scan, self._begun + PATIENCE_SECONDS - now
        if not wait([scan], max(0.0, patience)).done:
            return None
        with self._lock:
            if self._scan is scan:
                self._scan = None
        return scan.result()
