// Kernel configurations as text: what a fragment asks for, and whether a .config grants it.

const LINE = /^(CONFIG_\w+)=(.+)$/;

/** The settings of a fragment or a .config: Map of symbol to value. Comments, "is not set" among them, are skipped. */
export function parseConfig(text) {
  const settings = new Map();
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [, symbol, value] = LINE.exec(line) ?? [];
    if (symbol === undefined) throw new Error(`line ${index + 1}: not CONFIG_X=value: ${line}`);
    if (settings.has(symbol)) throw new Error(`line ${index + 1}: ${symbol} is set twice`);
    settings.set(symbol, value);
  }
  return settings;
}

/**
 * The lines of `fragment` that `config` does not have, with what it has instead. Kconfig drops a setting silently when
 * a dependency is missing, or the symbol is gone in this version. "n" is met by a symbol that does not exist.
 */
export function unmetSettings(fragment, config) {
  const granted = parseConfig(config);
  return [...parseConfig(fragment)]
    .filter(([symbol, value]) => (granted.get(symbol) ?? "n") !== value)
    .map(([symbol, value]) => `${symbol}=${value} (is ${granted.get(symbol) ?? "not set"})`);
}
