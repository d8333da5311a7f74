import { isSpace, runes, toBytes } from "../go-string.js";

const isUpper = (char: string) => (char < "\x80" ? char >= "A" && char <= "Z" : /\p{Lu}/u.test(char));
const isLower = (char: string) => (char < "\x80" ? char >= "a" && char <= "z" : /\p{Ll}/u.test(char));
const isLetter = (char: string) => (char < "\x80" ? /[A-Za-z]/.test(char) : /\p{L}/u.test(char));
const isNumber = (char: string) => (char < "\x80" ? /[0-9]/.test(char) : /\p{N}/u.test(char));
const isPunct = (char: string) => /\p{P}/u.test(char);
const single = (mapped: string, char: string) => ([...mapped].length === 1 ? mapped : char);
const toUpper = (char: string) => single(char.toUpperCase(), char);
const toLower = (char: string) => single(char.toLowerCase(), char);
const titleForms: Readonly<Record<string, string>> = { Ǆ: "ǅ", ǆ: "ǅ", Ǉ: "ǈ", ǉ: "ǈ", Ǌ: "ǋ", ǌ: "ǋ", Ǳ: "ǲ", ǳ: "ǲ" };
const toTitle = (char: string) => titleForms[char] ?? toUpper(char);

/** Go's strings.Title: the first letter of each word; digits and underscores do not end a word. */
export function title(text: string): string {
  let previous = " ";
  let out = "";
  for (const char of text) {
    const separates =
      previous < "\x80"
        ? !/[A-Za-z0-9_]/.test(previous)
        : !isLetter(previous) && !/\p{Nd}/u.test(previous) && isSpace(previous);
    out += separates ? toTitle(char) : char;
    previous = char;
  }
  return out;
}

/** The first letter of every word in lower case. */
export function untitle(text: string): string {
  let next = true;
  let out = "";
  for (const char of runes(text)) {
    if (isSpace(char)) next = true;
    else if (next) {
      out += toLower(char);
      next = false;
      continue;
    }
    out += char;
  }
  return out;
}

/** The first byte of every word, read as Latin-1, as the original does. */
export function initials(text: string): string {
  let gap = true;
  let out = "";
  for (const byte of toBytes(text)) {
    const char = String.fromCharCode(byte);
    if (isSpace(char)) gap = true;
    else if (gap) {
      out += char;
      gap = false;
    }
  }
  return out;
}

export function swapcase(text: string): string {
  let afterSpace = true;
  let out = "";
  for (const char of runes(text)) {
    if (isUpper(char) || /\p{Lt}/u.test(char)) {
      out += toLower(char);
      afterSpace = false;
    } else if (isLower(char)) {
      out += afterSpace ? toTitle(char) : toUpper(char);
      afterSpace = false;
    } else {
      afterSpace = isSpace(char);
      out += char;
    }
  }
  return out;
}

const isConnector = (char: string) => char === "-" || char === "_" || isSpace(char);

/** `some_words` as `SomeWords`; connectors at the ends and all but one of several stay. */
export function camelcase(text: string): string {
  const chars = runes(text);
  let out = "";
  let at = 0;
  while (at < chars.length && isConnector(chars[at]!)) out += chars[at++];
  if (at >= chars.length - 1) return at < chars.length ? out + toUpper(chars[at]!) : out;
  let firstIsUpper = isUpper(chars[at]!);
  let current = toUpper(chars[at]!);
  for (at++; at < chars.length; at++) {
    const before = current;
    current = chars[at]!;
    if (isConnector(current) && isConnector(before)) {
      out += before;
      continue;
    }
    if (isConnector(before)) {
      firstIsUpper = isUpper(current);
      current = toUpper(current);
    } else {
      if (firstIsUpper) {
        if (isUpper(current)) current = toLower(current);
        else firstIsUpper = false;
      }
      out += before;
    }
  }
  return out + current;
}

type Word = "invalid" | "number" | "upper" | "alphabet" | "connector" | "punct" | "other";
interface Part {
  readonly type: Word;
  readonly text: string;
}

const caseless = (char: string) => isLetter(char) && !isUpper(char);
const ALPHABET = /^[\p{Ll}\p{Lu}\p{Lt}]$/u;
const isAlphabet = (char: string) => {
  if (!isLetter(char)) return false;
  // Letters of scripts without case count as words of their own kind.
  return !/[\u4e00-\u9fff\u3040-\u30ff\uac00-\ud7af]/u.test(char) && (ALPHABET.test(char) || caseless(char));
};

/** Cuts a text into runs of letters, digits, connectors and signs. */
function wordsOf(text: string): Part[] {
  const chars = runes(text);
  const parts: Part[] = [];
  for (let i = 0; i < chars.length; ) {
    const first = chars[i]!;
    let end = i + 1;
    const run = (fits: (char: string) => boolean) => {
      while (end < chars.length && fits(chars[end]!)) end++;
    };
    let type: Word;
    if (isConnector(first)) {
      type = "connector";
      run(isConnector);
    } else if (isPunct(first)) {
      type = "punct";
      run(isPunct);
    } else if (isUpper(first)) {
      type = "upper";
      if (end < chars.length && isUpper(chars[end]!)) {
        run(isUpper);
        // In `HTTPStatus` the S belongs to the word that follows.
        if (end < chars.length && isAlphabet(chars[end]!)) end--;
      } else if (end < chars.length && isAlphabet(chars[end]!)) run((char) => isAlphabet(char) && !isUpper(char));
    } else if (isAlphabet(first)) {
      type = "alphabet";
      run((char) => isAlphabet(char) && !isUpper(char));
    } else if (isNumber(first)) {
      type = "number";
      run(isNumber);
    } else {
      type = "other";
      run((char) => !isConnector(char) && !isAlphabet(char) && !isNumber(char) && !isPunct(char));
    }
    parts.push({ type, text: chars.slice(i, end).join("") });
    i = end;
  }
  return parts;
}

function delimited(text: string, connector: string): string {
  const parts = wordsOf(text);
  if (parts.length === 0) return "";
  let at = 0;
  let out = "";
  const next = (): Part => parts[at++] ?? { type: "invalid", text: "" };
  const more = () => at < parts.length;
  const lower = ({ type, text: word }: Part): string => {
    if (type !== "upper" && type !== "connector") return word;
    return [...word].map((char) => (isConnector(char) ? connector : isUpper(char) ? toLower(char) : char)).join("");
  };
  const plain = ({ type }: Part) => type === "alphabet" || type === "number";
  let word = next();
  while (more()) {
    if (word.type !== "connector") out += lower(word);
    const previous = word;
    word = next();
    switch (previous.type) {
      case "number":
        while (plain(word)) {
          out += lower(word);
          word = next();
        }
        if (word.type !== "invalid" && word.type !== "punct" && word.type !== "connector") out += connector;
        break;
      case "connector":
        out += lower(previous);
        break;
      case "punct":
        break;
      default: {
        if (word.type !== "number") {
          if (word.type !== "connector" && word.type !== "punct") out += connector;
          break;
        }
        if (!more()) break;
        const number = word;
        word = next();
        if (word.type !== "alphabet") {
          out += lower(number);
          if (word.type !== "connector" && word.type !== "punct") out += connector;
          break;
        }
        out += connector + lower(number);
        while (plain(word)) {
          out += lower(word);
          word = next();
        }
        if (word.type !== "invalid" && word.type !== "connector" && word.type !== "punct") out += connector;
      }
    }
  }
  return out + lower(word);
}

export const snakecase = (text: string): string => delimited(text, "_");
export const kebabcase = (text: string): string => delimited(text, "-");
