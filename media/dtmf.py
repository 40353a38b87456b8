"""Keypad digits as telephone events, both ways (RFC 4733). Pure."""

from collections import deque

from msgspec import Struct

DIGITS = "0123456789*#ABCD"  # by event code, RFC 4733 §3.2

_PACKETS_PER_SECOND = 50
_EVENT_PACKETS = 5  # 100 ms
_ENDS = 3  # the last packet and its copies, at the interval of the others: RFC 4733 §2.5.1.4
_VOLUME = 10  # -10 dBm0
_END = 0x80
_LONGEST = 0xFFFF
_TIMESTAMPS = 1 << 32
_LATE_SECONDS = 5  # further behind, a timestamp is of another stream


class EventPacket(Struct, frozen=True):
    """What to send now: payload and RTP header fields."""

    payload: bytes
    timestamp: int
    marker: bool
    over: bool  # the end is told again: speech goes on beside it


class Event(Struct, frozen=True):
    """A digit the other end has pressed, and for how long, in seconds."""

    digit: str
    duration: float


def parse_digits(text: str) -> str:
    """Return keypad digits in capitals; raises ValueError that names what is none."""
    digits = text.upper()
    wrong = sorted(set(digits) - set(DIGITS))
    if wrong or not digits:
        problem = f"{''.join(wrong)!r} is not on a keypad" if wrong else "there are no digits"
        raise ValueError(f"{problem}: give digits of 0-9, *, # and A-D")
    return digits


class EventSender:
    """Make the packets of queued digits: 100 ms each, 60 ms between them; timestamps in 1/`clock_rate` s."""

    def __init__(self, clock_rate: int) -> None:
        self._step = clock_rate // _PACKETS_PER_SECOND
        self._queue: deque[str] = deque()
        self._at = 0  # packets since the digit began
        self._began = 0

    def start(self, digit: str, timestamp: int) -> None:
        """Send a digit from the next packet on, which is due at `timestamp`, or after those before it.

        Raises ValueError for what is not one digit of a keypad.
        """
        if len(digit) != 1:
            raise ValueError(f"{digit!r} is not one digit")
        if not self._queue:
            self._began = timestamp
        self._queue.append(parse_digits(digit))

    def next(self) -> EventPacket | None:
        """Return what to send, or None; call it every 20 ms."""
        if not self._queue:
            return None
        self._at += 1
        if self._at < _EVENT_PACKETS + _ENDS:
            return self._packet(self._queue[0])
        self._queue.popleft()
        self._began += self._at * self._step
        self._at = 0
        return None

    def _packet(self, digit: str) -> EventPacket:
        length = min(self._at, _EVENT_PACKETS)
        flags = _VOLUME | _END if length == _EVENT_PACKETS else _VOLUME
        return EventPacket(
            payload=bytes((DIGITS.index(digit), flags)) + (length * self._step).to_bytes(2, "big"),
            timestamp=self._began % _TIMESTAMPS,
            marker=self._at == 1,
            over=self._at > _EVENT_PACKETS,
        )


class EventReceiver:
    """Tell each digit once, at its end, from packets that may be lost, doubled or out of order.

    One per stream and payload type; timestamps and durations are in 1/`clock_rate` s.
    """

    def __init__(self, clock_rate: int) -> None:
        self._rate = clock_rate
        self._code = 0
        self._first = 0  # timestamp of the event
        self._segment = (
            0  # timestamp of the newest segment, RFC 4733 §2.5.1.3: of a long event there are several
        )
        self._duration = 0
        self._told = True
        self._any = False

    def receive(self, timestamp: int, payload: bytes) -> Event | None:
        """Take a packet; return the event it ends, or the one before, whose end was lost.

        What is malformed, late, or no digit is ignored.
        """
        if len(payload) != 4 or payload[0] >= len(DIGITS):
            return None
        code, ends, duration = payload[0], payload[1] & _END, int.from_bytes(payload[2:], "big")
        ahead = (timestamp - self._segment) % _TIMESTAMPS
        before: Event | None = None
        if self._any and not self._told and code == self._code and ahead == _LONGEST:
            self._segment = timestamp
        elif not self._any or 0 < ahead < _TIMESTAMPS - _LATE_SECONDS * self._rate:
            before = self.flush()
            self._any, self._told, self._code = True, False, code
            self._first = self._segment = timestamp
            self._duration = 0
        elif ahead:
            return None
        whole = (self._segment - self._first) % _TIMESTAMPS + duration
        self._duration = max(self._duration, whole)
        return before or (self.flush() if ends else None)

    def flush(self) -> Event | None:
        """Return the event that has not been told, if any; call it once no packet has come for a while."""
        if self._told:
            return None
        self._told = True
        return Event(DIGITS[self._code], self._duration / self._rate)
