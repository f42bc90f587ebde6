import { expect, test } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { cellConfiguration } from "../harness/cells.ts";
import { kataRuntime, Scratch, writeConfiguration } from "../harness/programs.ts";
import { useHost } from "./machine.ts";

/** A VM in a VM under software emulation: 100 s on a quiet machine. */
const LIMIT_S = 600;

const host = useHost();

/** What the test matrix leaves out on a host without /dev/vhost-vsock (tests/harness/matrix.mjs). */
test.each([
  { kernel: "own", machine: "pc", release: "-kata" },
  { kernel: "own", machine: "q35", release: "-kata" },
  { kernel: "debian", machine: "pc", release: "-amd64" },
  { kernel: "debian", machine: "q35", release: "-amd64" },
] as const)(
  "kata-runtime run reaches the agent by the kernel's vsock, chosen by itself where the host has it: kernel $kernel, machine $machine",
  async ({ kernel, machine, release }) => {
    using scratch = new Scratch();
    makeBundle(scratch.join("bundle"), { args: ["sleep", "1000"] });
    writeConfiguration(scratch.join("c.toml"), {
      "hypervisor.qemu": {
        ...cellConfiguration({ name: "", kernel, machine, channel: "vsock", factory: "none" })[
          "hypervisor.qemu"
        ],
        agent_channel: "auto",
      },
      "agent.kata": { dial_timeout: LIMIT_S, request_timeout: LIMIT_S },
      runtime: { vm_start_timeout: LIMIT_S },
    });
    const { stdout, stderr } = await host().run(
      `
      modprobe vhost_vsock
      rm -rf smoke; cp -a /host${scratch.path} smoke
      kata="${kataRuntime} --config smoke/c.toml"
      $kata run --detach --bundle smoke/bundle one < /dev/null > log 2>&1 || cat log
      echo "device: $(tr '\\0' ' ' < /proc/$(pgrep -o qemu-system)/cmdline | grep -o 'vhost-vsock-pci')"
      echo "ports: $($kata exec one ls /sys/class/virtio-ports | wc -l)"
      echo "kernel: $($kata exec one uname -r)"
      $kata kill one KILL; for _ in $(seq 60); do $kata state one | grep -q stopped && break; sleep 1; done
      $kata delete one; echo "deleted: $?"
      echo "left: $(ls /run/vc/sbs) $(pgrep -fc 'qemu-system|virtiofsd|containerd-shim|kata-shim')"
      `,
      LIMIT_S * 1000,
    );
    expect(stdout, stderr).toMatch(
      new RegExp(
        `^device: vhost-vsock-pci\\nports: 0\\nkernel: \\d+\\.\\d+\\S*${release}\\ndeleted: 0\\nleft: {1,2}0\\n$`,
      ),
    );
  },
  LIMIT_S * 1000,
);

const COPIED = "the VM is a copy of the template";

test(
  "copies of a template have context ids of their own: each agent answers on the one that its machine was given",
  async () => {
    using scratch = new Scratch();
    makeBundle(scratch.join("bundle"), { args: ["sleep", "1000"] });
    writeConfiguration(scratch.join("c.toml"), {
      ...cellConfiguration({ name: "", kernel: "own", machine: "pc", channel: "vsock", factory: "none" }),
      factory: { enable_template: true, template_path: "/run/templates" },
      "agent.kata": { dial_timeout: LIMIT_S, request_timeout: LIMIT_S },
      runtime: { vm_start_timeout: LIMIT_S, enable_debug: true },
    });
    const { stdout, stderr } = await host().run(
      `
      modprobe vhost_vsock
      rm -rf copies; cp -a /host${scratch.path} copies
      kata="${kataRuntime} --config copies/c.toml"
      $kata factory init 2> log || cat log
      for id in one two; do
        $kata run --detach --bundle copies/bundle $id < /dev/null > log 2>&1 || cat log
        cat /run/vc/sbs/$id/daemon.log > copies/$id.log; grep -o 'the VM is a copy of the template' copies/$id.log || grep 'the VM boots' copies/$id.log
      done
      cids() { for pid in $(pgrep qemu-system); do tr '\\0' '\\n' < /proc/$pid/cmdline | grep -o 'guest-cid=[0-9]*'; done; }
      echo "ids: $(cids | sort -u | wc -l)"
      for id in one two; do echo "$($kata exec $id echo $id answers)"; $kata delete --force $id; done
      $kata factory destroy
      echo "left: $(ls /run/vc/sbs) $(pgrep -fc 'qemu-system|virtiofsd|containerd-shim|kata-shim')"
      `,
      LIMIT_S * 1000,
    );
    expect(stdout.split("\n"), stderr).toEqual([
      ...["vm factory initialized", COPIED, COPIED, "ids: 2", "one answers", "two answers"],
      ...["vm factory destroyed", "left:  0", ""],
    ]);
  },
  LIMIT_S * 1000,
);
