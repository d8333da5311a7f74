import { oneOf } from "@tiphys/testing";

/**
 * A program by chance, of what every version of the language has; most give a value, some an error. No field is hidden:
 * whether what is computed over a hidden field shows differs between the versions.
 */
export function randomProgram(random: () => number): string {
  const names = ["a", "b", "c"];
  const pick = <T>(values: readonly T[]): T => oneOf(random, values);
  const few = (most: number): number[] => Array.from({ length: Math.floor(random() * (most + 1)) }, (_, at) => at);
  const literal = (): string =>
    pick(["0", "1", "2.5", "-3", "1e3", "'x'", "'äö'", '"it\'s"', "true", "false", "null", "'a b'", "10", "255"]);
  const number = (depth: number, known: readonly string[]): string =>
    depth <= 0 || random() < 0.3
      ? pick(["0", "1", "2", "3.5", "-4", "7"])
      : pick([
          () => `(${number(depth - 1, known)} ${pick(["+", "-", "*"])} ${number(depth - 1, known)})`,
          () => `std.length(${expression(depth - 1, known)})`,
          () => `std.${pick(["abs", "floor", "ceil", "sign"])}(${number(depth - 1, known)})`,
          () => `(${number(depth - 1, known)} ${pick(["&", "|", "^", "<<"])} ${pick(["1", "2", "5"])})`,
        ])();
  const text = (depth: number, known: readonly string[]): string =>
    depth <= 0 || random() < 0.3
      ? pick(["'x'", "'abc'", "''", "'a,b,c'", "'äö'", "'x\\ny'"])
      : pick([
          () => `(${text(depth - 1, known)} + ${expression(depth - 1, known)})`,
          () =>
            `std.${pick(["asciiUpper", "asciiLower", "toString", "escapeStringJson", "base64"])}(${text(depth - 1, known)})`,
          () => `std.substr(${text(depth - 1, known)}, ${pick(["0", "1"])}, 2)`,
          () => `std.join(',', std.map(std.toString, ${list(depth - 1, known)}))`,
          () => `('%s-%05d' % [${expression(depth - 1, known)}, ${number(depth - 1, known)}])`,
          () => `std.manifestPython(${expression(depth - 1, known)})`,
        ])();
  const list = (depth: number, known: readonly string[]): string =>
    depth <= 0
      ? pick(["[]", "[1, 2, 3]", "['b', 'a']"])
      : pick([
          () =>
            `[${few(3)
              .map(() => expression(depth - 1, known))
              .join(", ")}]`,
          () => `[x for x in ${list(depth - 1, known)} if x != ${literal()}]`,
          () => `(${list(depth - 1, known)} + ${list(depth - 1, known)})`,
          () => `std.${pick(["reverse", "sort", "set", "uniq"])}(${list(depth - 1, known)})`,
          () => `std.map(function(x) [x, ${literal()}], ${list(depth - 1, known)})`,
          () => `std.objectFields(${object(depth - 1, known)})`,
          () => `std.split(${text(depth - 1, known)}, ',')`,
          () => `std.range(0, ${pick(["0", "3"])})`,
          () => `${list(depth - 1, known)}[${pick(["0:2", "1:", ":1", "::2"])}]`,
        ])();
  const object = (depth: number, known: readonly string[]): string =>
    depth <= 0
      ? pick(["{}", "{ a: 1 }", "{ b: 'h', c: self.b }"])
      : pick([
          () => {
            const fields = names.filter(() => random() < 0.6);
            return `{ ${fields.map((name) => `${name}${pick([":", ":::", ":", "+:"])} ${expression(depth - 1, known)}`).join(", ")} }`;
          },
          () => `(${object(depth - 1, known)} + ${object(depth - 1, known)})`,
          () => `{ [k]: k + ${literal()} for k in ['p', 'q'] }`,
          () => `std.mergePatch(${object(depth - 1, known)}, ${object(depth - 1, known)})`,
          () => `std.prune(${object(depth - 1, known)})`,
          () => `{ local v = ${expression(depth - 1, known)}, a: v, b: $.a }`,
        ])();
  const expression = (depth: number, known: readonly string[]): string => {
    if (depth <= 0) return known.length > 0 && random() < 0.5 ? pick(known) : literal();
    return pick([
      () => number(depth, known),
      () => text(depth, known),
      () => list(depth, known),
      () => object(depth, known),
      () => {
        const name = `v${known.length}`;
        return `(local ${name} = ${expression(depth - 1, known)}; ${expression(depth - 1, [...known, name])})`;
      },
      () =>
        `(if ${expression(depth - 1, known)} == ${literal()} then ${expression(depth - 1, known)} else ${expression(depth - 1, known)})`,
      () =>
        `(function(x, y=${literal()}) [y, ${expression(depth - 1, [...known, "x"])}])(${expression(depth - 1, known)})`,
      () => `${object(depth - 1, known)}.${pick(names)}`,
      () => `std.type(${expression(depth - 1, known)})`,
    ])();
  };
  return expression(4, []);
}
