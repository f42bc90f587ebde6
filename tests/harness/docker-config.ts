import { join } from "node:path";

/** Where dockerd with that configuration listens. */
export function dockerSocket(directory: string): string {
  return `unix://${join(directory, "docker.sock")}`;
}

/**
 * dockerd's configuration with everything of its own in one directory.
 * @param cgroup the parent of its containers' control groups
 * @param runtimes their programs by the names that `docker run --runtime` has for them
 * @param more settings
 */
export function dockerConfig(
  directory: string,
  cgroup: string,
  runtimes: Readonly<Record<string, string>>,
  more: object = {},
): string {
  const programs = Object.entries(runtimes).map(([name, path]) => [name, { path }]);
  return JSON.stringify({
    "data-root": join(directory, "data"),
    "exec-root": join(directory, "exec"),
    pidfile: join(directory, "docker.pid"),
    hosts: [dockerSocket(directory)],
    "storage-driver": "overlay2",
    "exec-opts": ["native.cgroupdriver=cgroupfs"],
    "cgroup-parent": `/${cgroup}`,
    ip6tables: false,
    runtimes: Object.fromEntries(programs),
    ...more,
  });
}
