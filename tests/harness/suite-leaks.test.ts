import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, rmdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { eventually } from "./process.ts";
import { Scratch } from "./programs.ts";
import { SuiteLeaks } from "./suite-leaks.ts";

/** A name that the check takes for this suite's while others are at work here. */
const NAME = `leak-check-${process.pid}-`;
/** Where control groups can be made. */
const CGROUPS = ["/sys/fs/cgroup/memory", "/sys/fs/cgroup"].find(existsSync) ?? "";

test.runIf(existsSync("/proc/self/sessionid"))(
  "a process is found that has kept nothing of the suite: environment, parent, session, namespaces, name",
  async () => {
    const leaks = new SuiteLeaks();
    expect(leaks.find()).toEqual([]);
    const shell =
      "setsid unshare --net --mount --ipc --uts env -i sh -c 'cd /; echo $$; exec sleep 1000 >&-' & exit";
    const child = spawn("sh", ["-c", shell], { stdio: ["ignore", "pipe", "ignore"] });
    const [said] = await once(child.stdout, "data");
    const pid = Number(`${said}`);
    try {
      const found = await eventually("its name", () =>
        leaks.find().find((line) => line.endsWith("sleep 1000")),
      );
      expect(found).toBe(`process ${pid}: sleep 1000`);
    } finally {
      process.kill(pid, "SIGKILL");
    }
    await eventually("it is gone", () => leaks.find().length === 0 || undefined);
  },
);

test("what is another's process is not found", async () => {
  const other = spawn("sleep", ["1000"], { stdio: "ignore" });
  const leaks = new SuiteLeaks();
  expect(leaks.find()).toEqual([]);
  other.kill("SIGKILL");
  await once(other, "exit");
});

test("files, mounts, control groups and network namespaces are found, and those that were there before are not", () => {
  const shm = mkdtempSync(`/dev/shm/${NAME}`);
  const cgroup = join(CGROUPS, NAME);
  const before = new SuiteLeaks();
  spawnSync("mount", ["-t", "tmpfs", "none", shm]);
  const leaks = new SuiteLeaks();
  try {
    expect(before.find()).toEqual([`mount: ${shm} (tmpfs /)`]);
    expect(leaks.find()).toEqual([]);
    mkdirSync(cgroup);
    writeFileSync(`${shm}/net`, "");
    spawnSync("unshare", [`--net=${shm}/net`, "true"]);
    expect(leaks.find()).toEqual([
      expect.stringMatching(`^mount: ${shm}/net \\(nsfs net:`),
      `cgroup: ${cgroup}`,
      `file: ${shm}/net`,
    ]);
  } finally {
    spawnSync("umount", [`${shm}/net`]);
    spawnSync("umount", [shm]);
    rmdirSync(cgroup);
    rmSync(shm, { recursive: true });
  }
  expect(leaks.find()).toEqual([]);
});

test("a test's directory is found until it is removed", () => {
  const leaks = new SuiteLeaks();
  {
    using scratch = new Scratch();
    const { path } = scratch;
    expect(leaks.find()).toEqual([`file: ${path}`]);
  }
  expect(leaks.find()).toEqual([]);
});

test("a control group with a process in it, and a file that a process has open, are that process's", async () => {
  const leaks = new SuiteLeaks();
  const cgroup = join(CGROUPS, NAME);
  const file = `/dev/shm/${NAME}`;
  mkdirSync(cgroup);
  const script = `echo $$ > ${cgroup}/cgroup.procs; exec sleep 1000 > ${file}`;
  const member = spawn("sh", ["-c", script], { stdio: "ignore" });
  try {
    await eventually("it is there", () => leaks.find()[0]?.endsWith("sleep 1000") || undefined);
    expect(leaks.find()).toEqual([`process ${member.pid}: sleep 1000`]);
    member.kill("SIGKILL");
    await once(member, "exit");
    expect(leaks.find()).toEqual([`cgroup: ${cgroup}`, `file: ${file}`]);
  } finally {
    member.kill("SIGKILL");
    rmdirSync(cgroup);
    rmSync(file);
  }
});
