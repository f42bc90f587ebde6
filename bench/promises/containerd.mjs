import { rmSync } from "node:fs";
import { withContainerd, withTask } from "../containerd.mjs";
import { kata, makeBundle, newId } from "../containers.mjs";
import { compare, lessRunc, must, pssKb, repeat, shellSeconds } from "../measure.mjs";
import { withOwnKernel } from "../own-kernel.mjs";

export const ctrRun = {
  name: "ctr-run",
  promise: "ctr run of true less runc's ≤ 1.15 × run",
  measure: () =>
    withContainerd(({ run }) => {
      const bundle = makeBundle(["true"]);
      /** @param {"runc" | "kata"} runtime */
      const once = (runtime) => shellSeconds(`${run(runtime, "--rm")} ${newId()} true`);
      try {
        return compare(
          () => once("kata") - once("runc"),
          () => shellSeconds(`${kata.join(" ")} run --bundle ${bundle} ${newId()}`),
          { limit: 1.15, pairs: 9, name: "run", unit: "s", digits: 2 },
        );
      } finally {
        rmSync(bundle, { recursive: true, force: true });
      }
    }),
};

export const templateCtr = {
  name: "template-ctr",
  promise: "ctr run from a template less runc's ≤ 0.7 s",
  measure: () =>
    withOwnKernel({ enable_template: true }, (file) =>
      withContainerd(({ run }) => {
        /** @param {"runc" | "kata"} runtime */
        const once = (runtime) => shellSeconds(`${run(runtime, "--rm")} ${newId()} true`);
        // The first one makes the template.
        once("kata");
        return lessRunc(once, 0.7);
      }, file),
    ),
};

export const ctrExec = {
  name: "ctr-exec",
  promise: "ctr task exec of true ≤ 0.3 s",
  measure: () =>
    withContainerd((containerd) =>
      withTask(containerd, (id) => {
        const once = () => shellSeconds(`${containerd.ctr} task exec --exec-id ${newId()} ${id} true`);
        once();
        return repeat(() => ({ s: once() }), { samples: 15, digits: 3, share: ({ s }) => s / 0.3 });
      }),
    ),
};

/** Containers of the pod whose memory is measured, besides its sandbox's. */
const MEMBERS = 8;

export const ctrMemory = {
  name: "ctr-memory",
  promise: "PSS of containerd's shim ≤ 10 MB, and ≤ 0.5 MB for each further container",
  measure: () =>
    withContainerd((containerd) =>
      repeat(() => podMemory(containerd), {
        samples: 3,
        digits: 2,
        share: (figures) => Math.max(figures["MB shim"] / 10, figures["MB a container"] / 0.5),
      }),
    ),
};

/** @param {import("../containerd.mjs").Containerd} containerd */
function podMemory(containerd) {
  const { run, ctr } = containerd;
  const sandbox = "--annotation io.kubernetes.cri.container-type=sandbox";
  return withTask(
    containerd,
    (pod) => {
      const pid = Number(
        must("/bin/sh", ["-c", `${ctr} task ls | awk '$1 == "${pod}" { print $2 }'`]).stdout,
      );
      const first = pssKb(pid);
      const member = `-d --annotation io.kubernetes.cri.container-type=container --annotation io.kubernetes.cri.sandbox-id=${pod} --with-ns network:/proc/${pid}/ns/net`;
      const ids = Array.from({ length: MEMBERS }, newId);
      try {
        for (const id of ids) must("/bin/sh", ["-c", `${run("kata", member)} ${id} sleep 600`]);
        return { "MB shim": first / 1024, "MB a container": (pssKb(pid) - first) / 1024 / MEMBERS };
      } finally {
        for (const id of ids)
          must("/bin/sh", ["-c", `${ctr} task rm -f ${id} > /dev/null 2>&1; ${ctr} container rm ${id}`]);
      }
    },
    sandbox,
  );
}

const mebibytes = 1024;

export const ctrStdout = {
  name: "ctr-stdout",
  promise: "stdout to ctr ≥ 150 MB/s, memory flat (≤ 2 MB)",
  measure: () =>
    withContainerd((containerd) =>
      withTask(containerd, (id) => {
        const { ctr } = containerd;
        const pid = Number(
          must("/bin/sh", ["-c", `${ctr} task ls | awk '$1 == "${id}" { print $2 }'`]).stdout,
        );
        stream(ctr, id, 64);
        const first = pssKb(pid);
        const once = () => ({
          "MB/s": (mebibytes * 2 ** 20) / 1e6 / stream(ctr, id, mebibytes),
          "MB shim": (pssKb(pid) - first) / 1024,
        });
        return repeat(once, {
          samples: 6,
          digits: 1,
          share: (figures) => Math.max(150 / figures["MB/s"], figures["MB shim"] / 2),
        });
      }),
    ),
};

/** Seconds in which count MiB of zeros come out of the container. @param {string} ctr @param {string} id @param {number} count */
function stream(ctr, id, count) {
  const started = performance.now();
  const exec = `${ctr} task exec --exec-id ${newId()} ${id} dd if=/dev/zero bs=1M count=${count}`;
  const { stdout } = must("/bin/bash", ["-o", "pipefail", "-c", `${exec} 2> /dev/null < /dev/null | wc -c`]);
  if (Number(stdout) !== count * 2 ** 20)
    throw new Error(`${count} MiB were written, ${stdout.trim()} bytes came`);
  return (performance.now() - started) / 1000;
}
