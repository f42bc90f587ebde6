import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { goInstall } from "../harness/go-install.ts";
import { repository } from "../harness/programs.ts";

/** Pinned: another version may say things otherwise. */
const MODULES = {
  crictl: { module: "sigs.k8s.io/cri-tools", version: "v1.37.0", packages: ["cmd/crictl"] },
  containerd: {
    module: "github.com/containerd/containerd/v2",
    version: "v2.4.2",
    packages: ["cmd/containerd", "cmd/ctr", "cmd/containerd-shim-runc-v2"],
  },
} as const;

/** How long the build of one may take where nothing is built yet, ms. */
export const GO_BUILD_MS = 900_000;

/** The directory of a module's programs, which are built first unless that has been done. */
export function goPrograms(name: keyof typeof MODULES): string {
  const { module, version, packages } = MODULES[name];
  const directory = join(repository, "build/clients", `${name}-${version}`);
  const isThere = (path: string) => existsSync(join(directory, basename(path)));
  if (!packages.every(isThere))
    goInstall(
      directory,
      packages.map((path) => `${module}/${path}@${version}`),
    );
  return directory;
}
