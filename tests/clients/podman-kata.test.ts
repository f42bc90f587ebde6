import { compareRuntimes } from "./compare.ts";
import { startPodman } from "./engine.ts";
import { EVERYDAY } from "./everyday.ts";

compareRuntimes(
  startPodman,
  EVERYDAY.filter(({ only = "podman" }) => only === "podman"),
  "kata",
);
