/** Columns as Go's tabwriter makes them for runc: at least 12 wide, 3 blanks between, none at a line's end. */
export function renderTable(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 12, cell.length + 3);
    }
  }
  return rows
    .map((row) => {
      const cells = row.map((cell, column) =>
        column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0),
      );
      return `${cells.join("")}\n`;
    })
    .join("");
}
