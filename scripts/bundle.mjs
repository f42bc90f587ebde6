// Bundles every program and packs the bundles behind the engine: TypeScript changes need no Rust build.
//
//   node scripts/bundle.mjs [--test]
//
// Needs target/x86_64-unknown-linux-gnu/release/kata-engine (cargo build --release -p kata-engine). Makes
//   build/bin/<program>           hard links to one file: the engine with all bundles (crates/engine/src/pack.rs has the format)
//   build/guest/kata-agent        the engine with the agent alone, also under the name "init"
//   build/test/engine-tests       with --test: the engine with the tests of the ops
// A program whose main file is not there yet is left out. KATA_ENGINE names another engine file.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const engine = process.env.KATA_ENGINE ?? join(root, "target/x86_64-unknown-linux-gnu/release/kata-engine");
const work = join(root, "build/bundles");

/** Program → its main file. */
const PROGRAMS = {
  "kata-runtime": "packages/cli/src/kata-runtime.main.ts",
  "containerd-shim-kata-v2": "packages/shim/src/daemon/containerd-shim-kata-v2.main.ts",
  "kata-shim": "packages/shim/src/kata-shim/kata-shim.main.ts",
  runk: "packages/tools/src/runk/runk.main.ts",
  "kata-agent": "packages/agent/src/kata-agent.main.ts",
  "kata-create": "packages/cli/src/kata-create.main.ts",
  "kata-host": "packages/cli/src/kata-host.main.ts",
  "kata-task": "packages/shim/src/task/kata-task.main.ts",
};
/** Programs that only ours run, by argv[0]: they have no name on disk. */
const NAMELESS = new Set(["kata-create", "kata-host", "kata-task"]);
/** Other names a program is run by: the kernel starts the guest's first process as /init. */
const ALIASES = { "kata-agent": ["init"] };
const TESTS = {
  "engine-tests": "packages/sys/src/engine-tests/engine-tests.main.ts",
  "compile-config": "packages/launch/src/engine-tests/compile-config.main.ts",
  "ttrpc-engine": "packages/ttrpc/src/engine-tests/ttrpc-engine.main.ts",
};

const PAGE = 4096;

/** The commit the tree is at, with "-dirty" when files differ from it; "unknown" without git or a repository of our own. */
function commit() {
  // Sources unpacked inside another repository must not bear that one's commit. A git worktree's .git is a file.
  if (!existsSync(join(root, ".git"))) return "unknown";
  try {
    const git = ["describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"];
    return execFileSync("git", git, {
      cwd: root,
      encoding: "utf8",
      stdio: ["ignore", "pipe", "ignore"],
    }).trim();
  } catch {
    return "unknown";
  }
}

/** What packages/sys/src/version.ts declares. */
const VERSION_CONSTANTS = {
  KATA_VERSION: JSON.stringify(
    JSON.parse(readFileSync(join(root, "packages/cli/package.json"), "utf8")).version,
  ),
  KATA_COMMIT: JSON.stringify(commit()),
};

/** @typedef {{name: string, code: Buffer, map: Buffer}} Bundle */

/**
 * Bundles one program and compiles it to bytecode: positions kept, source left out.
 * @param {string} name
 * @param {string} main
 * @returns {Promise<Bundle>}
 */
async function bundle(name, main) {
  const outfile = join(work, `${name}.js`);
  await build({
    absWorkingDir: root,
    entryPoints: [main],
    // Classes with [Symbol.dispose] need the symbol when they are defined.
    inject: ["packages/sys/src/polyfill.ts"],
    outfile,
    bundle: true,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["import"],
    // QuickJS has ES2023; `using` is the one thing of ours that it lacks.
    target: "es2023",
    supported: { using: false },
    charset: "utf8",
    define: VERSION_CONSTANTS,
    treeShaking: true,
    legalComments: "none",
    sourcemap: "external",
    sourcesContent: false,
    sourceRoot: "",
    logLevel: "warning",
  });
  const bytecode = join(work, `${name}.bytecode`);
  execFileSync(engine, ["compile", outfile, bytecode], { stdio: "inherit" });
  const map = JSON.parse(readFileSync(`${outfile}.map`, "utf8"));
  // Names as in the repository, whatever directory the bundle lies in.
  const sources = map.sources.map((/** @type {string} */ source) => relative(root, join(work, source)));
  const slim = JSON.stringify({ version: 3, sources, mappings: map.mappings });
  return { name, code: readFileSync(bytecode), map: Buffer.from(slim) };
}

/**
 * The engine with bundles behind it, as crates/engine/src/pack.rs reads it.
 * @param {Bundle[]} bundles
 */
function packed(bundles) {
  const parts = [readFileSync(engine)];
  let size = parts[0].length;
  const add = (/** @type {Buffer} */ part) => {
    parts.push(part);
    size += part.length;
    return size - part.length;
  };
  let index = "";
  for (const { name, code, map } of bundles) {
    add(Buffer.alloc((PAGE - (size % PAGE)) % PAGE));
    const place = `${add(code)} ${code.length} ${add(map)} ${map.length}`;
    for (const alias of [name, ...(ALIASES[/** @type {keyof typeof ALIASES} */ (name)] ?? [])]) {
      index += `${alias} ${place}\n`;
    }
  }
  const at = add(Buffer.from(index));
  const trailer = Buffer.alloc(24);
  trailer.write("KATAPACK", "latin1");
  trailer.writeBigUInt64LE(BigInt(at), 8);
  trailer.writeBigUInt64LE(BigInt(index.length), 16);
  add(trailer);
  return Buffer.concat(parts);
}

/**
 * Writes the file under every name, hard-linked. Replaces, never writes into, a file that may be running.
 * @param {string} directory
 * @param {Bundle[]} bundles
 */
function install(directory, bundles) {
  if (bundles.length === 0) return;
  const target = join(root, directory);
  mkdirSync(target, { recursive: true });
  const fresh = join(target, ".fresh");
  writeFileSync(fresh, packed(bundles), { mode: 0o755 });
  for (const { name } of bundles) {
    if (NAMELESS.has(name)) continue;
    const link = join(target, `.${name}`);
    rmSync(link, { force: true });
    linkSync(fresh, link);
    renameSync(link, join(target, name));
  }
  const size = (statSync(fresh).size / 1e6).toFixed(1);
  rmSync(fresh);
  console.log(
    `${directory}: ${bundles.map(({ name, code }) => `${name} (${code.length >> 10} KiB)`).join(", ")}; ${size} MB`,
  );
}

if (!existsSync(engine)) {
  console.error(`bundle: no engine at ${relative(root, engine)}: run cargo build --release -p kata-engine`);
  process.exit(1);
}
mkdirSync(work, { recursive: true });
/** Programs that could not be bundled. @type {string[]} */
const broken = [];

/**
 * Bundles of the programs that are there; one that is broken does not keep the others back.
 * @param {Record<string, string>} programs
 * @param {string} directory
 */
async function bundles(programs, directory) {
  const present = Object.entries(programs).filter(([, main]) => existsSync(join(root, main)));
  const outcomes = await Promise.allSettled(present.map(([name, main]) => bundle(name, main)));
  return outcomes.flatMap((outcome, index) => {
    if (outcome.status === "fulfilled") return [outcome.value];
    const name = present[index]?.[0] ?? "";
    broken.push(name);
    rmSync(join(root, directory, name), { force: true });
    return [];
  });
}

if (process.argv.includes("--test")) install("build/test", await bundles(TESTS, "build/test"));
else {
  const made = await bundles(PROGRAMS, "build/bin");
  install("build/bin", made);
  install(
    "build/guest",
    made.filter(({ name }) => name === "kata-agent"),
  );
}
if (broken.length > 0) {
  console.error(`bundle: could not bundle ${broken.join(", ")} (see above)`);
  process.exitCode = 1;
}
