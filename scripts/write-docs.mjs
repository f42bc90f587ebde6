// What is written from the tables of commands and keys, so that it cannot differ from them:
//   write-docs.mjs docs          docs/configuration.md, docs/annotations.md (committed; make generate)
//   write-docs.mjs install DIR   DIR/man/man8/{kata-runtime,runk}.8, DIR/bash-completion/completions/{kata-runtime,runk}
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { importPackage } from "./import-typescript.mjs";

const [what, directory] = process.argv.slice(2);
if (what === "docs") {
  const { renderAnnotationDocs, renderDocs } = await importPackage("config");
  writeFileSync("docs/configuration.md", renderDocs());
  writeFileSync("docs/annotations.md", renderAnnotationDocs());
} else if (what === "install" && directory) {
  const { renderCompletion, renderManPage } = await importPackage("cli");
  /** @param {string} path @param {string} text */
  const write = (path, text) => {
    mkdirSync(dirname(join(directory, path)), { recursive: true });
    writeFileSync(join(directory, path), text);
  };
  write("man/man8/kata-runtime.8", renderManPage());
  write("bash-completion/completions/kata-runtime", renderCompletion());
  const { renderRunkCompletion, renderRunkManPage } = await importPackage("tools");
  write("man/man8/runk.8", renderRunkManPage());
  write("bash-completion/completions/runk", renderRunkCompletion());
} else {
  console.error("usage: write-docs.mjs docs | write-docs.mjs install DIR");
  process.exitCode = 2;
}
