// Checks the borders between packages (design: "a folder's index.ts is its public face"), static and dynamic imports alike:
//  - a package imports another by its name only, never a path behind it, and names it in its package.json;
//  - product code imports nothing of Node (packages/sys/src/node-addon.ts loads the ops there, and needs no import for it);
//  - relative imports stay inside the package;
//  - the packages' imports have no cycle;
//  - what is no package (tests, benches, scripts) imports a package by its name too; it and tests may have `/testing` of one.
//
//   node scripts/check-imports.mjs [tree]
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve, sep } from "node:path";

const root = resolve(process.argv[2] ?? join(import.meta.dirname, ".."));
const scope = "@kata-containers/";
/** Folders of code that is no package. */
const OUTSIDE = ["tests", "bench", "scripts", "guest"];

/** @type {string[]} */
const problems = [];
/** Package → those its product code imports. @type {Map<string, Set<string>>} */
const edges = new Map();

const isTest = (/** @type {string} */ path) => /\.test\.ts$|\/testing\/|\/engine-tests\//.test(path);

/** What a file's import and export statements and import() calls name. @param {string} text */
function targetsOf(text) {
  const statements = /^\s*(?:import|export)\b(?:[^;'"=]*?\bfrom)?\s*["']([^"'\n]+)["']/gm;
  const calls = /\bimport\(\s*["'`]([^"'`\n]+)["'`]/g;
  return [statements, calls].flatMap((pattern) =>
    [...text.matchAll(pattern)].map(([, target = ""]) => target),
  );
}

/** The source files below a folder. @param {string} folder */
function sources(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return entries
    .filter((entry) => /\.(ts|mjs)$/.test(entry) && !entry.split(sep).includes("node_modules"))
    .map((entry) => join(folder, entry));
}

/** The part of a scoped name behind the package's, if it may not be imported. @param {string} target @param {boolean} test */
function isBehind(target, test) {
  const behind = target.slice(scope.length).split("/").slice(1).join("/");
  return behind !== "" && !(test && behind === "testing");
}

/** @param {string} name */
function checkPackage(name) {
  const folder = join(root, "packages", name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const product = { ...manifest.dependencies };
  const all = { ...product, ...manifest.devDependencies };
  /** @type {Set<string>} */
  const imported = new Set();
  edges.set(name, imported);
  for (const path of sources(join(folder, "src"))) {
    const where = relative(root, path);
    const test = isTest(path);
    for (const target of targetsOf(readFileSync(path, "utf8"))) {
      if (target.startsWith(".")) {
        if (relative(folder, resolve(dirname(path), target)).startsWith(".."))
          problems.push(`${where}: ${target} leaves the package; import ${scope}<name>`);
      } else if (target.startsWith("node:")) {
        if (!test)
          problems.push(`${where}: product code must not import ${target}; use @kata-containers/sys`);
      } else if (target.startsWith(scope)) {
        const [other = ""] = target.slice(scope.length).split("/");
        if (isBehind(target, test))
          problems.push(`${where}: ${target} reaches behind ${scope}${other}'s index.ts`);
        if (!((test ? all : product)[scope + other] ?? other === name))
          problems.push(`${where}: ${scope}${other} is not in packages/${name}/package.json`);
        if (!test) imported.add(other);
      } else if (!test) {
        const dependency = target
          .split("/")
          .slice(0, target.startsWith("@") ? 2 : 1)
          .join("/");
        if (!product[dependency])
          problems.push(`${where}: ${dependency} is not a dependency in packages/${name}/package.json`);
      }
    }
  }
}

/** @param {string} path a file that is in no package */
function checkOutside(path) {
  const where = relative(root, path);
  for (const target of targetsOf(readFileSync(path, "utf8"))) {
    const [, name = ""] = target.startsWith(".")
      ? (/^packages\/([^/]+)\//.exec(relative(root, resolve(dirname(path), target))) ?? [])
      : [];
    if (name !== "") problems.push(`${where}: ${target} reaches behind ${scope}${name}'s index.ts`);
    if (target.startsWith(scope) && isBehind(target, true)) {
      const [other] = target.slice(scope.length).split("/");
      problems.push(`${where}: ${target} reaches behind ${scope}${other}'s index.ts`);
    }
  }
}

/** @param {string} name @param {string[]} trail */
function visit(name, trail) {
  if (trail.includes(name)) {
    const circle = [...trail.slice(trail.indexOf(name)), name].join(" -> ");
    problems.push(`packages import each other in a circle: ${circle}`);
    return;
  }
  for (const next of edges.get(name) ?? []) visit(next, [...trail, name]);
}

for (const name of readdirSync(join(root, "packages"))) checkPackage(name);
for (const path of OUTSIDE.flatMap((folder) => sources(join(root, folder)))) checkOutside(path);
for (const name of edges.keys()) visit(name, []);

for (const problem of new Set(problems)) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
