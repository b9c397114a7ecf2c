import { mkdir, mkdtemp, readFile, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Body, type Item, type Outcome, contentOf } from "@backup/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { Pace } from "../src/pace.js";
import { type RemotePutOptions, remotePut } from "../src/remote-put.js";
import type { Outgoing, Sender, Upload } from "../src/sender.js";
import { Spool } from "../src/spool.js";

const NEVER = new AbortController().signal;
let parent = "";

beforeEach(async () => {
  parent = await mkdtemp(join(tmpdir(), "bk-"));
});
afterEach(() => rm(parent, { recursive: true }));

function item(id: string, size: number): Item {
  return { id, rev: "1", collection: "a", size, mtime: Date.UTC(2024, 0, 1) };
}

function whole(id: string, text: string): Body {
  return { item: item(id, text.length), bytes: Buffer.from(text) };
}

async function* pieces(...parts: readonly (string | Error)[]): AsyncGenerator<Uint8Array> {
  for (const part of parts) {
    if (part instanceof Error) throw part;
    yield Buffer.from(part);
  }
}

async function* from(bodies: readonly (Body | Error)[]): AsyncGenerator<Body> {
  for (const body of bodies) {
    if (body instanceof Error) throw body;
    yield body;
  }
}

/** Notes what it is given, with its bytes. */
class Recorder implements Sender {
  describe = async (): Promise<string> => "recorder";
  readonly batches: Readonly<Record<string, string>>[] = [];
  constructor(
    readonly fromFiles: boolean,
    readonly batchFiles = 2,
    readonly batchBytes = 1024 * 1024,
  ) {}
  async send(files: readonly Outgoing[]): Promise<void> {
    const text = async ({ content }: Outgoing): Promise<string> =>
      content instanceof Uint8Array ? Buffer.from(content).toString() : readFile(content.file, "utf8");
    this.batches.push(Object.fromEntries(await Promise.all(files.map(async (file) => [file.path, await text(file)]))));
  }
}

async function put(
  bodies: readonly (Body | Error)[],
  options: Partial<RemotePutOptions<Item>> & { readonly sender: Sender; readonly spool: Spool },
): Promise<readonly Outcome[]> {
  const outcomes: Outcome[] = [];
  const place = ({ id }: Item) => ({ path: `a/${id}` });
  for await (const batch of remotePut(from(bodies), { place, signal: NEVER, ...options })) outcomes.push(...batch);
  return outcomes;
}

describe.each([{ fromFiles: true }, { fromFiles: false }])("bodies that are sent (%o)", ({ fromFiles }) => {
  it("go in batches, and each has its outcome", async () => {
    await using spool = new Spool({ directory: parent });
    const sender = new Recorder(fromFiles);
    const broken = new Error("cut");
    const outcomes = await put(
      [
        whole("1", "one"),
        { item: item("2", 6), bytes: pieces("tw", "o") },
        { item: item("3", 1), error: broken },
        { item: item("4", 4), bytes: pieces("x", broken) },
        whole("5", ""),
      ],
      { sender, spool },
    );
    expect(sender.batches).toEqual([{ "a/1": "one", "a/2": "two" }, { "a/5": "" }]);
    expect(outcomes.filter((outcome) => "path" in outcome)).toEqual([
      { item: item("1", 3), path: "a/1", content: contentOf(Buffer.from("one")) },
      { item: item("2", 6), path: "a/2", content: contentOf(Buffer.from("two")) },
      { item: item("5", 0), path: "a/5", content: contentOf(Buffer.from("")) },
    ]);
    const failed = outcomes.filter((outcome) => "error" in outcome);
    expect(failed.map(({ item: { id }, error }) => [id, error])).toEqual([
      ["3", broken],
      ["4", broken],
    ]);
    expect(await leftIn(spool)).toEqual([]);
  });

  it("are sent as far as they were complete when the source breaks off", async () => {
    await using spool = new Spool({ directory: parent });
    const sender = new Recorder(fromFiles);
    const lost = new Error("lost");
    await expect(put([whole("1", "one"), lost], { sender, spool })).rejects.toBe(lost);
    expect(sender.batches).toEqual([{ "a/1": "one" }]);
    expect(await leftIn(spool)).toEqual([]);
  });

  it("are not sent where they can be another name of what is there", async () => {
    await using spool = new Spool({ directory: parent });
    const sender = new Recorder(fromFiles, 3);
    const outcomes = await put([whole("1", "one"), whole("2", "two"), whole("3", "three")], {
      sender,
      spool,
      place: ({ id }) => ({ path: `a/${id}`, same: id === "1" ? undefined : `old/${id}` }),
      link: async (links) => links.map(({ from: source }) => source === "old/2"),
    });
    expect(sender.batches).toEqual([{ "a/1": "one", "a/3": "three" }]);
    expect(outcomes).toHaveLength(3);
  });

  it("are sent once where several of a batch are the same, of the same time", async () => {
    await using spool = new Spool({ directory: parent });
    const sender = new Recorder(fromFiles, 10);
    const later = { ...whole("4", "one"), item: { ...item("4", 3), mtime: Date.UTC(2024, 0, 2) } };
    const sidecar = { ...whole("5", "one"), item: { ...item("5", 3), sidecar: true } };
    const links: string[] = [];
    const outcomes = await put([whole("1", "one"), whole("2", "one"), whole("3", "one"), later, sidecar], {
      sender,
      spool,
      link: async (asked) => {
        links.push(...asked.map(({ from: source, to }) => `${to} is ${source}`));
        return asked.map(({ to }) => to === "a/2");
      },
    });
    expect(links).toEqual(["a/2 is a/1", "a/3 is a/1"]);
    expect(sender.batches).toEqual([{ "a/1": "one", "a/4": "one", "a/5": "one" }, { "a/3": "one" }]);
    expect(outcomes.map((outcome) => ("path" in outcome ? outcome.path : ""))).toEqual(
      [1, 2, 3, 4, 5].map((n) => `a/${n}`),
    );
    expect(await leftIn(spool)).toEqual([]);
  });

  it("that outgrow the spool are passed on as they come", async () => {
    await using spool = new Spool({ directory: parent, limitBytes: 20 });
    const sender = new Recorder(fromFiles);
    const uploads: string[] = [];
    const upload = async (): Promise<Upload> => {
      let text = "";
      return {
        write: async (bytes) => {
          text += Buffer.from(bytes).toString();
        },
        publish: async (path) => {
          uploads.push(`${path}=${text}`);
        },
        discard: async () => {
          uploads.push("discarded");
        },
      };
    };
    const big = { item: item("1", 3), bytes: pieces("12345678", "abcdefgh", "ABC") };
    const cut = { item: item("2", 3), bytes: pieces("12345678", "abcdefgh", new Error("cut")) };
    const outcomes = await put([big, cut, whole("3", "three")], { sender, spool, upload });
    expect(uploads).toEqual(["discarded", "a/1=12345678abcdefghABC", "discarded"]);
    expect(outcomes.filter((outcome) => "path" in outcome).map(({ path }) => path)).toEqual(["a/1", "a/3"]);
    expect(outcomes.find((outcome) => "content" in outcome)?.content).toEqual(
      contentOf(Buffer.from("12345678abcdefghABC")),
    );
    expect(await leftIn(spool)).toEqual([]);
  });

  it("stop at an abort: nothing more is sent", async () => {
    await using spool = new Spool({ directory: parent });
    const controller = new AbortController();
    const sender = new Recorder(fromFiles, 1);
    async function* bodies(): AsyncGenerator<Body> {
      yield whole("1", "one");
      yield whole("2", "two");
      controller.abort();
      yield whole("3", "three");
    }
    const place = ({ id }: Item) => ({ path: `a/${id}` });
    await expect(async () => {
      for await (const _ of remotePut(bodies(), { place, signal: controller.signal, sender, spool }));
    }).rejects.toMatchObject({ code: "ABORTED" });
    expect(sender.batches).toEqual([{ "a/1": "one" }]);
    expect(await leftIn(spool)).toEqual([]);
  });
});

describe("the spool", () => {
  it("is private, made when needed, and gone at the end", async () => {
    let directory = "";
    {
      await using spool = new Spool({ directory: join(parent, "deep") });
      expect(await readdir(parent)).toEqual([]);
      directory = await spool.directory();
      expect((await stat(directory)).mode & 0o777).toBe(0o700);
      expect(await spool.newName()).not.toBe(await spool.newName());
    }
    await expect(stat(directory)).rejects.toThrow("ENOENT");
  });

  it("removes those of dead processes, and no other", async () => {
    await using other = new Spool({ directory: parent });
    const mine = basename(await other.directory());
    const [prefix, place, pid, start] = /^(.*-)(.{8})\.(\d+)\.(\d+)\./.exec(mine)?.slice(1) ?? [];
    expect({ prefix, pid }).toEqual({ prefix: "backup-spool-", pid: String(process.pid) });
    const dead = 2 ** 22 + 1;
    const kept = [
      mine,
      `${prefix}elsewhr.${dead}.${start}.aaaaaa`,
      `${prefix}${place}.${pid}.${start}.aaaaaa`,
      `${prefix}${place}.${dead}`,
      `${prefix}old`,
      `other-${place}.${dead}.${start}.aaaaaa`,
    ];
    const removed = [`${prefix}${place}.${dead}.${start}.bbbbbb`, `${prefix}${place}.${pid}.${start}0.bbbbbb`];
    for (const name of [...kept, ...removed]) await mkdir(join(parent, name, "deep"), { recursive: true });
    await writeFile(join(parent, `${prefix}${place}.${dead}.${start}.cccccc`), "no directory");
    await using spool = new Spool({ directory: parent });
    const made = basename(await spool.directory());
    const left = await readdir(parent);
    expect(left.toSorted()).toEqual([...kept, made, `${prefix}${place}.${dead}.${start}.cccccc`].toSorted());
  });

  it("says what to do where it cannot be made", async () => {
    await writeFile(join(parent, "file"), "");
    await using spool = new Spool({ directory: join(parent, "file", "x") });
    await expect(spool.directory()).rejects.toMatchObject({
      code: "SPOOL_UNWRITABLE",
      message: expect.stringContaining("--spool"),
    });
  });
});

describe("the pace", () => {
  it("grows to what is allowed on a fast line, and shrinks on a thin one", async () => {
    const most = 32 * 1024 * 1024;
    const pace = new Pace(most);
    for (let n = 0; n < 3; n++) await pace.measure(pace.batchBytes, Promise.resolve());
    expect(pace.batchBytes).toBe(most);
    let clock = 0;
    const slow = new Pace(most, () => clock);
    const takes = async (bytes: number, seconds: number): Promise<void> => {
      const sending = slow.measure(bytes, Promise.resolve());
      clock += seconds * 1000;
      await sending;
    };
    // So little of it says nothing of the line.
    await takes(100, 20);
    expect(slow.batchBytes).toBe(4 * 1024 * 1024);
    await takes(4 * 1024 * 1024, 40);
    expect(slow.batchBytes).toBe(1024 * 1024);
    await takes(1024 * 1024, 1000);
    expect(slow.batchBytes).toBe(512 * 1024);
    await takes(512 * 1024, 1);
    expect(slow.batchBytes).toBe(2 * 1024 * 1024);
  });
});

async function leftIn(spool: Spool): Promise<readonly string[]> {
  return await readdir(await spool.directory());
}
