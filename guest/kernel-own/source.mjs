// Debian's kernel source, without installing it: the package is downloaded and unpacked into the cache, one directory
// a version.

import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync } from "node:fs";
import { join } from "node:path";

const PACKAGE = "linux-source-6.1";
const TARBALL = `usr/src/${PACKAGE}.tar.xz`;

const run = (program, args, options = {}) =>
  execFileSync(program, args, { encoding: "utf8", stdio: ["ignore", "pipe", "inherit"], ...options });

/** The version apt would install today, or undefined when apt knows none. */
function candidateVersion() {
  try {
    const shown = run("apt-cache", ["show", "--no-all-versions", PACKAGE], {
      stdio: ["ignore", "pipe", "ignore"],
    });
    return /^Version: (\S+)$/m.exec(shown)?.[1];
  } catch {
    return undefined;
  }
}

/**
 * Name of the source to build, `linux-source-6.1_<version>`: apt's candidate, or the newest in the cache on a machine
 * whose apt knows none; undefined when there is neither.
 */
export function resolveSource(cache) {
  const version = candidateVersion();
  if (version !== undefined) return `${PACKAGE}_${version.replaceAll(":", "%3a")}`;
  const cached = existsSync(cache) ? readdirSync(cache).filter((name) => name.startsWith(`${PACKAGE}_`)) : [];
  return cached.sort((a, b) => a.localeCompare(b, "en", { numeric: true })).at(-1);
}

/** Downloads and unpacks a source once; returns its directory. What is there is complete: it is renamed into place. */
export function unpackSource(cache, source) {
  const directory = join(cache, source);
  if (existsSync(directory)) return directory;
  mkdirSync(cache, { recursive: true });
  const work = mkdtempSync(join(cache, ".unpack-"));
  try {
    const wanted = source.replace("_", "=").replaceAll("%3a", ":");
    run("apt-get", ["download", "-q", "-o", "APT::Sandbox::User=root", wanted], { cwd: work });
    const deb = readdirSync(work).find((name) => name.endsWith(".deb"));
    if (deb === undefined) throw new Error(`apt-get download ${wanted} left no .deb`);
    run("dpkg-deb", ["-x", join(work, deb), join(work, "package")]);
    mkdirSync(join(work, "tree"));
    run("tar", ["-xf", join(work, "package", TARBALL), "-C", join(work, "tree"), "--strip-components=1"]);
    renameSync(join(work, "tree"), directory);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  return directory;
}
