/** What becomes of calls when their page is loaded again. Pure. */

/** @import { Calls } from "./calls.js" */
/** @import { Session } from "./session.js" */

import { isLive, session } from "./session.js";

export const PICKUP_SECONDS = 30;

/** What is true of a call that has no peer connection yet. */
const FRESH = {
  lost: false, pathLost: false, renegotiating: false, renewDue: false, renewing: false, reoffer: "", holdChanged: false,
  owed: 0,
};

/**
 * Let the other ends wait without any sound: the page comes back within a moment.
 * @param {Calls} calls
 */
export function part(calls) {
  for (const call of calls.all.values()) {
    if (call.up && isLive(call) && !call.localHold) calls.send({ type: "call.hold", call_id: call.id, on: true });
  }
}

/**
 * Go on with a call of the page that was, over a new path; one that was not up is over.
 * @param {Calls} calls
 * @param {Session} call
 * @param {number} now
 */
export function restore(calls, call, now) {
  const { id: callId, localHold: local, remoteHold: remote } = call;
  if (!call.up || !isLive(call)) return calls.send({ type: "call.end", call_id: callId, cause: "hangup" });
  const stale = call.stale + (call.reoffer ? 1 : 0);
  const deadline = now + PICKUP_SECONDS;
  calls.add(session({ ...call, ...FRESH, stale, restoring: true, state: "Connecting", deadline }));
  calls.do({ do: "setHold", callId, local, remote, offerer: false });
  calls.renew(callId, { unanswered: call.owed > 0 });
}
