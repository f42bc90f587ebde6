import { beforeAll, expect, test } from "vitest";
import { repository } from "../harness/programs.ts";
import { useHost } from "./machine.ts";

/** docker and podman as Debian has them, with their default cgroup driver, systemd's. */

const MINUTE = 60_000;
const host = useHost();
const RUNK = `${repository}/build/bin/runk`;

const EATS_MEMORY = "x=aaaaaaaa; while :; do x=$x$x; done";
const FORKS = "for i in $(seq 30); do sleep 10 & done; wait";

beforeAll(async () => {
  const { status, stderr } = await host().run(
    `
    mkdir -p image/bin image/tmp /etc/docker
    cp /bin/busybox image/bin
    for applet in sh cat sleep seq; do ln -s busybox image/bin/$applet; done
    echo '{"runtimes":{"runk":{"path":"${RUNK}"}},"default-runtime":"runk"}' > /etc/docker/daemon.json
    systemctl start docker && tar -C image -c . | docker import - box && tar -C image -c . | podman import - box
    `,
    3 * MINUTE,
  );
  expect(status, stderr).toBe(0);
}, 25 * MINUTE);

test.each([
  ["docker", "docker", "docker"],
  ["podman", `podman --runtime ${RUNK} --cgroup-manager systemd`, "libpod"],
])(
  "%s: run, exec, limits of memory (137) and pids, update, stop; each container's scope goes with it",
  async (name, command, prefix) => {
    // podman: conmon does not see that it was memory, nor with runc.
    const isDocker = name === "docker";
    const { stdout, stderr } = await host().run(
      `
      c="timeout 100 ${command}"
      $c run --rm --network none box sh -c 'exit 7'; echo "status: $?"
      $c run --network none -m 32m --name eater box sh -c '${EATS_MEMORY}'; echo "status: $?"
      ${isDocker ? "echo \"killed: $($c inspect -f '{{.State.OOMKilled}}' eater)\"" : ""}
      $c run -d --network none --pids-limit 20 --name long box sleep 1000 > /dev/null
      $c exec long cat /sys/fs/cgroup/pids.max
      echo "scopes: $(systemctl list-units --no-legend '${prefix}-*.scope' | grep -vc conmon)"
      $c update --memory 64m --memory-swap 64m long > /dev/null; $c exec long cat /sys/fs/cgroup/memory.max
      $c exec long sh -c '${FORKS}' 2>&1 | grep -o "can't fork"
      $c stop -t 1 long > /dev/null; echo "stopped: $($c inspect -f '{{.State.ExitCode}}' long)"
      $c rm eater long > /dev/null; echo "removed: $?"
      echo "scopes: $(systemctl list-units --all --no-legend '${prefix}-*.scope' | grep -vc conmon)"
      `,
      8 * MINUTE,
    );

    expect(stdout.trim().split("\n"), stderr).toEqual([
      ...["status: 7", "status: 137", ...(isDocker ? ["killed: true"] : []), "20", "scopes: 1"],
      ...["67108864", "can't fork", "stopped: 137", "removed: 0", "scopes: 0"],
    ]);
  },
  9 * MINUTE,
);
