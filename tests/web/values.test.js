/** The values of the JavaScript client: identifiers, contexts, tokens, events, as ACS has them. */

import assert from "node:assert/strict";
import test from "node:test";

import { AzureCommunicationTokenCredential, issuer } from "../../signaling/web/credential.js";
import { Emitter } from "../../signaling/web/events.js";
import {
  callerInfo, createIdentifierFromRawId, getIdentifierKind, getIdentifierRawId, isCommunicationUserIdentifier,
  isMicrosoftTeamsUserIdentifier, isPhoneNumberIdentifier, isUnknownIdentifier,
} from "../../signaling/web/identifiers.js";
import { callEndReason, customContext, wireContext } from "../../signaling/web/shapes.js";

test("raw ids and identifiers are each other's", () => {
  for (const [rawId, kind] of [
    ["8:acs:resource_user", "communicationUser"], ["8:spool:x", "communicationUser"], ["4:+4930123", "phoneNumber"],
    ["8:orgid:guid", "microsoftTeamsUser"], ["8:dod:guid", "microsoftTeamsUser"],
    ["8:teamsvisitor:guid", "microsoftTeamsUser"], ["28:orgid:app", "microsoftTeamsApp"],
    ["8:acs:resource_tenant_user", "teamsExtensionUser"], ["alice", "unknown"],
  ]) {
    const identifier = createIdentifierFromRawId(rawId);
    assert.equal(identifier.kind, kind);
    assert.equal(getIdentifierRawId(identifier), rawId);
    assert.deepEqual(getIdentifierKind(identifier), identifier);
  }
  assert.equal(getIdentifierRawId({ phoneNumber: "+4930" }), "4:+4930");
  assert.equal(getIdentifierRawId({ microsoftTeamsUserId: "x", cloud: "gcch" }), "8:gcch:x");
  assert.equal(getIdentifierRawId({ microsoftTeamsUserId: "x", isAnonymous: true }), "8:teamsvisitor:x");
  assert.equal(getIdentifierRawId({ teamsAppId: "x" }), "28:orgid:x");
  assert.equal(getIdentifierRawId({ userId: "u", tenantId: "t", resourceId: "r" }), "8:acs:r_t_u");
  assert.equal(getIdentifierRawId(" alice "), "alice");
  for (const nothing of ["", {}, { id: "" }, null, 5]) {
    assert.throws(() => getIdentifierRawId(nothing), { code: 400, subCode: 8523 });
  }
  assert.ok(isCommunicationUserIdentifier({ communicationUserId: "x" }) && isPhoneNumberIdentifier({ phoneNumber: "+1" }));
  assert.ok(isMicrosoftTeamsUserIdentifier({ microsoftTeamsUserId: "x" }) && isUnknownIdentifier({ id: "x" }));
  assert.equal(callerInfo({ raw_id: "8:acs:x", name: "ann" }).displayName, "ann");
});

test("of a custom context the first five valid headers travel", () => {
  const header = (key, value = "1") => ({ key, value });
  const given = {
    userToUser: "hello", voipHeaders: [header("a"), header("x".repeat(65)), header("b")],
    sipHeaders: [header("c", "y".repeat(257)), header("c")], xHeaders: [header("d"), header("e"), header("f")],
  };
  const wire = wireContext(given);
  assert.deepEqual(wire, { user_to_user: "hello", voip_headers: { a: "1", b: "1", c: "1", d: "1", e: "1" } });
  assert.equal(customContext(wire).voipHeaders.length, 5);
  assert.deepEqual([wireContext(undefined), customContext(null)], [null, undefined]);
  assert.throws(() => wireContext({ userToUser: "x".repeat(257) }), { code: 400 });
  assert.deepEqual(callEndReason({ code: 603, sub_code: 0, message: "Declined." }), {
    code: 603, subCode: 0, message: "Declined.", resultCategories: ["ExpectedError"],
  });
});

const token = (claims) => `x.${Buffer.from(JSON.stringify(claims)).toString("base64url")}.x`;
const lasting = (seconds) => token({ exp: Date.now() / 1000 + seconds, iss: "https://hub.example" });

test("a token names its hub, and what is none is refused", () => {
  assert.equal(issuer(lasting(60)), "https://hub.example");
  assert.equal(issuer(token({ exp: 1, iss: "other" })), "");
  for (const none of ["", "x.y.z", token({})]) {
    assert.throws(() => new AzureCommunicationTokenCredential(none), { code: 495, subCode: 4507 });
  }
  assert.throws(() => new AzureCommunicationTokenCredential({}), { code: 495 });
});

test("a token is renewed once however many ask, and before it ends where that is wanted", async () => {
  let asked = 0;
  const tokenRefresher = async () => (asked++, lasting(3600));
  const ending = { tokenRefresher, token: lasting(300) };
  const lazy = new AzureCommunicationTokenCredential(ending);
  assert.equal((await lazy.getToken()).token, ending.token);
  const early = new AzureCommunicationTokenCredential({ ...ending, refreshProactively: true });
  const [one, other] = await Promise.all([early.getToken(), early.getToken()]);
  assert.deepEqual([asked, one === other], [1, true]);
  early._forget(one.token);
  await early.getToken();
  assert.equal(asked, 2);
  const failing = new AzureCommunicationTokenCredential({ tokenRefresher: async () => "no token" });
  await assert.rejects(failing.getToken(), { code: 495 });
  early.dispose();
  await assert.rejects(early.getToken(), { code: 495 });
});

test("events carry the names of ACS and of the W3C, and one listener does not keep another from them", (context) => {
  context.mock.method(console, "error", () => {});
  const emitter = new Emitter();
  const heard = [];
  const listener = (event) => heard.push(event);
  emitter.on("changed", () => { throw new Error("of the application"); });
  emitter.on("changed", listener);
  emitter._changed("changed", 1, 2, { reason: "x" });
  emitter.off("changed", listener);
  emitter.off("never", listener);
  emitter._changed("changed", 2, 3);
  assert.deepEqual(heard, [{ oldValue: 1, newValue: 2, oldState: 1, newState: 2, reason: "x" }]);
});
