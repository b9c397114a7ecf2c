import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import {
  chmodSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import type { Random } from "./random.js";

const run = promisify(execFile);

/** Names that something stumbles over; each byte is a character. */
const NAMES = [
  "plain",
  "with blank",
  " first",
  "last ",
  "-dash",
  "--delete",
  "#hash",
  ";semicolon",
  "nl\nname",
  "back\\slash",
  "back\\#012slash",
  "quote'\"",
  "star*[x]?",
  "inv\xff\xfe",
  Buffer.from("früh café 日本").toString("latin1"),
  "A",
  "a",
  ".hidden",
  "=mark",
  "colon:name",
];

/** A tree on this machine that changes at random. Paths are as bytes, each a character, below its top. */
export class RandomTree {
  readonly #root: string;
  readonly #random: Random;
  readonly #names: readonly string[];
  #number = 0;

  /** @param isText whether all names are UTF-8 */
  constructor(root: string, random: Random, { isText = false }: { readonly isText?: boolean } = {}) {
    this.#root = root;
    this.#random = random;
    this.#names = isText ? NAMES.filter((name) => !name.includes("\xff")) : NAMES;
  }

  /** Makes so many entries. */
  grow(count: number): void {
    for (let at = 0; at < count; at++) this.#make();
  }

  /** Changes it so often. `isTame` leaves every entry what it is, so that all that moves can be recognised. */
  change(count: number, isTame: boolean): void {
    const random = this.#random;
    const tame = [
      () => this.#rename(),
      () => this.#rename(),
      () => this.#swap(),
      () => this.#edit(),
      () => this.#remove(),
      () => this.#make(),
      () => this.#attributes(),
    ];
    const wild = [...tame, () => this.#retype(), () => this.#recase(), () => this.#chain()];
    for (let at = 0; at < count; at++) random.pick(isTame ? tame : wild)();
  }

  /** Renames so often, and now and then sets attributes; bytes stay what they are. */
  move(count: number): void {
    const random = this.#random;
    const ways = [() => this.#rename(), () => this.#rename(), () => this.#swap(), () => this.#attributes()];
    for (let at = 0; at < count; at++) random.pick(ways)();
  }

  /** Regular files of which each inode counts once: bytes by content. */
  contents(): ReadonlyMap<string, { readonly path: string; readonly size: number; readonly mtime: number }> {
    const found = new Map<string, { path: string; size: number; mtime: number }>();
    for (const path of this.#paths()) {
      const stats = lstatSync(this.#at(path));
      if (!stats.isFile() || stats.size === 0) continue;
      const bytes = readFileSync(this.#at(path));
      found.set(bytes.toString("latin1"), { path, size: stats.size, mtime: Math.floor(stats.mtimeMs / 1000) });
    }
    return found;
  }

  #make(): void {
    const random = this.#random;
    const path = this.#newPath();
    const kind = random.below(20);
    const files = this.#paths().filter((each) => lstatSync(this.#at(each)).isFile());
    if (kind < 5) mkdirSync(this.#at(path), { mode: random.pick([0o755, 0o700, 0o555]) });
    else if (kind === 5) symlinkSync(random.pick(["plain", "../up", "/etc/passwd", "no where"]), this.#at(path));
    else if (kind === 6 && files.length > 0) linkSync(this.#at(random.pick(files)), this.#at(path));
    else {
      writeFileSync(this.#at(path), randomBytes(random.pick([0, 1, 100, 3000, 20_000, 200_000])), {
        mode: random.pick([0o644, 0o600, 0o400, 0o755]),
      });
      // As it is mostly: made long ago, and some at the same time.
      this.#setTime(path, 1_600_000_000 + random.below(3));
    }
  }

  #rename(): void {
    const path = this.#pick();
    if (path === undefined) return;
    const target = this.#newPath();
    if (`${target}/`.startsWith(`${path}/`)) return;
    renameSync(this.#at(path), this.#at(target));
  }

  #swap(): void {
    const [one, other] = [this.#pick(), this.#pick()];
    if (one === undefined || other === undefined) return;
    if (`${one}/`.startsWith(`${other}/`) || `${other}/`.startsWith(`${one}/`)) return;
    const [first, second] = [lstatSync(this.#at(one)), lstatSync(this.#at(other))];
    if (first.isDirectory() !== second.isDirectory()) return;
    // That these were exchanged shows nowhere but in their bytes, which nobody reads of what seems unchanged.
    if (first.size === second.size && first.mtimeMs === second.mtimeMs && !first.isDirectory()) return;
    const aside = `swap-${this.#number++}`;
    renameSync(this.#at(one), this.#at(aside));
    renameSync(this.#at(other), this.#at(one));
    renameSync(this.#at(aside), this.#at(other));
  }

  /** Three files, each over the next. */
  #chain(): void {
    const files = this.#paths().filter((path) => lstatSync(this.#at(path)).isFile());
    const [one, two, three] = [0, 1, 2].map(() => this.#random.pick(files));
    if (one === undefined || two === undefined || three === undefined || new Set([one, two, three]).size < 3) return;
    const times = [one, two, three].map((path) => lstatSync(this.#at(path)).mtimeMs);
    if (new Set(times).size < 3) return;
    renameSync(this.#at(two), this.#at(three));
    renameSync(this.#at(one), this.#at(two));
  }

  #edit(): void {
    const files = this.#paths().filter((path) => lstatSync(this.#at(path)).isFile());
    if (files.length === 0) return;
    const path = this.#random.pick(files);
    writeFileSync(this.#at(path), randomBytes(1 + this.#random.below(5000)));
    this.#setTime(path, 1_700_000_000 + this.#number++);
  }

  #remove(): void {
    const path = this.#pick();
    if (path !== undefined && this.#random.below(3) === 0) rmSync(this.#at(path), { recursive: true });
  }

  #attributes(): void {
    const path = this.#pick();
    if (path === undefined) return;
    const stats = lstatSync(this.#at(path));
    if (stats.isSymbolicLink()) lutimesSync(this.#at(path), 1_500_000_000, 1_500_000_000);
    else chmodSync(this.#at(path), this.#random.pick([0o700, 0o711]));
  }

  /** Something of the same name and another kind. */
  #retype(): void {
    const path = this.#pick();
    if (path === undefined) return;
    const wasDirectory = lstatSync(this.#at(path)).isDirectory();
    rmSync(this.#at(path), { recursive: true });
    if (!wasDirectory) mkdirSync(this.#at(path));
    else if (this.#random.below(2) === 0) symlinkSync("/", this.#at(path));
    else writeFileSync(this.#at(path), "was a directory");
  }

  /** A name in other letters. */
  #recase(): void {
    const path = this.#pick();
    if (path === undefined) return;
    const slash = path.lastIndexOf("/") + 1;
    const other = path.slice(0, slash) + path.slice(slash).replace(/[a-z]/, (letter) => letter.toUpperCase());
    if (other !== path && !this.#paths().includes(other)) renameSync(this.#at(path), this.#at(other));
  }

  #setTime(path: string, seconds: number): void {
    utimesSync(this.#at(path), seconds, seconds);
  }

  #pick(): string | undefined {
    const paths = this.#paths();
    return paths.length > 0 ? this.#random.pick(paths) : undefined;
  }

  #newPath(): string {
    const directories = ["", ...this.#paths().filter((path) => lstatSync(this.#at(path)).isDirectory())];
    const directory = this.#random.pick(directories);
    const name = `${this.#random.pick(this.#names)}${this.#number++}`;
    return directory === "" ? name : `${directory}/${name}`;
  }

  #paths(at = ""): string[] {
    return readdirSync(this.#at(at), { withFileTypes: true, encoding: "buffer" }).flatMap((entry) => {
      const name = entry.name.toString("latin1");
      const path = at === "" ? name : `${at}/${name}`;
      return entry.isDirectory() ? [path, ...this.#paths(path)] : [path];
    });
  }

  #at(path: string): Buffer {
    return Buffer.concat([Buffer.from(join(this.#root, "/")), Buffer.from(path, "latin1")]);
  }
}

/** What rsync(1) would still do to make one tree equal to another, bytes and attributes compared; the oracle. */
export async function differencesOf(source: string, destination: string, options = ["-aHAX"]): Promise<string> {
  const args = [...options, "--dry-run", "--delete", "--checksum", "--itemize-changes", "--exclude=/.backup"];
  const { stdout } = await run("rsync", [...args, `${source}/`, `${destination}/`], {
    env: { ...process.env, LC_ALL: "C" },
  });
  return stdout;
}
