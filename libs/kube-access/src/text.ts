/** A text in double quotes with its special characters escaped. */
export const quoted = (text: string): string => JSON.stringify(text);

/** `["a" "b"]` */
export const quotedList = (texts: readonly string[]): string => `[${texts.map(quoted).join(" ")}]`;
