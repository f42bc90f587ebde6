import { startDocker } from "./engine.ts";
import { testHostileCopies } from "./hostile-copies.ts";

testHostileCopies(startDocker);
