import { constants } from "node:fs";
import { open } from "node:fs/promises";
import { ignoring } from "./disk-error.js";

/** fsync(2) of a directory: makes its names durable. */
export async function syncDirectory(directory: string): Promise<void> {
  await using handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  // FAT and some network file systems cannot sync a directory; there is nothing better to call.
  await ignoring(["EINVAL", "ENOTSUP", "EPERM"], handle.sync());
}
