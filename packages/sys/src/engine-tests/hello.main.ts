// The smallest program: what the engine itself costs at start-up, and (`pump`) what its pump moves (SPECIFICATION.md).
import { Fd, ops, runMain } from "../index.ts";

/** Moves 4 GiB from one program's pipe to another's; prints MB/s. */
async function pumpBench(): Promise<void> {
  const [fromRead = -1, fromWrite = -1] = ops.pipe();
  const [toRead = -1, toWrite = -1] = ops.pipe();
  for (const fd of [fromWrite, toWrite]) ops.setPipeSize(fd, 1 << 20);
  const env = ["PATH=/usr/bin:/bin"];
  const sh = (command: string, fds: { from: number; to: number }[]) =>
    new Fd(ops.spawn({ path: "/bin/sh", argv: ["sh", "-c", command], env, fds }).pidfd);
  using writer = sh("dd if=/dev/zero bs=1M count=4096 2>/dev/null", [{ from: fromWrite, to: 1 }]);
  using reader = sh("dd of=/dev/null bs=1M 2>/dev/null", [{ from: toRead, to: 0 }]);
  ops.close(fromWrite);
  ops.close(toRead);
  const start = ops.monotonicMs();
  const copied = await ops.pump(fromRead, toWrite);
  ops.close(toWrite);
  await ops.waitPidfd(writer.number);
  await ops.waitPidfd(reader.number);
  console.log(
    `${Math.round(copied / 1e3 / (ops.monotonicMs() - start))} MB/s, ${ops.memoryUse().peakRssKb} KB peak`,
  );
}

runMain(async (argv) => {
  if (argv[1] === "memory") console.log(JSON.stringify(ops.memoryUse()));
  if (argv[1] === "pump") await pumpBench();
  return 0;
});
