import { it } from "vitest";
import { useRuntime } from "../harness/runtime.ts";
import { copyTemplates } from "../harness/templates.ts";
import { expectNoTwins } from "../harness/twins.ts";

const COPIES = Number(process.env.KATA_TEMPLATE_COPIES ?? 200);

const runtime = useRuntime();

it(
  `no two of ${COPIES} copies of a template have randomness, addresses or names in common`,
  async () => {
    copyTemplates(runtime, runtime.scratch.join("templates"));
    await expectNoTwins(runtime, COPIES);
  },
  COPIES * 30_000,
);
