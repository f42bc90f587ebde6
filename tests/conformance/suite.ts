import { execFileSync, spawnSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmdirSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { type Points, readTap } from "./tap.ts";

/** Pinned: a newer suite has other points. */
const VERSION = "v0.9.1-0.20251205004911-5e639034dcdc";
const MODULE = "github.com/opencontainers/runtime-tools";
const DIRECTORY = resolve(import.meta.dirname, "../../build/conformance");

/** Controllers that this machine's start has mounted nowhere. */
const CONTROLLERS = ["hugetlb", "net_cls", "net_prio"];

/**
 * Runs "$1" on a host with cgroup v1 as the suite presumes it, every controller in a hierarchy: those that the kernel has and that are
 * nowhere are mounted, for this mount namespace, and emptied afterwards, for a hierarchy with cgroups outlives its mounts.
 */
const WITH_CONTROLLERS = `
root=/sys/fs/cgroup
mounted=
for name in ${CONTROLLERS.join(" ")}; do
  [ "$(stat -f -c %T $root)" = tmpfs ] || break
  grep -q " - cgroup .*\\b$name\\b" /proc/self/mountinfo && continue
  mkdir -p $root/$name
  mount -t cgroup -o $name cgroup $root/$name 2>/dev/null && mounted="$mounted $name"
done
"$1"
status=$?
for name in $mounted; do
  find $root/$name -mindepth 1 -depth -type d -exec rmdir {} \\; 2>/dev/null
  umount $root/$name
done
exit $status`;

/**
 * Gives those controllers back to cgroup v2. A hierarchy ends with its last mount, unless a cgroup that has been removed is still on its
 * way out then: so it is mounted and unmounted again until it has.
 */
const WITHOUT_CONTROLLERS = `
root=/sys/fs/cgroup
for name in ${CONTROLLERS.join(" ")}; do
  grep -q " - cgroup .*\\b$name\\b" /proc/self/mountinfo && continue
  for try in 1 2 3 4 5 6 7 8; do
    grep -qw "$name" /proc/self/cgroup || break
    mkdir -p $root/$name
    mount -t cgroup -o $name cgroup $root/$name && umount $root/$name
    sleep 0.3
  done
done`;

/** How long one program may take, milliseconds: most take 1 to 3 s, for they ask once a second. */
const PROGRAM_MS = 120_000;

/** The OCI conformance suite (opencontainers/runtime-tools, validation/): its programs, and what they need beside them. */
export class Suite implements Disposable {
  readonly programs: readonly string[];
  readonly #directory: string;
  /** Its programs leave their bundles, which users of a user namespace have to reach. */
  readonly #scratch = mkdtempSync(join(tmpdir(), `conformance-${process.pid}-`));

  private constructor(directory: string) {
    this.#directory = directory;
    chmodSync(this.#scratch, 0o711);
    this.programs = readdirSync(join(directory, "programs")).sort();
  }

  /** Builds it by the Go toolchain, from the module cache or proxy, unless that has been done. */
  static install(directory = join(DIRECTORY, VERSION)): Suite {
    const done = join(directory, "rootfs-amd64.tar.gz");
    if (!existsSync(done)) {
      build(join(directory, "programs"), [`${MODULE}/validation/...@${VERSION}`]);
      // It runs in the container, whose root has no dynamic linker.
      build(directory, [`${MODULE}/cmd/runtimetest@${VERSION}`]);
      const cache = execFileSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" }).trim();
      copyFileSync(join(cache, `${MODULE}@${VERSION}`, "rootfs-amd64.tar.gz"), done);
    }
    return new Suite(directory);
  }

  /** Runs one program with an OCI runtime, in a mount namespace of its own: some runtimes leave mounts behind. */
  run(program: string, runtime: string): Outcome {
    const path = join(this.#directory, "programs", program);
    const ended = spawnSync("unshare", ["--mount", "sh", "-c", WITH_CONTROLLERS, "sh", path], {
      cwd: this.#directory,
      env: { ...process.env, RUNTIME: runtime, TMPDIR: this.#scratch },
      encoding: "utf8",
      timeout: PROGRAM_MS,
      killSignal: "SIGKILL",
      maxBuffer: 16 << 20,
    });
    const points = readTap(ended.stdout);
    return { ...points, verdict: verdictOf(points, ended.status), output: `${ended.stdout}${ended.stderr}` };
  }

  /**
   * Removes what the programs leave: bundles, and the cgroups below `testdir` that linux.cgroupsPath names in them; and the mount points
   * of controllers.
   */
  [Symbol.dispose](): void {
    rmSync(this.#scratch, { recursive: true, force: true });
    spawnSync("unshare", ["--mount", "sh", "-c", WITHOUT_CONTROLLERS], { timeout: 30_000 });
    const find = [
      "/sys/fs/cgroup",
      "-depth",
      "-type",
      "d",
      "(",
      "-name",
      "testdir",
      "-o",
      "-path",
      "*/testdir/*",
      ")",
    ];
    const left = spawnSync("find", find, { encoding: "utf8" }).stdout.split("\n").filter(Boolean);
    const mountPoints = CONTROLLERS.map((name) => join("/sys/fs/cgroup", name));
    for (const directory of [...left, ...mountPoints]) {
      try {
        rmdirSync(directory);
      } catch {
        // Another's: one with processes stays, and a controller that has been there.
      }
    }
  }
}

/**
 * "pass": it ended with status 0, at least one point is ok, none is not. "fail": a point is not ok, or the program failed.
 * "skip": all its points are skipped. "silent": it ended with status 0 and printed no point: that says nothing.
 */
export type Verdict = "pass" | "fail" | "skip" | "silent";

export type Outcome = Points & { readonly verdict: Verdict; readonly output: string };

function verdictOf({ ok, skipped, notOk }: Points, status: number | null): Verdict {
  if (status !== 0 || notOk.length > 0) return "fail";
  if (ok > 0) return "pass";
  return skipped > 0 ? "skip" : "silent";
}

function build(directory: string, packages: readonly string[]): void {
  mkdirSync(directory, { recursive: true });
  execFileSync("go", ["install", ...packages], {
    env: { ...process.env, GOBIN: directory, CGO_ENABLED: "0" },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 600_000,
  });
}
