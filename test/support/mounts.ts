import { execFile, execFileSync } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { temporaryDirectory } from "./temporary-directory.js";

const run = promisify(execFile);
const MOUNT = "mount";

/** A small file system of its own, which only root may mount; it is unmounted at the end. */
export interface Mount extends AsyncDisposable {
  readonly path: string;
  remount(options: string): void;
}

/** A file system in memory; `size` as mount(8) writes it: `2m`. */
export async function tmpfs(size: string): Promise<Mount> {
  return mounted(async (path) => {
    await run(MOUNT, ["-t", "tmpfs", "-o", `size=${size},mode=0700`, "tmpfs", path]);
    return async () => {};
  });
}

/** An exFAT file system in a file, by FUSE: it holds no colon in a name, and no hard links. */
export async function exfat(): Promise<Mount> {
  return mounted(async (path) => {
    const image = `${path}.img`;
    await run("truncate", ["-s", "16M", image]);
    await run("mkfs.exfat", [image]);
    const { stdout } = await run("losetup", ["--find", "--show", image]);
    const device = stdout.trim();
    const detach = async (): Promise<void> => {
      await run("losetup", ["--detach", device]);
    };
    try {
      await run("mount.exfat-fuse", [device, path]);
    } catch (error) {
      await detach();
      throw error;
    }
    return detach;
  });
}

/** An ext4 file system in a file: a file there has 65,000 names at most. */
export async function ext4(): Promise<Mount> {
  return mounted(async (path) => {
    const image = `${path}.img`;
    await run("truncate", ["-s", "64M", image]);
    await run("mkfs.ext4", ["-q", image]);
    await run(MOUNT, ["-o", "loop", image, path]);
    return async () => {};
  });
}

async function mounted(mount: (path: string) => Promise<() => Promise<void>>): Promise<Mount> {
  const directory = await temporaryDirectory();
  const path = join(directory.path, "mnt");
  await mkdir(path);
  try {
    const release = await mount(path);
    return {
      path,
      remount: (options) => void execFileSync(MOUNT, ["-o", `remount,${options}`, path]),
      async [Symbol.asyncDispose]() {
        await run("umount", [path]);
        await release();
        await directory[Symbol.asyncDispose]();
      },
    };
  } catch (error) {
    await directory[Symbol.asyncDispose]();
    throw error;
  }
}
