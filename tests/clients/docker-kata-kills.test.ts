import { startDocker } from "./engine.ts";
import { testKills } from "./kills.ts";

testKills(startDocker);
