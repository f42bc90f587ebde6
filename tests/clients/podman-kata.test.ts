import { compareRuntimes } from "./compare.ts";
import { startPodman } from "./engine.ts";
import { EVERYDAY } from "./everyday.ts";
import { machine } from "./rows/machine.ts";

compareRuntimes(
  startPodman,
  [...EVERYDAY, ...machine].filter(({ only = "podman" }) => only === "podman"),
  "kata",
);
