import { expect, it } from "vitest";
import { editDistance } from "../src/edit-distance.js";

it.each([
  ["", "", 0],
  ["imap", "imap", 0],
  ["", "run", 3],
  ["run", "rnu", 1],
  ["imap", "mapi", 2],
  ["health", "heath", 1],
  ["health", "wealth", 1],
  ["config", "cofnigs", 2],
])("from %j to %j it is %i", (a, b, steps) => {
  expect(editDistance(a, b)).toBe(steps);
  expect(editDistance(b, a)).toBe(steps);
});
