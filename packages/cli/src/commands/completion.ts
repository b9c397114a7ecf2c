import { basename } from "node:path";
import { BackupError } from "@backup/core";
import { EXIT } from "../exit-code.js";
import { COMPLETION_SCRIPTS, type Shell } from "./completion-scripts.js";
import type { Subcommand } from "./subcommand.js";

interface CompletionArguments {
  readonly shell?: string | undefined;
}

const SHELLS = Object.keys(COMPLETION_SCRIPTS);

export const completionCommand: Subcommand<CompletionArguments> = {
  name: "completion",
  summary: "print a script by which a shell completes this command line",
  positionals: [
    { name: "shell", isOptional: true, choices: SHELLS, describe: "What the script is for; default: that of $SHELL" },
  ],
  options: {},
  examples: [
    ["source <(backup completion bash)", "for this bash; put it into ~/.bashrc for every one"],
    ["backup completion zsh > ~/.zfunc/_backup", "a directory of zsh's fpath, before compinit"],
  ],
  async run({ shell }, { env }) {
    process.stdout.write(COMPLETION_SCRIPTS[shellOf(shell, env)]);
    return EXIT.done;
  },
};

function shellOf(given: string | undefined, env: NodeJS.ProcessEnv): Shell {
  const name = given ?? basename(env.SHELL ?? "");
  const shell = (["bash", "zsh"] as const).find((each) => each === name);
  if (shell !== undefined) return shell;
  const cause = given === undefined ? `SHELL is '${env.SHELL ?? ""}'` : `there is none for '${given}'`;
  throw new BackupError(
    "USAGE",
    `${cause}; say which completion: ${SHELLS.map((each) => `backup completion ${each}`).join(", ")}`,
  );
}
