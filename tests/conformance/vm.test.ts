import { configurationFile, kataRuntime } from "../harness/programs.ts";
import { testColumn } from "./conformance.ts";
import { expected } from "./table.ts";

/**
 * Runs what of the OCI conformance suite has a meaning in a VM with kata-runtime, or, with CONFORMANCE_ALL=1, all of it. Warnings (a host
 * without KVM) go to a log: they are no output of the container's.
 */
const command = [kataRuntime, "--root", "%/state", "--log", "%/log", "--config", configurationFile];

const all = process.env.CONFORMANCE_ALL === "1";
const hasMeaning = (program: string) => expected[program]?.["not in a VM"] === undefined;

testColumn("kata-runtime", { command }, { atOnce: 2, isRun: (program) => all || hasMeaning(program) });
