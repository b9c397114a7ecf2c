/**
 * A TCP proxy that makes the way longer: node bench/remote-proxy.mjs PORT. Started by remote-link.mjs, in a process of its
 * own, so that the programs that are measured do not wait for the benchmark's own work.
 *
 * Every byte stays on the way for half a round trip, in both directions; nothing limits how many are on the way. To
 * connect takes a round trip, as it does anywhere, before the first byte of the client leaves.
 */
import { createServer, Socket } from "node:net";

/** Bytes that may wait for a receiver that does not read; after that its sender waits, as with TCP. */
const WAITING_BYTES = 8 * 2 ** 20;

/** Timers know whole milliseconds only: what is due that soon goes now, so that a trip takes on average what it shall. */
const SLACK_MS = 0.5;

const target = Number(process.argv[2]);
const bytes = { up: 0, down: 0 };
let rttMs = 0;

/** Runs functions half a round trip later, in the order given. */
const line = () => {
  const queue = [];
  let timer;
  const drain = () => {
    timer = undefined;
    while (queue.length > 0) {
      const waitMs = queue[0].due - performance.now();
      if (waitMs > SLACK_MS) {
        timer = setTimeout(drain, waitMs);
        return;
      }
      queue.shift().deliver();
    }
  };
  return (deliver) => {
    queue.push({ due: performance.now() + rttMs / 2, deliver });
    if (timer === undefined) drain();
  };
};

/**
 * @param {"up" | "down"} direction
 * @param {{ from: Socket, to: Socket, later: (deliver: () => void) => void }} way
 */
const forward = (direction, { from, to, later }) => {
  from.on("data", (data) => {
    bytes[direction] += data.length;
    later(() => {
      if (to.destroyed) return;
      to.write(data);
      if (to.writableLength < WAITING_BYTES || from.isPaused()) return;
      from.pause();
      to.once("drain", () => from.resume());
    });
  });
  from.on("end", () => later(() => to.end()));
};

const server = createServer({ allowHalfOpen: true, noDelay: true, pauseOnConnect: true }, (client) => {
  const upstream = new Socket({ allowHalfOpen: true });
  const sockets = [client, upstream];
  const reset = () => {
    for (const socket of sockets) socket.destroy();
  };
  for (const socket of sockets) socket.on("error", reset);
  client.on("close", () => upstream.destroy());
  upstream.on("close", () => client.destroy());
  setTimeout(() => {
    if (client.destroyed) return;
    const later = line();
    later(() => upstream.connect({ port: target, host: "127.0.0.1", noDelay: true }));
    forward("up", { from: client, to: upstream, later });
    forward("down", { from: upstream, to: client, later: line() });
    client.resume();
  }, rttMs);
});

// Ctrl-C reaches the whole group; this process ends with its parent, which may have something to put back yet.
process.on("SIGINT", () => {});
process.on("disconnect", () => process.exit());
process.on("message", (wanted) => {
  rttMs = wanted.rttMs ?? rttMs;
  process.send(bytes);
});
server.listen(0, "127.0.0.1", () => process.send({ port: server.address().port }));
