// Imports a package's TypeScript face into a script of the build.
import { build } from "esbuild";

/** @param {string} name packages/<name> @returns {Promise<Record<string, any>>} its exports */
export const importPackage = async (name) => {
  const { outputFiles } = await build({
    entryPoints: [`packages/${name}/src/index.ts`],
    bundle: true,
    write: false,
    format: "esm",
    platform: "neutral",
    mainFields: ["module", "main"],
    target: "es2022",
  });
  const source = Buffer.from(outputFiles[0]?.contents ?? []).toString("base64");
  return import(`data:text/javascript;base64,${source}`);
};
