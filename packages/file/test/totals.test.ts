import { expect, it } from "vitest";
import { addTotals, heldBefore, noTotals } from "../src/totals.js";

it("counts files without directories", () => {
  const totals = noTotals();
  for (const line of `
Number of files: 10 (reg: 6, dir: 3, link: 1)
Number of created files: 6 (reg: 3, dir: 2, link: 1)
Number of deleted files: 5 (reg: 2, dir: 2, link: 1)
Number of regular files transferred: 2
Total file size: 12 bytes
Total transferred file size: 5 bytes
Literal data: 0 bytes
Total bytes sent: 281
Total bytes received: 84
sent 281 bytes  received 84 bytes  730.00 bytes/sec`.split("\n"))
    addTotals(totals, line);
  expect(totals).toEqual({
    files: 7,
    regular: 6,
    createdRegular: 3,
    deletedRegular: 2,
    bytes: 5,
  });
  expect(heldBefore(totals)).toBe(5);
});

it("knows counts of nothing", () => {
  const totals = noTotals();
  addTotals(totals, "Number of files: 1 (dir: 1)");
  addTotals(totals, "Number of created files: 0");
  expect(totals).toEqual(noTotals());
});
