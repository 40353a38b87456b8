"""Values that hold what must not be seen: tokens, secrets, SDP, candidates. Pure."""

from msgspec import Struct

SECRETS = frozenset({"token", "secret", "sdp", "offer", "candidate", "candidates", "credential"})


class Discreet(Struct, frozen=True):
    """A struct whose repr leaves out what must not stand in a log."""

    def __repr__(self) -> str:
        shown = ", ".join(f"{n}={getattr(self, n)!r}" for n in self.__struct_fields__ if n not in SECRETS)
        return f"{type(self).__name__}({shown})"
