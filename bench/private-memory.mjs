// Memory that a sandbox's processes have for themselves.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { isBelow } from "./machine.mjs";

/**
 * What is free again when a sandbox ends, in KiB: private pages of its processes, by smaps, and the files of memory that they share among
 * themselves, each once, as the guest's memory is. Not in it: what a program shares with the same one of another sandbox, and TCG's buffer
 * for translated code.
 * @param {number[]} roots a process of the sandbox's and those below it
 */
export function privateKb(roots) {
  const pids = roots.flatMap(withDescendants);
  const mappings = pids.flatMap(mappingsOf);
  const own = mappings.filter((each) => !isShared(each) && !isCodeBuffer(each));
  const files = new Map(mappings.filter(isShared).map((each) => [each.file, each.path]));
  return sum(own.map(({ kb }) => kb)) + sum([...files.values()].map(allocatedKb));
}

/** @param {number} root @returns {number[]} */
function withDescendants(root) {
  const pids = readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  return [root, ...pids.map(Number).filter((pid) => isDescendant(pid, root))];
}

/** @param {number} pid @param {number} root */
function isDescendant(pid, root) {
  try {
    return isBelow(pid, root);
  } catch {
    // It ended meanwhile.
    return false;
  }
}

/**
 * @typedef {object} Mapping
 * @property {string} modes as `rw-s`
 * @property {string} file its device and inode; that of anonymous memory is 0
 * @property {string} path at which the file can be looked at, whatever became of its name
 * @property {number} kb private
 */

/** See proc(5), /proc/pid/smaps. @param {number} pid @returns {Mapping[]} */
function mappingsOf(pid) {
  /** @type {Mapping[]} */
  const mappings = [];
  for (const line of readFileSync(`/proc/${pid}/smaps`, "utf8").split("\n")) {
    const head = /^([0-9a-f]+-[0-9a-f]+) (\S{4}) \S+ (\S+ \d+)/.exec(line);
    const kb = /^Private_(?:Clean|Dirty): +(\d+) kB/.exec(line);
    const last = mappings.at(-1);
    if (head !== null) {
      const [, range = "", modes = "", file = ""] = head;
      mappings.push({ modes, file, path: `/proc/${pid}/map_files/${range}`, kb: 0 });
    } else if (kb !== null && last !== undefined) last.kb += Number(kb[1]);
  }
  return mappings;
}

/** @param {Mapping} mapping */
const isShared = ({ modes }) => modes.endsWith("s");

/** Nobody else writes code and runs it. @param {Mapping} mapping */
const isCodeBuffer = ({ modes, file }) => modes === "rwxp" && file.endsWith(" 0");

/** What a file of memory takes; one on a disk takes none. @param {string} path */
function allocatedKb(path) {
  const stat = statSync(path);
  return stat.isFile() ? stat.blocks / 2 : 0;
}

/** @param {number[]} numbers */
const sum = (numbers) => numbers.reduce((total, each) => total + each, 0);
