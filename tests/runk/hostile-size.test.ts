import { mkdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { Bundle, type Change, script } from "./bundle.ts";
import { MOUNTS } from "./effort.ts";

/* Input that is larger than anybody needs. */

let bundle: Bundle;
afterEach(() => bundle.close());

const MB = 1_000_000;

/** A config.json with annotations of about so many bytes. */
const large =
  (bytes: number): Change =>
  (spec) => {
    script("echo ran")(spec);
    const names = Array.from({ length: bytes / 1000 }, (_, index) => `org.example.${index}`);
    spec.annotations = Object.fromEntries(names.map((name) => [name, "x".repeat(1000)]));
  };

test("a config.json of 10 MB is read; one that is larger than any is refused in one line, before anything is made", () => {
  bundle = new Bundle(large(10 * MB));
  expect(statSync(join(bundle.path, "config.json")).size).toBeGreaterThan(10 * MB);
  expect(bundle.run()).toEqual({ status: 0, stdout: "ran\n", stderr: "" });
  bundle.configure(large(20 * MB));
  const { status, stdout, stderr } = bundle.run();
  expect([status, stdout, stderr]).toEqual([1, "", expect.stringMatching(/^[^\n]*config\.json[^\n]*\n$/)]);
});

test("arrays in arrays without end in config.json are refused in one line", () => {
  bundle = new Bundle();
  for (const depth of [1000, 4 * MB]) {
    writeFileSync(join(bundle.path, "config.json"), `{"hooks":${"[".repeat(depth)}${"]".repeat(depth)}}`);
    const { status, stderr } = bundle.run();
    expect([status, stderr]).toEqual([1, expect.stringMatching(/^[^\n]*config\.json[^\n]*\n$/)]);
  }
});

test("10,000 mounts are mounted", () => {
  bundle = new Bundle((spec) => {
    script("grep -c ' /many ' /proc/self/mountinfo")(spec);
    spec.root.readonly = false;
    const many = { destination: "/many", type: "bind", source: "many", options: ["bind", "ro"] };
    for (let index = 0; index < MOUNTS; index++) spec.mounts.push(many);
  });
  mkdirSync(join(bundle.path, "many"));
  expect(bundle.run()).toEqual({ status: 0, stdout: `${MOUNTS}\n`, stderr: "" });
});
