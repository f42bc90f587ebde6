import { runMain } from "@kata-containers/sys";
import { main } from "./main.ts";

runMain(main);
