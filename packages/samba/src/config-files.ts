import { posix } from "node:path";
import { BackupError } from "@backup/core";
import { failureOf, missing } from "./complaint.js";
import { type Findings, directoryOf, fileNameOf } from "./findings.js";
import type { Machine } from "./machine.js";
import { type Place, placeOf, referencesIn } from "./smb-conf.js";

/** Reads configuration, and finds what it includes. A file that is not there is left out, as Samba does. */
export class ConfigFiles {
  readonly #machine: Machine;
  readonly #findings: Findings;
  /** Those that were looked at, and whether they were read. */
  readonly #files = new Map<string, boolean>();
  #registry = false;

  constructor(machine: Machine, findings: Findings) {
    this.#machine = machine;
    this.#findings = findings;
  }

  /** Those that were read. */
  get paths(): readonly string[] {
    return [...this.#files].flatMap(([path, isRead]) => (isRead ? [path] : []));
  }

  /** Some of the configuration is in the registry. */
  get registry(): boolean {
    return this.#registry;
  }

  /** Reads the main file, and whatever it includes. @throws BackupError NOT_FOUND, ITEM_UNREADABLE */
  async addMain(path: string): Promise<void> {
    const text = await this.#read(posix.normalize(path));
    if (text === undefined) {
      const message = `there is no ${path} on ${this.#machine.name}; --smb-conf names the file of another configuration`;
      throw new BackupError("NOT_FOUND", message);
    }
    await this.follow(text, path);
  }

  /** Reads what a text includes. @param where the text is, for a person */
  async follow(text: string, where: string): Promise<void> {
    const { files, registry } = referencesIn(text);
    this.#registry ||= registry;
    for (const value of files) {
      const place = placeOf(value);
      if (!place) {
        const message = `${where} includes '${value}', and it depends on the connection in which directory that is: none of it is in this backup`;
        this.#findings.fail(value, missing(message));
        continue;
      }
      const found = place.file === undefined ? await this.#list(place) : [place.file];
      for (const file of found) {
        const included = await this.#readOrFail(file);
        if (included !== undefined) await this.follow(included, file);
      }
    }
  }

  /** Reads a file that includes no others. */
  async add(path: string): Promise<void> {
    await this.#readOrFail(posix.normalize(path));
  }

  /** Reads all files of a directory. */
  async addAll(directory: string): Promise<void> {
    for (const file of await this.#list({ directory, pattern: "*" })) await this.#readOrFail(file);
  }

  /** None where there is no such directory. */
  async #list({ directory, pattern }: Pick<Place, "directory" | "pattern">): Promise<readonly string[]> {
    const kinds = ["(", "-type", "f", "-o", "-type", "l", ")"];
    try {
      const search = ["-maxdepth", "1", ...kinds, "-name", pattern, "-print0"];
      const { stdout } = await this.#machine.run(["find", `${directory}/`, ...search]);
      return stdout
        .toString()
        .split("\0")
        .slice(0, -1)
        .map((path) => posix.normalize(path))
        .toSorted();
    } catch (error) {
      const failure = failureOf(error);
      if (!failure) throw error;
      if (isNotThere(failure.stderr)) return [];
      const message = `${directory} on ${this.#machine.name} cannot be listed: ${failure.why}`;
      this.#findings.fail(directory, missing(message, error));
      return [];
    }
  }

  /** Undefined: there is nothing new to follow. */
  async #readOrFail(path: string): Promise<string | undefined> {
    if (this.#files.has(path)) return undefined;
    try {
      return await this.#read(path);
    } catch (error) {
      if (!(error instanceof BackupError) || error.code !== "ITEM_UNREADABLE") throw error;
      this.#findings.fail(path, error);
      return undefined;
    }
  }

  /** Undefined: there is no such file. @throws BackupError ITEM_UNREADABLE */
  async #read(path: string): Promise<string | undefined> {
    this.#files.set(path, false);
    try {
      const { stdout } = await this.#machine.run(["cat", "--", path]);
      this.#files.set(path, true);
      this.#findings.addText(directoryOf(path), fileNameOf(path), stdout);
      return stdout.toString();
    } catch (error) {
      const failure = failureOf(error);
      if (!failure) throw error;
      if (isNotThere(failure.stderr)) return undefined;
      throw missing(`${path} on ${this.#machine.name} cannot be read: ${failure.why}`, error);
    }
  }
}

function isNotThere(stderr: string): boolean {
  return /No such file or directory|Not a directory/.test(stderr);
}
