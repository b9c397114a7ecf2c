import type { Holding, Inventory, Listed } from "@backup/core";
import { describe, expect, it } from "vitest";
import { type Listing, formatJson, formatOlder, formatProblems, formatTable, isWhole } from "../src/render/listing.js";

const FINISHED = "2026-11-23T12:52:07.123Z";
const STOCK = { files: 1234, bytes: 5_000_000, digest: "d" };

function holding(name: string, more: Partial<Holding> = {}): Holding {
  return { ...STOCK, path: name, name, at: FINISHED, items: 1234, gaps: [], kept: 0, stamp: "s", ...more };
}

function listed(held: Holding, more: Partial<Listed> = {}): Listed {
  return {
    path: held.path,
    name: held.name,
    holding: held,
    now: STOCK,
    newest: Date.parse(FINISHED),
    isDifferent: false,
    ...more,
  };
}

function listing(collections: readonly Listed[], more: Partial<Inventory> = {}): Listing {
  const inventory: Inventory = {
    format: 1,
    source: "imap:alice@example.org",
    finished: FINISHED,
    seconds: 2,
    result: "done",
    complete: FINISHED,
    unlisted: [],
    collections: collections.flatMap(({ holding: held }) => held ?? []),
    ...more,
  };
  return { source: inventory.source, destination: "nas:mail", origin: "server", inventory, collections };
}

const problems = (of: Listing, isVerbose = false) => formatProblems(of, { isVerbose });

describe("a listing", () => {
  it("is a table with a total", () => {
    const of = listing([listed(holding("INBOX", { kept: 3 })), listed(holding("Sent"))]);
    expect(formatTable(of)).toEqual([
      "nas:mail: imap:alice@example.org, all done at 2026-11-23 12:52:07 UTC",
      "",
      "server   here   size  kept  missing      newest  folder",
      " 1,234  1,234   5 MB     3        0  2026-11-23  INBOX",
      " 1,234  1,234   5 MB     0        0  2026-11-23  Sent",
      " 2,468  2,468  10 MB     3        0              2 folders",
    ]);
    expect(isWhole(of)).toBe(true);
    expect(problems(of)).toEqual([]);
    expect(formatOlder(of)).toEqual([]);
  });

  it("names what is missing, a dozen unless more is asked for", () => {
    const gaps = Array.from({ length: 15 }, (_, n) => `V1U${n + 1}`);
    const of = listing([listed(holding("INBOX", { gaps }))], { result: "partial", complete: null, unlisted: ["Work"] });
    expect(isWhole(of)).toBe(false);
    expect(formatTable(of)[0]).toContain("PARTLY done at 2026-11-23 12:52:07 UTC; there was no complete run yet");
    expect(problems(of)).toEqual([
      `INBOX: missing: ${gaps.slice(0, 12).join(", ")} and 3 more`,
      "Work: could not be listed by the last run",
    ]);
    expect(problems(of, true)[0]).toBe(`INBOX: missing: ${gaps.join(", ")}`);
  });

  it("says of a partial run that lacks nothing by name that its messages do", () => {
    const of = listing([listed(holding("INBOX"))], { result: "partial", complete: "2026-11-22T00:00:00.000Z" });
    expect(isWhole(of)).toBe(false);
    expect(formatTable(of)[0]).toMatch(/; complete at 2026-11-22 00:00:00 UTC$/);
    expect(problems(of)).toEqual(["nas:mail: something could not be had by the last run, whose messages name it"]);
  });

  it("says how the files differ", () => {
    const here = { ...STOCK, files: 1233, bytes: 4_000_000 };
    const of = listing([
      listed(holding("A"), { isDifferent: true, now: here }),
      listed(holding("B"), { isDifferent: true, now: { ...STOCK, digest: "e" } }),
      listed(holding("C"), { isDifferent: true, holding: undefined }),
    ]);
    expect(isWhole(of)).toBe(false);
    expect(problems(of)).toEqual([
      "A: changed since the last run: 1,233 files (4 MB) here, and it left 1,234 (5 MB)",
      "B: changed since the last run: 1,234 files (5 MB) here, as it left, but not the same ones",
      "C: changed since the last run: 1,234 files (5 MB) here, and it left none",
      expect.stringMatching(/^The next run puts that right/),
    ]);
    expect(formatTable(of)[5]).toBe("     ?  1,234   5 MB     ?        ?  2026-11-23  C");
  });

  it("says what the last run did not look at, and what is known without a report", () => {
    const of = listing([listed(holding("A", { at: "2026-11-01T10:00:00.000Z" })), listed(holding("B"))]);
    expect(formatOlder(of)).toEqual(["A: not part of the last run; as of 2026-11-01 10:00:00 UTC"]);
    expect(isWhole(of)).toBe(true);
    const without = { ...of, inventory: undefined };
    expect(isWhole(without)).toBe(false);
    expect(formatTable(without)[0]).toBe("nas:mail: imap:alice@example.org, no report of a run");
    expect(problems(without)).toEqual([
      expect.stringMatching(/nothing says whether this is all; run the backup again$/),
    ]);
    expect(formatOlder(without)).toEqual([]);
  });

  it("is one line of JSON that a terminal may show", () => {
    const text = formatJson(listing([listed(holding("A\u001b[2J"))]));
    expect(text).not.toContain("\u001b");
    expect(JSON.parse(text)).toMatchObject({
      type: "listing",
      whole: true,
      report: { finished: FINISHED, seconds: 2, result: "done", complete: FINISHED, unlisted: [] },
      collections: [{ name: "A\u001b[2J", now: STOCK, different: false, report: { ...STOCK, gaps: [], kept: 0 } }],
    });
    expect(text.split("\n")).toHaveLength(2);
  });
});
