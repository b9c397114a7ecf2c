import { execFile } from "node:child_process";
import { access, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { type Daemon, startDaemon } from "./daemon.js";
import { loadBase } from "./engine-base.js";
import { type DockerClient, runDocker } from "./engine-client.js";

const run = promisify(execFile);

/** Short: the engine makes Unix sockets below it, whose paths end at 107 bytes. */
const PARENT = "/tmp";
const PREFIX = "bk-engine-";
const START_MS = 60_000;

export interface EngineDaemon extends AsyncDisposable {
  readonly client: DockerClient;
}

/**
 * Starts a private Docker Engine (Debian packages docker.io and mmdebstrap), which changes nothing of this machine's
 * network, and loads the image that our Dockerfile begins with, so that no registry is needed. It needs root.
 */
export async function startEngine(): Promise<EngineDaemon> {
  await access("/usr/sbin/dockerd").catch((cause: unknown) => {
    throw new Error("no Docker Engine answers and none is installed: npm test installs one, on Debian as root", {
      cause,
    });
  });
  await removeLeftBehind();
  const directory = await mkdtemp(join(PARENT, PREFIX));
  // What a user has configured for `docker` is not for this engine.
  const config = join(directory, "config");
  await mkdir(config);
  // Its own: a newer client, as another `docker` on the PATH may be, does not speak to this engine.
  const client = {
    program: "/usr/bin/docker",
    env: { PATH: process.env.PATH, DOCKER_CONFIG: config, DOCKER_HOST: `unix://${directory}/docker.sock` },
  };
  const daemon = await startDaemon({ command: "/usr/sbin/dockerd", args: await argumentsIn(directory) });
  await writeFile(join(directory, "pid"), `${daemon.pid}`);
  const dispose = async (): Promise<void> => {
    const containers = await runDocker(client, ["ps", "-aq"]);
    const ids = containers.stdout.split("\n").filter(Boolean);
    if (ids.length > 0) await runDocker(client, ["rm", "-f", ...ids]);
    await daemon.stop();
    await removeDirectory(directory);
  };
  try {
    await untilReady(client, daemon);
    await loadBase(client);
    return { client, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

async function argumentsIn(directory: string): Promise<readonly string[]> {
  // A container may not ask for more than this process may have.
  const files = Math.min(65_536, await hardLimit("Max open files"));
  return ["--host", `unix://${directory}/docker.sock`, "--pidfile", join(directory, "docker.pid")].concat(
    ["--data-root", join(directory, "data"), "--exec-root", join(directory, "exec"), "--storage-driver", "overlay2"],
    ["--bridge=none", "--iptables=false", "--ip6tables=false", "--ip-forward=false"],
    ["--default-ulimit", `nofile=${files}:${files}`, "--default-ulimit", "nproc=4096:4096"],
  );
}

async function hardLimit(name: string): Promise<number> {
  const limits = await readFile("/proc/self/limits", "utf8");
  const line = limits.split("\n").find((each) => each.startsWith(name)) ?? "";
  const value = line.slice(name.length).trim().split(/\s+/)[1];
  return value === "unlimited" ? Number.POSITIVE_INFINITY : Number(value);
}

async function untilReady(client: DockerClient, daemon: Daemon): Promise<void> {
  const deadline = Date.now() + START_MS;
  while ((await runDocker(client, ["version"])).code !== 0) {
    if (daemon.ended !== undefined || Date.now() > deadline)
      throw new Error(`the Docker Engine does not start (${daemon.ended ?? "it does not answer"}): ${daemon.output()}`);
    await sleep(100);
  }
}

/** Engines end with the test run that started them; one that was killed leaves their directory and its mounts. */
async function removeLeftBehind(): Promise<void> {
  for (const name of await readdir(PARENT)) {
    if (!name.startsWith(PREFIX)) continue;
    const directory = join(PARENT, name);
    const pid = await readFile(join(directory, "pid"), "utf8").catch(() => undefined);
    if (pid !== undefined && !(await isRunning(pid, "dockerd"))) await removeDirectory(directory);
  }
}

async function isRunning(pid: string, program: string): Promise<boolean> {
  return (await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "")).trim() === program;
}

async function removeDirectory(directory: string): Promise<void> {
  // An engine that was killed did not end what it had started.
  const pid = await readFile(join(directory, "exec/containerd/containerd.pid"), "utf8").catch(() => undefined);
  if (pid !== undefined && (await isRunning(pid, "containerd"))) process.kill(Number(pid), "SIGKILL");
  const mounts = (await readFile("/proc/self/mounts", "utf8"))
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .filter((path) => path.startsWith(`${directory}/`));
  // The innermost first.
  for (const path of mounts.toReversed()) await run("umount", ["--lazy", path]);
  await rm(directory, { recursive: true, force: true, maxRetries: 5 });
}
