import { BackupError, type BackupEvent, Secret } from "@backup/core";
import { describe, expect, it } from "vitest";
import { DEFAULT_CAPABILITIES, startFakeImap } from "../../../test/support/fake-imap.js";
import { type Credentials, type TokenSource, logOn } from "../src/login.js";
import { ImapSession } from "../src/session.js";

const { signal } = new AbortController();
const refusal = new BackupError("AUTH_FAILED", "no");

/** Tokens `token-1`, `token-2` …; whether each is new is said by the list. */
function tokenSource(isNew: readonly boolean[]): TokenSource & { readonly refused: (string | undefined)[] } {
  const secrets: Secret[] = [];
  const refused: (string | undefined)[] = [];
  return {
    secrets,
    refused,
    advice: "do as you are told",
    get(_signal, secret) {
      refused.push(secret?.reveal());
      const token = new Secret(`token-${secrets.length + 1}/=`);
      secrets.push(token);
      return Promise.resolve({ token, isNew: isNew[secrets.length - 1] ?? true });
    },
  };
}

describe("logging on", () => {
  const attempt = async (tokens: TokenSource, errors: readonly (BackupError | undefined)[]) => {
    const used: Credentials[] = [];
    const connect = (credentials: Credentials): Promise<string> => {
      const error = errors[used.length];
      used.push(credentials);
      return error ? Promise.reject(error) : Promise.resolve("connected");
    };
    const outcome = await logOn({ user: "alice", tokens }, signal, connect).catch((error: unknown) => error);
    return { outcome, used: used.map((each) => ("accessToken" in each ? each.accessToken : each.pass)) };
  };

  it("takes a password as it is", async () => {
    const login = { user: "alice", password: new Secret("secret") };
    const credentials = await logOn(login, signal, (given) => Promise.resolve(given));
    expect(credentials).toEqual({ user: "alice", pass: "secret" });
  });

  it("takes another token when one that is not new is refused, once", async () => {
    const tokens = tokenSource([false, true]);
    expect(await attempt(tokens, [refusal])).toEqual({ outcome: "connected", used: ["token-1/=", "token-2/="] });
    expect(tokens.refused).toEqual([undefined, "token-1/="]);
    const { outcome, used } = await attempt(tokenSource([false, false, false]), [refusal, refusal, refusal]);
    expect(outcome).toBe(refusal);
    expect(used).toHaveLength(2);
  });

  it("takes no other token when a new one is refused, or something else is wrong", async () => {
    expect(await attempt(tokenSource([true]), [refusal])).toMatchObject({ outcome: refusal, used: ["token-1/="] });
    const lost = new BackupError("CONNECTION_LOST", "no", { transient: true });
    expect(await attempt(tokenSource([false]), [lost])).toMatchObject({ outcome: lost, used: ["token-1/="] });
  });
});

describe("a token that the server sends back", () => {
  it.each([
    ["OAUTHBEARER", "no"],
    ["OAUTHBEARER", "bad"],
    ["OAUTHBEARER", "bye"],
    ["XOAUTH2", "no"],
    ["XOAUTH2", "bad"],
    ["XOAUTH2", "bye"],
  ] as const)("is cut out: %s, %s", async (mechanism, type) => {
    await using server = await startFakeImap({
      capabilities: [...DEFAULT_CAPABILITIES, `AUTH=${mechanism}`],
      fault: ({ command, args }) => {
        if (command !== "AUTHENTICATE") return undefined;
        const plain = Buffer.from(args.split(" ")[1] ?? "", "base64").toString();
        return { type, text: `cannot parse ${args} which is ${plain.replaceAll("\u0001", " ")}` };
      },
    });
    const events: BackupEvent[] = [];
    await using session = new ImapSession({
      server: { host: "localhost", port: server.tlsPort, security: "tls" },
      login: { user: "alice", tokens: tokenSource([true]) },
      ca: server.ca,
      trace: true,
      onEvent: (event) => events.push(event),
    });
    const error: unknown = await session.client(signal).catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(BackupError);
    const { message, cause } = error as BackupError;
    const all = [message, (cause as Error).message, (cause as Error).stack, JSON.stringify(events)].join("\n");
    expect(message).toContain("cannot parse");
    expect(all).not.toMatch(/token-1/);
    for (const skip of [0, 1, 2]) expect(all).not.toContain(inBase64("token-1/=", skip));
    if (type === "no") expect(message).toMatch(/; do as you are told$/);
  });
});

function inBase64(secret: string, skip: number): string {
  const encoded = Buffer.concat([Buffer.alloc(skip), Buffer.from(secret)]).toString("base64");
  return encoded.slice(Math.ceil((skip * 8) / 6), Math.floor(((skip + secret.length) * 8) / 6));
}
