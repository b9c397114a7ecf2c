import { Secret } from "@backup/core";
import { describe, expect, it } from "vitest";
import { type FakeImap, type FaultScript, startFakeImap } from "../../../test/support/fake-imap.js";
import { ImapSession } from "../src/session.js";

const { signal } = new AbortController();

function sessionWith(server: FakeImap, reconnects: number): ImapSession {
  return new ImapSession({
    server: { host: "localhost", port: server.tlsPort, security: "tls" },
    login: { user: "alice", password: new Secret("secret") },
    ca: server.ca,
    reconnects,
    patience: { pauseMs: 5 },
  });
}

/** Refuses so many logins. */
function refuseLogins(times: number, text: string): FaultScript {
  return ({ command, count }) =>
    /^(LOGIN|AUTHENTICATE)$/.test(command) && count <= times ? { type: "no", text } : undefined;
}

describe("a login that is refused", () => {
  it("the first time is final, and about the password", async () => {
    await using server = await startFakeImap({ fault: refuseLogins(9, "[AUTHENTICATIONFAILED] no") });
    await using session = sessionWith(server, 2);
    await expect(session.client(signal)).rejects.toMatchObject({ code: "AUTH_FAILED", transient: false });
    expect(server.connections).toBe(1);
  });

  it.each(["UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG"])("with %s is not about the password", async (code) => {
    await using server = await startFakeImap({ fault: refuseLogins(9, `[${code}] not now`) });
    await using session = sessionWith(server, 2);
    await expect(session.client(signal)).rejects.toMatchObject({ code: "CONNECTION_REFUSED", transient: true });
  });

  it("after one that was not is tried again", async () => {
    await using server = await startFakeImap();
    await using session = sessionWith(server, 2);
    await session.client(signal);
    session.drop();
    server.fault = refuseLogins(1, "[ALERT] Too many simultaneous connections.");
    expect((await session.client(signal)).usable).toBe(true);
    expect(server.connections).toBe(3);
  });

  it("after one that was not, again and again, ends as what it is", async () => {
    await using server = await startFakeImap();
    await using session = sessionWith(server, 1);
    await session.client(signal);
    session.drop();
    server.fault = refuseLogins(9, "[AUTHENTICATIONFAILED] no");
    await expect(session.client(signal)).rejects.toMatchObject({ code: "AUTH_FAILED", transient: true });
    expect(server.connections).toBe(3);
  });
});
