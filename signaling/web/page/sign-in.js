/** Signing in, by an invitation's code or a token. */

import { checkbox, field, h } from "./dom.js";
import { signIn } from "./hub.js";
import { sentence } from "./said.js";
import { Softphone } from "./softphone.js";

/** The name of the page, above what stands alone on it. */
export function brand() {
  return h("p", { class: "brand" }, h("img", { src: "/web/page/icon.svg", alt: "", width: 32, height: 32 }), "callnode");
}

/**
 * @param {string} told why it is asked for
 * @param {(phone: Softphone, token: string, stay: boolean) => void} done
 */
export function signInView(told, done) {
  const code = new URLSearchParams(location.hash.slice(1)).get("code") ?? "";
  const input = h("input", {
    required: true, autocomplete: "off", spellcheck: false, autocapitalize: "characters", value: code, "aria-describedby": "sign-in-failed",
    placeholder: "XXXXX-XXXXX",
  });
  const stay = checkbox("Stay signed in on this device", false);
  const failed = h("p", { class: "failed", role: "alert", id: "sign-in-failed" }, told);
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");
  const form = h("form", { class: "stack" }, field("Invitation code or access token", input), stay, failed, submit);
  form.onsubmit = async (event) => {
    event.preventDefault();
    submit.disabled = true;
    submit.textContent = "Signing in…";
    failed.textContent = "";
    try {
      const text = input.value.trim();
      const token = text.includes(".") ? text : await signIn(text);
      done(await Softphone.start(token), token, stay.input.checked);
    } catch (error) {
      failed.textContent = sentence(error);
    } finally {
      submit.disabled = false;
      submit.textContent = "Sign in";
    }
  };
  const hint = code
    ? h("p", { class: "hint" }, "You are invited. The browser will ask for your microphone, so that others can hear you.")
    : h("p", { class: "hint" }, "Open the invitation that you were sent, or paste the token that ", h("code", {}, "callnode token NAME"), " prints.");
  const view = h("main", { class: "alone" }, brand(), h("div", { class: "card" }, h("h1", {}, "Sign in"), hint, form));
  return Object.assign(view, { start: () => (code ? submit : input).focus() });
}
