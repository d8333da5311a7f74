// Charts made up from a seed: values, subcharts, conditions, and templates of random actions and functions.
import { seeded } from "@tiphys/testing";

class Maker {
  private readonly next: () => number;
  constructor(seed: number) {
    this.next = seeded(seed);
  }
  below(limit: number): number {
    return Math.floor(this.next() * limit);
  }
  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)]!;
  }
  chance(share: number): boolean {
    return this.next() < share;
  }

  private word(): string {
    return this.pick([
      "alpha",
      "b",
      "key one",
      "x-1",
      "yes",
      "12",
      "0x1F",
      "é",
      "long ".repeat(20),
      "a: b",
      "#no",
      "- d",
      "multi\nline\n",
      "",
      "null",
      "1e3",
      "2020-01-01",
      "tab\tx",
      "'q'",
      '"dq"',
      "{{ .Values.s }}",
    ]);
  }

  /** Values as JSON, which is YAML. */
  value(depth: number): unknown {
    const kind = this.below(depth > 0 ? 9 : 6);
    switch (kind) {
      case 0:
        return this.below(1000) - 100;
      case 1:
        return this.pick([1.5, 0.1, 1e6, 1e21, 123456789, -2.25, 1e-7]);
      case 2:
        return this.chance(0.5);
      case 3:
        return null;
      case 4:
      case 5:
        return this.word();
      case 6:
        return Array.from({ length: this.below(4) }, () => this.value(depth - 1));
      default: {
        const object: Record<string, unknown> = {};
        for (let i = this.below(4); i >= 0; i--)
          object[this.pick(["a", "b", "c", "d10", "d2", "E", "enabled", "x.y"])] = this.value(depth - 1);
        return object;
      }
    }
  }

  values(): Record<string, unknown> {
    return {
      s: this.word(),
      n: this.below(100),
      f: this.pick([1.5, 2, 1e6]),
      b: this.chance(0.5),
      l: Array.from({ length: this.below(5) }, () => this.value(1)),
      m: { a: this.value(1), b: this.value(2), enabled: this.chance(0.5) },
      global: { g: this.value(1), h: { i: this.word() } },
      sub: { s: this.word(), enabled: this.chance(0.7), m: { a: this.value(1) } },
      tags: { front: this.chance(0.5) },
    };
  }

  /** An expression of text, number, list or map; `depth` bounds its size. */
  text(depth: number): string {
    if (depth <= 0)
      return this.pick([".Values.s", '"lit eral"', ".Release.Name", ".Chart.Name", "$.Values.s", '"é😀"']);
    const inner = () => `(${this.text(depth - 1)})`;
    return this.pick([
      () => `upper ${inner()}`,
      () => `lower ${inner()}`,
      () => `trunc ${this.below(9) - 3} ${inner()}`,
      () => `quote ${inner()}`,
      () => `squote ${inner()}`,
      () => `toYaml (${this.any(depth - 1)})`,
      () => `toJson (${this.any(depth - 1)})`,
      () => `b64enc ${inner()}`,
      () => `b64enc ${inner()} | b64dec`,
      () => `sha256sum ${inner()}`,
      () => `replace "a" "_" ${inner()}`,
      () => `join "," (${this.list(depth - 1)})`,
      () => `default ${inner()} (${this.any(depth - 1)}) | toString`,
      () => `printf "${this.pick(["%s", "%v", "%q", "%T", "%10s|", "%-5v|", "%d", "%x"])}" (${this.any(depth - 1)})`,
      () => `indent ${this.below(5)} ${inner()}`,
      () => `nindent ${this.below(5)} ${inner()}`,
      () => `snakecase ${inner()}`,
      () => `kebabcase ${inner()}`,
      () => `camelcase ${inner()}`,
      () => `title ${inner()}`,
      () => `regexReplaceAll "[a-c]+" ${inner()} "<$0>"`,
      () => `trimSuffix "e" ${inner()}`,
      () => `repeat ${this.below(3)} ${inner()}`,
      () => `ternary ${inner()} ${inner()} (${this.condition(depth - 1)})`,
      () => `include "lib.echo" (dict "v" (${this.any(depth - 1)}))`,
      () => `tpl ${this.pick(["(toString .Values.s)", '"{{ .Values.n }}"', '"{{ upper \\"x\\" }}"'])} $`,
      () => `typeOf (${this.any(depth - 1)})`,
      () => `kindOf (${this.any(depth - 1)})`,
      () => `cat (${this.any(depth - 1)}) ${inner()}`,
      () => `wrap ${3 + this.below(9)} ${inner()}`,
      () => `abbrev ${4 + this.below(9)} ${inner()}`,
    ])();
  }

  number(depth: number): string {
    if (depth <= 0) return this.pick(["1", "7", ".Values.n", "2.5", ".Values.f", "-3"]);
    const inner = () => `(${this.number(depth - 1)})`;
    return this.pick([
      () => `add ${inner()} ${inner()}`,
      () => `sub ${inner()} ${inner()}`,
      () => `mul ${inner()} ${inner()}`,
      () => `int ${inner()}`,
      () => `max ${inner()} ${inner()}`,
      () => `floor ${inner()}`,
      () => `addf ${inner()} ${inner()}`,
      () => `divf ${inner()} 3`,
      () => `round ${inner()} 1`,
      () => `len (${this.list(depth - 1)})`,
      () => `len (toString (${this.any(depth - 1)}))`,
      () => `div ${inner()} ${1 + this.below(3)}`,
      () => `mod ${inner()} 3`,
    ])();
  }

  list(depth: number): string {
    if (depth <= 0) return this.pick([".Values.l", 'list 1 "a" nil', "until 3", 'splitList "a" "banana"', "list"]);
    const inner = () => `(${this.list(depth - 1)})`;
    return this.pick([
      () => `append ${inner()} (${this.any(depth - 1)})`,
      () => `concat ${inner()} ${inner()}`,
      () => `reverse ${inner()}`,
      () => `uniq ${inner()}`,
      () => `compact ${inner()}`,
      () => `rest ${inner()}`,
      () => `list (${this.any(depth - 1)}) (${this.any(depth - 1)})`,
      () => `keys (${this.map(depth - 1)}) | sortAlpha`,
      () => `without ${inner()} (${this.any(depth - 1)})`,
      () => `chunk 2 ${inner()}`,
    ])();
  }

  map(depth: number): string {
    if (depth <= 0) return this.pick([".Values.m", 'dict "a" 1', ".Values.global", "dict", ".Values.sub"]);
    const inner = () => `(${this.map(depth - 1)})`;
    return this.pick([
      () => `dict "a" (${this.any(depth - 1)}) "b2" (${this.any(depth - 1)})`,
      () => `merge (deepCopy ${inner()}) ${inner()}`,
      () => `mergeOverwrite (deepCopy ${inner()}) ${inner()}`,
      () => `omit ${inner()} "a"`,
      () => `pick ${inner()} "a" "b"`,
      () => `fromYaml (toYaml ${inner()})`,
      () => `fromJson (toJson ${inner()})`,
      () => `set (deepCopy ${inner()}) "k" (${this.any(depth - 1)})`,
      () => `unset (deepCopy ${inner()}) "a"`,
    ])();
  }

  any(depth: number): string {
    return this.pick([
      () => this.text(depth),
      () => this.number(depth),
      () => this.list(depth),
      () => this.map(depth),
      () => ".Values.m.a",
      () => ".Values.missing",
      () => `get (${this.map(depth - 1)}) "a"`,
      () => `first (${this.list(depth - 1)})`,
      () => `index .Values "m" "b"`,
      () => `dig "a" "none" (${this.map(depth - 1)})`,
      () => `coalesce .Values.missing (${this.text(depth - 1)})`,
    ])();
  }

  condition(depth: number): string {
    if (depth <= 0) return this.pick([".Values.b", "true", "false", ".Values.m.enabled"]);
    return this.pick([
      () => `eq (${this.text(depth - 1)}) (${this.text(depth - 1)})`,
      () => `lt (int (${this.number(depth - 1)})) 5`,
      () => `and (${this.condition(depth - 1)}) (${this.condition(depth - 1)})`,
      () => `not (${this.condition(depth - 1)})`,
      () => `empty (${this.any(depth - 1)})`,
      () => `has "a" (${this.list(depth - 1)})`,
      () => `hasKey (${this.map(depth - 1)}) "a"`,
      () => `kindIs "map" (${this.any(depth - 1)})`,
      () => `contains "a" (${this.text(depth - 1)})`,
      () => `regexMatch "^[a-z]" (${this.text(depth - 1)})`,
      () => `deepEqual (${this.any(depth - 1)}) (${this.any(depth - 1)})`,
    ])();
  }

  /** Lines of a ConfigMap's data; every value is written as JSON, so any text is fine. */
  body(depth: number, prefix: string): string {
    let out = "";
    for (let i = 1 + this.below(4); i > 0; i--) {
      const name = `${prefix}${i}`;
      out += this.pick([
        () => `  ${name}: {{ ${this.any(3)} | toString | toJson }}\n`,
        () => `  ${name}: {{ ${this.text(3)} | toJson }}\n`,
        () => `  ${name}: {{- toYaml (${this.any(2)}) | nindent 4 }}\n`,
        () =>
          `  {{- if ${this.condition(2)} }}\n${depth > 0 ? this.body(depth - 1, `${name}t`) : `  ${name}: "1"\n`}  {{- else }}\n  ${name}e: {{ ${this.text(1)} | toJson }}\n  {{- end }}\n`,
        () =>
          `  {{- range $i, $e := ${this.list(2)} }}\n  ${name}-{{ $i }}: {{ $e | toJson | toJson }}\n  {{- else }}\n  ${name}: none\n  {{- end }}\n`,
        () =>
          `  {{- range $k, $v := ${this.map(2)} }}\n  ${name}-{{ $k | b64enc | replace "=" "" }}: {{ $v | toString | toJson }}\n  {{- end }}\n`,
        () =>
          `  {{- with ${this.any(2)} }}\n  ${name}: {{ . | toString | toJson }}\n  {{- else }}\n  ${name}: empty\n  {{- end }}\n`,
        () => `  {{- $v := ${this.any(2)} }}\n  ${name}: {{ $v | toJson | toJson }}\n`,
      ])();
    }
    return out;
  }
}

/** The files of one made-up chart. */
export function makeChart(seed: number): Record<string, string> {
  const maker = new Maker(seed);
  const configMap = (name: string) =>
    `apiVersion: v1\nkind: ${maker.pick(["ConfigMap", "Secret", "Deployment", "Widget"])}\nmetadata:\n  name: ${name}\n${maker.chance(0.2) ? `  annotations:\n    helm.sh/hook: ${maker.pick(["pre-install", "test", "post-delete"])}\n` : ""}data:\n${maker.body(2, "k")}`;
  const library = `{{- define "lib.echo" -}}{{ .v | toJson }}{{- end -}}\n`;
  const sub = maker.values();
  return {
    "Chart.yaml": `apiVersion: v2\nname: made\nversion: 0.1.0\nappVersion: "1.${maker.below(9)}"\ndependencies:\n- name: sub\n  version: ${maker.pick(["0.1.0", '">=0.1"', '"*"', "~0.1"])}\n${maker.chance(0.5) ? "  condition: sub.enabled\n" : ""}${maker.chance(0.3) ? "  tags: [front]\n" : ""}${maker.chance(0.3) ? "  import-values:\n  - child: m\n    parent: imported\n" : ""}`,
    "values.yaml": JSON.stringify(maker.values()),
    "templates/_lib.tpl": library,
    "templates/one.yaml": configMap("one"),
    "templates/two.yaml": `${configMap("two-a")}---\n${configMap("two-b")}`,
    "charts/sub/Chart.yaml": "apiVersion: v2\nname: sub\nversion: 0.1.0\n",
    "charts/sub/values.yaml": JSON.stringify(sub),
    "charts/sub/templates/three.yaml": configMap("three"),
    "given.yaml": JSON.stringify({
      s: maker.chance(0.9) ? "given" : null,
      m: { a: maker.value(2), c: null },
      sub: { m: { b: maker.value(1) } },
      extra: maker.value(2),
    }),
  };
}
