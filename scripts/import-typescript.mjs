// Imports TypeScript into a script of the build.
import { build } from "esbuild";

/** @param {string} file its path from the repository's root @returns {Promise<Record<string, any>>} its exports */
export const importTypeScript = async (file) => {
  const { outputFiles } = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    external: ["node:*"],
    mainFields: ["module", "main"],
    target: "es2022",
  });
  const source = Buffer.from(outputFiles[0]?.contents ?? []).toString("base64");
  return import(`data:text/javascript;base64,${source}`);
};

/** @param {string} name packages/<name> @returns {Promise<Record<string, any>>} its face's exports */
export const importPackage = (name) => importTypeScript(`packages/${name}/src/index.ts`);
