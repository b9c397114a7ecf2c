import { once } from "node:events";
import { type AddressInfo, type Server, type Socket, connect, createServer } from "node:net";
import { afterAll, beforeAll, expect, test } from "vitest";
import { busy } from "./support/busy.js";
import { type Proxy, startProxy } from "./support/proxy.js";

// Answers a number with as many bytes, counting up.
let server: Server;
let target: number;
beforeAll(async () => {
  server = createServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => void socket.write(pattern(Number(data.toString()))));
    socket.on("end", () => socket.end());
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  target = (server.address() as AddressInfo).port;
});
afterAll(() => void server.close());

// Of a length that no buffer size is a multiple of: a piece that is missing or doubled shows.
const CYCLE = Uint8Array.from({ length: 251 }, (_, index) => index);

function pattern(size: number): Buffer {
  return Buffer.alloc(size, CYCLE);
}

interface Received {
  readonly bytes: Buffer;
  readonly end: "end" | "close" | "open";
}

/** Asks for bytes; returns when they are here, or the connection ends, or nothing more came for 300 ms. */
function ask(socket: Socket, size: number): Promise<Received> {
  const chunks: Buffer[] = [];
  let length = 0;
  return new Promise((resolve) => {
    const done = (end: Received["end"]) => () => resolve({ bytes: Buffer.concat(chunks), end });
    socket.on("data", (data) => {
      chunks.push(data);
      length += data.length;
      if (length >= size) done("open")();
    });
    socket.once("end", done("end")).once("close", done("close")).once("error", done("close"));
    socket.setTimeout(300, done("open"));
    socket.write(String(size));
  });
}

function through(proxy: Proxy): Socket {
  return connect({ port: proxy.port, host: "127.0.0.1" });
}

test("forwards and counts both directions", async () => {
  await using proxy = await startProxy({ target });
  const socket = through(proxy);
  const { bytes } = await ask(socket, 1_000_000);
  expect(bytes.equals(pattern(1_000_000))).toBe(true);
  expect(proxy.bytes).toEqual({ fromClient: 7, fromServer: 1_000_000 });
  expect(proxy).toMatchObject({ connections: 1, open: 1, struck: 0 });
  socket.end();
  await once(socket, "close");
  await expect.poll(() => proxy.open).toBe(0);
});

test("latency delays a round trip and not the throughput", async () => {
  await using proxy = await startProxy({ target, latencyMs: 50 });
  const socket = through(proxy);
  const start = performance.now();
  const { bytes } = await ask(socket, 20_000_000);
  const tookMs = performance.now() - start;
  expect(bytes.equals(pattern(20_000_000))).toBe(true);
  expect(tookMs).toBeGreaterThanOrEqual(99);
  // 20 MB come in hundreds of pieces; were they delayed one after the other it would take 10 s and more.
  expect(tookMs).toBeLessThan(busy(3000));
  proxy.latencyMs = 0;
  socket.destroy();
});

test("cut destroys the connection", async () => {
  await using proxy = await startProxy({ target, fault: { kind: "cut", afterBytes: 100_000, times: 1 } });
  const first = await ask(through(proxy), 1_000_000);
  expect(first.end).toBe("close");
  expect(first.bytes.equals(pattern(100_000))).toBe(true);
  expect(proxy.struck).toBe(1);
  const second = await ask(through(proxy), 1_000_000);
  expect(second.bytes.length).toBe(1_000_000);
});

test("truncate delivers these bytes and ends", async () => {
  await using proxy = await startProxy({ target, latencyMs: 5 });
  proxy.fault = { kind: "truncate", afterBytes: 100_000 };
  const { bytes, end } = await ask(through(proxy), 1_000_000);
  expect(end).toBe("end");
  expect(bytes.equals(pattern(100_000))).toBe(true);
});

test("stall delivers these bytes and stays open", async () => {
  await using proxy = await startProxy({ target, fault: { kind: "stall", afterBytes: 100_000 } });
  const socket = through(proxy);
  const { bytes, end } = await ask(socket, 1_000_000);
  expect(end).toBe("open");
  expect(bytes.equals(pattern(100_000))).toBe(true);
  socket.destroy();
  await expect.poll(() => proxy.open).toBe(0);
});

test("cutAll cuts what is open and nothing that comes later", async () => {
  await using proxy = await startProxy({ target });
  const socket = through(proxy);
  await ask(socket, 10);
  proxy.cutAll();
  await expect(once(socket, "close")).rejects.toMatchObject({ code: "ECONNRESET" });
  expect((await ask(through(proxy), 10)).bytes.length).toBe(10);
});
