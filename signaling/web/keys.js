/**
 * Keypad digits of the other end (RFC 4733), which browsers do not tell of: they are read from the packets.
 *
 * Encoded sound passes through a worker of ours, unchanged (W3C webrtc-encoded-transform).
 */

const WORKER = `
onrtctransform = ({ transformer: { readable, writable, options: { port } } }) => {
  let types = [];
  let told = -1;
  port.onmessage = ({ data }) => (types = data);
  const transform = (frame, controller) => {
    const { payloadType, rtpTimestamp } = frame.getMetadata();
    if (types.includes(payloadType) && frame.data.byteLength >= 4) {
      const [event, flags] = new Uint8Array(frame.data);
      // All packets of a digit bear the time of its beginning; the end comes three times.
      if (flags & 0x80 && rtpTimestamp !== told) {
        told = rtpTimestamp;
        port.postMessage(event);
      }
    }
    controller.enqueue(frame);
  };
  readable.pipeThrough(new TransformStream({ transform })).pipeTo(writable).catch(() => {});
};`;
const DIGITS = "0123456789*#ABCD";

/** @type {Worker | null} */
let worker = null;

/** Start the worker, so that it is ready before the first call. */
export function prepare() {
  if (worker || !("RTCRtpScriptTransform" in window)) return;
  worker = new Worker(URL.createObjectURL(new Blob([WORKER], { type: "text/javascript" })));
}

/**
 * Tell of each digit that a receiver gets; returns what is to be told the payload types of digits.
 * @param {RTCRtpReceiver} receiver
 * @param {(digit: string) => void} pressed
 * @returns {(sdp: string) => void}
 */
export function listen(receiver, pressed) {
  prepare();
  if (!worker) return () => {};
  const { port1, port2 } = new MessageChannel();
  port1.onmessage = ({ data }) => DIGITS[data] && pressed(DIGITS[data]);
  receiver.transform = new RTCRtpScriptTransform(worker, { port: port2 }, [port2]);
  return (sdp) => port1.postMessage([...sdp.matchAll(/^a=rtpmap:(\d+) telephone-event\//gm)].map(([, type]) => Number(type)));
}
