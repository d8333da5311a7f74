/*
 * Links of a proxied page lead past the proxy when they begin at the root of their server. They get the proxy's path in front,
 * by the rules of the real server, so that pages of dashboards work as they do there.
 */

/** Attributes that hold an address, by element. */
const ADDRESSES: Readonly<Record<string, readonly string[]>> = {
  a: ["href"],
  applet: ["codebase"],
  area: ["href"],
  audio: ["src"],
  base: ["href"],
  blockquote: ["cite"],
  body: ["background"],
  button: ["formaction"],
  command: ["icon"],
  del: ["cite"],
  embed: ["src"],
  form: ["action"],
  frame: ["longdesc", "src"],
  head: ["profile"],
  html: ["manifest"],
  iframe: ["longdesc", "src"],
  img: ["longdesc", "src", "usemap"],
  input: ["src", "usemap", "formaction"],
  ins: ["cite"],
  link: ["href"],
  object: ["classid", "codebase", "data", "usemap"],
  q: ["cite"],
  script: ["src"],
  source: ["src"],
  video: ["poster", "src"],
};

/** Elements whose content is text up to their own end tag, whatever it looks like. */
const TEXT_ONLY = new Set([
  "iframe",
  "noembed",
  "noframes",
  "noscript",
  "plaintext",
  "script",
  "style",
  "textarea",
  "title",
  "xmp",
]);

export interface Proxied {
  /** Path of the proxy on this server, decoded and without a slash at its end. */
  readonly prefix: string;
  /** `host:port` that the request was sent on to. */
  readonly target: string;
  /** The Host that the client named. */
  readonly asked: string;
}

interface Reference {
  scheme: string;
  /** Whatever stands between `//` and the path; undefined: there is none. */
  authority: string | undefined;
  /** Decoded. */
  path: string;
  readonly rawPath: string;
  /** With its question mark. */
  readonly query: string;
  /** With its number sign. */
  readonly fragment: string;
  /** The path is no path: `mailto:x`. */
  readonly opaque: boolean;
}

const BAD_ESCAPE = /%(?![0-9a-fA-F]{2})/;

/** Texts are bytes here, one character each, so that pages keep whatever encoding they have. */
const unescapePercent = (text: string): string =>
  text.replace(/%([0-9a-fA-F]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
const escapePath = (text: string): string =>
  text.replace(/[^A-Za-z0-9\-_.~$&+,/:;=@]/g, (char) => {
    const hex = char.charCodeAt(0).toString(16).toUpperCase();
    return `%${hex.padStart(2, "0")}`;
  });

/** Undefined for what is no reference: such a link stays as it is. */
function parse(text: string): Reference | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they make a reference invalid
  if (/[\x00-\x1f\x7f]/.test(text)) return undefined;
  const [, beforeFragment = "", fragment = ""] = /^([^#]*)(#.*)?$/s.exec(text) ?? [];
  const [, beforeQuery = "", query = ""] = /^([^?]*)(\?.*)?$/s.exec(beforeFragment) ?? [];
  if (BAD_ESCAPE.test(fragment) || beforeQuery.startsWith(":")) return undefined;
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(beforeQuery)?.[1] ?? "";
  let rest = scheme === "" ? beforeQuery : beforeQuery.slice(scheme.length + 1);
  const common = { scheme: scheme.toLowerCase(), query, fragment };
  if (!rest.startsWith("/")) {
    if (scheme !== "") return { ...common, authority: undefined, path: rest, rawPath: rest, opaque: true };
    if (rest.split("/", 1)[0]?.includes(":")) return undefined;
  }
  let authority: string | undefined;
  if (rest.startsWith("//") && (scheme !== "" || !rest.startsWith("///"))) {
    authority = rest.slice(2).split("/", 1)[0] ?? "";
    if (/[\s"<>^`{|}]/.test(authority)) return undefined;
    rest = rest.slice(2 + authority.length);
  }
  if (BAD_ESCAPE.test(rest)) return undefined;
  return { ...common, authority, path: unescapePercent(rest), rawPath: rest, opaque: false };
}

function written({ scheme, authority, path, rawPath, query, fragment, opaque }: Reference): string {
  const isKept = unescapePercent(rawPath) === path && /^[A-Za-z0-9\-_.~!$&'()*+,/:;=@%[\]]*$/.test(rawPath);
  const shown = opaque || isKept ? rawPath : escapePath(path);
  return `${scheme ? `${scheme}:` : ""}${authority === undefined ? "" : `//${authority}`}${shown}${query}${fragment}`;
}

/** The path without `.`, `..` and doubled slashes. */
function cleaned(path: string): string {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}`;
}

/** The link as it leads through the proxy; undefined: it is no link that could be read. */
export function throughProxy(link: string, { prefix, target, asked }: Proxied): string | undefined {
  const reference = parse(link);
  if (!reference) return undefined;
  const host = reference.authority?.replace(/^.*@/, "") ?? "";
  const isElsewhere = host !== "" && host !== target && host !== asked;
  if (isElsewhere || reference.opaque || !reference.path.startsWith("/")) return written(reference);
  if (host !== asked) {
    reference.scheme = "";
    reference.authority = undefined;
  }
  if (!reference.path.startsWith(prefix)) {
    const slash = reference.path.endsWith("/") ? "/" : "";
    const joined = cleaned(`${prefix}/${reference.path}`);
    reference.path = joined.endsWith("/") ? joined : `${joined}${slash}`;
  }
  return written(reference);
}

const SPACE = " \n\r\t\f";
const NAMED: Readonly<Record<string, string>> = { amp: "&", lt: "<", gt: ">", quot: '"', apos: "'", nbsp: "\u00a0" };
const asBytes = (text: string): string => Buffer.from(text).toString("latin1");

/** Character references of an attribute. Names beyond the common ones stay, and are marked so that they are not escaped again. */
function decoded(value: string): string {
  return value
    .replace(/\r\n?/g, "\n")
    .replace(/&(?:#(\d+);?|#[xX]([0-9a-fA-F]+);?|([A-Za-z][A-Za-z0-9]*);)/g, (all, decimal, hex, name) => {
      if (name !== undefined) return name in NAMED ? asBytes(NAMED[name] as string) : `\u0100${all.slice(1)}`;
      const code = decimal === undefined ? Number.parseInt(hex, 16) : Number(decimal);
      const isCharacter = code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
      return asBytes(isCharacter ? String.fromCodePoint(code) : "\ufffd");
    });
}

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "'": "&#39;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&#34;",
  "\r": "&#13;",
  "\u0100": "&",
};
const encoded = (value: string): string => value.replace(/[&'<>"\r\u0100]/g, (char) => ESCAPES[char] as string);

interface Tag {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly closesItself: boolean;
  /** Behind its `>`. */
  readonly end: number;
}

/** The start tag at `from`, which is its `<`; undefined: the page ends within it. */
function startTag(html: string, from: number): Tag | undefined {
  let at = from + 1;
  const skip = () => {
    while (at < html.length && SPACE.includes(html[at] as string)) at++;
  };
  const until = (stops: string) => {
    const start = at;
    while (at < html.length && !stops.includes(html[at] as string)) at++;
    return html.slice(start, at);
  };
  const name = until(`${SPACE}/>`).toLowerCase();
  const attributes = new Map<string, string>();
  let endOfValue = -1;
  for (;;) {
    skip();
    if (at >= html.length) return undefined;
    if (html[at] === ">") break;
    if (html[at] === "/") {
      at++;
      continue;
    }
    // An equals sign before a name is part of it.
    const first = html[at] === "=" ? html[at++] : "";
    const key = `${first}${until(`=${SPACE}/>`)}`.toLowerCase();
    skip();
    let value = "";
    if (html[at] === "=") {
      at++;
      skip();
      const quote = html[at];
      if (quote === '"' || quote === "'") {
        at++;
        value = until(quote);
        if (at >= html.length) return undefined;
        at++;
      } else if (quote !== ">") {
        value = until(`${SPACE}>`);
        endOfValue = at;
      }
    }
    if (!attributes.has(key)) attributes.set(key, decoded(value));
  }
  return { name, attributes, closesItself: html[at - 1] === "/" && at !== endOfValue, end: at + 1 };
}

/** Where the content of a text-only element ends: at its end tag. */
function endOfText(html: string, from: number, name: string): number {
  if (name === "plaintext") return html.length;
  const end = new RegExp(`</${name}[\\s/>]`, "gi");
  end.lastIndex = from;
  return end.exec(html)?.index ?? html.length;
}

/** Where a comment, a declaration or an end tag that begins at `from` ends. */
function endOfMarkup(html: string, from: number): number {
  if (html.startsWith("<!--", from)) {
    if (html.startsWith(">", from + 4) || html.startsWith("->", from + 4)) return html.indexOf(">", from) + 1;
    const end = /--!?>/g;
    end.lastIndex = from + 4;
    const found = end.exec(html);
    return found ? found.index + found[0].length : html.length;
  }
  if (/^<\/[A-Za-z]/.test(html.slice(from, from + 3))) return startTag(html, from + 1)?.end ?? html.length;
  const end = html.indexOf(">", from);
  return end < 0 ? html.length : end + 1;
}

/** The page with its links leading through the proxy; `html` has one character per byte. */
export function rewriteLinks(html: string, proxied: Proxied): string {
  const out: string[] = [];
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf("<", at);
    if (open < 0) break;
    const next = html[open + 1] ?? "";
    if (/[A-Za-z]/.test(next)) {
      out.push(html.slice(at, open));
      const tag = startTag(html, open);
      // A tag that the page breaks off in is no tag, and the real server drops it.
      if (!tag) return out.join("");
      out.push(tagText(tag, proxied));
      at = tag.end;
      if (TEXT_ONLY.has(tag.name)) {
        const end = endOfText(html, at, tag.name);
        out.push(html.slice(at, end));
        at = end;
      }
    } else if (next === "/" || next === "!" || next === "?") {
      const end = endOfMarkup(html, open);
      out.push(html.slice(at, end));
      at = end;
    } else {
      out.push(html.slice(at, open + 1));
      at = open + 1;
    }
  }
  out.push(html.slice(at));
  return out.join("");
}

function tagText({ name, attributes, closesItself }: Tag, proxied: Proxied): string {
  const addresses = ADDRESSES[name];
  let text = `<${name}`;
  for (const [key, value] of attributes) {
    const shown = addresses?.includes(key) ? (throughProxy(value, proxied) ?? value) : value;
    text += ` ${key}="${encoded(shown)}"`;
  }
  return `${text}${closesItself ? "/" : ""}>`;
}
