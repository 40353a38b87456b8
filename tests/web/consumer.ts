// A program in TypeScript that uses the packed client as one uses @azure/communication-calling; compiled, not run.

import { AzureCommunicationTokenCredential, type CommunicationIdentifier } from "@azure/communication-common";
import { type Call, type CallAgent, CallClient, Features, LocalAudioStream, type Transfer } from "callnode";

export async function signIn(token: string): Promise<CallAgent> {
  const client = new CallClient({ networkConfiguration: { turn: { iceServers: [{ urls: ["stun:192.0.2.1"] }] } } });
  const tokenRefresher = async (): Promise<string> => token;
  const credential = new AzureCommunicationTokenCredential({ tokenRefresher, token, refreshProactively: true });
  const agent = await client.createCallAgent(credential, { displayName: "Alice" });
  const devices = await client.getDeviceManager();
  const { audio } = await devices.askDevicePermission({ audio: true, video: false });
  const [microphone] = audio ? await devices.getMicrophones() : [];
  if (microphone) await devices.selectMicrophone(microphone);
  agent.on("incomingCall", async ({ incomingCall }) => {
    const call: Call = await incomingCall.accept({ audioOptions: { localAudioStreams: [new LocalAudioStream(microphone)] } });
    call.on("stateChanged", () => console.log(call.state, call.callEndReason?.code));
    const scale = { lowerBound: 0, upperBound: 10, lowScoreThreshold: 3 };
    const { id } = await call.feature(Features.CallSurvey).submitSurvey({ audioRating: { score: 9, issues: ["Echo"], scale } });
    console.log(id, incomingCall.info.groupId);
  });
  return agent;
}

export function handOver(agent: CallAgent, to: CommunicationIdentifier): Transfer {
  const call = agent.startCall([{ communicationUserId: "8:acs:x_y" }], { customContext: { userToUser: "hello" } });
  const transfer = call.feature(Features.Transfer).transfer({ targetParticipant: to }, { customContext: {} });
  transfer.on("stateChanged", () => {
    const done: boolean = transfer.state === "Transferred";
    if (!done && transfer.error) console.log(transfer.error.code, transfer.error.subCode);
  });
  return transfer;
}

// @ts-expect-error: there is no such state
export const wrong = (call: Call): boolean => call.state === "Talking";
// @ts-expect-error: a credential has getToken()
export const nobody = new CallClient().createCallAgent({});
