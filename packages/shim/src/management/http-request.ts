/** What a client asks, as far as this server looks at it: it has nothing that a body could be for. */
export interface HttpRequest {
  readonly method: string;
  /** Without the query. */
  readonly path: string;
  /** Whether the connection is used for another request after this one. */
  readonly keepAlive: boolean;
}

/** Why a head is none (RFC 9110, 15). */
export type Refusal = 400 | 505;

const TOKEN = "[!#$%&'*+.^_`|~0-9A-Za-z-]+";
const REQUEST_LINE = new RegExp(`^(${TOKEN}) ([!-~]+) HTTP/(\\d)\\.(\\d)$`);
const FIELD_LINE = new RegExp(`^(${TOKEN}):[ \\t]*(.*)$`);

/**
 * Reads the head of a request of HTTP/1.0 or 1.1 (RFC 9112): request line and fields, without the empty line behind them.
 * @returns the status to refuse it with when it is none
 */
export function parseHead(head: string): HttpRequest | Refusal {
  const [line = "", ...fieldLines] = head.split("\r\n");
  const [, method = "", target = "", major, minor] = REQUEST_LINE.exec(line) ?? [];
  if (method === "") return 400;
  if (major !== "1") return 505;
  const fields = parseFields(fieldLines);
  const path = pathOf(target);
  if (fields === undefined || path === undefined) return 400;
  const hosts = fields.get("host")?.length ?? 0;
  if (hosts > 1 || (hosts === 0 && minor !== "0")) return 400;
  const body = hasBody(fields);
  if (body === undefined) return 400;
  const connection = (fields.get("connection") ?? []).join(",").toLowerCase().split(",");
  const close = connection.some((each) => each.trim() === "close");
  // A body is not read: nobody knows where the next request would begin.
  return { method, path, keepAlive: minor !== "0" && !close && !body };
}

type Fields = ReadonlyMap<string, readonly string[]>;

/** By their names in lower case. undefined: a line is no field. */
function parseFields(lines: readonly string[]): Fields | undefined {
  const fields = new Map<string, string[]>();
  for (const line of lines) {
    const [, name, value = ""] = FIELD_LINE.exec(line) ?? [];
    // A line that goes on with the one before it begins with white space, and is refused as well (RFC 9112, 5.2).
    if (name === undefined || hasControl(value)) return undefined;
    const values = fields.get(name.toLowerCase()) ?? [];
    values.push(value.trim());
    fields.set(name.toLowerCase(), values);
  }
  return fields;
}

function hasControl(value: string): boolean {
  for (let at = 0; at < value.length; at++) {
    const code = value.charCodeAt(at);
    if ((code < 0x20 && code !== 0x09) || code === 0x7f) return true;
  }
  return false;
}

/** Of "/path?query" and "http://host/path?query" the path. */
function pathOf(target: string): string | undefined {
  const [, path] = /^(?:https?:\/\/[^/?#]+)?(\/[^?#]*)(?:\?[^#]*)?$/i.exec(target) ?? [];
  return path;
}

/** undefined: its length is none. */
function hasBody(fields: Fields): boolean | undefined {
  const lengths = fields.get("content-length") ?? [];
  if (!lengths.every((each) => /^\d{1,15}$/.test(each)) || new Set(lengths).size > 1) return undefined;
  return fields.has("transfer-encoding") || Number(lengths[0] ?? 0) > 0;
}
