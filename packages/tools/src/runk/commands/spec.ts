import { writeSpec } from "@kata-containers/cli";
import { EXAMPLE_SPEC, type Spec } from "@kata-containers/oci";
import { exists, ops } from "@kata-containers/sys";
import { defineCommand } from "../define-command.ts";

export const spec = defineCommand({
  name: "spec",
  summary: "write an example config.json",
  description:
    "For a bundle with a root file system in `rootfs`: a shell on a terminal. A file that is there is left alone.",
  args: [],
  options: {
    bundle: { short: "b", value: "DIR", help: "the bundle to write it in (default: the current directory)" },
    rootless: { help: "for a container of a user who is not root" },
  },
  async run({ options }) {
    const spec = example();
    writeSpec(options.bundle ?? ".", options.rootless ? rootless(spec) : spec);
    return 0;
  },
});

/** As runc's: with cgroup v2 alone, whose view would be all of the host's, in a cgroup namespace. */
function example(): Spec {
  const { namespaces = [], ...linux } = EXAMPLE_SPEC.linux ?? {};
  const own = exists("/sys/fs/cgroup/cgroup.controllers") ? [{ type: "cgroup" } as const] : [];
  return { ...EXAMPLE_SPEC, hostname: "runk", linux: { ...linux, namespaces: [...namespaces, ...own] } };
}

/** As runc's: in a user namespace that has our own user alone, as its root, in the host's network and without limits. */
function rootless(spec: Spec): Spec {
  const mapping = (hostID: number) => [{ containerID: 0, hostID, size: 1 }];
  const { uid, gid } = ops.stat("/proc/self");
  const { resources: _, namespaces = [], ...linux } = spec.linux ?? {};
  return {
    ...spec,
    mounts: (spec.mounts ?? []).map((mount) => {
      // The kernel mounts a sysfs only for the owner of a network namespace.
      if (mount.destination === "/sys") {
        const options = ["rbind", "nosuid", "noexec", "nodev", "ro"];
        return { destination: "/sys", type: "none", source: "/sys", options };
      }
      // No group but our own exists in there.
      if (mount.options === undefined) return mount;
      return { ...mount, options: mount.options.filter((option) => !/^[ug]id=/.test(option)) };
    }),
    linux: {
      uidMappings: mapping(uid),
      gidMappings: mapping(gid),
      namespaces: [...namespaces.filter(({ type }) => type !== "network"), { type: "user" }],
      ...linux,
    },
  };
}
