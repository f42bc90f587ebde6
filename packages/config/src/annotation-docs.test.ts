import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { renderAnnotationDocs } from "./annotation-docs.ts";

it("is docs/annotations.md", () => {
  const file = join(import.meta.dirname, "../../../docs/annotations.md");
  expect(readFileSync(file, "utf8"), "run make generate").toBe(renderAnnotationDocs());
});

it("has a row for an annotation, with its key where the names differ and its allow-list", () => {
  expect(renderAnnotationDocs()).toContain(
    "| `io.katacontainers.config.hypervisor.default_max_vcpus` | a number of vCPUs from 0 to 240 | the key `default_maxvcpus`; replaces",
  );
  expect(renderAnnotationDocs()).toContain("one that `valid_kernel_paths` lists");
});
