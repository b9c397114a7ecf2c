/** Whether nothing may be written: asked for by an option, or by DRY_RUN=1. */
export function isDry({ dryRun }: { readonly dryRun: boolean }, env: NodeJS.ProcessEnv): boolean {
  return dryRun || env.DRY_RUN === "1";
}
