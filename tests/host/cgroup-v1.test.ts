import { describe, expect, test } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { cellConfiguration } from "../harness/cells.ts";
import { writeImage } from "../harness/image.ts";
import { kataRuntime, repository, Scratch, writeConfiguration } from "../harness/programs.ts";
import { Bundle } from "../runk/bundle.ts";
import { useHost } from "./machine.ts";

/** Hosts that have cgroup v1 still: with systemd's own hierarchy of v1 (legacy), or of v2 beside v1's controllers (hybrid). */

const MINUTE = 60_000;
const RUNK = `${repository}/build/bin/runk`;
/** A VM in a VM under software emulation: 100 s on a quiet machine. */
const GUEST_LIMIT_S = 600;
const EATS_MEMORY = "x=aaaaaaaa; while :; do x=$x$x; done";

/** systemd(1), "Kernel command line". */
const V1 = "systemd.unified_cgroup_hierarchy=0 SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1";
const HOSTS = [
  { name: "legacy", kernelArguments: `${V1} systemd.legacy_systemd_cgroup_controller=1`, unified: 0 },
  { name: "hybrid", kernelArguments: `${V1} systemd.legacy_systemd_cgroup_controller=0`, unified: 1 },
];

describe.each(HOSTS)("on a host with cgroup v1, $name:", ({ kernelArguments, unified }) => {
  const host = useHost(kernelArguments);

  test(
    "a scope of systemd's holds runk's container in every hierarchy, with limits that outlive a reload, and goes with it",
    async () => {
      const bundle = new Bundle((spec) => {
        spec.process.args = ["sleep", "1000"];
        spec.linux.cgroupsPath = "system.slice:test:one";
        spec.linux.resources = {
          memory: { limit: 64 << 20, swap: 64 << 20 },
          pids: { limit: 40 },
          cpu: { shares: 512, quota: 20_000, period: 50_000, cpus: "0" },
        };
      });
      try {
        const { stdout, stderr } = await host().run(
          `
          cp -a /host${bundle.path} bundle
          runk="timeout 60 ${RUNK} --systemd-cgroup"
          show() { systemctl show -p Slice,Delegate,MemoryLimit,TasksMax,CPUShares,CPUQuotaPerSecUSec test-one.scope; }
          of() { cd /sys/fs/cgroup/$1/system.slice/test-one.scope; shift; cat $*; cd /root; }
          limits() {
            of memory memory.limit_in_bytes; of pids pids.max
            of cpu cpu.shares cpu.cfs_quota_us cpu.cfs_period_us; of cpuset cpuset.cpus
          }
          mount -t cgroup2 | wc -l
          $runk run --detach --bundle bundle one > out 2>&1 || cat out
          $runk exec one cat /proc/self/cgroup | cut -d: -f3 | sort -u
          show
          limits | paste -sd' '
          systemctl daemon-reload
          limits | paste -sd' '
          $runk update --memory 50331648 --memory-swap 50331648 --pids-limit 30 one
          show | grep -E 'Memory|Tasks'; of memory memory.limit_in_bytes
          $runk run --bundle bundle two 2>&1 | grep -o "container's cgroup is not empty"
          $runk delete --force one; echo "deleted: $?"
          find /sys/fs/cgroup -name 'test-one*'; systemctl list-units --all --no-legend 'test-*'
          `,
          3 * MINUTE,
        );
        const limits = "67108864 40 512 20000 50000 0";
        expect(stdout.split("\n"), stderr).toEqual([
          ...[String(unified), "/system.slice/test-one.scope"],
          ...["Slice=system.slice", "Delegate=yes"],
          ...["CPUShares=512", "CPUQuotaPerSecUSec=400ms", "MemoryLimit=67108864", "TasksMax=40"],
          ...[limits, limits],
          ...["MemoryLimit=50331648", "TasksMax=30", "50331648"],
          ...["container's cgroup is not empty", "deleted: 0", ""],
        ]);
      } finally {
        await bundle.close();
      }
    },
    4 * MINUTE,
  );

  test(
    "a sandbox of kata-runtime's lives in its scope, in every hierarchy, from create to delete, and the scope goes with it",
    async () => {
      using scratch = new Scratch();
      makeBundle(scratch.join("bundle"), {
        args: ["sleep", "1000"],
        edit: (spec) => {
          spec.linux.cgroupsPath = "system.slice:test:whole";
        },
      });
      makeBundle(scratch.join("fails"), {
        args: ["true"],
        edit: (spec) => {
          spec.linux.cgroupsPath = "system.slice:test:fails";
          spec.hooks = { createRuntime: [{ path: "/bin/false" }] };
        },
      });
      writeConfiguration(scratch.join("c.toml"), {
        ...cellConfiguration({
          ...{ name: "", kernel: "own", machine: "pc", channel: "virtio-serial", factory: "none" },
        }),
        "agent.kata": { dial_timeout: GUEST_LIMIT_S, request_timeout: GUEST_LIMIT_S },
        runtime: { vm_start_timeout: GUEST_LIMIT_S },
      });
      const { stdout, stderr } = await host().run(
        `
        cp -a /host${scratch.path} whole
        kata="${kataRuntime} --config whole/c.toml --systemd-cgroup"
        names() { for pid in $(cat $1/cgroup.procs); do cat /proc/$pid/comm; done | sort -u | paste -sd' '; }
        all() { for h in $(awk '$3 ~ /^cgroup2?$/ {print $2}' /proc/mounts); do names $h/system.slice/test-whole.scope$1; done | sort -u; }
        scope() { systemctl show -p ActiveState test-whole.scope; }
        $kata create --bundle whole/bundle whole < /dev/null > log 2>&1 || cat log
        $kata start whole; echo "started: $? $($kata state whole | grep -o '"status": *"[a-z]*"') $(scope)"
        echo "scope: $(all)"
        echo "daemon: $(all /daemon)"
        echo "sandbox: $(all /sandbox)"
        systemctl daemon-reload
        echo "after a reload: $($kata exec whole echo still there) $(scope)"
        $kata delete --force whole; echo "deleted: $?"
        $kata create --bundle whole/fails fails < /dev/null > log 2>&1; echo "fails: $? $(grep -c /bin/false log)"
        for _ in $(seq 20); do systemctl list-units --all --no-legend | grep -q test- || break; sleep 0.5; done
        find /sys/fs/cgroup -name '*test-*'; systemctl list-units --all --no-legend 'test-*'; ls /run/vc/sbs
        pgrep -fc 'qemu-system|virtiofsd|containerd-shim|kata-shim'
        `,
        GUEST_LIMIT_S * 1000,
      );
      expect(stdout.replaceAll('"status":"', '"status": "').split("\n"), stderr).toEqual([
        'started: 0 "status": "running" ActiveState=active',
        "scope: ",
        "daemon: containerd-shim",
        "sandbox: kata-shim qemu-system-x86 virtiofsd",
        "after a reload: still there ActiveState=active",
        "deleted: 0",
        "fails: 1 1",
        ...["0", ""],
      ]);
    },
    GUEST_LIMIT_S * 1000,
  );

  test.each([
    ["docker", "docker", "docker"],
    ["podman", `podman --runtime ${RUNK} --cgroup-manager systemd`, "libpod"],
  ])(
    "%s with the systemd driver: run, exec, limits of memory (137) and pids, update, stop; the scopes go",
    async (_, command, prefix) => {
      using scratch = new Scratch();
      const tar = `/host${writeImage(scratch.path)}`;
      const { stdout, stderr } = await host().run(
        `
        if ! test -e /etc/docker/daemon.json; then
          mkdir -p /etc/docker
          echo '{"exec-opts":["native.cgroupdriver=systemd"],"runtimes":{"runk":{"path":"${RUNK}"}},"default-runtime":"runk"}' > /etc/docker/daemon.json
          systemctl start docker
        fi
        ${command.split(" ")[0]} import ${tar} box > /dev/null
        c="timeout 100 ${command}"
        $c run --rm --network none box sh -c 'exit 7'; echo "status: $?"
        $c run --network none -m 32m --name eater box sh -c '${EATS_MEMORY}'; echo "status: $?"
        $c run -d --network none --pids-limit 20 --name long box sleep 1000 > /dev/null
        $c exec long cat /sys/fs/cgroup/pids/pids.max
        echo "scopes: $(systemctl list-units --no-legend '${prefix}-*.scope' | grep -vc conmon)"
        $c update --memory 64m --memory-swap 64m long > /dev/null
        $c exec long cat /sys/fs/cgroup/memory/memory.limit_in_bytes
        $c stop -t 1 long > /dev/null; echo "stopped: $($c inspect -f '{{.State.ExitCode}}' long)"
        $c rm eater long > /dev/null; echo "removed: $?"
        echo "scopes: $(systemctl list-units --all --no-legend '${prefix}-*.scope' | grep -vc conmon)"
        `,
        8 * MINUTE,
      );
      expect(stdout.trim().split("\n"), stderr).toEqual([
        ...["status: 7", "status: 137", "20", "scopes: 1"],
        ...["67108864", "stopped: 137", "removed: 0", "scopes: 0"],
      ]);
    },
    9 * MINUTE,
  );
});
