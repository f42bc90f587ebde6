import { compareRuntimes } from "./compare.ts";
import { startDocker } from "./engine.ts";
import { EVERYDAY } from "./everyday.ts";
import { machine } from "./rows/machine.ts";

compareRuntimes(
  startDocker,
  [...EVERYDAY, ...machine].filter(({ only = "docker" }) => only === "docker"),
  "kata",
);
