/** What a table has by a name of the configuration's: its own, not what every object has ("constructor"). */
export function entry<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined;
}
