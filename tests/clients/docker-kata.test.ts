import { compareRuntimes } from "./compare.ts";
import { startDocker } from "./engine.ts";
import { EVERYDAY } from "./everyday.ts";

compareRuntimes(
  startDocker,
  EVERYDAY.filter(({ only = "docker" }) => only === "docker"),
  "kata",
);
