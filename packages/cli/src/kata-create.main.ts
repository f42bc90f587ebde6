import { runMain } from "@kata-containers/sys";
import { createCommand } from "./create/create-command.ts";
import { execCommand } from "./create/exec-command.ts";
import { runCommand } from "./create/run-command.ts";
import { updateCommand } from "./create/update-command.ts";
import { main } from "./main.ts";

// The commands of kata-runtime that make a process or change a container: what is asked about one starts faster without them.
runMain((argv) => main(argv, [createCommand, runCommand, execCommand, updateCommand]), "kata-runtime");
