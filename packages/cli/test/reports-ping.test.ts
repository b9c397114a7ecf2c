import { inspect } from "node:util";
import { BackupError } from "@backup/core";
import { describe, expect, it } from "vitest";
import { busy } from "../../../test/support/busy.js";
import { freePorts } from "../../../test/support/free-port.js";
import { type HttpAnswer, type HttpServer, startHttpServer } from "../../../test/support/http-server.js";
import { actionResult, sessionResult } from "../../../test/support/session-result.js";
import type { PingSettings } from "../src/reports/ping-urls.js";
import { openReport } from "./support/open-report.js";

const KEY = "5f6b1d2e-secret-uuid";
const OK = sessionResult(actionResult("ok"));

const open = (ping: PingSettings) => openReport("ping", { ...ping });

const soon = (): AbortSignal => AbortSignal.timeout(25_000);
const pathsOf = ({ requests }: HttpServer): readonly string[] => requests.map(({ path }) => path);

/** What the end of a run fails with, and how long that took. */
async function failure(ping: PingSettings, signal = soon()): Promise<{ error: BackupError; ms: number }> {
  const started = performance.now();
  const reporter = await open(ping);
  const error: unknown = await reporter.ended(OK, signal).then(
    () => new Error("it was pinged"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(BackupError);
  expect((error as BackupError).code).toBe("REPORT_FAILED");
  for (const text of [inspect(error, { depth: 9, showHidden: true }), String(error), reporter.name])
    expect(text.includes(KEY), `the address is in ${text}`).toBe(false);
  return { error: error as BackupError, ms: performance.now() - started };
}

describe("a ping", () => {
  it.each([
    ["ok", ""],
    ["partial", "/fail"],
    ["failed", "/fail"],
    ["interrupted", "/fail"],
  ] as const)("says when a run begins, and that it ended %s", async (outcome, path) => {
    await using server = await startHttpServer();
    const reporter = await open({ url: `${server.url}/${KEY}` });
    await reporter.started?.(soon());
    await reporter.ended(sessionResult(actionResult("ok"), actionResult(outcome)), soon());
    expect(pathsOf(server)).toEqual([`/${KEY}/start`, `/${KEY}${path}`]);
    const [start, end] = server.requests;
    expect(start).toMatchObject({ method: "POST", body: "" });
    expect(end).toMatchObject({ method: "POST" });
    expect(end?.headers["content-type"]).toBe("text/plain; charset=utf-8");
    expect(end?.headers["user-agent"]).toMatch(/^backup\/\d+\.\d+\.\d+/);
    expect(end?.body).toMatch(/^(?:OK, 2 actions|PARTLY: 1 of 2|KO: 1 of 2|INTERRUPTED: 1 of 2)/);
    expect(end?.body).toContain("imap alice → /srv/alice");
  });

  it("has its words before the query, and after no second slash", async () => {
    await using server = await startHttpServer();
    const reporter = await open({ url: `${server.url}/${KEY}/?rid=1` });
    await reporter.started?.(soon());
    await reporter.ended(sessionResult(actionResult("failed")), soon());
    expect(pathsOf(server)).toEqual([`/${KEY}/start?rid=1`, `/${KEY}/fail?rid=1`]);
  });

  it("goes to an address of its own where one is given", async () => {
    await using server = await startHttpServer();
    const at = (path: string): string => `${server.url}${path}`;
    const reporter = await open({ url: at("/all"), start: at("/go"), fail: at("/bad?x=1") });
    await reporter.started?.(soon());
    await reporter.ended(OK, soon());
    await reporter.ended(sessionResult(actionResult("failed")), soon());
    expect(pathsOf(server)).toEqual(["/go", "/all", "/bad?x=1"]);
  });

  it("says nothing good of a run in which every action was a dry run, and what failed in one", async () => {
    await using server = await startHttpServer();
    const reporter = await open({ url: `${server.url}/${KEY}` });
    await reporter.ended({ ...OK, dryRun: true }, soon());
    expect(server.requests).toEqual([]);
    await reporter.ended({ ...sessionResult(actionResult("partial")), dryRun: true }, soon());
    expect(pathsOf(server)).toEqual([`/${KEY}/fail`]);
  });

  it("is left out where no address says where to", async () => {
    await using server = await startHttpServer();
    const reporter = await open({ success: `${server.url}/good` });
    await reporter.started?.(soon());
    await reporter.ended(sessionResult(actionResult("failed")), soon());
    expect(server.requests).toEqual([]);
    await reporter.ended(OK, soon());
    expect(pathsOf(server)).toEqual(["/good"]);
  });

  it("has a body of at most 10 kB, in whole characters", async () => {
    await using server = await startHttpServer();
    const actions = Array.from({ length: 400 }, (_, index) => actionResult("ok", { name: `日本語 ${index} → ü` }));
    await (await open({ url: server.url })).ended(sessionResult(...actions), soon());
    const body = server.requests[0]?.body ?? "";
    expect(Buffer.byteLength(body)).toBeLessThanOrEqual(10_000);
    expect(Buffer.byteLength(body)).toBeGreaterThan(9900);
    expect(body).not.toContain("\ufffd");
    expect(body).toMatch(/^OK, 400 actions\n[^]*\n…\n$/);
  });

  it.each([500, 503, 429])("is made again after %i", async (status) => {
    await using server = await startHttpServer((_request, count) => ({ status: count === 1 ? status : 200 }));
    await (await open({ url: `${server.url}/${KEY}` })).ended(OK, soon());
    expect(server.requests).toHaveLength(2);
    expect((server.requests[1]?.at ?? 0) - (server.requests[0]?.at ?? 0)).toBeGreaterThan(900);
  });

  it("is given up after three tries", async () => {
    await using server = await startHttpServer(() => ({ status: 500 }));
    const { error } = await failure({ url: `${server.url}/${KEY}` });
    expect(error.message).toBe(
      `127.0.0.1:${server.port} could not be pinged: it answered 500; the backup itself is not affected`,
    );
    expect(server.requests).toHaveLength(3);
  });

  it.each([404, 403, 304])("is not made again after %i", async (status) => {
    await using server = await startHttpServer(() => ({ status }));
    const { error, ms } = await failure({ url: `${server.url}/${KEY}` });
    expect(error.message).toMatch(new RegExp(`could not be pinged: it answered ${status}; check the address; `));
    expect(server.requests).toHaveLength(1);
    expect(ms).toBeLessThan(busy(900));
  });

  it("does not wait for an answer longer than there is time", async () => {
    await using server = await startHttpServer(() => "hang");
    const { error, ms } = await failure({ url: `${server.url}/${KEY}` }, AbortSignal.timeout(300));
    expect(error.message).toMatch(/could not be pinged: there was no answer in time; /);
    expect(ms).toBeLessThan(busy(1200));
  });

  it("ends with the run that is stopped", async () => {
    await using server = await startHttpServer(() => "hang");
    const stop = new AbortController();
    setTimeout(() => stop.abort(new BackupError("ABORTED", "stopped by SIGTERM")), 200);
    const started = performance.now();
    const pinged = open({ url: `${server.url}/${KEY}` }).then((reporter) => reporter.started?.(stop.signal));
    await expect(pinged).rejects.toMatchObject({
      code: "REPORT_FAILED",
      message: expect.stringMatching(/could not be pinged: the run was stopped; /),
    });
    expect(performance.now() - started).toBeLessThan(busy(1200));
  });

  it("says when nobody is there", async () => {
    const [port] = await freePorts(1);
    const { error } = await failure({ url: `http://127.0.0.1:${port}/${KEY}` });
    expect(error.message).toMatch(/it cannot be reached \(ECONNREFUSED\); /);
  });

  it("follows the host to another place", async () => {
    const answer = ({ path }: { path: string }): HttpAnswer =>
      path === "/new" ? { status: 200 } : { status: 308, headers: { location: "/new" } };
    await using server = await startHttpServer(answer);
    await (await open({ url: `${server.url}/old` })).ended(OK, soon());
    expect(pathsOf(server)).toEqual(["/old", "/new"]);
    expect(server.requests[1]).toMatchObject({ method: "POST", body: server.requests[0]?.body });
  });

  it.each([
    ["another host", "https://elsewhere.example.org/x", /it redirects to elsewhere\.example\.org; /],
    ["no address", "javascript:alert(1)", /it redirects to what is no address; /],
    ["itself", "", /it redirects more than 5 times; /],
  ])("does not follow to %s", async (_name, location, message) => {
    await using server = await startHttpServer(() => ({ status: 302, headers: { location } }));
    const { error } = await failure({ url: `${server.url}/${KEY}` });
    expect(error.message).toMatch(message);
    expect(server.requests.length).toBeLessThanOrEqual(6);
  });
});
