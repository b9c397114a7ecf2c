import type { LoginDescription, LoginStep } from "@backup/core";
import { contextFor } from "../context-for.js";
import { EXIT } from "../exit-code.js";
import { rendererFor } from "../render/renderer-for.js";
import { jsonLine, printable } from "../render/text.js";
import { toOptions } from "../types/to-options.js";
import type { Subcommand } from "./subcommand.js";

/** `backup login TYPE …`: a person logs on, and the login is kept in a file. */
export function loginCommand(name: string, login: LoginDescription): Subcommand<object> {
  const { summary, positionals, options, examples = [] } = login;
  return {
    name: `login ${name}`,
    summary,
    positionals,
    options: toOptions(options),
    examples,
    // Here and below: what yargs has read is what the description says.
    check: (args) => login.check?.(args as never),
    async run(args, context) {
      const { json, quiet } = context;
      const renderer = rendererFor(context);
      const show = (step: LoginStep): void => void process.stdout.write(json ? stepJson(step) : stepText(step));
      context.onLeave(() => renderer.close());
      await using inner = contextFor(args, { ...context, onEvent: renderer.event.bind(renderer) });
      const { user, file } = await login.run(args as never, { ...inner, show });
      if (json) process.stdout.write(jsonLine({ type: "logged-on", user, file }));
      else if (!quiet) process.stdout.write(`${printable(`${user} is logged on; ${file} is written`)}\n`);
      return EXIT.done;
    },
  };
}

function stepJson({ url, code, expiresInS }: LoginStep): string {
  return jsonLine({ type: "login", url, code, expiresInS });
}

function stepText({ url, code }: LoginStep): string {
  const lines =
    code === undefined
      ? ["Open this address in a browser of this machine, and log on:", `  ${url}`]
      : [`Open ${url} in any browser, and type this code there:`, `  ${code}`];
  return `${lines.map(printable).join("\n")}\nWaiting. Ctrl-C gives up.\n`;
}
