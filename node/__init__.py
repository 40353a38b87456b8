"""The endpoint: the calling API of a laptop node and of voicemail."""
