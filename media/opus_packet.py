"""What is to be known of an Opus packet without decoding it, and packets that stand for those missing. Pure.

Payload format: RFC 6716 section 3. Filling of gaps: RFC 7845 section 4.1.
"""

_HYBRID, _CELT = 12, 16  # the first configurations of these modes; those before are SILK
_MAX_FRAME_BYTES = 1275
_MAX_PACKET_SAMPLES = 5760
_MAX_PACKET_BYTES = 61_440  # 48 frames, with some padding
_SILK_SAMPLES = (480, 960, 1920, 2880)
_HYBRID_SAMPLES = (480, 960)
_CELT_SAMPLES = (120, 240, 480, 960)
_FRAME_SAMPLES = tuple(
    _SILK_SAMPLES[config % 4]
    if config < _HYBRID
    else _HYBRID_SAMPLES[config % 2]
    if config < _CELT
    else _CELT_SAMPLES[config % 4]
    for config in range(32)
)
_STEREO = 0x04
_CONCEALED_SAMPLES = 2880  # concealment sounds better than silence for so long
# Full band CELT, mono: the silence flag, and what no decoder reads.
_SILENCE = [(bytes((config << 3, 0xFF, 0xFE)), _FRAME_SAMPLES[config]) for config in (31, 30, 29, 28)]
SILENT_PACKET = _SILENCE[0][0]  # 20 ms


def packet_samples(packet: bytes) -> int:
    """Return the duration of a packet in samples of 48 kHz, 0 if it is malformed (RFC 6716 section 3.4)."""
    if not 0 < len(packet) <= _MAX_PACKET_BYTES:
        return 0
    toc = packet[0]
    samples = _FRAME_SAMPLES[toc >> 3]
    size = len(packet) - 1
    match toc & 3:
        case 0:
            return samples if size <= _MAX_FRAME_BYTES else 0
        case 1:
            return 2 * samples if size % 2 == 0 and size <= 2 * _MAX_FRAME_BYTES else 0
        case 2:
            first, rest = _frame_size(packet, 1)
            rest = size + 1 - rest - first
            return 2 * samples if 0 <= rest <= _MAX_FRAME_BYTES else 0
        case _:
            return _many(packet, samples)


def fill(samples: int, before: bytes | None) -> list[tuple[bytes, int]]:
    """Return packets, with their durations, that last `samples`, rounded down to 2.5 ms.

    At first they ask the decoder to conceal what follows `before`; after 60 ms they are silence.
    """
    filled: list[tuple[bytes, int]] = []
    if before is not None:
        config = before[0] >> 3
        lost = bytes((config << 3 | before[0] & _STEREO,)), _FRAME_SAMPLES[config]
        filled = [lost] * (min(samples, _CONCEALED_SAMPLES) // lost[1])
        samples -= len(filled) * lost[1]
    for silent in _SILENCE:
        filled += [silent] * (samples // silent[1])
        samples %= silent[1]
    return filled


def _many(packet: bytes, samples: int) -> int:
    """Return the duration of a packet of code 3: any number of frames (RFC 6716 section 3.2.5)."""
    if len(packet) < 2:
        return 0
    count, padded, variable = packet[1] & 0x3F, packet[1] & 0x40, packet[1] & 0x80
    at, size = 2, len(packet)
    while padded and at < size:
        padding = packet[at]
        at += 1
        size -= min(padding, 254)
        padded = padding == 255
    total = count * samples
    if padded or size < at or not 0 < total <= _MAX_PACKET_SAMPLES:
        return 0
    if not variable:
        return total if (size - at) % count == 0 and size - at <= count * _MAX_FRAME_BYTES else 0
    taken = 0
    for _ in range(count - 1):
        length, at = _frame_size(packet, at)
        taken += length
    return total if 0 <= size - at - taken <= _MAX_FRAME_BYTES else 0


def _frame_size(packet: bytes, at: int) -> tuple[int, int]:
    """Return the length of a frame that is written at a place, and the place after it (section 3.2.1)."""
    first, second = (*packet[at : at + 2], 0, 0)[:2]
    return (first, at + 1) if first < 252 else (4 * second + first, at + 2)
