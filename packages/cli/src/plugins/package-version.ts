import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { systemCode } from "@backup/core";

/** The version of the package that a directory is of; undefined: it is of none, or of one that does not say. */
export async function packageVersion(directory: string): Promise<string | undefined> {
  try {
    const parsed: unknown = JSON.parse(await readFile(join(directory, "package.json"), "utf8"));
    const isSaid = typeof parsed === "object" && parsed !== null && "version" in parsed;
    return isSaid && typeof parsed.version === "string" ? parsed.version : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    if (systemCode(error) !== "ENOENT") throw error;
    const parent = dirname(directory);
    return parent === directory ? undefined : await packageVersion(parent);
  }
}
