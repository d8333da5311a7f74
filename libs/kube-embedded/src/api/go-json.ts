/*
 * What is wrong with a text that is no JSON, in the words of the decoder that the real server uses: clients and people
 * know these, and JSON.parse has others.
 */

const WHITE = new Set([" ", "\t", "\r", "\n"]);
const END = "unexpected end of JSON input";

class Wrong extends Error {}

/** The message for a text that JSON.parse refuses. */
export function goJsonProblem(text: string): string {
  try {
    new Scanner(text).document();
  } catch (error) {
    if (error instanceof Wrong) return error.message;
    throw error;
  }
  return END;
}

/** One character as Go quotes it. */
function quoted(char: string): string {
  if (char === "'") return "'\\''";
  if (char === '"') return "'\"'";
  const code = char.codePointAt(0) ?? 0;
  const named: Readonly<Record<string, string>> = {
    "\x07": "\\a",
    "\b": "\\b",
    "\f": "\\f",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\v": "\\v",
    "\\": "\\\\",
  };
  if (named[char]) return `'${named[char]}'`;
  if (code < 0x20 || code === 0x7f) return `'\\x${code.toString(16).padStart(2, "0")}'`;
  // The decoder looks at bytes, so it names the first byte of what is longer.
  if (code > 0x7f) {
    const byte = Buffer.from(char)[0] ?? 0;
    return byte < 0xa0 ? `'\\u00${byte.toString(16)}'` : `'${String.fromCharCode(byte)}'`;
  }
  return `'${char}'`;
}

class Scanner {
  private at = 0;
  constructor(private readonly text: string) {}

  document(): void {
    this.value();
    this.white();
    if (this.at < this.text.length) throw this.wrong("after top-level value");
  }

  private white(): void {
    while (WHITE.has(this.text[this.at] ?? "")) this.at++;
  }

  private wrong(context: string): Wrong {
    const char = this.text[this.at];
    return new Wrong(char === undefined ? END : `invalid character ${quoted(char)} ${context}`);
  }

  private value(): void {
    this.white();
    const char = this.text[this.at];
    if (char === "{") this.object();
    else if (char === "[") this.array();
    else if (char === '"') this.string();
    else if (char === "t") this.literal("true");
    else if (char === "f") this.literal("false");
    else if (char === "n") this.literal("null");
    else if (char === "-" || (char !== undefined && char >= "0" && char <= "9")) this.number();
    else throw this.wrong("looking for beginning of value");
  }

  private object(): void {
    this.at++;
    this.white();
    if (this.text[this.at] === "}") {
      this.at++;
      return;
    }
    for (;;) {
      this.white();
      if (this.text[this.at] !== '"') throw this.wrong("looking for beginning of object key string");
      this.string();
      this.white();
      if (this.text[this.at] !== ":") throw this.wrong("after object key");
      this.at++;
      this.value();
      this.white();
      const char = this.text[this.at];
      if (char !== "," && char !== "}") throw this.wrong("after object key:value pair");
      this.at++;
      if (char === "}") return;
    }
  }

  private array(): void {
    this.at++;
    this.white();
    if (this.text[this.at] === "]") {
      this.at++;
      return;
    }
    for (;;) {
      this.value();
      this.white();
      const char = this.text[this.at];
      if (char !== "," && char !== "]") throw this.wrong("after array element");
      this.at++;
      if (char === "]") return;
    }
  }

  private string(): void {
    this.at++;
    for (;;) {
      const char = this.text[this.at];
      if (char === undefined || char < " ") throw this.wrong("in string literal");
      this.at++;
      if (char === '"') return;
      if (char !== "\\") continue;
      const escaped = this.text[this.at];
      if (escaped === "u") {
        this.at++;
        for (let digit = 0; digit < 4; digit++, this.at++) {
          if (!/[0-9a-f]/i.test(this.text[this.at] ?? "")) throw this.wrong("in \\u hexadecimal character escape");
        }
      } else if (escaped === undefined || !'bfnrt\\/"'.includes(escaped)) throw this.wrong("in string escape code");
      else this.at++;
    }
  }

  private literal(word: string): void {
    for (const [index, char] of [...word].entries()) {
      if (index > 0 && this.text[this.at] !== char) throw this.wrong(`in literal ${word} (expecting '${char}')`);
      this.at++;
    }
  }

  private digits(context: string): void {
    if (!/\d/.test(this.text[this.at] ?? "")) throw this.wrong(context);
    while (/\d/.test(this.text[this.at] ?? "")) this.at++;
  }

  private number(): void {
    if (this.text[this.at] === "-") {
      this.at++;
      if (!/\d/.test(this.text[this.at] ?? "")) throw this.wrong("in numeric literal");
    }
    if (this.text[this.at] === "0") this.at++;
    else this.digits("in numeric literal");
    if (this.text[this.at] === ".") {
      this.at++;
      this.digits("after decimal point in numeric literal");
    }
    if (/[eE]/.test(this.text[this.at] ?? "")) {
      this.at++;
      if (/[+-]/.test(this.text[this.at] ?? "")) this.at++;
      this.digits("in exponent of numeric literal");
    }
  }
}

/** What a decoded value is called where it was not expected. */
export function goJsonKind(value: unknown): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return typeof value === "boolean" ? "bool" : typeof value;
}
