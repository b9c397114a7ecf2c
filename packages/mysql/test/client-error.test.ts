import { describe, expect, it } from "vitest";
import { clientError, complaintOf, errorNumber } from "../src/client-error.js";

describe("what a client program complains about", () => {
  it.each([
    ["ERROR 1045 (28000): Access denied for user 'bob'@'localhost' (using password: YES)\n", "1045", "AUTH_FAILED"],
    [
      `mariadb-dump: Got error: 2002: "Can't connect to local server" when trying to connect`,
      "2002",
      "CONNECTION_REFUSED",
    ],
    [
      "mysqldump: [Warning] x\nmysqldump: Error 2013: Lost connection when dumping table `m` at row: 50",
      "2013",
      "CONNECTION_LOST",
    ],
    [
      "mariadb-dump: Couldn't execute 'SHOW FIELDS FROM `v`': View 'x.v' references invalid table(s) (1356)",
      "1356",
      "ITEM_UNREADABLE",
    ],
    ["ERROR 2026 (HY000): TLS/SSL error: certificate verify failed", "2026", "TLS_UNTRUSTED"],
    [
      "mysqldump: Got error: 2026: SSL connection error: CA certificate is required if ssl-mode is VERIFY_CA or VERIFY_IDENTITY when trying to connect",
      "2026",
      "TLS_UNTRUSTED",
    ],
    ["ERROR 1698 (28000) at line 20: Access denied for user 'bob'@'%'", "1698", "ITEM_UNREADABLE"],
    ["ERROR 2013 (HY000) at line 7: Lost connection to server during query", "2013", "CONNECTION_LOST"],
  ])("%s", (stderr, number, code) => {
    const complaint = complaintOf(stderr) ?? "";
    expect(complaint).not.toMatch(/^(?:mysqldump|mariadb-dump): /);
    expect(errorNumber(complaint)).toBe(number);
    const error = clientError("it failed", { complaint, why: "" });
    expect(error.code).toBe(code);
    expect(error.message.startsWith(`it failed: ${complaint}`)).toBe(true);
  });

  it("is nothing where there are warnings alone", () => {
    expect(complaintOf("WARNING: --ssl is on\nmariadb: [Warning] unknown option '--loose-sandbox'\n")).toBeUndefined();
    expect(clientError("it failed", { complaint: undefined, why: "mariadb was ended by SIGKILL" }).message).toBe(
      "it failed: mariadb was ended by SIGKILL",
    );
  });
});
