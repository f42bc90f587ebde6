// Checks the borders between packages (design: "a folder's index.ts is its public face"):
//  - a package imports another by its name only, never a path behind it, and names it in its package.json;
//  - product code imports nothing of Node (packages/sys/src/node-addon.ts loads the ops there, and needs no import for it);
//  - relative imports stay inside the package;
//  - the packages' imports have no cycle.
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";

const root = resolve(import.meta.dirname ?? dirname(new URL(import.meta.url).pathname), "..");
const scope = "@kata-containers/";
const problems = [];
const edges = new Map();

const isTest = (path) => /\.test\.ts$|\/testing\/|\/engine-tests\//.test(path);

for (const name of readdirSync(join(root, "packages"))) {
  const folder = join(root, "packages", name);
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8"));
  const product = { ...manifest.dependencies };
  const all = { ...product, ...manifest.devDependencies };
  edges.set(name, new Set());
  for (const entry of readdirSync(join(folder, "src"), { recursive: true })) {
    if (!String(entry).endsWith(".ts")) continue;
    const path = join(folder, "src", String(entry));
    const where = relative(root, path);
    const text = readFileSync(path, "utf8");
    for (const [, target] of text.matchAll(
      /^\s*(?:import|export)\b(?:[^;'"=]*?\bfrom)?\s*["']([^'"]+)["']/gm,
    )) {
      const test = isTest(path);
      if (target.startsWith(".")) {
        if (relative(folder, resolve(dirname(path), target)).startsWith(".."))
          problems.push(`${where}: ${target} leaves the package; import ${scope}<name>`);
      } else if (target.startsWith("node:")) {
        if (!test)
          problems.push(`${where}: product code must not import ${target}; use @kata-containers/sys`);
      } else if (target.startsWith(scope)) {
        const [other, ...behind] = target.slice(scope.length).split("/");
        if (behind.length > 0 && !(test && behind[0] === "testing"))
          problems.push(`${where}: ${target} reaches behind ${scope}${other}'s index.ts`);
        if (!((test ? all : product)[scope + other] ?? other === name))
          problems.push(`${where}: ${scope}${other} is not in packages/${name}/package.json`);
        if (!test) edges.get(name).add(other);
      } else if (!test) {
        const dependency = target.startsWith("@")
          ? target.split("/").slice(0, 2).join("/")
          : target.split("/")[0];
        if (!product[dependency])
          problems.push(`${where}: ${dependency} is not a dependency in packages/${name}/package.json`);
      }
    }
  }
}

const visit = (name, trail) => {
  if (trail.includes(name)) {
    problems.push(
      `packages import each other in a circle: ${[...trail.slice(trail.indexOf(name)), name].join(" -> ")}`,
    );
    return;
  }
  for (const next of edges.get(name) ?? []) visit(next, [...trail, name]);
};
for (const name of edges.keys()) visit(name, []);

for (const problem of new Set(problems)) console.error(problem);
process.exit(problems.length > 0 ? 1 : 0);
