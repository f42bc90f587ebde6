import { execFileSync } from "node:child_process";
import { mkdirSync } from "node:fs";

/** Builds programs by the Go toolchain, from the module cache or proxy, into a directory: `module/path/of/package@version` each. */
export function goInstall(directory: string, packages: readonly string[]): void {
  mkdirSync(directory, { recursive: true });
  execFileSync("go", ["install", ...packages], {
    env: { ...process.env, GOBIN: directory, CGO_ENABLED: "0" },
    stdio: ["ignore", "ignore", "inherit"],
    timeout: 900_000,
  });
}
