import { runMain } from "@kata-containers/sys";
import { commands } from "./commands.ts";
import { main } from "./main.ts";

runMain((argv) => main(argv, commands));
