import { Fd, O, ops, readText, SOCK } from "../index.ts";
import { child, equal, fails, outcomeOf, startChild, test } from "./harness.ts";

/** BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT (linux/bpf.h). */
const SOCK_ADDR = 18;
const INET4_CONNECT = 10;
/** "r0 = 0; exit": denied. */
const DENY = [0xb4, 0, 0x95, 0];

child("in a cgroup", async (procs) => {
  using listener = new Fd(ops.inetBind(SOCK.STREAM, "127.0.0.1", 0));
  ops.writeFile(procs, ops.utf8Encode("0"), O.WRONLY, 0);
  await fails(
    () => ops.inetConnect(SOCK.STREAM, "127.0.0.1", ops.inetPort(listener.number)),
    "EPERM",
    "connect",
  );
  return 0;
});

test("a BPF program that is attached to a cgroup is asked for those in it", async (dir) => {
  const mounts = readText("/proc/self/mountinfo").split("\n");
  const unified = mounts.find((line) => line.includes(" - cgroup2 "))?.split(" ")[4];
  const cgroup = `${unified}/engine-tests.${ops.getpid()}`;
  ops.mkdir(cgroup, 0o755);
  try {
    ops.bpfAttach(cgroup, SOCK_ADDR, INET4_CONNECT, DENY);
    const outcome = await outcomeOf(startChild("in a cgroup", `${cgroup}/cgroup.procs`));
    equal(outcome, { code: 0, text: "" });
    // Without an end.
    await fails(() => ops.bpfAttach(cgroup, SOCK_ADDR, INET4_CONNECT, DENY.slice(0, 2)), "EINVAL");
    await fails(() => ops.bpfAttach(cgroup, SOCK_ADDR, INET4_CONNECT, [1]), "EINVAL", "bpf_attach");
    await fails(() => ops.bpfAttach(dir, SOCK_ADDR, INET4_CONNECT, DENY), "EBADF", "bpf BPF_PROG_ATTACH");
  } finally {
    ops.rmdir(cgroup);
  }
});
