import { expect, test } from "vitest";
import { childEnvironment } from "../src/child-environment.js";

test("ssh and rsync get what they need, and no secret of others", () => {
  const needed = { PATH: "/bin", HOME: "/h", LC_ALL: "C", SSH_AUTH_SOCK: "/s", KRB5CCNAME: "/k", TMPDIR: "/t" };
  const secrets = {
    MAIL_URL: "smtp://u:p@h",
    PING_URL: "https://h/t",
    BOB_PASSWORD: "p",
    RSYNC_RSH: "x",
    MY_PATH: "y",
  };
  expect(childEnvironment({ ...needed, ...secrets })).toEqual(needed);
});
