// What Node.js programs use: build/node, a package with the library, its types and the addon. `--test` makes the tests of the ops for Node as well (build/test/engine-tests.node.mjs).
// Needs the addon: `make build-node` builds it. It is a shared library, so it has a C library that is not static.
import { copyFileSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const ADDON = "target/x86_64-unknown-linux-gnu/release/libkata_node.so";

/** @param {string} entry @param {string} outfile */
const bundle = (entry, outfile) =>
  build({
    entryPoints: [entry],
    outfile,
    bundle: true,
    format: "esm",
    platform: "node",
    target: "node20",
    legalComments: "none",
    sourcemap: "linked",
    logLevel: "warning",
  });

if (!existsSync(ADDON)) {
  console.error(`bundle-node: no addon at ${ADDON}: run make build-node`);
  process.exit(1);
}
mkdirSync("build/node", { recursive: true });
// Replaced, never written into: a program may have it mapped.
copyFileSync(ADDON, "build/node/.kata-sys.node");
renameSync("build/node/.kata-sys.node", "build/node/kata-sys.node");
await bundle("packages/node/src/index.ts", "build/node/index.mjs");
// A file of declarations alone is a declaration file.
copyFileSync("packages/node/src/api.ts", "build/node/index.d.mts");
const { name, version, description, license } = JSON.parse(
  readFileSync("packages/node/package.json", "utf8"),
);
const manifest = {
  ...{ name, version, description, license },
  type: "module",
  engines: { node: ">=20" },
  os: ["linux"],
  cpu: ["x64"],
  exports: { ".": { types: "./index.d.mts", default: "./index.mjs" } },
};
writeFileSync("build/node/package.json", `${JSON.stringify(manifest, undefined, 2)}\n`);
if (process.argv.includes("--test")) {
  await bundle("packages/sys/src/engine-tests/engine-tests.node.ts", "build/test/engine-tests.node.mjs");
}
