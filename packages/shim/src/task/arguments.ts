import { validateContainerId } from "@kata-containers/oci";
import { KataError } from "@kata-containers/sys";

/** The shim's command line: containerd's contract (core/runtime/v2/README.md), flags as Go's package flag reads them. */
export interface ShimArguments {
  readonly verb: "start" | "delete" | "serve" | "info" | "version" | "help";
  /** containerd's namespace. */
  readonly namespace: string;
  /** containerd's socket. */
  readonly address: string;
  /** The program that publishes events where TTRPC_ADDRESS is not set: containerd itself. */
  readonly publishBinary: string;
  readonly id: string;
  /** undefined: the working directory. */
  readonly bundle: string | undefined;
  readonly debug: boolean;
}

const TEXTS = ["namespace", "address", "publish-binary", "id", "bundle", "socket"] as const;
const SWITCHES = ["debug", "info", "v", "version", "h", "help"] as const;
type Text = (typeof TEXTS)[number];
type Switch = (typeof SWITCHES)[number];

/** containerd's identifiers (pkg/identifiers): alphanumeric words joined by single ".", "_" or "-", at most 76 bytes. */
const IDENTIFIER = /^(?=.{1,76}$)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$/;

/**
 * Reads `[-namespace NS] [-address SOCKET] [-publish-binary PATH] [-id ID] [-bundle DIR] [-debug] [start|delete]`, `-info`, `-v`. Without a
 * verb it serves, which only `start` asks for.
 * @throws KataError InvalidArgument
 */
export function parseShimArguments(args: readonly string[]): ShimArguments {
  const texts = new Map<Text, string>();
  const switches = new Set<Switch>();
  let at = 0;
  for (; at < args.length; at++) {
    const arg = args[at] ?? "";
    if (arg === "--") {
      at++;
      break;
    }
    const [, name = "", given] = /^--?([a-z][a-z-]*)(?:=(.*))?$/s.exec(arg) ?? [];
    if (name === "" && !arg.startsWith("-")) break;
    const text = TEXTS.find((each) => each === name);
    const toggle = SWITCHES.find((each) => each === name);
    if (text !== undefined) {
      const value = given ?? args[++at];
      if (value === undefined) throw invalid(`${arg}: needs a value`);
      texts.set(text, value);
    } else if (toggle !== undefined) {
      if (readSwitch(arg, given)) switches.add(toggle);
    } else throw invalid(`${arg}: unknown option`);
  }
  const [verb, ...more] = args.slice(at);
  if (more.length > 0) throw invalid(`${more.join(" ")}: nothing follows ${verb}`);
  // The address is ours to choose.
  if (texts.get("socket")) throw invalid("-socket: is not supported: the shim makes its socket itself");
  return {
    verb: verbOf(verb, switches),
    namespace: texts.get("namespace") ?? "",
    address: texts.get("address") ?? "",
    publishBinary: texts.get("publish-binary") ?? "",
    id: texts.get("id") ?? "",
    bundle: texts.get("bundle") || undefined,
    debug: switches.has("debug"),
  };
}

/** @throws KataError InvalidArgument when namespace or id is missing, or none. */
export function checkShimArguments({ namespace, id }: ShimArguments): void {
  if (namespace === "") throw invalid("shim namespace cannot be empty");
  if (!IDENTIFIER.test(namespace))
    throw invalid(`-namespace ${JSON.stringify(namespace)}: is no identifier of containerd`);
  validateContainerId(id);
}

function verbOf(verb: string | undefined, switches: ReadonlySet<Switch>): ShimArguments["verb"] {
  if (switches.has("v") || switches.has("version")) return "version";
  if (switches.has("h") || switches.has("help")) return "help";
  if (switches.has("info")) return "info";
  if (verb === undefined) return "serve";
  if (verb === "start" || verb === "delete") return verb;
  throw invalid(`${verb}: is no command of a shim (start, delete)`);
}

function readSwitch(arg: string, given: string | undefined): boolean {
  if (given === undefined || ["1", "t", "T", "true", "TRUE", "True"].includes(given)) return true;
  if (["0", "f", "F", "false", "FALSE", "False"].includes(given)) return false;
  throw invalid(`${arg}: is neither true nor false`);
}

function invalid(message: string): KataError {
  return new KataError("InvalidArgument", message);
}
