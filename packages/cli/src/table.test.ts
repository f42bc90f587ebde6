import { expect, it } from "vitest";
import { renderTable } from "./table.ts";

it("makes columns as runc's list does", () => {
  expect(
    renderTable([
      ["ID", "PID", "OWNER"],
      ["a-rather-long-name", "1", "root"],
    ]),
  ).toBe("ID                   PID         OWNER\na-rather-long-name   1           root\n");
});
