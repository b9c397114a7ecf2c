import { describe, expect, it } from "vitest";
import { maildirLayout } from "../src/maildir-layout.js";

describe("the layout of a Maildir tree", () => {
  it("knows a folder by the directory that marks it", () => {
    const { collectionAt } = maildirLayout;
    expect(collectionAt("Archive/2024/cur")).toBe("Archive/2024");
    expect(collectionAt("Archive/2024")).toBeUndefined();
    expect(collectionAt("cur")).toBeUndefined();
    expect(collectionAt("Archive/2024/new")).toBeUndefined();
    // No folder has such a directory: what is in there is another program's.
    expect(collectionAt("%zz/cur")).toBeUndefined();
  });

  it("knows a message by its name, with either separator", () => {
    const name = "1700000000.V17U42Dxj4bnp4pahh6uqkbidpf3lrcem.backup,S=2048";
    for (const separator of [":", ";"]) {
      const file = { path: `INBOX/cur/${name}${separator}2,FS`, size: 2048, mtime: 0 };
      expect(maildirLayout.naming({ colon: true }).identify(file)?.identity.id).toBe("V17U42");
    }
  });
});
