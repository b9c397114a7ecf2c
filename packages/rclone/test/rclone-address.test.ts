import { expect, test } from "vitest";
import { formatRclone, parseRclone } from "../src/rclone-address.js";

test("a remote and a path in it are read as rclone writes them", () => {
  expect(parseRclone("rclone:drive:a/b c")).toEqual({ remote: "drive", path: "a/b c" });
  expect(parseRclone("rclone:my box:")).toEqual({ remote: "my box", path: "" });
  expect(parseRclone("rclone:disk:/srv//x/")).toEqual({ remote: "disk", path: "/srv/x" });
  expect(parseRclone("rclone:disk:/")).toEqual({ remote: "disk", path: "/" });
  expect(parseRclone("/srv/rclone:x")).toBeUndefined();
  expect(parseRclone("host:dir")).toBeUndefined();
  expect(formatRclone({ remote: "drive", path: "a" })).toBe("rclone:drive:a");
});

test.each(["rclone:drive", "rclone::s3,secret_access_key=x:bucket", "rclone:-x:a", "rclone:a:../b", "rclone:a,b=c:d"])(
  "%s is refused",
  (text) => {
    expect(() => parseRclone(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  },
);
