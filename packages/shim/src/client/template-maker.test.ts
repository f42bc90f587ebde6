import { expect, test } from "vitest";
import { parseAnswer } from "./template-maker.ts";

test("the maker's answer is the template's key, with what was warned of", () => {
  const answer = { key: "0123456789abcdef", warnings: ["it is slow"] };
  expect(parseAnswer(`${JSON.stringify(answer)}\n`)).toEqual(answer);
  expect(parseAnswer('{"key":"0"}\n')).toEqual({ key: "0", warnings: [] });
});

test("its failure is thrown in its own words", () => {
  expect(() => parseAnswer('{"error":"template_path /t: is no directory"}\n')).toThrow(
    /^template_path \/t: is no directory$/,
  );
  expect(() => parseAnswer("null\n")).toThrow("gave no answer");
});
