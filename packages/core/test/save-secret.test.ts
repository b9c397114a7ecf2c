import { chmod, chown, mkdir, readFile, readdir, readlink, stat, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { findSecret, saveSecret } from "../src/index.js";
import { type TemporaryDirectory, temporaryDirectory } from "../../../test/support/temporary-directory.js";

describe("saving a secret", () => {
  let directory: TemporaryDirectory;
  beforeEach(async () => {
    directory = await temporaryDirectory();
  });
  afterEach(() => directory[Symbol.asyncDispose]());
  const at = (name: string): string => join(directory.path, name);

  it("makes a file for its owner alone, which says where it came from", async () => {
    await saveSecret(at("new"), "value\n");
    expect((await stat(at("new"))).mode & 0o777).toBe(0o600);
    const secret = await findSecret({ parameter: at("new"), option: "--x", partner: "x", extensions: [] });
    expect([secret.reveal(), secret.file]).toEqual(["value", at("new")]);
    expect(await readdir(directory.path)).toEqual(["new"]);
  });

  it("keeps owner and mode of a file, and a link to it", async () => {
    await writeFile(at("real"), "old");
    await chmod(at("real"), 0o640);
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) await chown(at("real"), 1234, 4321);
    await symlink("real", at("link"));
    await saveSecret(at("link"), "new");
    expect(await readFile(at("real"), "utf8")).toBe("new");
    expect(await readlink(at("link"))).toBe("real");
    const { mode, uid, gid } = await stat(at("real"));
    expect(mode & 0o777).toBe(0o640);
    if (isRoot) expect([uid, gid]).toEqual([1234, 4321]);
  });

  it("leaves all as it was where it cannot", async () => {
    await writeFile(at("kept"), "old", { mode: 0o400 });
    await mkdir(at("directory"));
    await expect(saveSecret(at("kept"), "new")).rejects.toMatchObject({
      code: "SECRET_UNWRITABLE",
      message: `the secret ${at("kept")} cannot be written (it is read-only)`,
    });
    expect(await readFile(at("kept"), "utf8")).toBe("old");
    await expect(saveSecret(at("nowhere/x"), "new")).rejects.toMatchObject({ code: "SECRET_UNWRITABLE" });
    // A file that is mounted by itself cannot be replaced either: rename(2) fails.
    await expect(saveSecret(at("directory"), "new")).rejects.toMatchObject({ code: "SECRET_UNWRITABLE" });
    expect((await readdir(directory.path)).toSorted()).toEqual(["directory", "kept"]);
  });
});
