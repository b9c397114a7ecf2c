import { parseAllDocuments } from "yaml";

/** An object of Kubernetes, as far as the tests look into it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly labels?: Record<string, string> };
  readonly data?: Record<string, string>;
  readonly stringData?: Record<string, string>;
  readonly spec?: unknown;
}

export interface CronJobSpec {
  readonly schedule: string;
  readonly timeZone?: string;
  readonly suspend?: boolean;
  readonly concurrencyPolicy: string;
  readonly jobTemplate: {
    readonly spec: { readonly template: { readonly metadata: unknown; readonly spec: PodSpec } };
  };
}

export interface PodSpec {
  readonly restartPolicy: string;
  readonly automountServiceAccountToken: boolean;
  readonly securityContext: Readonly<Record<string, unknown>>;
  readonly containers: readonly Container[];
  readonly volumes: readonly Volume[];
}

export interface Container {
  readonly name: string;
  readonly image: string;
  readonly args: readonly string[];
  readonly env?: readonly unknown[];
  readonly securityContext: unknown;
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

export interface Volume {
  readonly name: string;
  readonly emptyDir?: unknown;
  readonly persistentVolumeClaim?: { readonly claimName: string };
  readonly projected?: {
    readonly defaultMode: number;
    readonly sources: readonly { readonly secret?: { name: string }; readonly configMap?: { name: string } }[];
  };
}

/** All objects of a YAML stream, read as Kubernetes does: 0440 is octal. @throws Error what is no YAML */
export function readManifests(text: string): readonly Manifest[] {
  return parseAllDocuments(text, { version: "1.1", uniqueKeys: true }).flatMap((document) => {
    const [error] = document.errors;
    if (error) throw error;
    const object: unknown = document.toJS();
    return object === null ? [] : [object as Manifest];
  });
}

/** The only one of its kind. @throws Error where there are none or several */
export function theOnly(manifests: readonly Manifest[], kind: string): Manifest {
  const [found, ...more] = manifests.filter((manifest) => manifest.kind === kind);
  if (found && more.length === 0) return found;
  throw new Error(`${found ? more.length + 1 : 0} of ${kind} among ${manifests.map((each) => each.kind).join(", ")}`);
}

export function cronJobOf(manifests: readonly Manifest[]): { readonly spec: CronJobSpec; readonly pod: PodSpec } {
  const spec = theOnly(manifests, "CronJob").spec as CronJobSpec;
  return { spec, pod: spec.jobTemplate.spec.template.spec };
}
