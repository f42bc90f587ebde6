import { testColumn } from "./conformance.ts";
import { NATIVE } from "./runtimes.ts";

/** Runs the OCI conformance suite on the host with runk, unless CONFORMANCE_RUNTIME says runc or crun. */
const name = process.env.CONFORMANCE_RUNTIME ?? "runk";
const runtime = Object.entries(NATIVE).find(([each]) => each === name)?.[1];
if (runtime === undefined) throw new Error(`CONFORMANCE_RUNTIME: ${name} is none of ${Object.keys(NATIVE)}`);

testColumn(name, runtime, { atOnce: 2 });
