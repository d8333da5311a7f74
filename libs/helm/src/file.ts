import { fromBytes, isValid } from "@tiphys/template";

/** A file of a chart: its path inside the chart with `/`, and its bytes. */
export interface ChartFile {
  readonly name: string;
  readonly data: Uint8Array;
}

const texts = new WeakMap<Uint8Array, string>();

/** The content of a file as a Go string. */
export function textOf({ data }: ChartFile): string {
  let text = texts.get(data);
  if (text === undefined) {
    text = fromBytes(data);
    texts.set(data, text);
  }
  return text;
}

export const isUtf8 = (file: ChartFile): boolean => isValid(textOf(file));

/** Without the byte order mark that some editors write. */
export const withoutBom = (data: Uint8Array): Uint8Array =>
  data[0] === 0xef && data[1] === 0xbb && data[2] === 0xbf ? data.subarray(3) : data;
