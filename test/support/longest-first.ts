import { basename } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take minutes, the longest first. One that begins last would keep the others waiting; vitest itself knows only
 * what it has run before, and goes by the size of the others.
 */
const LONGEST = [
  "remote-kill",
  "history",
  "file",
  "remote",
  "matrix",
  "remote-bad-input",
  "kill",
  "file-walk",
  "image",
  "looking",
  "verify",
  "rsync-only-store",
  "watch-imap",
  "bad-input",
  "restore",
  "fleet",
  "restore-kill",
  "prune",
  "ls",
  "file-back",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- it is no array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId }: TestSpecification): number {
  const at = LONGEST.indexOf(basename(moduleId, ".test.ts"));
  return at < 0 ? LONGEST.length : at;
}
