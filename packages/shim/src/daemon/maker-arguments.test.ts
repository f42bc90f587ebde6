import { expect, test } from "vitest";
import { parseMakerArguments } from "./maker-arguments.ts";

test("reads what kata-runtime gives, and refuses everything else", () => {
  expect(parseMakerArguments(["--make-template"])).toEqual({ debug: false });
  expect(parseMakerArguments(["--make-template", "--debug"])).toEqual({ debug: true });
  expect(() => parseMakerArguments(["--make-template", "--id", "c"])).toThrow("--id: unknown option");
});
