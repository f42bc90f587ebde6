import { files } from "./rows/files.ts";
import { kernel } from "./rows/kernel.ts";
import { life } from "./rows/life.ts";
import { processes } from "./rows/processes.ts";
import { resources } from "./rows/resources.ts";
import type { Row } from "./rows/row.ts";
import { users } from "./rows/users.ts";

/** All of it. */
export const EVERYDAY: readonly Row[] = [...processes, ...users, ...files, ...resources, ...kernel, ...life];
