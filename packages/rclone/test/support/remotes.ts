import { randomUUID } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import S3rver from "@20minutes/s3rver";
import { freePorts } from "../../../../test/support/free-port.js";
import { startSshd } from "../../../../test/support/sshd.js";
import { temporaryDirectory } from "../../../../test/support/temporary-directory.js";

/** A remote of rclone, with a real server where it is not this machine. */
export interface TestRemote extends AsyncDisposable {
  /** The file with rclone's configuration of it, 0600. */
  readonly config: string;
  readonly remote: string;
  /** A new place at it, which does not exist. */
  newPath(): string;
}

async function testRemote(
  sections: (
    directory: string,
  ) => Promise<{ readonly text: string; readonly top: string; readonly owned: readonly AsyncDisposable[] }>,
): Promise<TestRemote> {
  const directory = await temporaryDirectory();
  const { text, top, owned } = await sections(directory.path);
  const config = join(directory.path, "rclone.conf");
  await writeFile(config, text, { mode: 0o600 });
  return {
    config,
    remote: "there",
    newPath: () => `${top}${randomUUID()}/de st`,
    async [Symbol.asyncDispose]() {
      for (const each of owned) await each[Symbol.asyncDispose]();
      await directory[Symbol.asyncDispose]();
    },
  };
}

export function startLocal(): Promise<TestRemote> {
  return testRemote(async (directory) => {
    const top = join(directory, "disk");
    await mkdir(top);
    return { text: "[there]\ntype = local\n", top: `${top}/`, owned: [] };
  });
}

export function startSftp(): Promise<TestRemote> {
  return testRemote(async () => {
    // rclone sets no modes there: they are the host's.
    const sshd = await startSshd({ sftp: "none", extraConfig: "Subsystem sftp internal-sftp -u 0077" });
    const text = `[there]
type = sftp
host = 127.0.0.1
port = ${sshd.port}
user = ${sshd.user}
key_file = ${sshd.identity}
known_hosts_file = ${sshd.knownHosts}
`;
    return { text, top: `${sshd.remotePath}/`, owned: [sshd] };
  });
}

export function startS3(): Promise<TestRemote> {
  return testRemote(async (directory) => {
    const [port = 0] = await freePorts(1);
    const data = join(directory, "buckets");
    await mkdir(data);
    const server = new S3rver({
      address: "127.0.0.1",
      port,
      directory: data,
      silent: true,
      configureBuckets: [{ name: "bucket", configs: [] }],
    });
    await server.run();
    const text = `[there]
type = s3
provider = Other
access_key_id = S3RVER
secret_access_key = S3RVER
endpoint = http://127.0.0.1:${port}
force_path_style = true
`;
    return { text, top: "bucket/", owned: [{ [Symbol.asyncDispose]: () => server.close() }] };
  });
}
