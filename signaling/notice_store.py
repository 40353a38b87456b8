"""What is still to be told, and the failures that lock a PIN; the part of the Store that is about them."""

from datetime import datetime, timedelta
from typing import Protocol

from signaling.notices import Notice


class NoticeStore(Protocol):
    """Notices, which are kept with what they tell of. Every method may raise the backend's own error."""

    async def take_notices(self, now: datetime, limit: int, until: datetime) -> list[Notice]:
        """Return notices that are due, the oldest first, for a try each; they are due again at `until`.

        So nobody else takes them meanwhile, and a try that a crash has cut off is made once more.
        """
        ...

    async def next_notice(self) -> datetime | None:
        """Return when the next notice is due, None if there is none."""
        ...

    async def put_off(self, notice_id: str, due: datetime) -> None:
        """Write when a notice is to be tried again."""
        ...

    async def forget_notice(self, notice_id: str) -> None:
        """Forget a notice that was told, or is given up."""
        ...

    async def fail(self, key: str, now: datetime, limit: int, period: timedelta) -> bool:
        """Count a try as a failure until it is forgiven; return False if the key has had `limit` of them.

        After that, and after every one, it takes the period to forget them.
        """
        ...

    async def forgive(self, key: str) -> None:
        """Take note that a try that was counted was no failure."""
        ...
