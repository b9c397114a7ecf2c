import { describe, expect, it } from "vitest";
import { parseSize } from "../src/size.js";

describe("a size", () => {
  it.each([
    ["2G", 2_000_000_000],
    ["500M", 500_000_000],
    ["500 mb", 500_000_000],
    ["1.5GB", 1_500_000_000],
    ["2GiB", 2_147_483_648],
    ["64Ki", 65_536],
    ["1T", 1_000_000_000_000],
    ["1000", 1000],
    ["1000B", 1000],
  ])("%s is %i bytes", (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  it.each(["", "G", "2X", "-1G", "1e9", "2 G B", "0", "0.1", "999999T", "2,5G", "i", "2ib"])("'%s' is none", (text) => {
    expect(parseSize(text)).toBeUndefined();
  });
});
