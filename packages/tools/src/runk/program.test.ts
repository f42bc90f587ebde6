import { expect, test } from "vitest";
import { renderRunkCompletion, renderRunkManPage } from "../index.ts";
import { runk } from "./program.ts";

test("the command table has every command of runc's but checkpoint and restore", () => {
  const names = runk.commands.map(({ name }) => name).sort();
  const runc = "create delete events exec features kill list pause ps resume run spec start state update";
  expect(names.join(" ")).toBe(runc);
});

test("no command has two options of one name", () => {
  for (const { options } of runk.commands) {
    const names = Object.entries(options).flatMap(([name, { short }]) => (short ? [name, short] : [name]));
    expect(new Set(names).size).toBe(names.length);
  }
});

test("man page and completion are runk's own", () => {
  const page = renderRunkManPage();
  for (const { name } of runk.commands) expect(page).toContain(`.SS runk ${name}`);
  expect(page + renderRunkCompletion()).not.toContain("kata-runtime");
  expect(renderRunkCompletion()).toContain("complete -F _runk runk\n");
});
