import { chmod, mkdir, readFile, readdir, rm, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { type Proxy, startProxy } from "./proxy.js";
import { type Sshd, type SshdOptions, startSshd } from "./sshd.js";
import { temporaryDirectory } from "./temporary-directory.js";

export interface TwoHostsOptions {
  readonly source?: SshdOptions;
  readonly dest?: SshdOptions;
}

/** Two hosts, called `source` and `dest`, and a user here who has a key for each. */
export interface TwoHosts extends AsyncDisposable {
  readonly source: Sshd;
  readonly dest: Sshd;
  /** All connections from here go through these. */
  readonly proxies: { readonly source: Proxy; readonly dest: Proxy };
  /** Options of a run between the two: keys by the default order. */
  readonly options: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** A program of this name is found before any other at that host. */
  putProgram(at: "source" | "dest", name: string, script: string): Promise<void>;
  /** No program of this name is found at that host. */
  hideProgram(at: "source" | "dest", name: string): Promise<void>;
  /** Lets the ssh(1) of one host reach the other, whose host key it knows or not, with a key or none. */
  introduce(at: "source" | "dest", options?: { readonly isKnown?: boolean; readonly withKey?: boolean }): Promise<void>;
}

export async function startTwoHosts(options: TwoHostsOptions = {}): Promise<TwoHosts> {
  const directory = await temporaryDirectory();
  const at = (name: string): string => join(directory.path, name);
  for (const name of ["secrets", "tmp", "home"]) await mkdir(at(name), { mode: 0o700 });
  for (const name of ["source", "dest"]) {
    for (const part of ["bin", "home", "all"]) await mkdir(at(`${name}-${part}`), { mode: 0o700 });
    await symlink("/usr/bin", at(`${name}-usr`));
  }
  const start = (name: "source" | "dest"): Promise<Sshd> => {
    const { extraConfig = "", ...given } = options[name] ?? {};
    const env = `SetEnv PATH=${at(`${name}-bin`)}:${at(`${name}-usr`)} HOME=${at(`${name}-home`)}`;
    return startSshd({ ...given, extraConfig: `${extraConfig}\n${env}` });
  };
  const [source, dest] = await Promise.all([start("source"), start("dest")]);
  const hosts = { source, dest };
  const proxies = {
    source: await startProxy({ target: source.port }),
    dest: await startProxy({ target: dest.port }),
  };
  const config = (["source", "dest"] as const).map(
    (name) => `Host ${name}\n  HostName 127.0.0.1\n  Port ${proxies[name].port}\n  User ${hosts[name].user}\n`,
  );
  await writeFile(at("config"), config.join(""));
  const pins = (["source", "dest"] as const).map(
    (name) => `[127.0.0.1]:${proxies[name].port} ${hosts[name].hostKeys[0]?.line}\n`,
  );
  await writeFile(at("known_hosts"), pins.join(""));
  for (const name of ["source", "dest"] as const)
    await writeFile(at(`secrets/${name}.id_rsa`), await readFile(hosts[name].identity), { mode: 0o600 });
  const putProgram: TwoHosts["putProgram"] = async (host, name, script) => {
    const file = at(`${host}-bin/${name}`);
    await writeFile(file, `#!/bin/sh\n${script}\n`);
    await chmod(file, 0o755);
  };
  return {
    source,
    dest,
    proxies,
    options: [`--ssh-config=${at("config")}`, `--known-hosts=${at("known_hosts")}`],
    env: { HOME: at("home"), BACKUP_DIR: at("secrets"), TMPDIR: at("tmp") },
    putProgram,
    async hideProgram(host, name) {
      for (const each of await readdir("/usr/bin"))
        if (each !== name) await symlink(`/usr/bin/${each}`, at(`${host}-all/${each}`));
      await rm(at(`${host}-usr`));
      await symlink(at(`${host}-all`), at(`${host}-usr`));
    },
    async introduce(name, { isKnown = true, withKey = true } = {}) {
      const other = name === "source" ? "dest" : "source";
      const { port, user, hostKeys, identity } = hosts[other];
      const known = at(`${name}-home/known_hosts`);
      await writeFile(known, isKnown ? `[127.0.0.1]:${port} ${hostKeys[0]?.line}\n` : "");
      const key = withKey ? identity : "none";
      const lines = [`Port ${port}`, `User ${user}`, `IdentityFile ${key}`, `UserKnownHostsFile ${known}`];
      const file = at(`${name}-home/config`);
      await writeFile(file, `Host ${other}\n  HostName 127.0.0.1\n  ${lines.join("\n  ")}\n`);
      await putProgram(name, "ssh", `exec /usr/bin/ssh -F '${file}' "$@"`);
    },
    async [Symbol.asyncDispose]() {
      for (const each of Object.values(proxies)) await each.stop();
      for (const each of Object.values(hosts)) await each[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}
