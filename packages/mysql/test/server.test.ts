import { describe, expect, it } from "vitest";
import { isLocal, nameOfServer, parseServer } from "../src/server.js";

describe("parseServer", () => {
  it.each([
    ["localhost", { user: undefined, host: "localhost", port: undefined, database: undefined }],
    ["root@db.example.org:3307/shop", { user: "root", host: "db.example.org", port: 3307, database: "shop" }],
    ["db/a/b", { user: undefined, host: "db", port: undefined, database: "a/b" }],
    ["a@b@host", { user: "a@b", host: "host", port: undefined, database: undefined }],
    ["u@[::1]:3306", { user: "u", host: "::1", port: 3306, database: undefined }],
    ["host/", { user: undefined, host: "host", port: undefined, database: undefined }],
  ])("reads %s", (text, server) => {
    expect(parseServer(text)).toEqual(server);
  });

  it.each(["", "@host", "-host", "host:0", "host:65536", "ho st", "host:x", "user@"])("refuses '%s'", (text) => {
    expect(() => parseServer(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });

  it("knows this machine, and names servers", () => {
    expect(["localhost", "127.0.0.1", "127.9.9.9", "::1"].map((host) => isLocal({ host }))).toEqual([
      true,
      true,
      true,
      true,
    ]);
    expect(["db", "127.example.org", "10.0.0.1"].map((host) => isLocal({ host }))).toEqual([false, false, false]);
    expect(nameOfServer({ host: "db", port: 3306 })).toBe("db");
    expect(nameOfServer({ host: "::1", port: 3307 })).toBe("[::1]:3307");
  });
});
