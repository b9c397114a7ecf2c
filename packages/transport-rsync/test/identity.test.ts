import { mkdir, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { temporaryDirectory } from "../../../test/support/temporary-directory.js";
import { findIdentity, privateCopy } from "../src/identity.js";

test("the parameter counts, then the host's files in this order, then nothing", async () => {
  await using secrets = await temporaryDirectory();
  const directory = secrets.path;
  expect(await findIdentity({ host: "nas", directory })).toBeUndefined();
  for (const name of ["nas.id_ecdsa", "nas.id_ed25519", "nas.id_rsa"]) {
    await writeFile(join(directory, name), "key");
    expect(await findIdentity({ host: "nas", directory })).toEqual({ file: join(directory, name) });
  }
  const parameter = join(directory, "nas.id_ecdsa");
  expect(await findIdentity({ parameter, host: "nas", directory })).toEqual({ file: parameter });
  expect(await findIdentity({ host: "../nas", directory: join(directory, "x") })).toBeUndefined();
});

test("a parameter that names no file is an error", async () => {
  await using secrets = await temporaryDirectory();
  const directory = secrets.path;
  const find = (parameter: string) => findIdentity({ parameter, host: "nas", directory });
  await expect(find("id_rsa")).rejects.toMatchObject({ code: "USAGE" });
  await expect(find(join(directory, "none"))).rejects.toMatchObject({ code: "SECRET_MISSING" });
  await expect(find(directory)).rejects.toMatchObject({ code: "SECRET_UNREADABLE" });
});

test("a key that others may read is copied, another one is used as it is", async () => {
  await using secrets = await temporaryDirectory();
  const file = join(secrets.path, "key");
  const own = join(secrets.path, "own");
  await mkdir(own);
  await writeFile(file, "key", { mode: 0o600 });
  expect(await privateCopy({ file }, own)).toBe(file);
  const open = join(secrets.path, "open");
  await writeFile(open, "key", { mode: 0o644 });
  const copy = await privateCopy({ file: open }, own);
  expect(copy.startsWith(own)).toBe(true);
  expect((await stat(copy)).mode & 0o777).toBe(0o600);
});
