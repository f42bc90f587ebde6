import { execFileSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { commands } from "./commands.ts";
import { renderCommandHelp, renderHelp } from "./help.ts";
import { renderCompletion, renderManPage } from "./index.ts";
import { kataRuntime } from "./kata-runtime.ts";

describe("the command table", () => {
  it("has every command of this version, each once", () => {
    expect(commands.map(({ name }) => name)).toEqual([
      "create",
      "start",
      "run",
      "state",
      "kill",
      "delete",
      "exec",
      "list",
      "ps",
      "pause",
      "resume",
      "update",
      "events",
      "spec",
      "features",
      "metrics",
      "factory",
      "check",
      "env",
      "version",
    ]);
  });

  it("is that of docs/run.md", () => {
    const page = readFileSync(join(import.meta.dirname, "../../../docs/run.md"), "utf8");
    const rows = page.split("\n").filter((line) => line.startsWith("| `"));
    const names = rows.flatMap((row) =>
      [...(row.split("|")[1] ?? "").matchAll(/`([a-z]+)/g)].map(([, name]) => name),
    );
    expect(names.sort()).toEqual([...commands.map(({ name }) => name), "help"].sort());
  });

  it("gives no command two options of one name", () => {
    for (const { options } of commands) {
      const names = Object.entries(options).flatMap(([name, { short }]) => (short ? [name, short] : [name]));
      expect(new Set(names).size).toBe(names.length);
    }
  });
});

describe("help", () => {
  it("lists every command and global option", () => {
    const help = renderHelp(kataRuntime(commands));
    for (const { name, summary } of commands)
      expect(help).toMatch(new RegExp(`^ {2}${name} +${summary}$`, "m"));
    expect(help).toContain("--config, --kata-config FILE");
  });

  it("shows a command's arguments and options", () => {
    const exec = commands.find(({ name }) => name === "exec");
    expect(exec && renderCommandHelp("kata-runtime", exec)).toContain(
      "Usage: kata-runtime exec [OPTIONS] ID [COMMAND...]",
    );
    expect(exec && renderCommandHelp("kata-runtime", exec)).toMatch(
      /-e, --env NAME=VALUE +add to its environment \(may be repeated\)/,
    );
  });
});

describe("completion in bash", () => {
  const directory = mkdtempSync(join(tmpdir(), "kata-completion-"));
  afterAll(() => rmSync(directory, { recursive: true }));
  const script = join(directory, "completion");
  writeFileSync(script, renderCompletion());
  // Lists a container that is called after its root.
  const program = join(directory, "kata-runtime");
  writeFileSync(
    program,
    '#!/bin/sh\n[ "$*" = "list --quiet" ] && echo one two\n[ "$1" = --root ] && echo "in$2"\n',
  );
  chmodSync(program, 0o755);

  const completes = (...words: string[]): string[] => {
    const source = `. "$0"; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kata_runtime; echo "\${COMPREPLY[*]}"`;
    const output = execFileSync("bash", ["-c", source, script, program, ...words], {
      encoding: "utf8",
      cwd: directory,
      timeout: 10_000,
    });
    return output.trim().split(" ");
  };

  it.each([
    ["commands", ["st"], ["start", "state"]],
    ["a command's options", ["delete", "--f"], ["--force"]],
    ["those of another name of it", ["kata-check", "--str"], ["--strict"]],
    ["options after an argument", ["delete", "one", "--f"], ["--force"]],
    ["global options", ["--log-"], ["--log-format"]],
    [
      "not a global option's value for a command",
      ["--root", "delete", "--log", "/x", "st"],
      ["start", "state"],
    ],
    ["the fixed values of a global option", ["--log-format", "j"], ["json"]],
    ["those of --option=value", ["--log-format", "=", "j"], ["json"]],
    ["and before anything is written of them", ["--log-format", "="], ["text", "json"]],
    ["the fixed values of a command's option, long", ["list", "--format", ""], ["table", "json"]],
    ["and short", ["--root", "/x", "list", "-f", "t"], ["table"]],
    ["containers", ["state", ""], ["one", "two"]],
    ["containers behind options", ["exec", "--cwd", "/", "-t", "o"], ["one"]],
    ["containers of another root", ["--root", "/x", "delete", "--force", "i"], ["in/x"]],
    ["of one that is given with =", ["-root", "=", "/x", "start", ""], ["in/x"]],
    ["files where a new container's id or a value is to be", ["run", "--bundle", "comp"], ["completion"]],
    ["files behind a container", ["exec", "one", "comp"], ["completion"]],
    ["nothing of ours in another program's options", ["exec", "one", "ls", "--f"], [""]],
    ["the fixed values of an argument", ["factory", "st"], ["status"]],
    ["no second one of them", ["factory", "init", "comp"], ["completion"]],
    ["what there is help on", ["help", "kil"], ["kill"]],
  ])("completes %s: %j", (_, words, expected) => {
    expect(completes(...words)).toEqual(expected);
  });
});

describe("the man page", () => {
  it("has a section for each command, and no line that roff would take for a request", () => {
    const page = renderManPage();
    for (const { name } of commands) expect(page).toContain(`.SS kata\\-runtime ${name}`);
    const requests = page.split("\n").filter((line) => line.startsWith("."));
    for (const request of requests) expect(request).toMatch(/^\.(TH|SH|SS|TP|B|BR)( |$)/);
  });
});
