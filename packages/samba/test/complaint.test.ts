import { describe, expect, it } from "vitest";
import { complaintOf } from "../src/complaint.js";

describe("complaintOf", () => {
  it.each([
    ["", ""],
    ["Load smb config files from /x\nError loading services.\n", "Error loading services."],
    [
      'Load smb config files from /x\n"include = registry" only in global section\nError loading services.',
      '"include = registry" only in global section',
    ],
    [
      "Traceback\nERROR(ldb): uncaught exception - denied\n  File x, line 1\n    run()",
      "ERROR(ldb): uncaught exception - denied",
    ],
    ["opening\nclosing\n", "closing"],
  ])("of %j", (stderr, complaint) => {
    expect(complaintOf(stderr)).toBe(complaint);
  });
});
