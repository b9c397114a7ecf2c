import { access } from "node:fs/promises";
import { delimiter, join } from "node:path";
import { enginePackages } from "./container-engine.mjs";
import { outputOf, run } from "./run.mjs";

/** Debian packages with the servers and tools that the tests use, and the file that shows that each is there. */
const PACKAGES = [
  { name: "dovecot-imapd", file: "/usr/lib/dovecot/imap" },
  { name: "cyrus-common", file: "/usr/lib/cyrus/bin/master" },
  { name: "sasl2-bin", program: "saslpasswd2" },
  { name: "libsasl2-modules" },
  { name: "libsasl2-modules-db" },
  { name: "python3", program: "python3" },
  { name: "openssl", program: "openssl" },
  { name: "procps", program: "ps" },
  { name: "openssh-client", program: "ssh" },
  { name: "openssh-server", file: "/usr/sbin/sshd" },
  { name: "rsync", program: "rsync" },
  { name: "rclone", program: "rclone" },
  { name: "redis-server", program: "redis-server" },
  { name: "mariadb-server-core", program: "mariadbd" },
  { name: "mariadb-client", program: "mariadb-dump" },
  { name: "zstd", program: "zstd" },
  { name: "exfat-fuse", program: "mount.exfat-fuse" },
  { name: "exfatprogs", program: "mkfs.exfat" },
  { name: "mtree-netbsd", program: "mtree" },
  { name: "e2fsprogs", program: "mkfs.ext4" },
  { name: "samba", file: "/usr/sbin/smbd" },
  { name: "samba-ad-provision", file: "/usr/share/samba/setup/provision.ldif" },
  { name: "samba-dsdb-modules" },
  { name: "smbclient", program: "smbclient" },
  { name: "tdb-tools", program: "tdbbackup" },
  { name: "mandoc", program: "mandoc" },
  { name: "shellcheck", program: "shellcheck" },
  { name: "git", program: "git" },
  { name: "jq", program: "jq" },
  { name: "systemd", program: "systemd-analyze" },
  { name: "zsh", program: "zsh" },
];

// Debian starts a server when it installs it, but not in run level 1.
const QUIET = { DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" };

/** Installs what is missing on Debian as root; anywhere else says what is missing. Nothing is skipped. */
export async function ensureSystemPackages() {
  const missing = await missingPackages();
  if (missing.length === 0) return;
  if (!(await isDebian()) || process.getuid?.() !== 0) throw new Error(whatToInstall(missing));
  console.log(`installing ${missing.join(" ")}`);
  if ((await run("apt-get", ["update", "-q"], { env: QUIET })) !== 0)
    console.log("apt-get update failed; trying with the lists that are here");
  // --no-remove: rather stop than take another mail server away.
  const install = ["install", "-q", "-y", "--no-remove", "--no-install-recommends", ...missing];
  if ((await run("apt-get", install, { env: QUIET })) !== 0) throw new Error(whatToInstall(missing));
  const left = await missingPackages();
  if (left.length > 0) throw new Error(`still missing after the installation: ${left.join(" ")}`);
}

async function missingPackages() {
  const missing = [];
  for (const wanted of [...PACKAGES, ...(await enginePackages())])
    if (!(await isInstalled(wanted))) missing.push(wanted.name);
  return missing;
}

async function isInstalled({ name, file, program }) {
  if (file !== undefined) return exists(file);
  if (program !== undefined) return isOnPath(program);
  return (await outputOf("dpkg-query", ["-W", "-f", "${db:Status-Abbrev}", name]))?.startsWith("ii") ?? false;
}

async function isOnPath(program) {
  // Administration programs are not on everybody's PATH.
  const directories = [...(process.env["PATH"] ?? "").split(delimiter), "/usr/sbin", "/sbin"];
  for (const directory of directories) if (await exists(join(directory, program))) return true;
  return false;
}

async function isDebian() {
  return isOnPath("apt-get");
}

function whatToInstall(missing) {
  return (
    `the tests run against real servers; missing: ${missing.join(", ")}\n` +
    `install them as root on Debian 12: apt-get install --no-remove --no-install-recommends ${missing.join(" ")}`
  );
}

async function exists(path) {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
