import type { Known } from "@backup/core";
import { describe, expect, it } from "vitest";
import type { Facts } from "../src/facts.js";
import { placementOf } from "../src/placement.js";

const FACTS: Facts = {
  format: 1,
  samba: "4.17.12",
  smbConf: "/etc/samba/smb.conf",
  serverRole: "standalone server",
  privateDirectory: "/var/lib/samba/private",
  stateDirectory: "/var/lib/samba",
  pidDirectory: "/run/samba",
  isDomain: false,
  public: ["/etc/samba/smb.conf"],
};

const DIGEST = "abcdefghijklmnopqrstuvwxyz";

function known(path: string): Known {
  return {
    file: { path, size: 1, mtime: 0 },
    identity: { id: path, rev: DIGEST },
    content: { digest: DIGEST, size: 1 },
  };
}

function place(path: string, more: { readonly isSystem?: boolean; readonly privateDirectory?: string } = {}) {
  const placement = placementOf(known(path), { facts: FACTS, isSystem: true, ...more });
  return placement && [placement.path, placement.mode.toString(8), placement.directoryMode.toString(8)];
}

describe("placementOf", () => {
  it("puts files where they were; who could not read them still cannot", () => {
    expect(place(`files/etc/samba/smb.D${DIGEST}.conf`)).toEqual(["etc/samba/smb.conf", "644", "755"]);
    expect(place(`files/etc/samba/smbpasswd.D${DIGEST}`)).toEqual(["etc/samba/smbpasswd", "600", "755"]);
  });

  it("makes the directory for shares of users as smbd wants it", () => {
    const usershares = "/var/lib/samba/usershares";
    const share = known(`files${usershares}/mine.D${DIGEST}`);
    const placement = placementOf(share, { facts: { ...FACTS, usershares }, isSystem: true });
    expect(placement?.directoryMode.toString(8)).toBe("1770");
  });

  it("puts databases into Samba's directories, or into others", () => {
    const file = `private/passdb.D${DIGEST}.tdb`;
    expect(place(file)).toEqual(["var/lib/samba/private/passdb.tdb", "600", "700"]);
    expect(place(file, { privateDirectory: "/etc/samba" })).toEqual(["etc/samba/passdb.tdb", "600", "700"]);
    expect(place(`state/share_info.D${DIGEST}.tdb`)).toEqual(["var/lib/samba/share_info.tdb", "600", "755"]);
  });

  it("puts what is there to be read aside, and nowhere on a system", () => {
    const file = `settings/testparm.D${DIGEST}.txt`;
    expect(place(file)).toBeUndefined();
    expect(place(file, { isSystem: false })).toEqual(["samba-backup/testparm.txt", "600", "700"]);
  });

  it.each([
    `files/%2E%2E/etc/passwd.D${DIGEST}`,
    `files/a%2Fb/c.D${DIGEST}`,
    `other/x.D${DIGEST}`,
    "files/etc/smb.conf",
  ])("knows no place for %s", (path) => {
    expect(place(path)).toBeUndefined();
  });
});
