import { ops, runMain } from "../index.ts";

async function probe(): Promise<void> {
  const [r = -1, w = -1] = ops.pipe();
  ops.close(w);
  ops.close(r);
  await ops.read(r, 10);
}

function sync(): void {
  ops.open("/nonexistent", 0, 0);
}

runMain(async (argv) => {
  console.error(argv.join(" "));
  try {
    sync();
  } catch (e) {
    if (e instanceof Error) console.error(`${e.name} ${e.message}\n${e.stack}`);
  }
  await probe();
  return 0;
});
