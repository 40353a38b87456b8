/** A sound as an Ogg Opus file (RFC 3533, RFC 7845), made in the browser from any file that it can decode. */

const RATE = 48_000;
const FRAME_MICROSECONDS = 20_000;
const FRAME_SAMPLES = 960;
const PRE_SKIP = 312;
const PACKETS_A_PAGE = 50;
const BITRATE = 32_000;

const CRC = Uint32Array.from({ length: 256 }, (_, at) => {
  let value = at << 24;
  for (let bit = 0; bit < 8; bit++) value = value & 0x80000000 ? (value << 1) ^ 0x04c11db7 : value << 1;
  return value;
});

/**
 * Return a sound file as Ogg Opus, mono; rejects with a sentence if it cannot be read.
 * @param {Blob} file
 */
export async function toOgg(file) {
  if (!("AudioEncoder" in window)) throw new Error("This browser cannot encode sound. Use a newer one, or callnode voicemail greeting.");
  /** @type {AudioBuffer} */
  let decoded;
  try {
    decoded = await new OfflineAudioContext(1, 1, RATE).decodeAudioData(await file.arrayBuffer());
  } catch {
    throw new Error("This file holds no sound that the browser can read. Choose a WAV, MP3 or Ogg file.");
  }
  const mono = new OfflineAudioContext(1, decoded.length, RATE);
  const source = new AudioBufferSourceNode(mono, { buffer: decoded });
  source.connect(mono.destination);
  source.start();
  const samples = (await mono.startRendering()).getChannelData(0);
  return assemble(await encode(samples), samples.length);
}

/** @param {Float32Array<ArrayBuffer>} samples @returns {Promise<Uint8Array[]>} the packets, 20 ms each */
async function encode(samples) {
  const length = Math.ceil((samples.length + PRE_SKIP) / FRAME_SAMPLES) * FRAME_SAMPLES;
  const padded = new Float32Array(length);
  padded.set(samples);
  /** @type {Uint8Array[]} */
  const packets = [];
  /** @type {unknown} */
  let failed = null;
  const encoder = new AudioEncoder({
    output: (chunk) => {
      const packet = new Uint8Array(chunk.byteLength);
      chunk.copyTo(packet);
      packets.push(packet);
    },
    error: (error) => (failed = error),
  });
  encoder.configure({
    codec: "opus", sampleRate: RATE, numberOfChannels: 1, bitrate: BITRATE, opus: { frameDuration: FRAME_MICROSECONDS },
  });
  encoder.encode(new AudioData({
    format: "f32", sampleRate: RATE, numberOfFrames: length, numberOfChannels: 1, timestamp: 0, data: padded,
  }));
  await encoder.flush();
  encoder.close();
  if (failed) throw failed;
  return packets;
}

/** @param {Uint8Array[]} packets @param {number} samples how many there are without what is skipped and padded */
function assemble(packets, samples) {
  const serial = crypto.getRandomValues(new Uint32Array(1))[0];
  const head = bytes("OpusHead", [1, 1, PRE_SKIP & 255, PRE_SKIP >> 8, RATE & 255, (RATE >> 8) & 255, RATE >> 16, 0, 0, 0, 0]);
  const tags = bytes("OpusTags", [8, 0, 0, 0], "callnode", [0, 0, 0, 0]);
  const pages = [page([head], { serial, number: 0, at: 0, flags: 2 }), page([tags], { serial, number: 1, at: 0, flags: 0 })];
  for (let first = 0; first < packets.length; first += PACKETS_A_PAGE) {
    const some = packets.slice(first, first + PACKETS_A_PAGE);
    const last = first + some.length === packets.length;
    const at = last ? samples + PRE_SKIP : (first + some.length) * FRAME_SAMPLES;
    pages.push(page(some, { serial, number: pages.length, at, flags: last ? 4 : 0 }));
  }
  return new Blob(pages, { type: "audio/ogg" });
}

/**
 * @param {Uint8Array[]} packets
 * @param {{ serial: number, number: number, at: number, flags: number }} about `at` the granule position, `flags` 2 first, 4 last
 */
function page(packets, { serial, number, at, flags }) {
  const lacing = packets.flatMap((packet) => [...Array(Math.floor(packet.length / 255)).fill(255), packet.length % 255]);
  const header = new Uint8Array(27 + lacing.length);
  const view = new DataView(header.buffer);
  header.set(bytes("OggS"));
  header[5] = flags;
  view.setBigUint64(6, BigInt(at), true);
  view.setUint32(14, serial, true);
  view.setUint32(18, number, true);
  header[26] = lacing.length;
  header.set(lacing, 27);
  let crc = 0;
  for (const part of [header, ...packets]) for (const byte of part) crc = (crc << 8) ^ CRC[(crc >>> 24) ^ byte];
  view.setUint32(22, crc >>> 0, true);
  return new Blob([header, .../** @type {Uint8Array<ArrayBuffer>[]} */ (packets)]);
}

/** @param {...(string | number[])} parts */
function bytes(...parts) {
  return Uint8Array.from(parts.flatMap((part) => (typeof part === "string" ? [...part].map((each) => each.charCodeAt(0)) : part)));
}
