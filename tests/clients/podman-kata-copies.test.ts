import { startPodman } from "./engine.ts";
import { testHostileCopies } from "./hostile-copies.ts";

testHostileCopies(startPodman);
