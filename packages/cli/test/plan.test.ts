import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { BackupError } from "@backup/core";
import { describe, expect, it } from "vitest";
import { planMaker } from "../src/plan/make-plan.js";
import { readPlan } from "../src/plan/read-plan.js";
import { ACTION_TYPES, PLUGINS } from "./support/types.js";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";

const ALICE = `actions:
  - type: imap
    user: alice
    destination: /srv/alice
    server: mail.example.org
`;

const make = planMaker(ACTION_TYPES, PLUGINS);

function planOf(text: string) {
  return make({ file: "plan.yaml", text, dryRun: false });
}

/** What is said of a wrong plan, line by line. */
function said(text: string): readonly string[] {
  try {
    planOf(text);
  } catch (error) {
    if (!(error instanceof BackupError)) throw error;
    expect(error.code).toBe("PLAN_INVALID");
    return error.message.split("\n");
  }
  throw new Error("the plan passed");
}

describe("a plan", () => {
  it("needs no more than one action", () => {
    const { actions, limits, hooks, reports } = planOf(ALICE);
    expect(limits).toEqual({ concurrency: 2, perHost: 2 });
    expect(hooks).toEqual({ before: [], after: [] });
    expect(reports).toEqual({});
    expect(actions).toMatchObject([
      {
        action: { name: "alice → /srv/alice", type: "imap", destination: "/srv/alice", host: "mail.example.org" },
        schedule: undefined,
        hooks: { before: [], after: [] },
      },
    ]);
  });

  it("says how many run at once, who is told, and what runs around it", () => {
    const plan = planOf(`${ALICE}
concurrency: 5
connections-per-host: 3
before: [[mount, /mnt/a b], /usr/bin/true]
after:
  - [umount, /mnt/a b]
reports:
  mail:
    to: you@example.org
    from: backup@example.org
    url: smtps://backup@mail.example.org:465
    password: { file: /run/secrets/mail }
    ssl: true
    tls-ca: ca.pem
    hostname: nas
    when: failure
  ping: https://ping.example.org/1234?a=b
  metrics: metrics/backup.prom
`);
    expect(plan).toMatchObject({
      file: "plan.yaml",
      limits: { concurrency: 5, perHost: 3 },
      hooks: { before: [["mount", "/mnt/a b"], ["/usr/bin/true"]], after: [["umount", "/mnt/a b"]] },
    });
    expect(plan.reports).toEqual({
      mail: {
        to: ["you@example.org"],
        from: "backup@example.org",
        url: "smtps://backup@mail.example.org:465",
        password: "/run/secrets/mail",
        ssl: true,
        tlsCa: "ca.pem",
        hostname: "nas",
        when: "failure",
      },
      ping: { url: "https://ping.example.org/1234?a=b" },
      metrics: { file: "metrics/backup.prom" },
    });
  });

  it("takes several addresses, an address for each ping, and a password's path", () => {
    const { reports } = planOf(`${ALICE}
reports:
  mail: { to: [a@example.org, B <b@example.org>], url: localhost:2525, password: /run/secrets/mail }
  ping: { start: http://a/, success: http://b/, fail: http://c/ }
`);
    expect(reports).toEqual({
      mail: { to: ["a@example.org", "B <b@example.org>"], url: "localhost:2525", password: "/run/secrets/mail" },
      ping: { start: "http://a/", success: "http://b/", fail: "http://c/" },
    });
  });

  it("has a schedule, which an action may change in part", () => {
    const { actions } = planOf(`schedule: "17 3 * * *"
time-zone: Europe/Berlin
jitter: 1h30m
${ALICE}
  - { type: imap, user: bob, destination: /srv/bob, server: a, schedule: "@daily", jitter: 90s }
  - { type: imap, user: eve, destination: /srv/eve, server: a, time-zone: UTC }
`);
    expect(actions.map(({ schedule }) => schedule)).toEqual([
      { cron: "17 3 * * *", timeZone: "Europe/Berlin", jitterMs: 90 * 60_000 },
      { cron: "@daily", timeZone: "Europe/Berlin", jitterMs: 90_000 },
      { cron: "17 3 * * *", timeZone: "UTC", jitterMs: 90 * 60_000 },
    ]);
  });

  it("has programs for every action in its defaults, which an action replaces", () => {
    const { actions, hooks } = planOf(`defaults: { before: [[a, b]], after: [c] }
${ALICE}    before: []
`);
    expect(hooks).toEqual({ before: [], after: [] });
    expect(actions[0]?.hooks).toEqual({ before: [], after: [["c"]] });
  });

  it("repeats itself by anchors and merge keys, also from keys that begin with x-", () => {
    const { actions } = planOf(`x-common: &common { type: imap, server: &server mail.example.org }
x-more: [&more { user: bob }, { any: [thing] }]
actions:
  - { <<: *common, user: alice, destination: /srv/alice }
  - { <<: [*common, *more], destination: /srv/bob, server: *server }
`);
    expect(actions.map(({ action }) => action.name)).toEqual(["alice → /srv/alice", "bob → /srv/bob"]);
  });

  it("may merge one anchor into hundreds of actions", () => {
    const entries = Array.from({ length: 500 }, (_, at) => `  - { <<: *x, user: u${at}, destination: /srv/${at} }`);
    const { actions } = planOf(`x-x: &x { type: imap, server: a }\nactions:\n${entries.join("\n")}\n`);
    expect(actions).toHaveLength(500);
  });
});

describe("a plan that is no YAML", () => {
  it.each([
    [
      "nothing at all",
      "",
      "1:1: this is no plan, which is a mapping that begins with 'actions:'; see backup config example",
    ],
    [
      "comments only",
      "# nothing\n",
      "1:1: this is no plan, which is a mapping that begins with 'actions:'; see backup config example",
    ],
    [
      "a text",
      "backup everything",
      "1:1: this is no plan, which is a mapping that begins with 'actions:'; see backup config example",
    ],
    [
      "a list",
      "- type: imap\n",
      "1:1: this is no plan, which is a mapping that begins with 'actions:'; see backup config example",
    ],
    [
      "a second document",
      `${ALICE}---\n${ALICE}`,
      "6:1: a second document begins here; a plan is one file with one document",
    ],
    ["a tab", "actions:\n\t- type: imap\n", "2:1: a tab in the indentation; YAML takes blanks only"],
    [
      "a key that stands there twice",
      `${ALICE}    user: bob\n`,
      "6:5: this key stands here twice; leave one of them out",
    ],
    [
      "no quotes around @",
      `schedule: @daily\n${ALICE}`,
      "1:11: a text cannot begin with this character; put it in quotes",
    ],
    [
      "no quotes around *",
      `schedule: * * * * *\n${ALICE}`,
      "1:11: an anchor or alias without a name; a text that begins with * or & belongs in quotes",
    ],
    [
      "no quotes around */5",
      `schedule: */5 * * * *\n${ALICE}`,
      "1:15: this does not belong here; is a quote, a bracket or a blank missing, or one too many?",
    ],
    [
      "an alias of nothing",
      `concurrency: *many\n${ALICE}`,
      "1:14: no anchor (&name) of this name stands above; a text that begins with * belongs in quotes",
    ],
    [
      "a tag",
      `${ALICE}    name: !js/function "x"\n`,
      "6:11: tags are not known here; a text that begins with ! belongs in quotes",
    ],
    [
      "an open quote",
      `${ALICE}    name: "x\n`,
      "7:1: something is missing: a colon with a blank after it, a comma, a quote or a bracket",
    ],
    ["an open bracket", `${ALICE}    folder: [a, b\n`, "7:1: the indentation does not fit the lines above"],
    [
      "two keys in a line",
      "actions: defaults: 1\n",
      "1:10: a second key or a list cannot begin on this line; put it on the next one, or the text in quotes",
    ],
    ["a list as a key", "[a, b]: 1\n", "1:1: a key is a plain word"],
    ["a merge of a text", `<<: text\n${ALICE}`, "1:1: << takes a mapping, mostly an alias (*name) of one"],
  ])("%s", (_what, text, expected) => {
    expect(said(text)).toEqual([`plan.yaml:${expected}`]);
  });

  it("holds aliases that stand for too much", () => {
    const levels = Array.from({ length: 9 }, (_, at) => `x-${at + 1}: &l${at + 1} [${`*l${at}, `.repeat(9)}]`);
    expect(said(`x-0: &l0 [a]\n${levels.join("\n")}\n${ALICE}`)).toEqual([
      "plan.yaml:2:11: aliases (*name) stand for too much",
    ]);
  });

  it("holds an alias of what it is in", () => {
    expect(said(`x-a: &a\n  <<: *a\n${ALICE}`)).toEqual(["plan.yaml:2:7: an alias (*name) stands for what it is in"]);
    expect(said(`${ALICE}    folder: &a [INBOX, [*a]]\n`)).toEqual([
      "plan.yaml:6:25: an alias (*name) stands for what it is in",
    ]);
  });

  it.each([
    ["[".repeat(50_000), 1, 45],
    [`${"[".repeat(50_000)}${"]".repeat(50_000)}`, 1, 45],
    ["{a: ".repeat(40_000), 1, 159],
    [`\n  ${"- ".repeat(60_000)}a`, 2, 81],
    [`\n  ${"? ".repeat(60_000)}a`, 2, 81],
    [Array.from({ length: 600 }, (_, at) => `\n${" ".repeat(at + 1)}k:`).join(""), 40, 40],
  ])("is nested too deeply (%#)", (text, line, column) => {
    expect(said(`x-a: ${text}`)).toEqual([`plan.yaml:${line}:${column}: it is nested too deeply to be a plan`]);
  });
});

describe("a plan with mistakes", () => {
  const oneMore = (key: string): string => `${ALICE}    ${key}\n`;
  it.each([
    [
      "retention without snapshots",
      oneMore("retention: {keep-last: 3}"),
      "6:16: retention is for snapshots; add hist: true",
    ],
    [
      "retention that keeps nothing",
      oneMore("retention: {keep-daily: 0}\n    hist: true"),
      "6:16: retention: nothing says what to keep; give one of keep-last, keep-daily, keep-weekly, keep-monthly, keep-yearly a number above 0",
    ],
    [
      "retention of half a snapshot",
      oneMore("retention: {keep-last: 0.5}\n    hist: true"),
      "6:28: keep-last takes a whole number, 0 or more",
    ],
    [
      "retention of all, which keeps nothing",
      `defaults: {hist: true, retention: {keep-last: 0}}\n${ALICE}`,
      "1:35: retention: nothing says what to keep; give one of keep-last, keep-daily, keep-weekly, keep-monthly, keep-yearly a number above 0",
    ],
    [
      "a day that is none",
      oneMore("histdate: 2026-02-30\n    hist: true"),
      "6:15: histdate takes a day as 2026-11-23 or 2026/11/23, not '2026-02-30'",
    ],
    ["no actions", "concurrency: 2\n", "1:1: 'actions' is missing"],
    ["no action", "actions: []\n", "1:10: actions takes a list of at least one action"],
    ["no list of actions", "actions: all\n", "1:10: actions takes a list of at least one action"],
    ["an empty value", `concurrency:\n${ALICE}`, "1:1: concurrency has no value"],
    [
      "an unknown key",
      `${ALICE}frequency: daily\n`,
      "6:1: there is no option 'frequency'; the options here are: actions, defaults, plugins, concurrency, connections-per-host, schedule, time-zone, jitter, reports, before, after",
    ],
    [
      "a key that is nearly known",
      oneMore("keep-delete: true"),
      "6:5: there is no option 'keep-delete'; did you mean keep-deleted?",
    ],
    [
      "underscores",
      oneMore("keep_deleted: true"),
      "6:5: there is no option 'keep_deleted'; did you mean keep-deleted?",
    ],
    ["the command line's word", oneMore("dest: /srv/bob"), "6:5: there is no option 'dest'; did you mean destination?"],
    [
      "a key in the wrong place",
      oneMore("concurrency: 2"),
      "6:5: 'concurrency' belongs to the plan as a whole, at the left margin",
    ],
    [
      "an option of the command line",
      oneMore("watch: true"),
      "6:5: 'watch' is for a command line alone; an action of a plan runs by its schedule, with backup run --watch",
    ],
    [
      "a schedule in defaults",
      `defaults:\n  schedule: "@daily"\n${ALICE}`,
      "2:3: 'schedule' belongs to the plan as a whole, at the left margin",
    ],
    [
      "a name in defaults",
      `defaults:\n  name: all\n${ALICE}`,
      "2:3: 'name' belongs to an action: each has one of its own",
    ],
    [
      "a key of an object's prototype",
      oneMore("__proto__: 1"),
      "6:5: there is no option '__proto__'; see backup config example",
    ],
    ["an unknown type", "actions:\n  - type: imp\n", "2:11: type takes one of: imap, file, samba, mysql, rclone"],
    ["no type", "actions:\n  - user: alice\n", "2:5: 'type' is missing"],
    [
      "an action that is a text",
      "actions:\n  - imap\n",
      "2:5: this is no action, which is a mapping that begins with 'type: imap'",
    ],
    [
      "an action that is empty",
      "actions:\n  -\n",
      "2:4: this is no action, which is a mapping that begins with 'type: imap'",
    ],
    [
      "a missing argument",
      "actions:\n  - type: imap\n    user: alice\n    destination: /srv/alice\n",
      "2:5: 'server' is missing",
    ],
    ["an empty argument", ALICE.replace("alice", "''"), "3:11: user is empty"],
    ["a number for a text", ALICE.replace("alice", "12"), "3:11: user takes text; put it in quotes"],
    ["a text for a number", oneMore("timeout: '5'"), "6:14: timeout takes a number"],
    ["a text for a switch", oneMore("keep-deleted: yes"), "6:19: keep-deleted takes true or false"],
    ["a list for a text", oneMore("tls-ca: [a, b]"), "6:13: tls-ca takes text"],
    ["a number in a list", oneMore("folder: [INBOX, 2026]"), "6:21: folder takes text; put it in quotes"],
    ["another choice", oneMore("transport: ftp"), "6:16: transport takes one of: rsync, sftp"],
    ["no whole number", `concurrency: 1.5\n${ALICE}`, "1:14: concurrency takes a whole number from 1 to 1000"],
    [
      "too few at once",
      `connections-per-host: 0\n${ALICE}`,
      "1:23: connections-per-host takes a whole number from 1 to 1000",
    ],
    ["a number for a duration", `jitter: 600\n${ALICE}`, "1:9: jitter takes a duration such as 90s, 10m or 1h30m"],
    ["a duration without a unit", `jitter: "10"\n${ALICE}`, "1:9: jitter takes a duration such as 90s, 10m or 1h30m"],
    [
      "a list of no commands",
      `before: mount /mnt\n${ALICE}`,
      "1:9: before takes a list of commands, each of them a list: [[program, argument]]",
    ],
    [
      "a shell's command",
      `before: ["mount /mnt"]\n${ALICE}`,
      "1:10: before takes a program and its arguments as a list: [program, argument]",
    ],
    [
      "an empty command",
      `after: [[]]\n${ALICE}`,
      "1:9: after takes a program and its arguments as a list: [program, argument]",
    ],
    ["a number as an argument", `after: [[sleep, 5]]\n${ALICE}`, "1:17: after takes text; put it in quotes"],
    ["a mail to nobody", `reports:\n  mail:\n    from: a@example.org\n${ALICE}`, "3:5: 'to' is missing"],
    [
      "an unknown report",
      `reports:\n  fax: 123\n${ALICE}`,
      "2:3: there is no option 'fax'; the options here are: mail, ping, metrics",
    ],
    [
      "a ping to no address",
      `reports:\n  ping: example.org/x\n${ALICE}`,
      "2:9: ping takes an address, http://… or https://…, or a mapping of url, start, success and fail",
    ],
    [
      "a ping to no address, by name",
      `reports:\n  ping:\n    start: example.org\n${ALICE}`,
      "3:12: start takes an address, http://… or https://…",
    ],
    [
      "mail only sometimes",
      `reports:\n  mail: { to: a@b, when: never }\n${ALICE}`,
      "2:26: when takes one of: always, failure",
    ],
    [
      "an address that is none",
      `reports:\n  mail:\n    to: [a@b, you]\n${ALICE}`,
      "3:15: to takes mail addresses, as you@example.org; 'you' is none",
    ],
    [
      "one address that is none",
      `reports:\n  mail:\n    to: you\n${ALICE}`,
      "3:9: to takes mail addresses, as you@example.org; 'you' is none",
    ],
    [
      "a sender that is none",
      `reports:\n  mail: { to: a@b, from: me }\n${ALICE}`,
      "2:26: from takes mail addresses, as you@example.org; 'me' is none",
    ],
    [
      "a host name that is none",
      `reports:\n  mail: { to: a@b, hostname: a b }\n${ALICE}`,
      "2:30: hostname takes a host name, as backup.example.org; 'a b' is none",
    ],
    [
      "TLS and not",
      `reports:\n  mail: { to: a@b, url: smtps://mail, ssl: false }\n${ALICE}`,
      "2:25: url says smtps, which is TLS, and ssl says that it is not; change one",
    ],
    [
      "a ping with a password",
      `reports:\n  ping: http://a:b@c/\n${ALICE}`,
      "2:9: url takes an address without user and password",
    ],
    // What the type itself says of a command line.
    [
      "a server that is none",
      ALICE.replace("mail.example.org", "'mail example'"),
      "5:13: server: 'mail example' is no server; write host, host:143, host:993, imaps://host:port or imap://host:port",
    ],
    [
      "a port that says nothing",
      ALICE.replace("mail.example.org", "mail:1234"),
      "5:13: server: port 1234 does not say how TLS starts; write imaps://mail:1234 for TLS, or imap://mail:1234 for STARTTLS",
    ],
    ["no time", oneMore("timeout: 0"), "6:14: timeout takes a number of seconds above 0, up to 86400 (a day)"],
    [
      "no time in defaults",
      `defaults: { timeout: -1 }\n${ALICE}`,
      "1:22: timeout takes a number of seconds above 0, up to 86400 (a day)",
    ],
    ["no port", oneMore("ssh-port: 70000"), "6:15: ssh-port takes a port, a number from 1 to 65535"],
    // Schedules.
    [
      "no cron expression",
      `schedule: sometimes\n${ALICE}`,
      "1:11: schedule is no cron expression; it takes minute hour day month weekday, as '17 3 * * *', or a word as @daily",
    ],
    [
      "an hour that is none",
      oneMore("schedule: 0 25 * * *"),
      "6:15: schedule is no cron expression; it takes minute hour day month weekday, as '17 3 * * *', or a word as @daily",
    ],
    [
      "no time of its own",
      oneMore('schedule: "@reboot"'),
      "6:15: schedule is no cron expression; it takes minute hour day month weekday, as '17 3 * * *', or a word as @daily",
    ],
    [
      "years",
      oneMore("schedule: 0 0 3 * * * 2030"),
      "6:15: schedule is no cron expression; it takes minute hour day month weekday, as '17 3 * * *', or a word as @daily",
    ],
    ["30 February", oneMore("schedule: 0 3 30 2 *"), "6:15: schedule never comes: there is no such day"],
    [
      "an unknown time zone",
      `time-zone: Europe/Atlantis\n${ALICE}`,
      "1:12: there is no time zone 'Europe/Atlantis'; write it as Europe/Berlin or UTC",
    ],
  ])("%s", (_what, text, expected) => {
    expect(said(text)).toEqual([`plan.yaml:${expected}`]);
  });

  it.each([
    ["the same", "/srv/alice", "/srv/alice", "8:18: line 4 has this destination too; give each its own"],
    [
      "the same, written in another way",
      "/srv/alice",
      "/srv/./bob/../alice/",
      "8:18: line 4 has this destination too; give each its own",
    ],
    ["the same on another host", "nas:mail", "NAS:mail/", "8:18: line 4 has this destination too; give each its own"],
    [
      "the second within the first",
      "/srv",
      "/srv/bob",
      "8:18: this destination is within that of line 4; put it beside it",
    ],
    [
      "the first within the second",
      "/srv/alice",
      "/srv",
      "4:18: this destination is within that of line 8; put it beside it",
    ],
    ["within the root", "/", "/srv", "8:18: this destination is within that of line 4; put it beside it"],
    [
      "within another on another host",
      "nas:/a",
      "nas:/a/b",
      "8:18: this destination is within that of line 4; put it beside it",
    ],
    [
      "within a home directory",
      "nas:",
      "nas:mail",
      "8:18: this destination is within that of line 4; put it beside it",
    ],
  ])("two destinations: %s", (_what, one, other, expected) => {
    const text = `${ALICE.replace("/srv/alice", `"${one}"`)}${ALICE.replace("actions:\n", "").replace("/srv/alice", `"${other}"`)}`;
    expect(said(text)).toEqual([`plan.yaml:${expected}`]);
  });

  it.each([
    ["/srv/alice", "/srv/alice2"],
    ["nas:", "nas:/srv"],
    ["nas:", "nas:../bob"],
    ["nas:", "nas2:mail"],
    ["nas:a", "nas2:a"],
    ["./nas:a", "nas:a"],
  ])("nothing against the destinations %s and %s", (one, other) => {
    const text = `${ALICE.replace("/srv/alice", `"${one}"`)}${ALICE.replace("actions:\n", "").replace("/srv/alice", `"${other}"`)}`;
    expect(planOf(text).actions).toHaveLength(2);
  });

  it("two names that are the same", () => {
    const other = ALICE.replace("actions:\n", "").replace("/srv/alice", "/srv/bob");
    expect(said(`${ALICE}    name: mail\n${other}    name: mail\n`)).toEqual([
      "plan.yaml:11:11: line 6 has this name too; give each its own",
    ]);
  });

  it("says all at once, in the order of the file", () => {
    const text = `concurrency: many
schedule: 0 3 30 2 *
actions:
  - type: imap
    user: alice
    destination: /srv/alice
    server: mail.example.org
    keep-delete: true
    timeout: "5"
  - type: imap
    destination: /srv/alice
    time-zone: Mars
frequency: 5
`;
    expect(said(text).map((line) => line.replace(/^(\S+ \S+ \S+).*/, "$1"))).toEqual([
      "plan.yaml:1:14: concurrency takes",
      "plan.yaml:2:11: schedule never",
      "plan.yaml:8:5: there is",
      "plan.yaml:9:14: timeout takes",
      "plan.yaml:10:5: 'user' is",
      "plan.yaml:10:5: 'server' is",
      "plan.yaml:11:18: line 6",
      "plan.yaml:12:16: there is",
      "plan.yaml:13:1: there is",
    ]);
  });

  it("says twenty things at most, and how many more there are", () => {
    const lines = said(`${ALICE}${Array.from({ length: 30 }, (_, at) => `y${at}: 1\n`).join("")}`);
    expect(lines).toHaveLength(21);
    expect(lines.at(-1)).toBe("plan.yaml: and 10 more");
  });

  it("points at the anchor for what an alias brings", () => {
    expect(
      said(`x-a: &a { type: imap, sever: b }\nactions:\n  - { <<: *a, user: a, destination: b, server: c }\n`),
    ).toEqual(["plan.yaml:1:23: there is no option 'sever'; did you mean server?"]);
  });
});

describe("a plan's file", () => {
  it("is read, and said by its name", async () => {
    await using directory = await temporaryDirectory();
    const file = join(directory.path, "plan.yaml");
    await writeFile(file, ALICE);
    const plan = await readPlan(file, {
      dryRun: false,
      env: {},
      plugins: PLUGINS,
      signal: new AbortController().signal,
    });
    expect(plan.file).toBe(file);
    await writeFile(file, "\ufeff# ä\nconcurrency: x\n");
    await expect(
      readPlan(file, { dryRun: false, env: {}, plugins: PLUGINS, signal: new AbortController().signal }),
    ).rejects.toMatchObject({
      code: "PLAN_INVALID",
      message: `${file}:2:1: 'actions' is missing\n${file}:2:14: concurrency takes a whole number from 1 to 1000`,
    });
  });

  it("is missing, a directory, not text, too large", async () => {
    await using directory = await temporaryDirectory();
    const { path } = directory;
    const read = (name: string) =>
      readPlan(join(path, name), { dryRun: false, env: {}, plugins: PLUGINS, signal: new AbortController().signal });
    await expect(read("no.yaml")).rejects.toMatchObject({
      code: "USAGE",
      message: `the plan ${path}/no.yaml does not exist; backup config example prints one to begin with`,
    });
    await mkdir(join(path, "directory.yaml"));
    await expect(read("directory.yaml")).rejects.toMatchObject({ code: "USAGE", message: /is a directory/ });
    await writeFile(join(path, "latin1.yaml"), Buffer.from("x: \xe4", "latin1"));
    await expect(read("latin1.yaml")).rejects.toMatchObject({ code: "PLAN_INVALID", message: /:1:1: .*UTF-8/ });
    await writeFile(join(path, "large.yaml"), `#${"x".repeat(300_000)}`);
    await expect(read("large.yaml")).rejects.toMatchObject({ code: "PLAN_INVALID", message: /too large/ });
  });
});
