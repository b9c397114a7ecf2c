import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { periodOf } from "../src/fleet/period.js";
import { spanOf } from "../src/fleet/span.js";
import { collisions } from "../src/plan/check-collisions.js";
import { readAccounts } from "../src/plan/read-accounts.js";
import { pluginsWith } from "../src/plugins/built-in.js";
import { isInShard, parseShard } from "../src/shard.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";

let directory: TemporaryDirectory;
beforeAll(async () => {
  directory = await temporaryDirectory();
});
afterAll(() => directory[Symbol.asyncDispose]());

async function fileOf(text: string): Promise<string> {
  const file = join(directory.path, "accounts.csv");
  await writeFile(file, text);
  return file;
}

async function read(text: string, onBad?: (line: string) => void) {
  const { actions } = await readAccounts(await fileOf(text), {
    dryRun: false,
    env: {},
    onBad,
    plugins: pluginsWith([]),
    signal: new AbortController().signal,
  });
  return actions;
}

describe("a list of accounts", () => {
  it("has a column for each key of a plan's actions, and says what is not empty", async () => {
    const actions = await read(
      [
        "user,destination,server,hist,connections,exclude-folder,name,ssh-port",
        "alice@example.org,nas:mail/alice,mail.example.org,true,2,Spam;Trash,,2222",
        '"bob, the other",/srv/bob,mail.example.org:143,,,,Bob,',
        "",
      ].join("\r\n"),
    );
    expect(actions.map(({ action: { name, host, destination } }) => ({ name, host, destination }))).toEqual([
      { name: "alice@example.org → nas:mail/alice", host: "mail.example.org", destination: "nas:mail/alice" },
      { name: "Bob", host: "mail.example.org", destination: "/srv/bob" },
    ]);
    expect(actions.map(({ excerpt }) => excerpt.actions[0])).toEqual([
      {
        type: "imap",
        user: "alice@example.org",
        destination: "nas:mail/alice",
        server: "mail.example.org",
        hist: true,
        connections: 2,
        "exclude-folder": ["Spam", "Trash"],
        "ssh-port": 2222,
      },
      { type: "imap", user: "bob, the other", destination: "/srv/bob", server: "mail.example.org:143", name: "Bob" },
    ]);
  });

  const BAD = [
    "user,destination,server,hist",
    "a@x.org,nas:a,mail.x.org,perhaps",
    "b@x.org,nas:b",
    "c@x.org,nas:c,mail.x.org,true",
    "d@x.org,nas:c/d,mail.x.org,",
    ",nas:e,mail.x.org,",
    "f@x.org,nas:f,mail x,",
    "g@x.org,nas:c,mail.x.org,",
  ].join("\n");
  const SAID = [
    /:2:1: hist takes true or false$/,
    /:3:1: 2 columns, and the first line names 4$/,
    /:5:1: this destination is within that of line 4; put it beside it$/,
    /:6:1: 'user' is missing$/,
    /:7:1: server: 'mail x' is no server; /,
    /:8:1: line 4 has this destination too; give each its own$/,
  ];

  it("names every row that is wrong, by its line, and is refused as a whole", async () => {
    const error: unknown = await read(BAD).catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: "PLAN_INVALID" });
    const lines = (error as Error).message.split("\n");
    expect(lines).toHaveLength(SAID.length);
    for (const [index, line] of lines.entries()) expect(line).toMatch(SAID[index] ?? /never/);
  });

  it("leaves them out where that is asked for, and names them all the same", async () => {
    const lines: string[] = [];
    const actions = await read(BAD, (line) => lines.push(line));
    expect(actions.map(({ action }) => action.destination)).toEqual(["nas:c"]);
    expect(lines).toHaveLength(SAID.length);
  });

  it.each<[string, string, RegExp]>([
    ["a column that no action has", "user,destination,servr\na,nas:a,m.example\n", /there is none called 'servr'/],
    ["no destination", "user,server\na,m.example\n", /none of them is 'destination'/],
    ["no account", "user,destination,server\n", /no accounts below/],
    ["nothing", "", /none of them is 'destination'/],
    ["a quote that does not end", 'user,destination,server\n"a,nas:a,m.example\n', /no CSV: /],
  ])("with %s is refused", async (_name, text, says) => {
    await expect(read(text)).rejects.toThrow(says);
  });

  it("that is not there is said to be so, and how one begins", async () => {
    const reading = readAccounts(join(directory.path, "none.csv"), {
      dryRun: false,
      env: {},
      plugins: pluginsWith([]),
      signal: new AbortController().signal,
    });
    await expect(reading).rejects.toThrow(/none\.csv does not exist; its first line is as user,destination,server$/);
  });

  it("with thousands of wrong rows names each of them", async () => {
    const rows = Array.from(
      { length: 3000 },
      (_, i) => `u${i}@x.org,nas:${i},${i % 10 === 0 ? "no server" : "m.example"}`,
    );
    const lines: string[] = [];
    const actions = await read(`user,destination,server\n${rows.join("\n")}\n`, (line) => lines.push(line));
    expect(actions).toHaveLength(2700);
    expect(lines).toHaveLength(300);
  });
});

describe("a part of a plan", () => {
  it("is one of N, the same on every machine, and of about the size of the others", () => {
    const destinations = Array.from({ length: 4000 }, (_, i) => `nas:mail/user${i}`);
    const counts = [0, 1, 2, 3].map((index) => destinations.filter((one) => isInShard(one, { index, of: 4 })).length);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(4000);
    for (const count of counts) expect(Math.abs(count - 1000)).toBeLessThan(120);
    // sha256sum, its first four bytes, modulo 5.
    expect(isInShard("nas:mail/alice", parseShard("3/5"))).toBe(true);
  });

  it.each(["", "4/4", "-1/4", "1", "1/0", "a/b", "1/4/2"])("%j is none", (text) => {
    expect(() => parseShard(text)).toThrow(/--shard takes a part/);
  });
});

it("destinations within one another are found as comparing each with each finds them", () => {
  const source = {
    value: {},
    position: ([, index]: readonly (string | number)[]) => ({ line: Number(index), column: 1 }),
  };
  const names = fc.array(fc.constantFrom("a", "b", "."), { maxLength: 3 });
  const place = fc
    .tuple(fc.constantFrom("/", "h:", "h:/", "u@h:", "h:../"), names)
    .map(([top, parts]) => `${top}${parts.join("/")}`)
    .filter((text) => !text.endsWith(":"));
  fc.assert(
    fc.property(fc.array(place, { maxLength: 6 }), (places) => {
      const claims = places.map((destination, index) => ({ index, destination, name: undefined }));
      const found = new Set(collisions(source, claims).map(({ position }) => position.line));
      const pairs = claims.flatMap((one, at) => claims.slice(0, at).map((other) => collisions(source, [other, one])));
      // Some pair is told of exactly if all together are.
      expect(found.size > 0).toBe(pairs.some((problems) => problems.length > 0));
    }),
    { numRuns: 500 },
  );
});

it("periods are those of UTC", () => {
  const now = new Date("2026-12-02T23:30:00Z");
  expect(periodOf("hour", now)).toBe("2026-12-02T23");
  expect(periodOf("day", now)).toBe("2026-12-02");
  expect(periodOf("week", now)).toBe("2026-11-30w");
});

it("times are written with their units", () => {
  expect(spanOf("--late", "26h")).toBe(26 * 3_600_000);
  expect(spanOf("--late", "1h30m")).toBe(5_400_000);
  for (const text of ["", "26", "h", "1x", "1h 2m", "-1h"])
    expect(() => spanOf("--late", text)).toThrow(/--late takes a time/);
});
