import { describe, expect, it } from "vitest";
import { readConfigFile, readSettings } from "../src/settings.js";
import { isVolatile } from "../src/volatile.js";

/** As `testparm -s -v` prints it. */
function printed(values: Readonly<Record<string, string>>): string {
  const all = {
    "passdb backend": "tdbsam",
    "pid directory": "/run/samba",
    "private dir": "/var/lib/samba/private",
    "server role": "standalone server",
    "smb passwd file": "/etc/samba/smbpasswd",
    "state directory": "/var/lib/samba",
    "username map": "",
    "usershare max shares": "0",
    "usershare path": "/var/lib/samba/usershares",
    ...values,
  };
  const lines = Object.entries(all).map(([name, value]) => `\t${name} = ${value}\n`);
  return `# Global parameters\n[global]\n${lines.join("")}\n\n[share]\n\tprivate dir = /nowhere\n`;
}

describe("readSettings", () => {
  it("knows the directories and the role, of the global section alone", () => {
    expect(readSettings(printed({}))).toEqual({
      serverRole: "standalone server",
      privateDirectory: "/var/lib/samba/private",
      stateDirectory: "/var/lib/samba",
      pidDirectory: "/run/samba",
      passwordDatabases: [],
      otherPasswords: [],
      userFiles: [],
      usershares: undefined,
    });
  });

  it("knows where passwords are that are elsewhere", () => {
    const of = (backend: string) => readSettings(printed({ "passdb backend": backend }));
    expect(of("tdbsam:/srv/passdb.tdb").passwordDatabases).toEqual(["/srv/passdb.tdb"]);
    expect(of("smbpasswd").userFiles).toEqual(["/etc/samba/smbpasswd"]);
    expect(of("smbpasswd:/srv/smbpasswd").userFiles).toEqual(["/srv/smbpasswd"]);
    expect(of('ldapsam:"ldap://ldap.example.org"').otherPasswords).toEqual(["ldapsam"]);
  });

  it("knows the shares of users, where they may make some, and the map of their names", () => {
    const settings = readSettings(printed({ "usershare max shares": "100", "username map": "/etc/samba/users.map" }));
    expect(settings.usershares).toBe("/var/lib/samba/usershares");
    expect(settings.userFiles).toEqual(["/etc/samba/users.map"]);
  });
});

it("readConfigFile is what testparm says on stderr", () => {
  expect(readConfigFile("x\nLoad smb config files from /etc/samba/smb.conf\nLoaded services file OK.\n")).toBe(
    "/etc/samba/smb.conf",
  );
  expect(readConfigFile("")).toBeUndefined();
});

it("isVolatile tells databases of what goes on from those that are permanent", () => {
  const volatile = ["locking.tdb", "gencache_notrans.tdb", "smbXsrv_open_global.tdb", "winbindd_cache.tdb"];
  const permanent = [
    "passdb.tdb",
    "secrets.tdb",
    "share_info.tdb",
    "winbindd_idmap.tdb",
    "registry.tdb",
    "schannel_store.tdb",
  ];
  expect(volatile.filter(isVolatile)).toEqual(volatile);
  expect(permanent.filter(isVolatile)).toEqual([]);
});
