import { outputOf } from "./run.mjs";

/** Debian packages for a container engine of the tests' own, and the file that shows that each is there. */
const PACKAGES = [
  { name: "docker.io", file: "/usr/sbin/dockerd" },
  { name: "mmdebstrap", program: "mmdebstrap" },
];

/** What has to be installed for the tests of the image: nothing where a Docker Engine answers. */
export async function enginePackages() {
  const running = await outputOf("docker", ["version", "--format", "{{.Server.Version}}"]);
  return running === undefined ? PACKAGES : [];
}
