import { inspect } from "node:util";
import { BackupError } from "./errors.js";

/** A secret that cannot be printed by accident: every way of turning it into text says `[secret]`. */
export class Secret {
  readonly #value: string;
  readonly #file: string | undefined;

  /** @throws BackupError SECRET_MISSING for an empty one, or an environment variable that is not set */
  constructor(value: string | undefined, { file }: { readonly file?: string } = {}) {
    if (value === undefined || value === "") throw new BackupError("SECRET_MISSING", "the secret is empty or not set");
    this.#value = value;
    this.#file = file;
  }

  /** The file that it was read from: what the server renews is saved there. */
  get file(): string | undefined {
    return this.#file;
  }

  /** The secret itself. Call it where it is handed over, and nowhere else. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "[secret]";
  }

  toJSON(): string {
    return "[secret]";
  }

  [inspect.custom](): string {
    return "[secret]";
  }
}
