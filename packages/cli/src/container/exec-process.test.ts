import { expect, test } from "vitest";
import { wantedProcess } from "./exec-process.ts";

const NONE = {
  process: undefined,
  tty: false,
  user: undefined,
  "additional-gids": [],
  cap: [],
  cgroup: [],
  cwd: undefined,
  env: [],
  "no-new-privs": false,
} as const;
const own = () => ({ args: ["sh"], cwd: "/", user: { uid: 5, gid: 5 } });

test("an id that the kernel would take for -1, or for another, is refused: the process would stay root", () => {
  const wanted = (options: object) => wantedProcess({ ...NONE, ...options }, ["id"], own);
  expect(wanted({ user: "4294967294" }).user).toEqual({ uid: 4294967294, gid: 5 });
  for (const user of ["4294967295", "4294967296", "1:4294967295"])
    expect(() => wanted({ user })).toThrow(`--user "${user}": must be UID or UID:GID, from 0 to 4294967294`);
  expect(() => wanted({ "additional-gids": ["1,4294967295"] })).toThrow("must be a number from 0 to");
});

test("--additional-gids adds to the container's groups", () => {
  const grouped = () => ({ ...own(), user: { uid: 5, gid: 5, additionalGids: [7] } });
  const groups = (container: typeof own, ...gids: string[]) =>
    wantedProcess({ ...NONE, "additional-gids": gids }, ["id"], container).user?.additionalGids;
  expect(groups(grouped, "8,9", "10")).toEqual([7, 8, 9, 10]);
  expect(groups(own, "8")).toEqual([8]);
  expect(groups(grouped)).toEqual([7]);
});
