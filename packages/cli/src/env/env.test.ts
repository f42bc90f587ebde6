import { parse } from "smol-toml";
import { expect, it } from "vitest";
import { readOsRelease } from "./host-facts.ts";
import { renderToml } from "./render-toml.ts";

it("a table is printed as TOML that reads back as the same table", () => {
  const table = {
    Name: 'a "b" \\ \n\x7f',
    Inner: { Deep: { On: true, Texts: ["a", "b"] }, Size: 3 },
    None: [],
    Only: { Below: { Value: "x" } },
  };
  const text = renderToml(table);
  expect(parse(text)).toEqual(table);
  expect(text).toMatch(/\n\n\[Inner\]\nSize = 3\n\n\[Inner\.Deep\]\nOn = true\n/);
});

it("os-release is read with its quotes, and without what is not there", () => {
  expect(readOsRelease('NAME="Debian \\"GNU\\""\nVERSION_ID=12\n')).toEqual({
    Name: 'Debian "GNU"',
    Version: "12",
  });
  expect(readOsRelease("")).toEqual({ Name: "<<unknown>>", Version: "<<unknown>>" });
});
