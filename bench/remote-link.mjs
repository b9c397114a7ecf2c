/** A way to a server of this machine that is as long as one to another country: see remote-proxy.mjs. */
import { fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";

const PROGRAM = fileURLToPath(new URL("remote-proxy.mjs", import.meta.url));

/**
 * @typedef {object} Link
 * @property {number} port of 127.0.0.1
 * @property {(rttMs: number) => Promise<void>} stretch milliseconds of a round trip from now on
 * @property {() => Promise<{ up: number, down: number }>} bytes carried so far; up: towards the server
 * @property {() => Promise<void>} stop
 */

/**
 * @param {number} target port of 127.0.0.1
 * @returns {Promise<Link>}
 */
export const startLink = async (target) => {
  const proxy = fork(PROGRAM, [String(target)], { stdio: ["ignore", "inherit", "inherit", "ipc"] });
  const exited = once(proxy, "exit");
  const answer = async () => {
    const ended = exited.then(() => {
      throw new Error("the latency proxy ended");
    });
    const [message] = await Promise.race([once(proxy, "message"), ended]);
    return message;
  };
  const ask = async (message) => {
    const answered = answer();
    proxy.send(message);
    return await answered;
  };
  const { port } = await answer();
  return {
    port,
    stretch: async (rttMs) => void (await ask({ rttMs })),
    bytes: () => ask({}),
    stop: async () => {
      if (proxy.connected) proxy.disconnect();
      await exited;
    },
  };
};
