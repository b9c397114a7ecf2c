import { relative } from "node:path";
import { BaseSequencer, type TestSpecification } from "vitest/node";

/**
 * Files that take minutes, the longest first. One that begins last would keep the others waiting; vitest itself knows only
 * what it has run before, and goes by the size of the others.
 */
const LONGEST = [
  "matrix",
  "kill",
  "history",
  "remote-kill",
  "image",
  "remote-bad-input",
  "file",
  "restore-kill",
  "restore",
  "soak",
  "verify",
  "file-history",
];

export class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- it is no array's
    const sorted = await super.sort(files);
    return sorted.toSorted((a, b) => rank(a) - rank(b));
  }
}

function rank({ moduleId, project }: TestSpecification): number {
  const path = relative(project.config.root, moduleId);
  const at = LONGEST.findIndex((name) => path === `test/${name}.test.ts`);
  return at < 0 ? LONGEST.length : at;
}
