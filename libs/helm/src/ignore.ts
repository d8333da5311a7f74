import { basePath } from "@tiphys/template";
import { ChartError } from "./errors.js";
import { BadPatternError, fileMatcher } from "./match.js";

interface Rule {
  readonly negated: boolean;
  readonly folderOnly: boolean;
  matches(path: string): boolean;
}

/** The rules of a `.helmignore`. */
export class IgnoreRules {
  private readonly rules: Rule[] = [];
  private readonly folders = new Map<string, boolean>();

  /** Throws a {@link ChartError} for a pattern that cannot be read. */
  constructor(text = "") {
    const lines = text.replace(/^\ufeff/, "").split("\n");
    for (const line of lines) this.parse(line);
    this.parse("templates/.?*");
  }

  private parse(line: string): void {
    const trimmed = line.trim();
    if (trimmed === "" || trimmed.startsWith("#")) return;
    if (trimmed.includes("**")) throw new ChartError("double-star (**) syntax is not supported");
    let rule = trimmed;
    const negated = rule.startsWith("!");
    if (negated) rule = rule.slice(1);
    const folderOnly = rule.endsWith("/");
    if (folderOnly) rule = rule.slice(0, -1);
    const rooted = rule.startsWith("/");
    if (rooted) rule = rule.slice(1);
    const whole = rooted || rule.includes("/");
    try {
      const test = fileMatcher(rule);
      this.rules.push({ negated, folderOnly, matches: (path) => test(whole ? path : basePath(path)) });
    } catch (error) {
      if (error instanceof BadPatternError) throw new ChartError(`.helmignore: ${trimmed}: ${error.message}`);
      throw error;
    }
  }

  private ignoresEntry(path: string, isFolder: boolean): boolean {
    for (const rule of this.rules) {
      if (rule.negated) {
        if ((rule.folderOnly && !isFolder) || !rule.matches(path)) return true;
        continue;
      }
      if (rule.folderOnly && !isFolder) continue;
      if (rule.matches(path)) return true;
    }
    return false;
  }

  private ignoresFolder(path: string): boolean {
    let answer = this.folders.get(path);
    if (answer === undefined) {
      const slash = path.lastIndexOf("/");
      answer = (slash >= 0 && this.ignoresFolder(path.slice(0, slash))) || this.ignoresEntry(path, true);
      this.folders.set(path, answer);
    }
    return answer;
  }

  /** Whether a file is left out, by itself or with one of its folders. */
  ignores(path: string): boolean {
    const slash = path.lastIndexOf("/");
    return (slash >= 0 && this.ignoresFolder(path.slice(0, slash))) || this.ignoresEntry(path, false);
  }
}
