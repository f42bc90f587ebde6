import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
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

describe("completion", () => {
  it("completes commands and their options in bash", () => {
    const directory = mkdtempSync(join(tmpdir(), "kata-completion-"));
    try {
      const script = join(directory, "kata-runtime");
      writeFileSync(script, renderCompletion());
      const complete = (...words: string[]) =>
        execFileSync(
          "bash",
          [
            "-c",
            `. "$0"; COMP_WORDS=(kata-runtime "$@"); COMP_CWORD=$#; _kata_runtime; echo "\${COMPREPLY[@]}"`,
            script,
            ...words,
          ],
          { encoding: "utf8", timeout: 10_000 },
        ).trim();
      expect(complete("st")).toBe("start state");
      expect(complete("--root", "/x", "delete", "--f")).toBe("--force");
    } finally {
      rmSync(directory, { recursive: true });
    }
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
