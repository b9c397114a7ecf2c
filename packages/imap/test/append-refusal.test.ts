import { describe, expect, it } from "vitest";
import { refusalOf } from "../src/append-refusal.js";

const refused = (responseText: string, serverResponseCode?: string, responseStatus = "NO"): Error =>
  Object.assign(new Error("Command failed"), { responseStatus, responseText, serverResponseCode });

describe("a refused APPEND", () => {
  it.each([
    ["account", refused("Quota exceeded (mailbox for user is full)", "OVERQUOTA")],
    ["account", refused("Mailbox is full")],
    ["folder", refused("Permission denied", "NOPERM")],
    ["folder", refused("Permission denied")],
    ["folder", refused("Mailbox doesn't exist", "TRYCREATE")],
    ["message", refused("Message too large", "TOOBIG")],
    ["message", refused("Message contains NUL characters")],
    ["message", refused("Invalid date-time in Append command", undefined, "BAD")],
  ] as const)("concerns the %s", (what, error) => {
    expect(refusalOf(error)).toBe(what);
  });

  it("is none where the server did not answer", () => {
    expect(refusalOf(new Error("Connection not available"))).toBeUndefined();
    expect(refusalOf("text")).toBeUndefined();
  });
});
