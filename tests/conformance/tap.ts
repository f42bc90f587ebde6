/** What one program of the suite has printed, counted. */
export type Points = { readonly ok: number; readonly skipped: number; readonly notOk: readonly string[] };

/** Counts the points of a Test Anything Protocol output (testanything.org); those of subtests, which are indented, are not ours. */
export function readTap(output: string): Points {
  const notOk: string[] = [];
  let ok = 0;
  let skipped = 0;
  for (const line of output.split("\n")) {
    const point = /^(not )?ok\b[ \d]*(?:- )?(.*)$/.exec(line);
    if (point === null) continue;
    const [, not, description = ""] = point;
    if (/#\s*skip/i.test(description)) skipped++;
    else if (not === undefined) ok++;
    else notOk.push(description.trim());
  }
  return { ok, skipped, notOk };
}
