import { runMain } from "@kata-containers/sys";
import { kataShim } from "./kata-shim.ts";

runMain(kataShim);
