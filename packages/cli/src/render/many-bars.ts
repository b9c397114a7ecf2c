import cliProgress from "cli-progress";
import type { Output } from "./renderer.js";
import { BAR_STYLE, type ProgressView, formatProgress } from "./progress.js";
import { printable } from "./text.js";

/** Bars of actions that run side by side, one below the other at the end of what the terminal shows. */
export interface Bars {
  /** A bar from now on; it goes when its view is closed. */
  add(name: string): ProgressView;
  /** Prints whole lines above the bars. */
  print(text: string): void;
  /** Takes them away and gives the cursor back. */
  close(): void;
}

/** Names are shown up to this length; what a bar tells is of more use. */
const LONGEST_NAME = 24;

/** What a terminal does with a line that is too long: wrap it, or cut it. Bars have their width in most alphabets only. */
const WRAP = "\x1b[?7h";
const CUT = "\x1b[?7l";
const CLEAR_BELOW = "\x1b[0J";

const { BarFormat } = cliProgress.Format;

/** What a bar says. */
interface Shown {
  readonly name: string;
  readonly text: string;
}

/** `names` are those of all actions that there may be: names are aligned. */
export function manyBars(stream: NodeJS.WriteStream & Output, names: readonly string[]): Bars {
  const width = Math.min(LONGEST_NAME, Math.max(...names.map((name) => printable(name).length)));
  let display: cliProgress.MultiBar | undefined;
  let shown = 0;
  const close = (): void => {
    // What is to be printed above the bars waits for them to be drawn again.
    display?.update();
    display?.stop();
    display = undefined;
  };
  return {
    add(name) {
      const started = performance.now();
      display ??= new cliProgress.MultiBar({
        ...BAR_STYLE,
        stream,
        format: (options, { progress, maxWidth }, { name: head, text }: Shown) =>
          `${head} ${BarFormat(progress, options)} ${Math.floor(progress * 100)}%  ${text}`.slice(0, maxWidth),
        barsize: 8,
        // What was printed above a bar has moved it.
        forceRedraw: true,
      });
      const of = display;
      const bar = of.create(1, 0, { name: fit(name, width), text: "looking for changes" } satisfies Shown);
      shown++;
      return {
        update(progress) {
          const { bytes, totalBytes } = progress;
          bar.setTotal(totalBytes);
          // The announced sizes are estimates: the bar never runs over its end.
          bar.update(Math.min(bytes, totalBytes), { text: formatProgress(progress, performance.now() - started) });
        },
        close() {
          shown--;
          if (shown === 0) close();
          else if (of === display) of.remove(bar);
        },
      };
    },
    print(text) {
      if (display) display.log(`${CLEAR_BELOW}${WRAP}${text}${CUT}`);
      else stream.write(text);
    },
    close,
  };
}

function fit(name: string, width: number): string {
  const text = printable(name);
  return text.length > width ? `${text.slice(0, width - 1)}…` : text.padEnd(width);
}
