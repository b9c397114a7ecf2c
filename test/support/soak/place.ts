import { cp, mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { writeSecret } from "../command.js";
import { REMOTE, leftovers, openRemote } from "../remote.js";
import { temporaryDirectory } from "../temporary-directory.js";

/** Where a soak's backup is. */
export interface SoakPlace extends AsyncDisposable {
  /** DEST. */
  readonly destination: string;
  /** Where this machine sees it. */
  readonly at: string;
  readonly options: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** File of the account's password. */
  readonly secret: string;
  /** Throws if good runs left anything behind. */
  check(): Promise<void>;
  /** Copies it to where it stays; returns where. */
  keep(): Promise<string>;
}

export async function localPlace(): Promise<SoakPlace> {
  const directory = await temporaryDirectory();
  const at = join(directory.path, "dest");
  const secret = await writeSecret(directory.path, "alice.password", "secret");
  return {
    destination: at,
    at,
    secret,
    options: [],
    env: {},
    check: () => Promise.resolve(),
    keep: async () => await keep(at),
    [Symbol.asyncDispose]: async () => await directory[Symbol.asyncDispose](),
  };
}

/** A host of our own, by rsync and ssh. */
export async function remotePlace(): Promise<SoakPlace> {
  const host = await openRemote(REMOTE.rsync);
  const at = host.at("dest");
  const secret = await writeSecret(host.secrets, "alice.password", "secret");
  return {
    destination: host.destination("dest"),
    at,
    secret,
    options: host.options,
    env: host.env,
    check: async () => {
      const left = await leftovers(host, "dest");
      if (left.length > 0) throw new Error(`left behind: ${left.join(", ")}`);
    },
    keep: async () => await keep(at),
    [Symbol.asyncDispose]: async () => await host[Symbol.asyncDispose](),
  };
}

async function keep(at: string): Promise<string> {
  const kept = await mkdtemp(join(tmpdir(), "soak-"));
  await cp(at, join(kept, "dest"), { recursive: true, preserveTimestamps: true });
  return kept;
}
