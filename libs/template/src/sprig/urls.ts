import { FunctionError } from "../errors.js";
import { fromBytes, toBytes } from "../go-string.js";
import type { GoFunction } from "../state.js";
import { quote } from "../strconv.js";
import { type GoValue, kindOf } from "../values.js";

type Part = "path" | "host" | "zone" | "user" | "fragment";

interface Url {
  scheme: string;
  opaque: string;
  user: { name: string; password: string | undefined } | undefined;
  host: string;
  path: string;
  rawPath: string;
  forceQuery: boolean;
  rawQuery: string;
  fragment: string;
  rawFragment: string;
}

const hex = /^[0-9A-Fa-f]{2}$/;

function decodePart(text: string, part: Part): string {
  const escaped = text.includes("%");
  if (part === "host" || part === "zone") {
    for (const char of text) {
      if (char < "\x80" && char !== "%" && shouldEscape(char, part))
        throw new FunctionError(`invalid character ${quote(char)} in host name`);
    }
  }
  if (!escaped) return text;
  const bytes: number[] = [];
  const source = toBytes(text);
  for (let i = 0; i < source.length; i++) {
    if (source[i] !== 0x25) {
      bytes.push(source[i]!);
      continue;
    }
    const digits = fromBytes(source.subarray(i + 1, i + 3));
    if (!hex.test(digits)) throw new FunctionError(`invalid URL escape ${quote(fromBytes(source.subarray(i, i + 3)))}`);
    const value = Number.parseInt(digits, 16);
    if (part === "host" && value < 0x80 && digits !== "25")
      throw new FunctionError(`invalid URL escape ${quote(`%${digits}`)}`);
    bytes.push(value);
    i += 2;
  }
  return fromBytes(Buffer.from(bytes));
}

function shouldEscape(char: string, part: Part): boolean {
  if (/[A-Za-z0-9]/.test(char)) return false;
  if ((part === "host" || part === "zone") && "!$&'()*+,;=:[]<>\"".includes(char)) return false;
  if ("-_.~".includes(char)) return false;
  if ("$&+,/:;=?@".includes(char)) {
    if (part === "path") return char === "?";
    if (part === "user") return "@/?:".includes(char);
    return part !== "fragment";
  }
  return !(part === "fragment" && "!()*".includes(char));
}

function encodePart(text: string, part: Part): string {
  let out = "";
  for (const byte of toBytes(text)) {
    const char = String.fromCharCode(byte);
    out += byte >= 0x80 || shouldEscape(char, part) ? `%${byte.toString(16).toUpperCase().padStart(2, "0")}` : char;
  }
  return out;
}

function parse(raw: string): Url {
  const hash = raw.indexOf("#");
  const url = parseWithoutFragment(hash < 0 ? raw : raw.slice(0, hash), raw);
  if (hash >= 0 && hash < raw.length - 1) {
    url.rawFragment = raw.slice(hash + 1);
    url.fragment = guarded(raw, () => decodePart(url.rawFragment, "fragment"));
  }
  return url;
}

const guarded = <T>(raw: string, work: () => T): T => {
  try {
    return work();
  } catch (error) {
    throw new FunctionError(`parse ${quote(raw)}: ${(error as Error).message}`);
  }
};

function parseWithoutFragment(text: string, raw: string): Url {
  return guarded(raw, () => {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
    if (/[\x00-\x1f\x7f]/.test(text)) throw new FunctionError("net/url: invalid control character in URL");
    const url: Url = {
      scheme: "",
      opaque: "",
      user: undefined,
      host: "",
      path: "",
      rawPath: "",
      forceQuery: false,
      rawQuery: "",
      fragment: "",
      rawFragment: "",
    };
    if (text === "*") return { ...url, path: "*" };
    const [scheme, afterScheme] = schemeOf(text);
    let rest = afterScheme;
    url.scheme = scheme.toLowerCase();
    if (rest.endsWith("?") && rest.indexOf("?") === rest.length - 1) {
      url.forceQuery = true;
      rest = rest.slice(0, -1);
    } else {
      const query = rest.indexOf("?");
      if (query >= 0) {
        url.rawQuery = rest.slice(query + 1);
        rest = rest.slice(0, query);
      }
    }
    if (!rest.startsWith("/")) {
      if (url.scheme !== "") return { ...url, opaque: rest };
      const slash = rest.indexOf("/");
      const first = slash < 0 ? rest : rest.slice(0, slash);
      if (first.includes(":")) throw new FunctionError("first path segment in URL cannot contain colon");
    }
    if ((url.scheme !== "" || !rest.startsWith("///")) && rest.startsWith("//")) {
      const slash = rest.indexOf("/", 2);
      const authority = slash < 0 ? rest.slice(2) : rest.slice(2, slash);
      rest = slash < 0 ? "" : rest.slice(slash);
      const at = authority.lastIndexOf("@");
      url.host = parseHost(at < 0 ? authority : authority.slice(at + 1));
      if (at >= 0) {
        const info = authority.slice(0, at);
        if (!/^[A-Za-z0-9\-._:~!$&'()*+,;=%@]*$/.test(info)) throw new FunctionError("net/url: invalid userinfo");
        const colon = info.indexOf(":");
        url.user =
          colon < 0
            ? { name: decodePart(info, "user"), password: undefined }
            : { name: decodePart(info.slice(0, colon), "user"), password: decodePart(info.slice(colon + 1), "user") };
      }
    }
    url.path = decodePart(rest, "path");
    url.rawPath = rest === encodePart(url.path, "path") ? "" : rest;
    return url;
  });
}

function schemeOf(text: string): [string, string] {
  for (let i = 0; i < text.length; i++) {
    const char = text[i]!;
    if (/[A-Za-z]/.test(char)) continue;
    if (/[0-9+.-]/.test(char)) {
      if (i === 0) return ["", text];
      continue;
    }
    if (char === ":") {
      if (i === 0) throw new FunctionError("missing protocol scheme");
      return [text.slice(0, i), text.slice(i + 1)];
    }
    return ["", text];
  }
  return ["", text];
}

const validPort = (port: string): boolean => port === "" || (port[0] === ":" && /^:[0-9]*$/.test(port));

function parseHost(host: string): string {
  const open = host.lastIndexOf("[");
  if (open === 0) {
    const close = host.lastIndexOf("]");
    if (close < 0) throw new FunctionError("missing ']' in host");
    const port = host.slice(close + 1);
    if (!validPort(port)) throw new FunctionError(`invalid port ${quote(port)} after host`);
    const zone = host.slice(0, close).indexOf("%25");
    if (zone >= 0) {
      return (
        decodePart(host.slice(0, zone), "host") +
        decodePart(host.slice(zone, close), "zone") +
        decodePart(host.slice(close), "host")
      );
    }
  } else if (open > 0) {
    throw new FunctionError("invalid IP-literal");
  } else {
    const colon = host.lastIndexOf(":");
    if (colon >= 0 && !validPort(host.slice(colon)))
      throw new FunctionError(`invalid port ${quote(host.slice(colon))} after host`);
  }
  return decodePart(host, "host");
}

function hostname(host: string): string {
  let name = host;
  const colon = host.lastIndexOf(":");
  if (colon >= 0 && validPort(host.slice(colon))) name = host.slice(0, colon);
  return name.startsWith("[") && name.endsWith("]") ? name.slice(1, -1) : name;
}

const userText = ({ name, password }: NonNullable<Url["user"]>): string =>
  encodePart(name, "user") + (password === undefined ? "" : `:${encodePart(password, "user")}`);

function urlParse(raw: string): GoValue {
  let url: Url;
  try {
    url = parse(raw);
  } catch (error) {
    throw new FunctionError(`unable to parse url: ${(error as Error).message}`);
  }
  return new Map<string, GoValue>([
    ["scheme", url.scheme],
    ["host", url.host],
    ["hostname", hostname(url.host)],
    ["path", url.path],
    ["query", url.rawQuery],
    ["opaque", url.opaque],
    ["fragment", url.fragment],
    ["userinfo", url.user ? userText(url.user) : ""],
  ]);
}

function urlJoin(dict: Map<string, GoValue> | null): string {
  const get = (key: string): string => {
    if (!dict?.has(key)) return "";
    const value = dict.get(key);
    if (typeof value === "string") return value;
    if (value === null || value === undefined)
      throw new FunctionError("runtime error: invalid memory address or nil pointer dereference");
    throw new FunctionError(`unable to parse ${key} key, must be of type string, but ${kindOf(value)} found`);
  };
  const [scheme, host, path, query, opaque, fragment, userinfo] = [
    "scheme",
    "host",
    "path",
    "query",
    "opaque",
    "fragment",
    "userinfo",
  ].map(get) as [string, string, string, string, string, string, string];
  let user: Url["user"];
  if (userinfo !== "") {
    try {
      user = parse(`proto://${userinfo}@host`).user;
    } catch (error) {
      throw new FunctionError(`unable to parse userinfo in dict: ${(error as Error).message}`);
    }
  }
  let out = scheme === "" ? "" : `${scheme}:`;
  if (opaque !== "") out += opaque;
  else {
    const emptyHost = scheme !== "" || host !== "" || user;
    if (emptyHost) {
      if (host !== "" || path !== "" || user) out += "//";
      if (user) out += `${userText(user)}@`;
      out += encodePart(host, "host");
    }
    const shown = path === "*" ? "*" : encodePart(path, "path");
    if (shown !== "" && shown[0] !== "/" && host !== "") out += "/";
    if (out === "") {
      const segment = shown.split("/")[0] ?? "";
      if (segment.includes(":")) out += "./";
    }
    out += shown;
  }
  if (query !== "") out += `?${query}`;
  if (fragment !== "") out += `#${encodePart(fragment, "fragment")}`;
  return out;
}

export const urlFunctions: Readonly<Record<string, GoFunction>> = {
  urlParse: { params: ["string"], call: ([text]) => urlParse(text) },
  urlJoin: { params: ["map"], call: ([dict]) => urlJoin(dict) },
};
