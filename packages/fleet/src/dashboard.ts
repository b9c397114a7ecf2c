import { once } from "node:events";
import { type Listening, cannotListen, listening } from "./http.js";
import type { Queues } from "./queues.js";

/** A page that shows the queues and changes nothing, until it is disposed of. @throws BackupError USAGE where it cannot listen */
export async function serveDashboard(
  queues: Queues,
  { host, port }: Listening,
): Promise<AsyncDisposable & { readonly url: string }> {
  // Loaded when used: a worker of less memory starts its commands sooner.
  const [{ createBullBoard }, { BullMQAdapter }, { HonoAdapter }, { Hono }, node, { serveStatic }] = await Promise.all([
    import("@bull-board/api"),
    import("@bull-board/api/bullMQAdapter"),
    import("@bull-board/hono"),
    import("hono"),
    import("@hono/node-server"),
    import("@hono/node-server/serve-static"),
  ]);
  const pages = new HonoAdapter(serveStatic);
  const shown = (await queues.all()).map(({ queue }) => new BullMQAdapter(queue, { readOnlyMode: true }));
  createBullBoard({ queues: shown, serverAdapter: pages });
  const app = new Hono();
  // Whatever the page offers: only what reads gets through.
  app.use(async (context, next) => {
    if (context.req.method !== "GET" && context.req.method !== "HEAD") return context.text("read-only\n", 405);
    return await next();
  });
  app.route("/", pages.registerPlugin());
  const server = node.serve({ fetch: app.fetch, hostname: host, port });
  try {
    await once(server, "listening");
  } catch (error) {
    throw cannotListen(error, { host, port });
  }
  return listening(server, () => {
    if ("closeAllConnections" in server) server.closeAllConnections();
  });
}
