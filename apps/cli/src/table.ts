/** Columns padded as kubectl does: three spaces between, nothing after the last. */
export function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, i) => Math.max(title.length, ...rows.map((row) => (row[i] ?? "").length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => (i === cells.length - 1 ? cell : cell.padEnd((widths[i] ?? 0) + 3))).join("");
  return [header, ...rows].map((cells) => line(cells).trimEnd()).join("\n");
}

/** Lines that come one by one: columns are as wide as the widest cell so far. */
export function growingTable(header: readonly string[]): (cells: readonly string[]) => string {
  const widths = header.map((title) => title.length);
  return (cells) => {
    cells.forEach((cell, i) => {
      widths[i] = Math.max(widths[i] ?? 0, cell.length);
    });
    return cells
      .map((cell, i) => cell.padEnd((widths[i] ?? 0) + 3))
      .join("")
      .trimEnd();
  };
}

/** A span of time as kubectl shows ages: 5s, 3m12s, 4h, 2d. */
export function age(from: string | undefined, to: Date): string {
  if (!from) return "";
  const seconds = Math.max(0, Math.floor((to.getTime() - new Date(from).getTime()) / 1000));
  if (seconds < 120) return `${seconds}s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 10) return seconds % 60 ? `${minutes}m${seconds % 60}s` : `${minutes}m`;
  if (minutes < 180) return `${minutes}m`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `${hours}h` : `${Math.floor(hours / 24)}d`;
}
