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

/** BPF_PROG_TYPE_SK_LOOKUP, BPF_SK_LOOKUP. */
const SK_LOOKUP = 30;
/** "r0 = 1; exit": as if it were not there. */
const PASS = [0xb4, 1, 0x95, 0];

test("a BPF program is linked to a network namespace until its descriptor is closed", async () => {
  using namespace = new Fd(ops.open("/proc/thread-self/ns/net", O.RDONLY | O.CLOEXEC, 0));
  const link = new Fd(ops.bpfLink(namespace.number, SK_LOOKUP, 36, PASS));
  equal(readText(`/proc/self/fdinfo/${link.number}`).includes("link_type:\tnetns"), true);
  link.close();
  await fails(
    () => ops.bpfLink(namespace.number, SK_LOOKUP, 36, PASS.slice(0, 2)),
    "EINVAL",
    "bpf BPF_PROG_LOAD",
  );
  using file = new Fd(ops.open("/proc/self/status", O.RDONLY | O.CLOEXEC, 0));
  await fails(() => ops.bpfLink(file.number, SK_LOOKUP, 36, PASS), "EINVAL", "bpf BPF_LINK_CREATE");
});

test("sockets that listen are in a map for programs; others are not to be had", async () => {
  using listener = new Fd(ops.inetBind(SOCK.STREAM, "127.0.0.1", 0));
  using map = new Fd(ops.bpfSockets([listener.number]));
  equal(/map_type:\t15\n/.test(readText(`/proc/self/fdinfo/${map.number}`)), true);
  using file = new Fd(ops.open("/proc/self/status", O.RDONLY | O.CLOEXEC, 0));
  await fails(() => ops.bpfSockets([file.number]), "ENOTSOCK", "bpf BPF_MAP_UPDATE_ELEM");
  await fails(() => ops.bpfSockets([]), "EINVAL", "bpf BPF_MAP_CREATE");
});
