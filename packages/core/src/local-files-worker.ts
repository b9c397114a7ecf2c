import { Worker } from "node:worker_threads";
import { type OpenFile, type Part, type PlacedFile, finishFiles, syncFiles, writeFiles } from "./local-files.js";

/** The work of local-files.js, wherever it is done. */
export interface FileWorker extends AsyncDisposable {
  write(bytes: Uint8Array, parts: readonly Part[]): Promise<readonly (OpenFile & { readonly sha256: Uint8Array })[]>;
  sync(descriptors: readonly number[]): Promise<void>;
  finish(files: readonly PlacedFile[]): Promise<void>;
}

/** On this thread: for what is done before a thread has begun. */
export class HereWorker implements FileWorker {
  async write(...[bytes, parts]: Parameters<FileWorker["write"]>): ReturnType<FileWorker["write"]> {
    return writeFiles(bytes, parts);
  }

  async sync(descriptors: readonly number[]): Promise<void> {
    await syncFiles(descriptors);
  }

  async finish(files: readonly PlacedFile[]): Promise<void> {
    finishFiles(files);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Holds nothing.
  }
}

interface Answer {
  readonly id: number;
  readonly result?: unknown;
  readonly failure?: { readonly message: string; readonly code?: string; readonly syscall?: string };
}

interface Waiting {
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** On a thread of its own, which begins at once. To be disposed of when nothing is under way. */
export class ThreadWorker implements FileWorker {
  readonly #thread: Worker;
  readonly #waiting = new Map<number, Waiting>();
  #count = 0;
  #failure: Error | undefined;

  constructor() {
    const options = {
      execArgv: [],
      // The descriptors are this process's, and closed by whoever has them last.
      trackUnmanagedFds: false,
      // What it holds is names; garbage that waits for more would be some MB.
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    };
    this.#thread = new Worker(new URL("./local-files-thread.js", import.meta.url), options);
    this.#thread.on("message", (answer: Answer) => this.#settle(answer));
    this.#thread.on("error", (error: Error) => this.#fail(error));
    this.#thread.on("exit", (status) => this.#fail(new Error(`the thread that writes files ended with ${status}`)));
  }

  async write(...given: Parameters<FileWorker["write"]>): ReturnType<FileWorker["write"]> {
    return (await this.#ask({ write: given })) as Awaited<ReturnType<FileWorker["write"]>>;
  }

  async sync(descriptors: readonly number[]): Promise<void> {
    await this.#ask({ sync: descriptors });
  }

  async finish(files: readonly PlacedFile[]): Promise<void> {
    await this.#ask({ finish: files });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#thread.terminate();
  }

  #ask(task: object): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure) return reject(this.#failure);
      const id = this.#count++;
      this.#waiting.set(id, { resolve, reject });
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- it is a browser's windows that have origins
      this.#thread.postMessage({ id, task });
    });
  }

  #settle({ id, result, failure }: Answer): void {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    if (failure) waiting?.reject(Object.assign(new Error(failure.message), failure));
    else waiting?.resolve(result);
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#waiting.values()) reject(error);
    this.#waiting.clear();
  }
}
