import { inspect } from "node:util";
import { type BackupError, type BackupEvent, isBackupError } from "@backup/core";
import { describeError } from "../result.js";
import { jsonRenderer } from "./json.js";
import { type Bars, manyBars } from "./many-bars.js";
import { plainRenderer } from "./plain.js";
import type { Output, RenderOptions, Renderer } from "./renderer.js";
import { jsonLine, printable } from "./text.js";

/** Shows one of many actions. */
export interface ActionRenderer extends Renderer {
  /** What ended it. */
  failed(error: unknown): void;
}

/** Shows actions that run side by side: each line says whose it is. */
export interface ManyRenderer extends Renderer {
  /** An action that begins, until its renderer is closed. */
  begin(name: string): ActionRenderer;
  /** A line that is of no action: to a person, and as an event where events are printed. */
  say(line: string, event: { readonly type: string }): void;
  /** What failed beside backups that stay as they are. */
  problem(error: BackupError): void;
}

export interface ManyOptions extends RenderOptions {
  readonly json: boolean;
  /** Of all actions that there may be. For bars; undefined: lines also on a terminal. */
  readonly names?: readonly string[];
}

type Terminal = NodeJS.WriteStream & Output;

/** Bars where `err` is a terminal; else lines that begin with an action's name, or events with it. */
export function manyRenderer(out: Output, err: Output | Terminal, options: ManyOptions): ManyRenderer {
  const { json, quiet, names } = options;
  const bars = names && !json && !quiet && isTerminal(err) ? manyBars(err, names) : undefined;
  const above: Output | undefined = bars && { write: (text) => bars.print(text) };
  const screen = { out: (out.isTTY ? above : undefined) ?? out, err: above ?? err };
  const general = json ? jsonRenderer(out, options) : plainRenderer(screen.out, lines(screen.err), options);
  return {
    event: (event) => general.event(event),
    begin: (name) => (json ? jsonAction(name, screen, options) : plainAction(name, screen, options, bars)),
    say(line, event) {
      if (json) out.write(jsonLine(event));
      else if (!quiet) screen.out.write(`${printable(line)}\n`);
    },
    problem(error) {
      if (json) out.write(jsonLine({ type: "problem", ...describeError(error) }));
      screen.err.write(`warning: ${printable(error.message)}\n`);
      if (options.debug) screen.err.write(`${inspected(error)}\n`);
    },
    close: () => bars?.close(),
  };
}

interface Screen {
  readonly out: Output;
  readonly err: Output;
}

function jsonAction(name: string, { out, err }: Screen, options: ManyOptions): ActionRenderer {
  const inner = jsonRenderer(out, options);
  return {
    event(event) {
      const named: BackupEvent & { readonly action: string } = { ...event, action: name };
      inner.event(named);
    },
    failed(error) {
      out.write(jsonLine({ type: "error", action: name, ...describeError(error) }));
      tellFailed(name, error, lines(err, name), options);
    },
    close: () => inner.close(),
  };
}

function plainAction(name: string, screen: Screen, options: ManyOptions, bars: Bars | undefined): ActionRenderer {
  const bar = bars?.add(name);
  // A warning leaves the bar where it is: it is printed above.
  const view = bar && { update: bar.update.bind(bar), close: () => {} };
  const out = lines(screen.out, name);
  const err = { ...lines(screen.err, name), isTTY: view !== undefined };
  const inner = plainRenderer(out, err, view ? { ...options, bar: () => view } : options);
  return {
    event: (event) => inner.event(event),
    failed: (error) => tellFailed(name, error, err, options),
    close() {
      inner.close();
      bar?.close();
    },
  };
}

function tellFailed(name: string, error: unknown, err: Output, { debug }: RenderOptions): void {
  const { message } = describeError(error);
  err.write(`KO: ${printable(message)}\n`);
  if (debug) err.write(`${inspected(error)}\n`);
  else if (!isBackupError(error)) err.write(`this is a bug in backup; DEBUG=1 shows where\n`);
}

/** Each line says whose it is. Without a name: as it is, and no place for a bar. */
function lines(output: Output, name?: string): Output {
  const head = name === undefined ? "" : `[${printable(name)}] `;
  return { write: (text) => output.write(text.replace(/^(?=[^])/gm, () => head)) };
}

function isTerminal(output: Output): output is Terminal {
  return output.isTTY === true;
}

function inspected(error: unknown): string {
  return inspect(error).split("\n").map(printable).join("\n");
}
