import { startPodman } from "./engine.ts";
import { testKills } from "./kills.ts";

testKills(startPodman);
