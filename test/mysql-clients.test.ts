import { chmod, mkdir, readFile, readdir, symlink, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { reportOf, runBackup } from "./support/command.js";
import { type Mariadb, startMariadb } from "./support/mariadb.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

// MySQL's own client programs are in no package of Debian. A program with their names stands in for them: it says the version
// that they say, refuses what they do not know (the names are those of MySQL 8.0's manual), as they do, and has MariaDB's do
// the work. So this shows what they are given, and that it is theirs; not that they do the same with it.

/** Options of mysql and mysqldump 8.0 that are of any use here; those of MariaDB alone are in neither list. */
const OF_MYSQL = {
  both:
    "user password host port protocol socket default-character-set ssl-mode ssl-ca ssl-capath ssl-cert ssl-key tls-version " +
    "get-server-public-key server-public-key-path default-auth plugin-dir enable-cleartext-plugin compress bind-address " +
    "max-allowed-packet net-buffer-length defaults-file version force",
  mysql:
    "batch skip-column-names auto-rehash no-auto-rehash binary-mode raw database execute init-command connect-timeout " +
    "unbuffered quick silent table line-numbers named-commands system-command",
  mysqldump:
    "single-transaction quick hex-blob skip-dump-date no-tablespaces routines events triggers skip-triggers databases " +
    "all-databases no-create-info no-data no-create-db opt skip-opt set-gtid-purged column-statistics extended-insert " +
    "lock-tables where tables ignore-table order-by-primary complete-insert tz-utc",
};

/** @param log directory that gets a file with the arguments and one with the options of each call */
function standIn(log: string): string {
  return `#!/bin/bash
PATH=/usr/bin:/bin
me=\${0##*/}
if [[ \${2-} == --version ]]; then
  echo "$me  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)"; exit
fi
known=" ${OF_MYSQL.both} "
[[ $me == mysql ]] && known+="${OF_MYSQL.mysql} " || known+="${OF_MYSQL.mysqldump} "
know() { # name, as --loose-name too
  [[ $1 == loose-* || $known == *" $1 "* ]] || { echo "$me: [ERROR] unknown variable '$1'." >&2; exit 2; }
}
file=\${1#--defaults-file=}
[[ $file != "$1" ]] || { echo "$me: no --defaults-file before all others" >&2; exit 9; }
call=$(mktemp "${log}/$me.XXXXXX")
printf '%s\\n' "$@" >"$call.args"
cp "$file" "$call.cnf"
group=
while IFS= read -r line; do
  case $line in
  "["*) group=$line ;;
  ?*) if [[ $group == "[client]" || $group == "[$me]" ]]; then know "\${line%%=*}"; fi ;;
  esac
done <"$file"
args=() words=
for arg in "\${@:2}"; do
  [[ $arg == -- ]] && words=1
  if [[ -z $words && $arg == --* ]]; then name=\${arg#--}; know "\${name%%=*}"; [[ $name == loose-* ]] && continue; fi
  args+=("$arg")
done
sed 's/^ssl-mode=VERIFY_IDENTITY$/ssl\\nssl-verify-server-cert/' "$file" >"$call.maria"
[[ $me == mysql ]] && program=mariadb || program=mariadb-dump
exec "$program" --defaults-file="$call.maria" "\${args[@]}"
`;
}

describe("the client programs of MySQL", { timeout: 120_000 }, () => {
  let server: Mariadb;
  let directory: TemporaryDirectory;
  let round: string;
  let rounds = 0;
  const inside = (...names: string[]): string => join(round, ...names);
  beforeAll(async () => {
    directory = await temporaryDirectory();
    server = await startMariadb({ tls: true });
    await server.sql(
      "CREATE DATABASE shop; CREATE TABLE shop.t (a INT, b BLOB); INSERT INTO shop.t VALUES (1, X'00ff0a');" +
        "CREATE VIEW shop.v AS SELECT a FROM shop.t; CREATE USER bob@'%' IDENTIFIED BY 'ge\"heim#1'; GRANT ALL ON *.* TO bob@'%' WITH GRANT OPTION;",
    );
  }, 120_000);
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await directory?.[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    round = join(directory.path, `${rounds++}`);
    await mkdir(inside("bin"), { recursive: true });
    await mkdir(inside("log"));
    await writeFile(inside("secret"), 'ge"heim#1\n', { mode: 0o600 });
  });

  async function put(name: string, text: string): Promise<void> {
    await writeFile(inside("bin", name), text);
    await chmod(inside("bin", name), 0o755);
  }
  const mysql = (...words: readonly string[]) => {
    const access = ["--srcsecret", inside("secret"), "--tls", "verify", "--tls-ca", server.caFile];
    return runBackup([...words, ...access], { PATH: inside("bin") });
  };
  const at = () => `bob@localhost:${server.port}`;
  /** What calls of a program were given. */
  async function given(program: string, what: "args" | "cnf"): Promise<readonly string[]> {
    const files = (await readdir(inside("log"))).filter(
      (name) => name.startsWith(`${program}.`) && name.endsWith(what),
    );
    return await Promise.all(files.map((file) => readFile(inside("log", file), "utf8")));
  }

  it("are given what they know, by the names that they have for it, and bring back what they dumped", async () => {
    await put("mysql", standIn(inside("log")));
    await put("mysqldump", standIn(inside("log")));
    const first = await mysql("mysql", at(), inside("dest"), "--json");
    expect({ code: first.code, stderr: first.stderr }).toEqual({ code: 0, stderr: "" });
    expect(reportOf(first)).toMatchObject({ result: "done", added: 2 });
    expect(reportOf(await mysql("mysql", at(), inside("dest"), "--json"))).toMatchObject({ added: 0, removed: 0 });

    const [args = ""] = await given("mysqldump", "args");
    expect(args.split("\n")).toEqual(
      expect.arrayContaining(["--loose-set-gtid-purged=OFF", "--loose-column-statistics=0", "--no-tablespaces"]),
    );
    const files = [...(await given("mysqldump", "cnf")), ...(await given("mysql", "cnf"))];
    expect(files.length).toBeGreaterThan(2);
    for (const file of files) {
      expect(file).toMatch(/^ssl-mode=VERIFY_IDENTITY\nssl-ca="/m);
      expect(file).not.toContain("ssl-verify-server-cert");
      expect(file).toContain('password="ge\\"heim#1"\n');
    }
    for (const text of [...(await given("mysqldump", "args")), ...(await given("mysql", "args"))])
      expect(text).not.toContain("heim");

    await server.sql("DROP DATABASE shop");
    const back = await mysql("restore", "mysql", inside("dest"), at(), "--users");
    expect({ code: back.code, stderr: back.stderr }).toEqual({ code: 0, stderr: "" });
    expect(await server.sql("SELECT a, HEX(b) FROM shop.t; SELECT a FROM shop.v")).toBe("1\t00FF0A\n1");
    expect((await given("mysql", "args")).join("")).toContain("--loose-sandbox");
  });

  it("are asked table by table where that is wanted", async () => {
    await put("mysql", standIn(inside("log")));
    await put("mysqldump", standIn(inside("log")));
    const split = await mysql("mysql", at(), inside("dest"), "--split", "table", "--json");
    expect({ code: split.code, stderr: split.stderr }).toEqual({ code: 0, stderr: "" });
    expect((await given("mysqldump", "args")).length).toBeGreaterThan(1);
  });

  it("are not taken where those of MariaDB are, nor taken for them by their names", async () => {
    await put("mysql", standIn(inside("log")));
    await put("mysqldump", standIn(inside("log")));
    await symlink("/usr/bin/mariadb", inside("bin", "mariadb"));
    await symlink("/usr/bin/mariadb-dump", inside("bin", "mariadb-dump"));
    expect(await mysql("mysql", at(), inside("dest"))).toMatchObject({ code: 0 });
    expect(await readdir(inside("log"))).toEqual([]);
  });

  it("may be MariaDB's under MySQL's names, which get the options of MariaDB", async () => {
    for (const [name, program] of [
      ["mysql", "/usr/bin/mariadb"],
      ["mysqldump", "/usr/bin/mariadb-dump"],
    ] as const)
      await put(
        name,
        `#!/bin/bash\ncall=$(/usr/bin/mktemp "${inside("log")}/${name}.XXXXXX"); printf '%s\\n' "$@" >"$call.args"
[[ $2 == --version ]] || /usr/bin/cp "\${1#--defaults-file=}" "$call.cnf"\nexec ${program} "$@"\n`,
      );
    expect(await mysql("mysql", at(), inside("dest"))).toMatchObject({ code: 0 });
    const [file = ""] = await given("mysqldump", "cnf");
    expect(file).toMatch(/^ssl\nssl-verify-server-cert\nssl-ca="/m);
    expect(file).not.toContain("ssl-mode");
    expect((await given("mysqldump", "args")).join("")).not.toContain("gtid");
  });

  it("that refuse an option cost the run, and say which", async () => {
    await put("mysql", standIn(inside("log")));
    await put("mysqldump", standIn(inside("log")).replace("hex-blob", "no-hex-blob"));
    const refused = await mysql("mysql", at(), inside("dest"), "--skip-users");
    expect(refused).toMatchObject({ code: 3, stderr: expect.stringContaining("unknown variable 'hex-blob'") });
  });
});
