import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A file of patterns for rsync(1), each with a NUL after it. */
export class MarkFile implements AsyncDisposable {
  readonly path: string;
  readonly #directory: string;

  private constructor(directory: string, path: string) {
    this.#directory = directory;
    this.path = path;
  }

  /** @param patterns each byte is a character */
  static async write(patterns: readonly string[]): Promise<MarkFile> {
    const directory = await mkdtemp(join(tmpdir(), "backup-marks-"));
    const path = join(directory, "patterns");
    await writeFile(path, Buffer.from(patterns.map((pattern) => `${pattern}\0`).join(""), "latin1"), { mode: 0o600 });
    return new MarkFile(directory, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }
}
