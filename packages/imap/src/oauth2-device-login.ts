import { setTimeout } from "node:timers/promises";
import { BackupError, Secret, throwIfAborted } from "@backup/core";
import { type Tokens, refusedBy, tokensFrom } from "./oauth2-answers.js";
import { type Answer, askEndpoint } from "./oauth2-endpoint.js";
import type { OAuth2Client } from "./oauth2-file.js";

/** What a person has to do. */
export interface DevicePrompt {
  /** Where to go, in any browser. */
  readonly url: string;
  /** What to type there. */
  readonly code: string;
  /** How long the code is good, seconds. */
  readonly expiresInS: number;
}

export interface DeviceLoginOptions {
  readonly client: OAuth2Client;
  readonly deviceUrl: URL;
  readonly show: (prompt: DevicePrompt) => void;
  readonly signal: AbortSignal;
}

interface Device extends DevicePrompt {
  readonly deviceCode: Secret;
  readonly intervalS: number;
}

/** Where a server does not say: RFC 8628, section 3.2. */
const DEFAULT_INTERVAL_S = 5;
/** By what `slow_down` lengthens the interval: RFC 8628, section 3.5. */
const SLOWER_S = 5;

/**
 * Logs a person on who types a code on any device (RFC 8628). Ends when that is done, denied or too late.
 * @throws BackupError AUTH_FAILED, ABORTED, and those of askEndpoint
 */
export async function deviceLogin({ client, deviceUrl, show, signal }: DeviceLoginOptions): Promise<Tokens> {
  const device = await askForCode({ client, deviceUrl, signal });
  const { url, code, expiresInS } = device;
  show({ url, code, expiresInS });
  const answer = await poll(device, client, signal);
  if (!answer.ok) throw refused(answer, client, [device.deviceCode]);
  return tokensFrom(answer.fields, client);
}

async function askForCode({ client, deviceUrl, signal }: Omit<DeviceLoginOptions, "show">): Promise<Device> {
  const fields = { client_id: client.id, client_secret: client.secret?.reveal(), scope: client.scope };
  const answer = await askEndpoint(deviceUrl, fields, signal);
  if (!answer.ok) throw refused(answer, client, []);
  const { device_code: deviceCode, user_code: code, verification_uri: url, interval, expires_in: life } = answer.fields;
  if (typeof deviceCode !== "string" || typeof code !== "string" || typeof url !== "string")
    throw new BackupError("PROTOCOL", `${deviceUrl.host} gave no code to log on with; check the address for devices`);
  return {
    url,
    code,
    expiresInS: typeof life === "number" ? life : 15 * 60,
    deviceCode: new Secret(deviceCode),
    intervalS: typeof interval === "number" && interval > 0 ? interval : DEFAULT_INTERVAL_S,
  };
}

async function poll(device: Device, client: OAuth2Client, signal: AbortSignal): Promise<Answer> {
  const deadline = performance.now() + device.expiresInS * 1000;
  let { intervalS } = device;
  for (;;) {
    await wait(intervalS * 1000, signal);
    if (performance.now() > deadline) return { ok: false, error: "expired_token", description: "" };
    const fields = {
      grant_type: "urn:ietf:params:oauth:grant-type:device_code",
      device_code: device.deviceCode.reveal(),
      client_id: client.id,
      client_secret: client.secret?.reveal(),
    };
    const answer = await askEndpoint(client.tokenUrl, fields, signal);
    if (answer.ok || (answer.error !== "authorization_pending" && answer.error !== "slow_down")) return answer;
    if (answer.error === "slow_down") intervalS += SLOWER_S;
  }
}

async function wait(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await setTimeout(ms, undefined, { signal });
  } catch (error) {
    throwIfAborted(signal);
    throw error;
  }
}

function refused(
  answer: Extract<Answer, { ok: false }>,
  client: OAuth2Client,
  secrets: readonly Secret[],
): BackupError {
  const invalidGrant = "the code is not good any more%s; start the login again";
  return refusedBy(answer, { client, invalidGrant, secrets: [...secrets, ...(client.secret ? [client.secret] : [])] });
}
