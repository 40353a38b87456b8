/** Where the page starts: signed in already, or not yet. */

import { h } from "./dom.js";
import { groupOf } from "./group-dialogs.js";
import { complain, say } from "./said.js";
import { showPhone } from "./shell.js";
import { brand, signInView } from "./sign-in.js";
import { Softphone } from "./softphone.js";

const TOKEN = "callnode.token";
const TRY_AGAIN_MILLISECONDS = 5_000;
const app = /** @type {HTMLElement} */ (document.getElementById("app"));

/** @param {string} [told] */
function showSignIn(told = "") {
  const view = signInView(told, (phone, token, stay) => {
    (stay ? localStorage : sessionStorage).setItem(TOKEN, token);
    const groupId = groupOf(location.hash);
    history.replaceState(null, "", groupId ? `#join=${encodeURIComponent(groupId)}` : location.pathname);
    show(phone);
    // Asked for here, where a click stands behind it, so that the first call need not wait.
    void phone.devices.askDevicePermission({ audio: true }).then(({ audio }) => {
      if (!audio) say("Without the microphone nobody will hear you. Allow it in the browser's settings of this page.", { kind: "failed", seconds: 15 });
    }, complain);
  });
  app.className = "";
  app.replaceChildren(view);
  document.title = "Sign in – callnode";
  view.start();
}

/** @param {Softphone} phone */
function show(phone) {
  const leave = async (/** @type {string} */ told) => {
    await phone.close();
    sessionStorage.removeItem(TOKEN);
    localStorage.removeItem(TOKEN);
    history.replaceState(null, "", location.pathname);
    showSignIn(told);
  };
  phone.on("over", ({ reason }) => {
    if (reason === "invalidToken") return void leave("Your sign-in has ended. Sign in again.");
    void phone.close();
    void resume(phone.hub.token);
  });
  showPhone(app, phone, () => void leave(""));
}

/** Sign in again with a token, for as long as the hub cannot be reached. @param {string} token */
async function resume(token) {
  app.className = "";
  app.replaceChildren(h("main", { class: "alone" }, brand(), h("p", { class: "loading", role: "status" }, "Connecting to the hub…")));
  for (;;) {
    try {
      return show(await Softphone.start(token));
    } catch (error) {
      const code = error instanceof Error && "code" in error ? error.code : 0;
      if (code === 495) return showSignIn("Your sign-in has ended. Sign in again.");
      await new Promise((resolve) => setTimeout(resolve, TRY_AGAIN_MILLISECONDS));
    }
  }
}

const kept = sessionStorage.getItem(TOKEN) ?? localStorage.getItem(TOKEN);
if (kept && !location.hash.includes("code=")) void resume(kept);
else showSignIn();
