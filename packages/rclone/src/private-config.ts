import { type FSWatcher, watch } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { type EventSink, isBackupError, saveSecret, systemCode } from "@backup/core";
import { type RcloneConfig, parseConfig, withChanges } from "./config-text.js";
import type { FoundConfig } from "./find-config.js";

export interface PrivateConfigOptions {
  readonly found: FoundConfig;
  /** The copy, which is made; its directory is a private one. */
  readonly copy: string;
  readonly remote: string;
  readonly onEvent: EventSink;
}

/**
 * A copy of rclone's configuration for one run. rclone writes renewed tokens into it, as soon as it has them; from there
 * they go into the file that it was copied from, and nothing else does.
 */
export class PrivateConfig implements AsyncDisposable {
  readonly #options: PrivateConfigOptions;
  readonly #watcher: FSWatcher;
  /** As it is in the file. */
  #saved: RcloneConfig;
  /** As rclone last wrote it. */
  #latest: RcloneConfig;
  #saving: Promise<void> = Promise.resolve();
  #hasWarned = false;

  private constructor(options: PrivateConfigOptions) {
    this.#options = options;
    this.#saved = options.found.config;
    this.#latest = options.found.config;
    const name = basename(options.copy);
    this.#watcher = watch(dirname(options.copy), { persistent: false }, (_event, changed) => {
      if (changed === name || changed === null) void this.save();
    });
    // Without it they are saved in the end.
    this.#watcher.on("error", () => this.#watcher.close());
  }

  static async make(options: PrivateConfigOptions): Promise<PrivateConfig> {
    await writeFile(options.copy, `${options.found.secret.reveal()}\n`, { mode: 0o600, flag: "wx" });
    return new PrivateConfig(options);
  }

  /** Everything that it holds, for whoever must not show it. */
  get config(): RcloneConfig {
    return this.#latest;
  }

  /** Writes back what rclone has changed since. Never throws: what cannot be saved is a warning. */
  save(): Promise<void> {
    this.#saving = this.#saving.then(() => this.#save());
    return this.#saving;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#watcher.close();
    await this.save();
  }

  async #save(): Promise<void> {
    const { copy, found } = this.#options;
    const file = found.secret.file ?? copy;
    const written = await readFile(copy, "utf8").catch(beingReplaced);
    if (written === undefined) return;
    try {
      const after = parseConfig(written);
      this.#latest = after;
      const there = await readFile(file, "utf8");
      const text = withChanges(there, this.#saved, after);
      if (text === there) return;
      await saveSecret(file, text);
      this.#saved = after;
    } catch (error) {
      const code = systemCode(error);
      if (!isBackupError(error) && code === undefined) throw error;
      this.#warn(isBackupError(error) ? error.message : `${file} cannot be read again (${code})`);
    }
  }

  #warn(why: string): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    const { remote, onEvent } = this.#options;
    const message =
      `rclone has renewed its login for ${remote}, and the new one is not saved: ${why}. ` +
      "This run goes on, and a later one may be refused; give it a file that can be written";
    onEvent({ type: "warning", code: "SECRET_UNWRITABLE", message });
  }
}

/** For a moment it is not there while rclone replaces it; what happens then is told too. */
function beingReplaced(error: unknown): undefined {
  if (systemCode(error) !== "ENOENT") throw error;
}
