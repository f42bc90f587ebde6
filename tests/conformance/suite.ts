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
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { goInstall } from "../harness/go-install.ts";
import { run } from "../harness/process.ts";
import { CONTROLLERS, type OciRuntime, WITHOUT_CONTROLLERS, wrapperOf } from "./runtimes.ts";
import { type Points, readTap } from "./tap.ts";

/** Pinned: a newer suite has other points. */
const VERSION = "v0.9.1-0.20251205004911-5e639034dcdc";
const MODULE = "github.com/opencontainers/runtime-tools";

/** Of the repository, which is the current directory of tests and benches. */
export const DIRECTORY = resolve("build/conformance");

/** How long one program may take: most take 1 to 3 s, for they ask once a second; those with six virtual machines take 30 s. */
const PROGRAM_SECONDS = 240;
/** The same for what follows it, milliseconds. */
const CLEANUP_MS = 120_000;

/** Runs the program "$2" on a host made ready by "$1", and ends what it leaves of the runtime's, by id. */
const RUN = `
eval "$1"
timeout --signal=KILL ${PROGRAM_SECONDS} "$2"
status=$?
for id in $("$RUNTIME" list --quiet); do "$RUNTIME" delete --force "$id"; done >&2
exit $status`;

/** The OCI conformance suite (opencontainers/runtime-tools, validation/): its programs, and what they need beside them. */
export class Suite implements Disposable {
  readonly programs: readonly string[];
  readonly #directory: string;
  readonly #scratch = mkdtempSync(join(tmpdir(), `conformance-${process.pid}-`));
  #runs = 0;

  private constructor(directory: string) {
    this.#directory = directory;
    chmodSync(this.#scratch, 0o711);
    this.programs = readdirSync(join(directory, "programs")).sort();
  }

  /** Builds it by the Go toolchain, from the module cache or proxy, unless that has been done. */
  static install(directory = join(DIRECTORY, VERSION)): Suite {
    const done = join(directory, "rootfs-amd64.tar.gz");
    if (!existsSync(done)) {
      goInstall(join(directory, "programs"), [`${MODULE}/validation/...@${VERSION}`]);
      // It runs in the container, whose root has no dynamic linker.
      goInstall(directory, [`${MODULE}/cmd/runtimetest@${VERSION}`]);
      const cache = execFileSync("go", ["env", "GOMODCACHE"], { encoding: "utf8" }).trim();
      copyFileSync(join(cache, `${MODULE}@${VERSION}`, "rootfs-amd64.tar.gz"), done);
    }
    return new Suite(directory);
  }

  /**
   * Runs one program with an OCI runtime, in a mount namespace of its own, for some runtimes leave mounts behind, and with a state
   * root of its own.
   */
  async run(program: string, runtime: OciRuntime): Promise<Outcome> {
    const scratch = this.#newDirectory();
    const wrapper = join(scratch, "runtime");
    writeFileSync(wrapper, wrapperOf(runtime, scratch), { mode: 0o755 });
    const began = performance.now();
    const path = join(this.#directory, "programs", program);
    const ended = await run("unshare", ["--mount", "sh", "-c", RUN, "sh", runtime.host ?? "", path], {
      cwd: this.#directory,
      env: { ...process.env, RUNTIME: wrapper, TMPDIR: scratch },
      timeoutMs: PROGRAM_SECONDS * 1000 + CLEANUP_MS,
    });
    const seconds = (performance.now() - began) / 1000;
    const points = readTap(ended.stdout);
    const output = `${ended.stdout}${ended.stderr}`;
    return { ...points, verdict: verdictOf(points, ended.status), seconds, output };
  }

  /** Programs leave their bundles there, which users of a user namespace have to reach. */
  #newDirectory(): string {
    const directory = join(this.#scratch, String(this.#runs++));
    mkdirSync(directory);
    chmodSync(directory, 0o711);
    return directory;
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

export type Outcome = Points & {
  readonly verdict: Verdict;
  readonly seconds: number;
  readonly output: string;
};

function verdictOf({ ok, skipped, notOk }: Points, status: number): Verdict {
  if (status !== 0 || notOk.length > 0) return "fail";
  if (ok > 0) return "pass";
  return skipped > 0 ? "skip" : "silent";
}
