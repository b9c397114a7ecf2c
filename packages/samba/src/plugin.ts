import { BackupError, checkHome, definePlugin, dumpLayout } from "@backup/core";
import { HOST_OPTIONS, SOURCE_HOST_OPTIONS, hostOf } from "@backup/transport-rsync/options";
import { parseRemote } from "@backup/transport-rsync/remote";

// What does the work is loaded when it is used: a list of all types needs none of it.

/** `backup samba`: the configuration, the users and the databases of a Samba server. */
export const sambaPlugin = definePlugin({
  kind: "source",
  name: "samba",
  summary: "copy the configuration, users and databases of a Samba server, here or on a host",
  positionals: [
    { name: "source", isOptional: true, describe: "The host that Samba is on, as root@nas:; without it this machine" },
    { name: "dest", describe: "Directory here, or [user@]host:dir; made if it is missing" },
  ],
  options: {
    "smb-conf": {
      type: "string",
      describe: "Another configuration than Samba's own default, by its absolute path there",
    },
    "domain-backup": {
      type: "string",
      choices: ["auto", "yes", "no"],
      default: "auto",
      describe: "The archive that samba-tool makes of an AD domain, instead of the databases; auto: on its controllers",
    },
    ...SOURCE_HOST_OPTIONS,
    ...HOST_OPTIONS,
  },
  examples: [
    ["backup samba /backup/samba", "of this machine, as root"],
    ["backup samba root@nas: /backup/nas-samba --hist", "of another one, by ssh, with history"],
  ],
  check({ source, dest, smbConf, srcsecret, srcpassphrase }) {
    checkHome({ "--srcsecret": srcsecret, "--srcpassphrase": srcpassphrase });
    const remote = source === undefined ? undefined : parseRemote(source);
    if (source !== undefined && remote?.directory !== "")
      throw new BackupError("USAGE", `SOURCE is a host with a colon, as root@nas:, not '${source}'`);
    if (remote && parseRemote(dest))
      throw new BackupError("USAGE", "SOURCE and DEST are both on other hosts; one of them has to be here");
    if (!remote && (srcsecret ?? srcpassphrase) !== undefined)
      throw new BackupError("USAGE", "--srcsecret and --srcpassphrase are for a SOURCE on another host");
    if (smbConf !== undefined && !smbConf.startsWith("/"))
      throw new BackupError("USAGE", `--smb-conf takes an absolute path, not '${smbConf}'`);
  },
  title: ({ source, dest }) => `Samba of ${source ?? "this machine"} → ${dest}`,
  host: ({ source }) => (source === undefined ? undefined : parseRemote(source))?.host ?? "localhost",
  layout: () => dumpLayout,
  async create(args, context) {
    const { openSamba } = await import("./open-samba.js");
    const host = args.source === undefined ? undefined : await hostOf(args.source, args, context);
    return await openSamba({ ...args, host }, context);
  },
  restore: {
    summary: "put the files of a Samba where they were, or into a directory; it is to be stopped before",
    positionals: [
      { name: "dest", describe: "The backup: directory here, or [user@]host:dir; only read" },
      { name: "target", describe: "/ is this machine; or the root of another system, or a directory to look at" },
    ],
    options: {
      overwrite: { type: "boolean", describe: "Replace files of TARGET that differ; without it, then nothing is done" },
      "private-dir": {
        type: "string",
        describe: "Directory in TARGET for the private databases; default: where Samba had them",
      },
      "state-dir": { type: "string", describe: "The same for the other ones" },
    },
    examples: [
      ["backup restore samba /backup/samba / --overwrite", "this machine's Samba, which is stopped, as root"],
      ["backup restore samba nas:samba /tmp/samba", "to look at"],
    ],
    check({ target, privateDir, stateDir }) {
      if (target === "") throw new BackupError("USAGE", "TARGET is empty; name a directory (/ is this machine)");
      checkHome({ TARGET: target });
      if (parseRemote(target))
        throw new BackupError("USAGE", "TARGET is a directory here; restore there, or to a directory that you copy");
      for (const [name, path] of Object.entries({ "--private-dir": privateDir, "--state-dir": stateDir }))
        if (path !== undefined && !path.startsWith("/"))
          throw new BackupError(
            "USAGE",
            `${name} takes an absolute path, as it is on the system in TARGET, not '${path}'`,
          );
    },
    async open({ target, overwrite, privateDir, stateDir }) {
      const { openSambaTarget } = await import("./open-samba.js");
      return openSambaTarget({ target, overwrite, privateDirectory: privateDir, stateDirectory: stateDir });
    },
  },
});
