import { join } from "node:path";
import { AgentService, Health } from "@kata-containers/protocols";
import { expect, test } from "vitest";
import { makeBundle } from "../harness/bundle.ts";
import { Guest } from "./guest.ts";
import { GuestContainer } from "./guest-container.ts";

const SHARE = {
  driver: "virtio-fs",
  source: "kataShared",
  fstype: "virtiofs",
  mountPoint: "/run/kata-containers/shared/containers/",
};
const BYTES = 256 << 20;

async function timed<T>(what: string, run: () => Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await run();
  console.log(`${what}: ${(performance.now() - start).toFixed(1)} ms`);
  return result;
}

/** Prints where time goes; KATA_MEASURE=1 switches it on. */
test.runIf(process.env.KATA_MEASURE)(
  "phases of a guest, from the exec of QEMU to an exec's end",
  async () => {
    await using guest = new Guest();
    const client = await guest.connect();
    await client.unary(Health.Check, {});
    console.log(`QEMU exec to Check: ${(performance.now() - guest.startedAt).toFixed(0)} ms`);
    await timed("Check again", () => client.unary(Health.Check, {}));
    await timed("CreateSandbox", () =>
      client.unary(AgentService.CreateSandbox, { hostname: "m", storages: [SHARE] }),
    );
    for (const id of ["a", "b", "c"]) {
      makeBundle(join(guest.shared, id));
      const box = await timed(`CreateContainer ${id}`, () => GuestContainer.create(client, id, ["true"]));
      await timed(`StartContainer ${id}`, () => box.start());
      await timed(`WaitProcess ${id}`, () => box.wait());
      await timed(`RemoveContainer ${id}`, () => box.remove());
    }
    makeBundle(join(guest.shared, "x"));
    const box = await GuestContainer.create(client, "x", ["sleep", "1000"]);
    await box.start();
    for (const e of ["e1", "e2", "e3", "e4"]) {
      await timed(`ExecProcess ${e}`, () => box.exec(e, ["true"]));
      await timed(`  WaitProcess ${e}`, () => box.wait(e));
    }
    await box.exec("dd", ["dd", "if=/dev/zero", `bs=${1 << 20}`, `count=${BYTES >> 20}`]);
    const start = performance.now();
    let read = 0;
    let replies = 0;
    for await (const part of box.chunks("stdout", "dd")) {
      read += part.length;
      replies++;
    }
    const seconds = (performance.now() - start) / 1000;
    console.log(
      `ReadStdout: ${(read / 1e6 / seconds).toFixed(0)} MB/s, ${(read / replies / 1024).toFixed(0)} KiB a reply`,
    );
    expect(read).toBe(BYTES);
  },
);
