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
