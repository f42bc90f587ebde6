import { parseResources, type Resources } from "@kata-containers/oci";
import { KataError, MAX_TEXT_BYTES, ops } from "@kata-containers/sys";
import { parseByteSize } from "../byte-size.ts";
import type { Values } from "../command.ts";
import { type Limit, limitOptions, type resourcesOption } from "../commands/update-options.ts";
import { absolutePath } from "../paths.ts";

type UpdateOptions = typeof limitOptions & typeof resourcesOption;

/**
 * The limits that are asked for, by options or by a file: of both, as with runc, the file counts, and the options are not looked at.
 * @returns undefined when there are none
 * @throws KataError InvalidArgument
 */
export async function wantedResources(values: Values<UpdateOptions>): Promise<Resources | undefined> {
  if (values.resources !== undefined) return await fromFile(values.resources);
  const texts = new Map<string, unknown>(Object.entries(values));
  const given = Object.entries(limitOptions).flatMap(([name, option]) => {
    const text = texts.get(name);
    return typeof text === "string" ? [{ name, option, text }] : [];
  });
  return given.length === 0 ? undefined : fromOptions(given);
}

function fromOptions(given: readonly { name: string; option: Limit; text: string }[]): Resources {
  const resources: Record<string, Record<string, number | string>> = {};
  for (const { name, option, text } of given) {
    const [group, member] = option.path;
    resources[group] = { ...resources[group], [member]: readValue(name, option, text) };
  }
  // Through the parser of files: one place that says what resources are.
  return parseResources(JSON.stringify(resources), "update");
}

const EXPECTED = { bytes: "a size (512m, 1g, bytes, -1)", unsigned: "a number", signed: "a number, or -1" };

function readValue(name: string, { kind }: Limit, text: string): number | string {
  if (kind === "text") return text;
  const integer = /^-?\d{1,15}$/.test(text) ? Number(text) : undefined;
  const number = kind === "bytes" ? parseByteSize(text) : integer;
  if (number === undefined || (kind === "unsigned" && number < 0)) {
    throw wrong(`invalid value for ${name}: ${JSON.stringify(text)} is not ${EXPECTED[kind]}`);
  }
  return number;
}

async function fromFile(file: string): Promise<Resources> {
  if (file === "-") return parseResources(await readStdin(), "standard input");
  const path = absolutePath(file);
  try {
    return parseResources(ops.readFile(path, MAX_TEXT_BYTES), path);
  } catch (error) {
    throw KataError.from(error, "cannot read the resources");
  }
}

/** To its end; it may be a pipe, a socket or a terminal. */
async function readStdin(): Promise<string> {
  let text = "";
  while (text.length < MAX_TEXT_BYTES) {
    const bytes = await ops.read(0, 64 << 10);
    if (bytes.length === 0) return text;
    // Resources are ASCII: a character cut in two is wrong anyway.
    text += ops.utf8Decode(bytes);
  }
  throw wrong(`standard input: more than ${MAX_TEXT_BYTES} bytes`);
}

function wrong(message: string): KataError {
  return new KataError("InvalidArgument", `update: ${message}`);
}
