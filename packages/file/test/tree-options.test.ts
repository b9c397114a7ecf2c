import { describe, expect, it } from "vitest";
import { checkTreeOptions, rsyncOptions, ruleFor } from "../src/tree-options.js";

const none = new Set<string>();

describe("options for rsync", () => {
  it.each([
    "--delete",
    "--delete-excluded",
    "--del",
    "--remove-source-files",
    "--remove-sent-files",
    "--max-delete=1000000",
    "--inplace",
    "--append-verify",
    "--keep-dirlinks",
    "-K",
    "-aK",
    "--write-devices",
    "--remote-option=--inplace",
    "-M--inplace",
    "--link-dest=/etc",
    "--temp-dir=/tmp",
    "-T/tmp",
    "--rsh=sh",
    "-e",
    "-n",
    "-vn",
    "--iconv=.",
    "--backup",
    "-b",
    "--",
    "-",
    "--exclude",
    "--exclude=!",
    "--filter=!",
    "--filter=. /tmp/rules",
    "--filter=merge /tmp/rules",
    "-f!",
    "--exclude-from=/tmp/rules",
    "--stderr=all",
    "--msgs2stderr",
    "--old-args",
    "--ignore-missing-args",
    "--trust-sender",
    "--no-r",
    "--no-recursive",
    "-L",
    "--copy-links",
    "--partial",
    "-P",
    "-s",
    "--size-only",
    "--modify-window=1",
    "--rsync-path",
    "--log-file=/etc/passwd",
  ])("are refused where backup decides: %s", (option) => {
    expect(() => checkTreeOptions({ rsync: [option] })).toThrow("backup itself decides");
  });

  it.each([
    "--fake-super",
    "--chmod=F600",
    "--checksum",
    "-c",
    "-z",
    "--compress-level=9",
    "--no-perms",
    "--filter=- *.tmp",
    "--rsync-path=sudo rsync",
    "-B4096",
    "-X",
    "-M--fake-super",
    "--no-owner",
    "--no-o",
    "--exclude=*.tmp",
    "--bwlimit=100",
  ])("are passed on: %s", (option) => {
    checkTreeOptions({ rsync: [option] });
    expect(rsyncOptions({ rsync: [option] }, none).at(-1)).toBe(option);
  });

  it("leave out our directory first, and read patterns as gitignore does", () => {
    const options = rsyncOptions(
      { exclude: ["*.log", "/cache/", "a/b", "**/tmp", "**/x/y", "c/**/d"], include: ["keep.log"] },
      none,
    );
    expect(options.filter((option) => option.startsWith("--filter"))).toEqual([
      "--filter=- /.backup",
      "--filter=P /lost+found",
      "--filter=+ keep.log",
      "--filter=- *.log",
      "--filter=- /cache/",
      "--filter=- /a/b",
      "--filter=- tmp",
      "--filter=- x/y",
      "--filter=- /c/**/d",
      "--filter=- /c/d",
    ]);
  });

  it("leave attributes and owners behind where they are to", () => {
    expect(rsyncOptions({}, new Set(["A"]))).toContain("-X");
    expect(rsyncOptions({}, new Set(["A"]))).not.toContain("-A");
    const inet = rsyncOptions({ inet: true }, none);
    expect(inet).toEqual(expect.arrayContaining(["--size-only", "--no-owner", "--no-group", "--compress"]));
    expect(inet).not.toContain("-X");
  });

  it("name one directory and no other", () => {
    expect(ruleFor("")).toBe("/**");
    expect(ruleFor("a/b")).toBe("/a/b/");
    expect(ruleFor("a\\b")).toBe("/a\\b/");
    expect(ruleFor("a*[x]?\\")).toBe("/a\\*\\[x]\\?\\\\/");
  });
});
