import { spawnSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import fc from "fast-check";
import { quoteWord, splitWords } from "../src/split-words.js";

describe("splitWords", () => {
  it("parts words as a shell would, and gives nothing else a meaning", () => {
    expect(splitWords("docker exec  -i db")).toEqual(["docker", "exec", "-i", "db"]);
    expect(splitWords(`a "b c"'d e' f\\ g "" '\\'`)).toEqual(["a", "b cd e", "f g", "", "\\"]);
    expect(splitWords("$HOME `id` $(id) ; rm * > x")).toEqual(["$HOME", "`id`", "$(id)", ";", "rm", "*", ">", "x"]);
    expect(splitWords(" \t ")).toEqual([]);
  });

  it.each(["a 'b", 'a "b', "a\\"])("refuses %s", (text) => {
    expect(() => splitWords(text)).toThrow(expect.objectContaining({ code: "USAGE" }));
  });

  it("reads back what is quoted, as sh(1) does", () => {
    const word = fc
      .string({ unit: "binary", maxLength: 8 })
      .filter((text) => !text.includes("\0") && !/\p{Surrogate}/u.test(text));
    fc.assert(
      fc.property(fc.array(word, { maxLength: 5 }), (words) => {
        expect(splitWords(words.map(quoteWord).join(" "))).toEqual(words);
      }),
    );
    const words = ["a b", "it's", "$HOME", "`id`", "*", "\\", "\n", "", "é"];
    const { stdout } = spawnSync("sh", ["-c", `printf '%s\\0' ${words.map(quoteWord).join(" ")}`], {
      encoding: "utf8",
    });
    expect(stdout.split("\0").slice(0, -1)).toEqual(words);
  });
});
