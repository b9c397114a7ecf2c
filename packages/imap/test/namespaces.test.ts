import { describe, expect, it } from "vitest";
import { type Namespace, kindOf } from "../src/namespaces.js";

const personal = (prefix: string, delimiter = "."): Namespace => ({ kind: "personal", prefix, delimiter });
const other = (prefix: string, delimiter = "."): Namespace => ({ kind: "other", prefix, delimiter });
const shared = (prefix: string, delimiter = "."): Namespace => ({ kind: "shared", prefix, delimiter });

describe("whose a folder is", () => {
  it.each([
    // Dovecot
    [
      [personal("", "/"), shared("Public/", "/")],
      { "Archive/2024": "personal", Public: "shared", "Public/a": "shared" },
    ],
    [[personal("", "/"), shared("Public/", "/")], { Publication: "personal", INBOX: "personal" }],
    // Courier
    [[personal("INBOX."), shared("#shared."), shared("shared.")], { INBOX: "personal", "INBOX/a": "personal" }],
    [[personal("INBOX."), shared("#shared."), shared("shared.")], { "shared/a/b": "shared", "#shared/a": "shared" }],
    // Cyrus without altnamespace
    [[personal("INBOX."), other("user."), shared("")], { INBOX: "personal", "user/bob": "other", board: "shared" }],
    // RFC 2342, section 5
    [[personal("", "/"), other("~", "/")], { "~bob/Mail": "other", Mail: "personal" }],
    [[], { Mail: "personal" }],
  ] as const)("%j", (namespaces, kinds) => {
    for (const [name, kind] of Object.entries(kinds)) expect(kindOf(name.split("/"), namespaces), name).toBe(kind);
  });
});
