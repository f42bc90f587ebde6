import { expect, test } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { cellConfiguration } from "../harness/cells.ts";
import { kataRuntime, repository, Scratch, writeConfiguration } from "../harness/programs.ts";
import { Bundle } from "../runk/bundle.ts";
import { useHost } from "./machine.ts";

const MINUTE = 60_000;
const host = useHost();
const RUNK = `${repository}/build/bin/runk`;

test(
  "a scope of systemd's holds the container, with limits that outlive a reload, and goes with it",
  async () => {
    const bundle = new Bundle((spec) => {
      spec.process.args = ["sleep", "1000"];
      spec.linux.cgroupsPath = "system.slice:test:one";
      spec.annotations = { "org.systemd.property.TimeoutStopSec": "7" };
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
        show() { systemctl show -p Slice,Delegate,TimeoutStopUSec,MemoryMax,TasksMax,CPUWeight,CPUQuotaPerSecUSec,AllowedCPUs test-one.scope; }
        scope=/sys/fs/cgroup/system.slice/test-one.scope
        $runk run --detach --bundle bundle one > out 2>&1 || cat out
        $runk exec one cat /proc/self/cgroup
        show
        systemctl daemon-reload
        (cd $scope && cat memory.max memory.swap.max pids.max cpu.weight cpu.max cpuset.cpus)
        $runk update --memory 50331648 --pids-limit 30 one
        show | grep Max; cat $scope/memory.max
        $runk run --bundle bundle two 2>&1 | grep -o "container's cgroup is not empty"
        $runk delete --force one; echo "deleted: $?"
        ls -d $scope; systemctl list-units --all --no-legend 'test-*'
        `,
        3 * MINUTE,
      );
      expect(stdout.split("\n"), stderr).toEqual([
        "0::/system.slice/test-one.scope",
        ...[
          "TimeoutStopUSec=7s",
          "Slice=system.slice",
          "Delegate=yes",
          "CPUWeight=20",
          "CPUQuotaPerSecUSec=400ms",
          "AllowedCPUs=0",
        ],
        ...["MemoryMax=67108864", "TasksMax=40"],
        ...["67108864", "0", "40", "20", "20000 50000", "0"],
        ...["MemoryMax=50331648", "TasksMax=30", "50331648"],
        "container's cgroup is not empty",
        "deleted: 0",
        "",
      ]);
    } finally {
      await bundle.close();
    }
  },
  4 * MINUTE,
);

test(
  "a sandbox of kata-runtime's is in a scope: its daemon, and beside that the virtual machine; what fails takes it away",
  async () => {
    using scratch = new Scratch();
    makeBundle(scratch.join("bundle"), {
      args: ["true"],
      edit: (spec) => {
        spec.linux.cgroupsPath = "system.slice:test:sandbox";
      },
    });
    writeConfiguration(scratch.join("c.toml"), {});
    const { stdout, stderr } = await host().run(
      `
      cp -a /host${scratch.path} scope
      kata="${kataRuntime} --config scope/c.toml --systemd-cgroup"
      group=/sys/fs/cgroup/system.slice/test-sandbox.scope
      names() { for pid in $(cat $1/cgroup.procs); do cat /proc/$pid/comm; done | sort -u | paste -sd' '; }
      $kata create --bundle scope/bundle one < /dev/null > log 2>&1 & create=$!
      for _ in $(seq 600); do names $group/sandbox 2>&1 | grep -q qemu && break; sleep 0.1; done
      echo "scope: $(names $group)"
      echo "daemon: $(names $group/daemon)"
      echo "sandbox: $(names $group/sandbox)"
      systemctl show -p Slice,Delegate,ActiveState test-sandbox.scope
      echo "create: $(cat /proc/$create/cgroup)"
      $kata create --bundle scope/bundle two < /dev/null 2>&1 | grep -o "container's cgroup is not empty"
      echo "still: $(names $group/daemon)"
      kill $create; wait $create
      ls -d $group; systemctl list-units --all --no-legend 'test-*'; ls /run/vc/sbs
      `,
      4 * MINUTE,
    );
    expect(
      stdout.replace(/^create: .*$/m, (line) => line.replace(/0::.*scope.*/, "in the scope")).split("\n"),
      stderr,
    ).toEqual([
      "scope: ",
      "daemon: containerd-shim",
      "sandbox: kata-shim qemu-system-x86 virtiofsd",
      ...["Slice=system.slice", "Delegate=yes", "ActiveState=active"],
      expect.not.stringContaining("in the scope"),
      "container's cgroup is not empty",
      "still: containerd-shim",
      "",
    ]);
  },
  5 * MINUTE,
);

/** A VM in a VM under software emulation: 100 s on a quiet machine. */
const GUEST_LIMIT_S = 600;

test(
  "a sandbox of kata-runtime's lives in its scope from create to delete, and the scope goes with it",
  async () => {
    using scratch = new Scratch();
    makeBundle(scratch.join("bundle"), {
      args: ["sleep", "1000"],
      edit: (spec) => {
        spec.linux.cgroupsPath = "system.slice:test:whole";
      },
    });
    const cell = {
      name: "",
      kernel: "own",
      machine: "pc",
      channel: "virtio-serial",
      factory: "none",
    } as const;
    writeConfiguration(scratch.join("c.toml"), {
      ...cellConfiguration(cell),
      "agent.kata": { dial_timeout: GUEST_LIMIT_S, request_timeout: GUEST_LIMIT_S },
      runtime: { vm_start_timeout: GUEST_LIMIT_S },
    });
    const { stdout, stderr } = await host().run(
      `
      cp -a /host${scratch.path} whole
      kata="${kataRuntime} --config whole/c.toml --systemd-cgroup"
      group=/sys/fs/cgroup/system.slice/test-whole.scope
      names() { for pid in $(cat $1/cgroup.procs); do cat /proc/$pid/comm; done | sort -u | paste -sd' '; }
      scope() { systemctl show -p ActiveState test-whole.scope; }
      $kata create --bundle whole/bundle whole < /dev/null > log 2>&1 || cat log
      echo "created: $($kata state whole | grep -o '"status": *"[a-z]*"') $(scope)"
      $kata start whole; echo "started: $? $($kata state whole | grep -o '"status": *"[a-z]*"') $(scope)"
      echo "exec: $($kata exec whole echo from the guest)"
      echo "scope: $(names $group)"
      echo "daemon: $(names $group/daemon)"
      echo "sandbox: $(names $group/sandbox)"
      systemctl daemon-reload
      echo "after a reload: $($kata exec whole echo still there) $(scope)"
      $kata kill whole KILL; for _ in $(seq 60); do $kata state whole | grep -q stopped && break; sleep 1; done
      echo "stopped: $($kata state whole | grep -o '"status": *"[a-z]*"')"
      $kata delete whole; echo "deleted: $?"
      for _ in $(seq 20); do test -d $group || break; sleep 0.5; done
      ls -d $group; systemctl list-units --all --no-legend 'test-whole*'; ls /run/vc/sbs
      pgrep -fc 'qemu-system|virtiofsd|containerd-shim|kata-shim'
      `,
      GUEST_LIMIT_S * 1000,
    );
    expect(stdout.replaceAll('"status":"', '"status": "').split("\n"), stderr).toEqual([
      'created: "status": "created" ActiveState=active',
      'started: 0 "status": "running" ActiveState=active',
      "exec: from the guest",
      "scope: ",
      "daemon: containerd-shim",
      "sandbox: kata-shim qemu-system-x86 virtiofsd",
      "after a reload: still there ActiveState=active",
      'stopped: "status": "stopped"',
      "deleted: 0",
      "0",
      "",
    ]);
  },
  GUEST_LIMIT_S * 1000,
);
