import { describe, expect, expectTypeOf, it } from "vitest";
import { parseArguments, parseLeadingOptions } from "./parse-arguments.ts";

const options = {
  bundle: { short: "b", value: "DIR", help: "" },
  force: { short: "f", help: "" },
  env: { short: "e", value: "NAME=VALUE", repeat: true, help: "" },
  config: { aliases: ["kata-config"], value: "FILE", help: "" },
  format: { value: "FORMAT", choices: ["table", "json"], help: "" },
} as const;
const id = { name: "ID", help: "" };
const rest = { name: "COMMAND", optional: true, rest: true, help: "" } as const;

const parse = (...argv: string[]) =>
  parseArguments(argv, options, [id], { program: "kata-runtime", command: "create" });

describe("parseArguments", () => {
  it("takes a value behind a blank or an equals sign, by long, short and other names, before and after arguments", () => {
    expect(parse("--bundle", "/b", "x").options.bundle).toBe("/b");
    expect(parse("-b=/b", "x").options.bundle).toBe("/b");
    expect(parse("-bundle", "/b", "x").options.bundle).toBe("/b");
    expect(parse("x", "--kata-config", "/c").options.config).toBe("/c");
  });

  it("gives each kind of option its type", () => {
    const { options: values } = parse("x", "-e", "A=1", "--env=B=2");
    expect(values).toEqual({
      bundle: undefined,
      force: false,
      env: ["A=1", "B=2"],
      config: undefined,
      format: undefined,
    });
    expectTypeOf(values.force).toEqualTypeOf<boolean>();
    expectTypeOf(values.env).toEqualTypeOf<readonly string[]>();
    expectTypeOf(values.bundle).toEqualTypeOf<string | undefined>();
  });

  it("leaves what follows the first argument to a command that takes the rest", () => {
    const parsed = parseArguments(["-f", "x", "ls", "-f", "--", "-l"], options, [id, rest], {
      program: "kata-runtime",
      command: "exec",
    });
    expect(parsed.args).toEqual(["x", "ls", "-f", "--", "-l"]);
    expect(parsed.options.force).toBe(true);
  });

  it("takes everything after -- as arguments", () => {
    expect(parse("--", "-x").args).toEqual(["-x"]);
  });

  it.each([
    [["--forse", "x"], "create: unknown option --forse (see kata-runtime create --help)"],
    [["--systemd-cgroup", "x"], "create: unknown option --systemd-cgroup"],
    [["x", "--bundle"], "create: option --bundle needs a value (DIR)"],
    [["x", "--force=yes"], "create: option --force takes no value"],
    [["x", "--format", "xml"], 'create: unknown format "xml" (known: table, json)'],
    [[], "create: ID is missing"],
    [["x", "y"], 'create: unexpected argument "y"'],
  ])("refuses %j by name", (argv, message) => {
    expect(() => parse(...argv)).toThrow(message);
  });
});

describe("parseLeadingOptions", () => {
  it("stops at the command", () => {
    const { options: values, next } = parseLeadingOptions(
      ["--config", "/c", "create", "--force", "x"],
      options,
      "kata-runtime",
    );
    expect(values.config).toBe("/c");
    expect(values.force).toBe(false);
    expect(next).toBe(2);
  });

  it("has no command when there is none", () => {
    expect(parseLeadingOptions(["-f"], options, "kata-runtime").next).toBe(1);
  });
});
