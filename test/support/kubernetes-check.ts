import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Manifest } from "./manifests.js";
import { npmPackage } from "./npm-package.js";
import { temporaryDirectory } from "./temporary-directory.js";

/** Made from what the Kubernetes API says of itself. */
const TYPES = {
  spec: "kubernetes-types@1.30.0",
  integrity: "sha512-Dew1okvhM/SQcIa2rcgujNndZwU8VnSapDgdxlYoB84ZlpAD43U6KLAFqYo17ykSFGHNPrg0qry0bP+GJd9v7Q==",
};

const TSC = fileURLToPath(new URL("../../node_modules/.bin/tsc", import.meta.url));

/**
 * What is wrong with these objects by the types of the Kubernetes API: fields that it does not have, and values of another
 * type. The compiler finds out: to it, each is a literal of the type that its kind names.
 */
export async function manifestProblems(manifests: readonly Manifest[]): Promise<readonly string[]> {
  const types = await npmPackage(TYPES);
  await using directory = await temporaryDirectory();
  const lines = manifests.map((manifest, index) => {
    // `v1` is the group without a name.
    const group = manifest.apiVersion.includes("/") ? manifest.apiVersion : `core/${manifest.apiVersion}`;
    const type = `import(${JSON.stringify(join(types, `${group}.js`))}).${manifest.kind}`;
    return `export const m${index}: ${type} = ${JSON.stringify(manifest)};`;
  });
  await writeFile(join(directory.path, "manifests.ts"), lines.join("\n"));
  const options = { module: "nodenext", types: [], strict: true, noEmit: true };
  const config = join(directory.path, "tsconfig.json");
  await writeFile(config, JSON.stringify({ compilerOptions: options, files: ["manifests.ts"] }));
  try {
    await promisify(execFile)(TSC, ["--project", config]);
    return [];
  } catch (error) {
    if (error instanceof Error && "stdout" in error) return String(error.stdout).split("\n").filter(Boolean);
    throw error;
  }
}
