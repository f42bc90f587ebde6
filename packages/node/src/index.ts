// The library for Node.js programs: loads the native ops from beside the file that this is bundled into.
import { loadNodeAddon } from "@kata-containers/sys";

export { KataError } from "@kata-containers/sys";
export type {
  Container,
  ContainerOptions,
  ExecOptions,
  InputStream,
  OutputStream,
  Process,
  Sandbox,
  SandboxOptions,
  Stdio,
  StdioOptions,
} from "./api.ts";
export { createSandbox } from "./create-sandbox.ts";
export { openSandbox } from "./open-sandbox.ts";

declare global {
  interface ImportMeta {
    /** file:// of the module. */
    url: string;
  }
}

loadNodeAddon(decodeURIComponent(import.meta.url).replace(/^file:\/\/(.*)\/[^/]*$/, "$1/kata-sys.node"));
