export const count = (number: number): string => number.toLocaleString("en-US")

/** `840 ns`, `12.3 µs`, `41 ms`, `2.1 s`. */
export const time = (millis: number): string => {
  const [value, unit] =
    millis < 0.001
      ? [millis * 1e6, "ns"]
      : millis < 1
        ? [millis * 1e3, "µs"]
        : millis < 1e3
          ? [millis, "ms"]
          : [millis / 1e3, "s"]
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ${unit}`
}

export const row = (label: string, ...columns: ReadonlyArray<string>): string =>
  label.padEnd(40) + columns.map((column) => column.padStart(13)).join("")
