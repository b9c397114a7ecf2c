import { expect, test } from "vitest";
import { parseConfig, secretsIn, withChanges } from "../src/config-text.js";

const TEXT = `# mine
[drive]
type = drive
token = {"access_token":"old-access","token_type":"Bearer","refresh_token":"old-refresh","expiry":"2026-01-01T00:00:00Z"}
; a comment

[box]
type=box
pass = hunter22-obscured
key_file = /home/me/.ssh/id_rsa
`;

const RENEWED = `[drive]
type = drive
token = {"access_token":"new","refresh_token":"new-refresh"}
team_drive = 1
shell_type = unix
md5sum_command = md5sum

[box]
type = box
pass = hunter22-obscured
key_file = /home/me/.ssh/id_rsa
`;

test("a configuration is read as rclone reads it", () => {
  const config = parseConfig(TEXT);
  expect([...config.keys()]).toEqual(["drive", "box"]);
  expect(Object.fromEntries(config.get("box") ?? [])).toEqual({
    type: "box",
    pass: "hunter22-obscured",
    key_file: "/home/me/.ssh/id_rsa",
  });
});

test("only what was changed is changed in the file, and comments stay", () => {
  const before = parseConfig(TEXT);
  // Another run has renewed something else there in the meantime.
  const there = TEXT.replace("hunter22-obscured", "another");
  const text = withChanges(there, before, parseConfig(RENEWED));
  const renewed = 'token = {"access_token":"new","refresh_token":"new-refresh"}\nteam_drive = 1';
  expect(text).toBe(there.replace(/^token = .*$/m, renewed));
  expect(withChanges(TEXT, before, before)).toBe(TEXT);
});

test("a section that was new is added", () => {
  const text = withChanges("[a]\nb = c\n", parseConfig("[a]\nb = c\n"), parseConfig("[a]\nb = c\n[d]\ne = f\n"));
  expect(parseConfig(text)).toEqual(parseConfig("[a]\nb = c\n[d]\ne = f\n"));
});

test("secrets are told by the names of their options, and those in a token by its fields", () => {
  const secrets = secretsIn(parseConfig(TEXT)).map((secret) => secret.reveal());
  expect(secrets).toContain("old-access");
  expect(secrets).toContain("old-refresh");
  expect(secrets).toContain("hunter22-obscured");
  expect(secrets).not.toContain("/home/me/.ssh/id_rsa");
  expect(secrets).not.toContain("Bearer");
});
