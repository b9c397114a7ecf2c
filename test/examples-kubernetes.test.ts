import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { runBackup, writeSecret } from "./support/command.js";
import { manifestProblems } from "./support/kubernetes-check.js";
import { type KubernetesTools, kubernetesTools } from "./support/kubernetes-tools.js";
import { type Manifest, type PodSpec, cronJobOf, readManifests, theOnly } from "./support/manifests.js";
import { parseCommand } from "./support/parse-command.js";
import { type Ended, runProgram } from "./support/run-program.js";
import { type TemporaryDirectory, temporaryDirectory } from "./support/temporary-directory.js";

const EXAMPLES = fileURLToPath(new URL("../examples", import.meta.url));

let directory: TemporaryDirectory;
let tools: KubernetesTools;

beforeAll(async () => {
  directory = await temporaryDirectory();
  tools = await kubernetesTools();
}, 300_000);
afterAll(() => directory?.[Symbol.asyncDispose]());

/** With a home of its own: helm and kubectl keep caches, and read what their user has configured. */
function run(program: string, args: readonly string[]): Promise<Ended> {
  return runProgram(program, args, { ...process.env, HOME: directory.path });
}

/** The plan of a deployment, as a file that the command line checks. */
async function expectPlan(text: string): Promise<void> {
  const file = join(directory.path, "checked.yaml");
  await writeFile(file, text);
  const { code, stderr } = await runBackup(["config", "check", file]);
  expect(code).toBe(0);
  // Its secrets are in the cluster.
  for (const line of stderr.trimEnd().split("\n")) expect(line).toMatch(/^(warning: .*\.password\b.*)?$/);
}

/** A pod that a cluster which enforces the standard `restricted` accepts, and that can write to its volumes alone. */
function expectRestricted(pod: PodSpec): void {
  expect(pod).toMatchObject({ restartPolicy: "Never", automountServiceAccountToken: false });
  const { fsGroup, runAsGroup } = pod.securityContext;
  expect(pod.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: "RuntimeDefault" } });
  expect(pod.securityContext.runAsUser).toBeGreaterThan(0);
  expect(fsGroup).toBe(runAsGroup);
  expect(pod.containers).toHaveLength(1);
  for (const { securityContext, volumeMounts } of pod.containers) {
    expect(securityContext).toEqual({
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    });
    expect(volumeMounts.map(({ name }) => name).toSorted()).toEqual(pod.volumes.map(({ name }) => name).toSorted());
    expect(volumeMounts).toContainEqual({ name: "tmp", mountPath: "/tmp" });
    expect(volumeMounts).toContainEqual({ name: "backup", mountPath: "/backup", readOnly: true });
  }
}

/** The projected volume with plan or script and the secrets, readable for the group alone. */
function secretsOf(pod: PodSpec): readonly (string | undefined)[] {
  const { projected } = pod.volumes.find(({ name }) => name === "backup") ?? {};
  expect(projected?.defaultMode).toBe(0o440);
  return projected?.sources.flatMap(({ secret }) => (secret ? [secret.name] : [])) ?? [];
}

describe("examples/kubernetes", () => {
  let rendered: Ended;
  let manifests: readonly Manifest[];
  beforeAll(async () => {
    rendered = await run(tools.kubectl, ["kustomize", join(EXAMPLES, "kubernetes")]);
    manifests = readManifests(rendered.stdout);
  });

  it("has all that it takes, in one namespace", () => {
    expect(rendered).toMatchObject({ code: 0, stderr: "" });
    const kinds = manifests.map(({ kind }) => kind).toSorted();
    expect(kinds).toEqual(["ConfigMap", "CronJob", "Namespace", "PersistentVolumeClaim", "Secret"]);
    for (const { kind, metadata } of manifests)
      expect(kind === "Namespace" ? metadata.name : metadata.namespace).toBe("backup");
    expect(theOnly(manifests, "Namespace").metadata.labels).toEqual({
      "pod-security.kubernetes.io/enforce": "restricted",
    });
  });

  it("has fields and values that the API has", async () => {
    expect(await manifestProblems(manifests)).toEqual([]);
    const problems = await manifestProblems(manifests.map((each) => ({ ...each, specs: {} })));
    expect(problems).toHaveLength(manifests.length);
    for (const problem of problems) expect(problem).toContain(`'"specs"' does not exist in type`);
  });

  it("runs the plan without privileges, one run at a time", async () => {
    const { spec, pod } = cronJobOf(manifests);
    expect(spec).toMatchObject({ concurrencyPolicy: "Forbid", timeZone: "Europe/Berlin" });
    expectRestricted(pod);
    expect(pod.containers[0]?.image).toMatch(/^registry\.example\.org\/backup:/);
    expect(await parseCommand(pod.containers[0]?.args ?? [])).toMatchObject({
      command: "run",
      args: { file: "/backup/plan.yaml" },
    });
  });

  it("mounts what the plan asks for", async () => {
    const { pod } = cronJobOf(manifests);
    const secret = theOnly(manifests, "Secret");
    const plan = theOnly(manifests, "ConfigMap");
    expect(secretsOf(pod)).toEqual([secret.metadata.name]);
    const { sources = [] } = pod.volumes.find(({ projected }) => projected)?.projected ?? {};
    expect(sources.flatMap(({ configMap }) => (configMap ? [configMap.name] : []))).toEqual([plan.metadata.name]);
    expect(pod.volumes.find(({ name }) => name === "data")?.persistentVolumeClaim?.claimName).toBe(
      theOnly(manifests, "PersistentVolumeClaim").metadata.name,
    );
    const text = plan.data?.["plan.yaml"] ?? "";
    await expectPlan(text);
    const named = [...text.matchAll(/srcsecret: \/backup\/(\S+)/g)].map(([, name]) => name);
    expect(named).toEqual(Object.keys(secret.stringData ?? secret.data ?? {}));
  });
});

describe("examples/helm/backup", () => {
  const chart = join(EXAMPLES, "helm/backup");
  const values = (name: string): readonly string[] => ["--values", join(chart, "ci", `${name}-values.yaml`)];
  const template = (...args: readonly string[]) => run(tools.helm, ["template", "nightly", chart, ...args]);
  const render = async (...args: readonly string[]): Promise<readonly Manifest[]> => {
    const { code, stdout, stderr } = await template(...args);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    return readManifests(stdout);
  };

  it.each(["plan", "script", "remote", "shards", "fleet"])(
    "has nothing that helm warns of, with the values for a %s",
    async (name) => {
      const { code, stdout } = await run(tools.helm, ["lint", "--strict", chart, ...values(name)]);
      expect({ code, stdout }).toEqual({
        code: 0,
        stdout: expect.stringContaining("1 chart(s) linted, 0 chart(s) failed"),
      });
      expect(stdout).not.toMatch(/\[(WARNING|ERROR)\]/);
    },
  );

  it("has fields and values that the API has", async () => {
    const names = ["plan", "script", "remote", "shards", "fleet"];
    const all = await Promise.all(names.map((name) => render(...values(name))));
    // KEDA's is no part of the API.
    expect(await manifestProblems(all.flat().filter(({ kind }) => kind !== "ScaledObject"))).toEqual([]);
  });

  it("divides accounts among the pods of an Indexed Job", async () => {
    const manifests = await render(...values("shards"));
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(["ConfigMap", "CronJob"]);
    const { spec, pod } = cronJobOf(manifests);
    expectRestricted(pod);
    expect(spec.jobTemplate.spec).toMatchObject({
      completionMode: "Indexed",
      completions: 8,
      parallelism: 8,
      backoffLimitPerIndex: 1,
    });
    const [container] = pod.containers;
    expect(container?.args).toEqual(["run", "/backup/accounts.csv", "--shard=$(SHARD)/8"]);
    const fieldPath = "metadata.annotations['batch.kubernetes.io/job-completion-index']";
    expect(container?.env).toEqual([{ name: "SHARD", valueFrom: { fieldRef: { fieldPath } } }]);
    const args = container?.args.map((word) => word.replace("$(SHARD)", "7")) ?? [];
    expect(await parseCommand(args)).toMatchObject({ command: "run", args: { shard: "7/8" } });
    const file = join(directory.path, "accounts.csv");
    await writeFile(file, theOnly(manifests, "ConfigMap").data?.["accounts.csv"] ?? "");
    // Each account is of one part; which, nobody has to know.
    const parts = await Promise.all(
      [0, 1].map((part) => runBackup(["run", file, "--shard", `${part}/2`, "--dry-run"])),
    );
    for (const user of ["alice", "bob"])
      expect(parts.filter(({ stdout }) => stdout.includes(`${user}@example.org`))).toHaveLength(1);
  });

  it("has a queue and workers that end in order, by the length of the queue", async () => {
    const manifests = await render(...values("fleet"));
    const { pod } = cronJobOf(manifests);
    expectRestricted(pod);
    expect(await parseCommand(pod.containers[0]?.args ?? [])).toMatchObject({
      command: "fleet enqueue",
      args: { file: "/backup/plan.yaml", perHost: 50 },
    });
    const queue = { name: "BACKUP_QUEUE", value: "redis://redis.queue" };
    expect(pod.containers[0]?.env).toEqual([queue]);
    const deployment = theOnly(manifests, "Deployment");
    const { replicas, template: pods } = deployment.spec as {
      readonly replicas?: number;
      readonly template: { readonly spec: PodSpec & { readonly terminationGracePeriodSeconds: number } };
    };
    expect(replicas).toBeUndefined();
    expectRestricted({ ...pods.spec, restartPolicy: "Never" });
    expect(pods.spec).toMatchObject({ restartPolicy: "Always", terminationGracePeriodSeconds: 930 });
    const [worker] = pods.spec.containers;
    expect(worker?.env).toEqual([queue]);
    expect(await parseCommand(worker?.args ?? [])).toMatchObject({
      command: "fleet worker",
      args: { concurrency: 4, grace: "900s", listen: "0.0.0.0:9464" },
    });
    expect(theOnly(manifests, "ScaledObject").spec).toMatchObject({
      scaleTargetRef: { name: deployment.metadata.name },
      triggers: [{ type: "redis", metadata: { listName: "backup:mail.example.org:wait", listLength: "50" } }],
    });
  });

  it.each<[string, readonly string[], RegExp]>([
    ["a script in parts", [...values("script"), "--set", "shards=2"], /a script cannot be divided/],
    ["a fleet without a queue", [...values("fleet"), "--set", "fleet.queue="], /needs fleet\.queue/],
    ["a password in the queue's address", [...values("fleet"), "--set", "fleet.queue=redis://:x@q"], /fleet[./]queue/],
    ["a volume for one pod", [...values("plan"), "--set", "shards=2"], /has to be \[ReadWriteMany\]/],
  ])("refuses %s", async (_name, args, says) => {
    const { code, stderr } = await template(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(says);
  });

  it("runs a plan, with passwords of the values and a volume of its own", async () => {
    const manifests = await render(...values("plan"));
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual([
      "ConfigMap",
      "CronJob",
      "PersistentVolumeClaim",
      "Secret",
    ]);
    for (const { metadata } of manifests) {
      expect(metadata.name).toBe("nightly-backup");
      expect(metadata.labels).toMatchObject({ "app.kubernetes.io/name": "backup", "helm.sh/chart": "backup-0.1.0" });
    }
    const { spec, pod } = cronJobOf(manifests);
    expect(spec).toMatchObject({ schedule: "17 3 * * *", timeZone: "Europe/Berlin", concurrencyPolicy: "Forbid" });
    expectRestricted(pod);
    expect(secretsOf(pod)).toEqual(["nightly-backup"]);
    expect(pod.containers[0]).toMatchObject({ image: "registry.example.org/backup:0.1.0" });
    expect(pod.containers[0]).not.toHaveProperty("env");
    expect(pod.volumes).toContainEqual({ name: "data", persistentVolumeClaim: { claimName: "nightly-backup" } });
    expect(await parseCommand(pod.containers[0]?.args ?? [])).toMatchObject({
      command: "run",
      args: { file: "/backup/plan.yaml" },
    });
    const plan = theOnly(manifests, "ConfigMap").data?.["plan.yaml"] ?? "";
    await expectPlan(plan);
    const { data = {} } = theOnly(manifests, "Secret");
    for (const [, name = ""] of plan.matchAll(/srcsecret: \/backup\/(\S+)/g))
      expect(Buffer.from(data[name] ?? "", "base64").toString()).toBe("change-me");
    // A key of ssh is one only with its last line's end.
    expect(Buffer.from(data["nas.id_ed25519"] ?? "", "base64").toString()).toMatch(/-----\n$/);
  });

  it("runs a script, with a Secret and a volume that are there already", async () => {
    const manifests = await render(...values("script"));
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(["ConfigMap", "CronJob"]);
    const { spec, pod } = cronJobOf(manifests);
    expect(spec).toMatchObject({ schedule: "@daily" });
    expect(spec).not.toHaveProperty("timeZone");
    expectRestricted(pod);
    expect(secretsOf(pod)).toEqual(["mail-passwords"]);
    expect(pod).toMatchObject({
      securityContext: { runAsUser: 1000, runAsGroup: 2000, fsGroup: 2000 },
      imagePullSecrets: [{ name: "registry" }],
      nodeSelector: { "kubernetes.io/os": "linux" },
      tolerations: [{ key: "backup" }],
      affinity: { nodeAffinity: {} },
    });
    expect(spec.jobTemplate.spec.template.metadata).toMatchObject({
      labels: { team: "mail", "app.kubernetes.io/instance": "nightly" },
      annotations: { "example.org/owner": "you" },
    });
    expect(pod.volumes).toContainEqual({ name: "data", persistentVolumeClaim: { claimName: "archive" } });
    expect(pod.containers[0]).toMatchObject({
      imagePullPolicy: "Always",
      args: ["run", "/backup/backup"],
      env: [
        { name: "MAIL_TO", value: "you@example.org" },
        { name: "PING_URL", valueFrom: { secretKeyRef: { name: "healthchecks", key: "url" } } },
      ],
    });
    const script = theOnly(manifests, "ConfigMap").data?.backup ?? "";
    expect(script).toMatch(/^#!\/usr\/bin\/env bash\n/);
    const commands = script.split("\n").filter((line) => line.startsWith("backup "));
    expect(commands).toHaveLength(2);
    for (const line of commands)
      expect(await parseCommand(line.replaceAll("'", "").split(" ").slice(1))).toMatchObject({ command: "imap" });
  });

  it("needs no volume where everything goes to other hosts", async () => {
    const manifests = await render(...values("remote"));
    expect(manifests.map(({ kind }) => kind).toSorted()).toEqual(["ConfigMap", "CronJob"]);
    const { pod } = cronJobOf(manifests);
    expectRestricted(pod);
    expect(pod.volumes.map(({ name }) => name)).toEqual(["backup", "tmp"]);
    expect(pod.containers[0]?.env).toEqual([{ name: "DRY_RUN", value: "1" }]);
    await expectPlan(theOnly(manifests, "ConfigMap").data?.["plan.yaml"] ?? "");
  });

  it("takes the plan and the passwords from files", async () => {
    const password = await writeSecret(directory.path, "p", "from a file");
    const args = [
      "--set-file",
      `plan=${join(EXAMPLES, "plan.yaml")}`,
      "--set-file",
      `secret.files.alice\\.password=${password}`,
    ];
    const manifests = await render(...args);
    const plan = theOnly(manifests, "ConfigMap").data?.["plan.yaml"];
    expect(plan).toBe(await readFile(join(EXAMPLES, "plan.yaml"), "utf8"));
    const { data } = theOnly(manifests, "Secret");
    expect(data).toEqual({ "alice.password": Buffer.from("from a file\n").toString("base64") });
  });

  it.each([
    ["nothing to run", [], /nothing to run: give a plan .* or a script/],
    [
      "both",
      ["--set", "plan=a", "--set", "script=b"],
      /of plan, accounts and script more than one is set; give one of them/,
    ],
    ["root", ["--set", "plan=a", "--set", "user=0"], /user/],
    ["an unknown value", ["--set", "plan=a", "--set", "dryrun=true"], /dryrun/],
    ["a name that no Secret has", ["--set", "plan=a", "--set", "secret.files.a@b=x"], /a@b/],
    [
      "a mode of access that cannot write",
      ["--set", "plan=a", "--set", "destination.accessModes={ReadOnlyMany}"],
      /accessModes/,
    ],
  ] as const)("refuses %s", async (_what, args, says) => {
    const { code, stdout, stderr } = await template(...args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(says);
  });
});
