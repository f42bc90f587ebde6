import { runMain } from "@kata-containers/sys";
import { checkCommand } from "./check/check-command.ts";
import { envCommand } from "./env/env-command.ts";
import { featuresCommand } from "./env/features-command.ts";
import { specCommand } from "./env/spec-command.ts";
import { factoryCommand } from "./factory/factory-command.ts";
import { main } from "./main.ts";

// The commands of kata-runtime that need no container, in a bundle of their own: the others start faster without them.
const hostCommands = [checkCommand, envCommand, factoryCommand, featuresCommand, specCommand];

runMain((argv) => main(argv, hostCommands), "kata-runtime");
