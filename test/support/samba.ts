import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { type Daemon, startDaemon } from "./daemon.js";
import { freePorts } from "./free-port.js";
import { killAll, killTree } from "./process-tree.js";
import { type Ended, runProgram } from "./run-program.js";

/** A private Samba below a directory; its users are accounts that every Debian has. */
export interface Samba extends AsyncDisposable {
  readonly directory: string;
  readonly smbConf: string;
  readonly privateDirectory: string;
  readonly stateDirectory: string;
  readonly port: number;
  /** Makes a user of Samba, or gives one another password. */
  setPassword(user: string, password: string): Promise<void>;
  /** Runs a program of Samba's with this configuration. @throws Error where it fails */
  tool(program: "net" | "sharesec" | "pdbedit", ...args: readonly string[]): Promise<string>;
  start(): Promise<void>;
  stop(): Promise<void>;
  /** What smbclient says: `commands` in a share, or the list of shares. */
  client(login: {
    readonly user: string;
    readonly password: string;
    readonly share?: string;
    readonly commands?: string;
  }): Promise<Ended>;
}

export interface SambaOptions {
  /** Below which all of it is; nothing is written there yet. */
  readonly directory: string;
  readonly port: number;
}

const DIRECTORIES = ["cache", "lock", "pid", "ncalrpc", "log", "data"];

/** The global section that keeps all of a Samba in its directory. */
function globalSection({ directory, port }: SambaOptions): string {
  const at = (name: string): string => join(directory, name);
  return [
    "[global]",
    "server role = standalone server",
    "workgroup = TEST",
    "netbios name = PRIVATE",
    "interfaces = 127.0.0.1",
    "bind interfaces only = yes",
    `smb ports = ${port}`,
    "disable netbios = yes",
    "server min protocol = SMB2",
    `private dir = ${at("private")}`,
    `state directory = ${at("state")}`,
    `cache directory = ${at("cache")}`,
    `lock directory = ${at("lock")}`,
    `pid directory = ${at("pid")}`,
    `ncalrpc dir = ${at("ncalrpc")}`,
    `log file = ${at("log/smbd")}`,
    `usershare path = ${at("state/usershares")}`,
    "load printers = no",
    "printing = bsd",
    "printcap name = /dev/null",
    "disable spoolss = yes",
    "map to guest = Never",
    "",
  ].join("\n");
}

/** A Samba at these places; its directories are made, its files are somebody else's. */
export async function sambaAt(options: SambaOptions): Promise<Samba> {
  const { directory, port } = options;
  const at = (name: string): string => join(directory, name);
  for (const name of DIRECTORIES) await mkdir(at(name), { recursive: true });
  const smbConf = at("etc/smb.conf");
  const config = `--configfile=${smbConf}`;
  let daemon: Daemon | undefined;
  const client: Samba["client"] = ({ user, password, share, commands }) => {
    const what = share === undefined ? ["-g", "-L", "//127.0.0.1"] : [`//127.0.0.1/${share}`, "-c", commands ?? "ls"];
    return runProgram("smbclient", [...what, "-p", `${port}`, "-s", "/dev/null"], {
      ...process.env,
      USER: user,
      PASSWD: password,
    });
  };
  const stop = async (): Promise<void> => {
    if (daemon === undefined) return;
    await daemon.stop();
    daemon = undefined;
    // smbd starts it as a daemon of its own, and leaves it behind.
    const pid = Number(await readFile(at("pid/samba-dcerpcd.pid"), "utf8").catch(() => ""));
    const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (!command.includes(smbConf)) return;
    await killTree(pid);
    killAll([pid]);
  };
  return {
    directory,
    smbConf,
    privateDirectory: at("private"),
    stateDirectory: at("state"),
    port,
    client,
    setPassword: (user, password) => type("smbpasswd", ["-c", smbConf, "-s", "-a", user], `${password}\n${password}\n`),
    async tool(program, ...args) {
      const { code, stdout, stderr } = await runProgram(program, [...args, config]);
      if (code !== 0) throw new Error(`${program} ${args.join(" ")} fails: ${stdout}${stderr}`);
      return stdout;
    },
    async start() {
      daemon = await startDaemon({ command: "/usr/sbin/smbd", args: ["--foreground", "--no-process-group", config] });
      // It is there when it tells anybody what it has.
      for (const deadline = Date.now() + 30_000; ; await delay(50)) {
        if ((await client({ user: "nobody", password: "wrong" })).code === 0) return;
        if (daemon.ended !== undefined || Date.now() > deadline)
          throw new Error(`smbd does not start: ${daemon.output()}`);
      }
    },
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Writes the configuration of a new one below an empty directory. */
export async function newSamba(
  directory: string,
  more: (at: (name: string) => string) => Readonly<Record<string, string>>,
) {
  const [port = 0] = await freePorts(1);
  const at = (name: string): string => join(directory, name);
  for (const name of ["etc", "state"]) await mkdir(at(name), { recursive: true });
  await mkdir(at("private"), { mode: 0o700 });
  const files = more(at);
  for (const [name, text] of Object.entries(files)) {
    const whole = name === "etc/smb.conf" ? globalSection({ directory, port }) + text : text;
    await mkdir(join(at(name), ".."), { recursive: true });
    await writeFile(at(name), whole);
  }
  return await sambaAt({ directory, port });
}

/** Runs a program that asks for something. */
async function type(program: string, args: readonly string[], input: string): Promise<void> {
  const child = spawn(program, args, { stdio: ["pipe", "ignore", "pipe"] });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  child.stdin.end(input);
  const [code] = (await once(child, "close")) as [number | null];
  if (code !== 0) throw new Error(`${program} ${args.join(" ")} ended with ${code}: ${said}`);
}
