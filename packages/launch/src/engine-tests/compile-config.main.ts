// How long a config.json takes to become a plan, cold, as in a runtime that runs one command (SPECIFICATION.md).
//
//   compile-config CONFIG [ROUNDS]
//
// Prints milliseconds: of the first round in this process, and the median of all.
import { parseSpec } from "@kata-containers/oci";
import { MAX_TEXT_BYTES, ops, runMain } from "@kata-containers/sys";
import { compileContainer, readHostFacts } from "../index.ts";

function compile(text: Uint8Array): { parse: number; compile: number; plan: number } {
  const start = ops.monotonicMs();
  const spec = parseSpec(text);
  const parsed = ops.monotonicMs();
  const { plan } = compileContainer(spec, facts, { id: "x", bundle: "/bundle" });
  const compiled = ops.monotonicMs();
  JSON.stringify(plan);
  return { parse: parsed - start, compile: compiled - parsed, plan: ops.monotonicMs() - start };
}

const facts = readHostFacts();

runMain(async (argv) => {
  const [, path = "config.json", rounds = "1"] = argv;
  const text = ops.readFile(path, MAX_TEXT_BYTES);
  const all = Array.from({ length: Number(rounds) }, () => compile(text));
  const [first] = all;
  const sorted = all.map(({ plan }) => plan).sort((a, b) => a - b);
  console.log(JSON.stringify({ first, median: sorted[sorted.length >> 1] }));
  return 0;
});
