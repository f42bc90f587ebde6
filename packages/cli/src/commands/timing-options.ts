/** The options of a command that tells of its phases. */
export const timingOptions = {
  timing: { help: "print on standard error what each phase took, as a bar chart" },
  "timing-format": {
    value: "FORMAT",
    choices: ["table", "json"],
    help: "of --timing, which it implies: table (default), with bars, or json",
  },
} as const;

/** How the phases are to be printed; undefined: not at all. */
export type TimingFormat = "table" | "json" | undefined;

export function timingFormat(options: {
  readonly timing: boolean;
  readonly "timing-format": string | undefined;
}): TimingFormat {
  if (options["timing-format"] === undefined) return options.timing ? "table" : undefined;
  return options["timing-format"] === "json" ? "json" : "table";
}
