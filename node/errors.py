"""What the public API raises."""

from signaling.reasons import Reason


class CallingError(Exception):
    """A request that cannot be met; `code` and `sub_code` are those of ACS, the message says what to do."""

    def __init__(self, code: int, sub_code: int, message: str) -> None:
        super().__init__(f"{message} ({code}/{sub_code})")
        self.code = code
        self.sub_code = sub_code
        self.message = message

    @classmethod
    def of(cls, reason: Reason) -> "CallingError":
        """Return the error of a reason."""
        return cls(reason.code, reason.sub_code, reason.message)
