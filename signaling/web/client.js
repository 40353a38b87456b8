/** Where everything starts (ACS CallClient). */

/** @import { CallAgentOptions } from "./agent.js" */
/** @import { CommunicationTokenCredential } from "./credential.js" */

import { CallAgent } from "./agent.js";
import { issuer } from "./credential.js";
import { DeviceManager } from "./devices.js";
import { CallingCommunicationError } from "./errors.js";
import { BAD_ARGUMENT } from "./reasons.js";

/**
 * @typedef {{ urls: string | string[], username?: string, credential?: string }} IceServer
 * @typedef {{ hub?: string, logger?: unknown, diagnostics?: unknown,
 *   networkConfiguration?: { turn?: { iceServers: IceServer[] } },
 *   iceTransportPolicy?: RTCIceTransportPolicy }} CallClientOptions ICE servers are used besides those the hub tells
 *   of; beyond ACS `hub` overrides the hub that the token names, and `iceTransportPolicy` "relay" lets sound pass by
 *   TURN servers only
 */

/** Make agents, and own the devices they use. */
export class CallClient {
  #options;
  /** @type {DeviceManager | null} */
  #devices = null;
  /** @type {Set<CallAgent>} */
  #agents = new Set();

  /** @param {CallClientOptions} [options] */
  constructor(options = {}) {
    this.#options = options;
  }

  /**
   * Connect as the user of a token; rejects with 495/4507 if the hub does not accept it, 410/3100 if it cannot be
   * reached.
   * @param {CommunicationTokenCredential} credential anything with `getToken()`
   * @param {CallAgentOptions} [options]
   */
  async createCallAgent(credential, options = {}) {
    const hub = this.#options.hub ?? issuer((await credential.getToken()).token);
    if (!/^https?:\/\//.test(hub)) {
      throw CallingCommunicationError.of(BAD_ARGUMENT, "The token names no hub; give new CallClient({ hub }).");
    }
    const { networkConfiguration, iceTransportPolicy } = this.#options;
    const configuration = { iceServers: networkConfiguration?.turn?.iceServers ?? [], iceTransportPolicy };
    const disposed = (/** @type {CallAgent} */ agent) => void this.#agents.delete(agent);
    const agent = new CallAgent(credential, hub, this.#getDevices(), configuration, options, disposed);
    await agent._open();
    this.#agents.add(agent);
    return agent;
  }

  /** Return the devices of this client. */
  async getDeviceManager() {
    return this.#getDevices();
  }

  /** Dispose every agent and let every device go. */
  async dispose() {
    for (const agent of [...this.#agents]) await agent.dispose();
    this.#devices?._dispose();
    this.#devices = null;
  }

  #getDevices() {
    return (this.#devices ??= new DeviceManager());
  }
}
