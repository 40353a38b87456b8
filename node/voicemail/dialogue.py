"""What a script of voicemail hears and does, whatever its purpose. Pure."""

from msgspec import Struct


class Connected(Struct, frozen=True):
    """The caller and the service hear each other."""


class Finished(Struct, frozen=True):
    """The last of what was to be said was said."""


class Pressed(Struct, frozen=True):
    """The caller has pressed a key."""

    key: str


class HungUp(Struct, frozen=True):
    """The call is over."""


class Tick(Struct, frozen=True):
    """Time has passed."""


class Spoken(Struct, frozen=True):
    """Say something in the place of what is being said; ends in Finished, unless something else is said."""


class Say(Spoken, frozen=True):
    """Say prompts, by name, one after the other."""

    prompts: tuple[str, ...]


class HangUp(Struct, frozen=True):
    """End the call."""
