"""The mixer: an ordinary node that puts the sound of group calls together (RFC 4353)."""

from node.mixer.service import MixerService

__all__ = ["MixerService"]
