import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { systemClock } from "@tiphys/clock";
import { loadKubeconfig } from "@tiphys/kube";
import { silentLogger } from "@tiphys/telemetry";
import { describeWith, realClusterKubeconfig } from "@tiphys/testing";
import { createEmbeddedKube } from "../index.js";
import { type RawAnswer, raw, until } from "../testing.js";

type Connection = Parameters<typeof raw>[0];

/** One of the two servers that have to answer alike. */
interface Side {
  request(method: string, path: string, body?: unknown, type?: string): Promise<RawAnswer>;
}

interface Sides {
  readonly embedded: Side;
  readonly real: Side;
  /** A namespace of this run on both. */
  readonly namespace: string;
  /** Creates a definition on both, and waits until it is served there. */
  define(crd: object): Promise<void>;
  close(): Promise<void>;
}

/** The embedded server and the real control plane, with a namespace that is gone afterwards. */
async function openSides(): Promise<Sides> {
  const kube = await createEmbeddedKube({ clock: systemClock(), random: randomBytes, log: silentLogger });
  const { kubeconfig } = await kube.listen({ host: "127.0.0.1", port: 0 });
  const own = await loadKubeconfig({ text: kubeconfig });
  const real = await loadKubeconfig({ text: await readFile(realClusterKubeconfig() ?? "", "utf8") });
  const bearer = typeof real.token === "object" ? real.token.reveal() : undefined;
  const side = (connection: Connection): Side => ({
    request: (method, path, body, type) =>
      raw(
        connection,
        method,
        path,
        body === undefined ? undefined : typeof body === "string" ? body : JSON.stringify(body),
        type ? { "content-type": type } : {},
      ),
  });
  const embedded = side(own);
  const there = side({ ...real, ...(bearer ? { bearer } : {}) });
  const both = [embedded, there];
  const namespace = `tiphys-d-${randomBytes(4).toString("hex")}`;
  const definitions: string[] = [];
  for (const one of both) await one.request("POST", "/api/v1/namespaces", { metadata: { name: namespace } });
  return {
    embedded,
    real: there,
    namespace,
    async define(crd) {
      const { metadata, spec } = crd as {
        metadata: { name: string };
        spec: { group: string; names: { plural: string }; versions: { name: string }[] };
      };
      definitions.push(metadata.name);
      for (const one of both) {
        const { code, text } = await one.request("POST", CRDS, crd);
        if (code !== 201) throw new Error(`${one === embedded ? "embedded" : "real"}: ${code} ${text}`);
        await until(
          async () =>
            (await one.request("GET", `/apis/${spec.group}/${spec.versions[0]!.name}/${spec.names.plural}`)).code ===
            200,
        );
      }
    },
    async close() {
      for (const name of definitions) for (const one of both) await one.request("DELETE", `${CRDS}/${name}`);
      for (const one of both) await one.request("DELETE", `/api/v1/namespaces/${namespace}`);
      await kube.stop();
    },
  };
}

const CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";

const GROUP = `r${randomBytes(4).toString("hex")}.tests.tiphys.dev`;

const text = { type: "string", maxLength: 50 };
const int = { type: "integer" };
const fields = {
  a: int,
  b: int,
  d: { type: "number" },
  on: { type: "boolean" },
  s: text,
  t: text,
  any: { type: "string" },
  e: { type: "string", enum: ["Red", "Green"] },
  list: { type: "array", items: int, maxItems: 10 },
  words: { type: "array", items: text, maxItems: 10 },
  set: { type: "array", items: text, maxItems: 10, "x-kubernetes-list-type": "set" },
  items: {
    type: "array",
    maxItems: 10,
    items: { type: "object", required: ["name"], properties: { name: text, port: int } },
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["name"],
  },
  map: { type: "object", maxProperties: 10, additionalProperties: text },
  nums: { type: "object", maxProperties: 10, additionalProperties: int },
  o: { type: "object", properties: { x: int, y: text, deep: { type: "object", properties: { z: int } } } },
  either: { "x-kubernetes-int-or-string": true },
  when: { type: "string", format: "date-time" },
  day: { type: "string", format: "date" },
  wait: { type: "string", format: "duration" },
  raw: { type: "string", format: "byte" },
  "my-name": text,
  namespace: text,
  "a.b/c": text,
  nil: { type: "string", nullable: true },
};
const value = {
  a: 3,
  b: 7,
  d: 2.5,
  on: true,
  s: "hello world",
  t: "héllo",
  any: "x",
  e: "Red",
  list: [3, 1, 2],
  words: ["b", "a", "c"],
  set: ["x", "y"],
  items: [
    { name: "web", port: 80 },
    { name: "tls", port: 443 },
  ],
  map: { k: "v", z: "w" },
  nums: { one: 1, two: 2 },
  o: { x: 5, y: "q" },
  either: 5,
  when: "2026-02-03T04:05:06Z",
  day: "2026-02-03",
  wait: "90m",
  raw: "aGk=",
  "my-name": "n",
  namespace: "ns",
  "a.b/c": "abc",
  nil: null,
};

/** Each is evaluated on `value` by both servers. Many fail on purpose: how they fail has to be alike too. */
const expressions = String.raw`
self.a + self.b == 10
self.a - self.b == -4 && self.a * self.b == 21 && self.b / self.a == 2 && self.b % self.a == 1
self.a / 0 == 1
self.a % 0 == 1
-self.a == -3
!self.on
self.d * 2.0 == 5.0
self.d > 2
self.a < 2.5 || 1u < 2
self.a == 3.0
dyn(self.a) == 3.0
9223372036854775807 + self.a > 0
self.s + '!' == 'hello world!'
self.s.startsWith('hello') && self.s.endsWith('d') && self.s.contains('o w')
self.s.matches('^h.*d$')
self.s.matches('(')
size(self.s) == 11 && self.t.size() == 5
self.missing == 1
self.a == 'x'
self.s < 'z' && self.s > 'a' && self.s >= 'hello world' && self.s <= 'i'
self.list.all(x, x > 0)
self.list.exists(x, x > 2)
self.list.exists_one(x, x > 2)
self.list.map(x, x * 2) == [6, 2, 4]
self.list.map(x, x > 1, x * 2) == [6, 4]
self.list.filter(x, x > 1) == [3, 2]
self.list.exists(x, x / 0 == 1)
self.list.all(x, x / (x - 1) > 100)
self.list[0] == 3
self.list[5] == 3
self.list[-1] == 3
self.map['k'] == 'v' && self.map.k == 'v'
self.map['none'] == 'v'
self.map.none == 'v'
has(self.map.k) && !has(self.map.none) && has(self.o.x) && !has(self.o.deep)
self.o.deep.z == 1
has(self.o.deep.z)
'k' in self.map && !('q' in self.map) && 3 in self.list
self.map.all(k, self.map[k].size() == 1)
self.nums.map(k, self.nums[k]).sum() == 3
self.items.all(i, i.port > 0) && self.items.exists(i, i.name == 'web')
self.items == [{'name': 'tls', 'port': 443}, {'name': 'web', 'port': 80}]
self.set == ['y', 'x']
self.set + ['x', 'q'] == ['x', 'y', 'q']
self.words == ['a', 'b', 'c']
self.words.sort() == ['a', 'b', 'c'] && self.list.sort() == [1, 2, 3]
self.words.isSorted()
self.list.min() == 1 && self.list.max() == 3 && self.list.sum() == 6
self.list.filter(x, x > 10).max() == 1
self.list.indexOf(1) == 1 && self.list.lastIndexOf(9) == -1
self.words.join('-') == 'b-a-c' && self.words.join() == 'bac'
self.s.split(' ') == ['hello', 'world'] && self.s.split(' ', 1) == ['hello world']
self.s.replace('o', '0') == 'hell0 w0rld' && self.s.replace('o', '0', 1) == 'hell0 world'
self.s.substring(6) == 'world' && self.s.substring(0, 5) == 'hello'
self.s.substring(50) == ''
self.s.substring(5, 2) == ''
self.t.charAt(1) == 'é' && self.t.upperAscii() == 'HéLLO' && self.s.lowerAscii() == self.s
self.s.indexOf('o') == 4 && self.s.lastIndexOf('o') == 7 && self.s.indexOf('o', 5) == 7
'  x '.trim() == 'x'
'%s has %d of %.2f and %x'.format([self.s, self.a, self.d, 255]) == 'hello world has 3 of 2.50 and ff'
'%d'.format(['x']) == ''
strings.quote('a"b') == '"a\\"b"'
self.s.find('[a-z]+') == 'hello' && self.s.findAll('[a-z]+') == ['hello', 'world'] && self.s.findAll('o', 1) == ['o']
self.e == 'Red' || self.e == 'Blue'
self.e in ['Red', 'Green']
self.either == 5
self.either == '5'
type(self.either) == int ? self.either < 10 : self.either == 'x'
self.either + 1 == 6
self.either.startsWith('x')
self.when > timestamp('2026-01-01T00:00:00Z') && self.when.getFullYear() == 2026 && self.when.getMonth() == 1
self.when.getDate() == 3 && self.when.getDayOfMonth() == 2 && self.when.getHours() == 4 && self.when.getDayOfWeek() == 2
self.when.getHours('+02:00') == 6 && self.when.getHours('America/New_York') == 23
self.day == timestamp('2026-02-03T00:00:00Z')
self.wait == duration('1h30m') && self.wait.getHours() == 1 && self.wait.getMinutes() == 90
self.wait > duration('1h') && self.when + self.wait > self.when
self.when - self.day == duration('4h5m6s')
duration('x') == self.wait
timestamp('x') == self.when
self.raw == b'hi' && string(self.raw) == 'hi' && size(self.raw) == 2
self.my__dash__name == 'n' && self.__namespace__ == 'ns' && self.a__dot__b__slash__c == 'abc'
self.my-name == 'n'
self.nil == null
int('12') == 12 && double('1.5') == 1.5 && string(5) == '5' && string(2.5) == '2.5' && bool('true') && uint(3) == 3u
int('x') == 1
uint(self.a - 5) == 1u
int(1e20) == 1
string(1000000.0) == '1e+06' && string(0.1) == '0.1' && string(duration('90m')) == '5400s'
string(self.when) == '2026-02-03T04:05:06Z'
self.a > 1 ? self.b > 1 : self.b < 1
self.on && self.a / 0 == 1
!self.on && self.a / 0 == 1
self.on || self.a / 0 == 1
self.a / 0 == 1 || self.on
[1, 'a'].size() == 2
[1, 2, 3].exists(x, x == self.a)
{'a': 1, 'b': 2}.all(k, k != 'c')
{'a': 1}['a'] == 1 && {1: 'x'}[1] == 'x'
{'a': 1, 'a': 2}.size() == 1
[[1, 2], [3]].flatten() == [1, 2, 3]
self.list.reverse() == [2, 1, 3] && [1, 1, 2].distinct() == [1, 2] && lists.range(3) == [0, 1, 2]
self.list.slice(0, 2) == [3, 1]
self.list.slice(0, 20) == [3, 1]
self.items.sortBy(i, i.name)[0].name == 'tls'
self.list.first().value() == 3 && self.list.last().orValue(0) == 2
sets.contains(self.list, [1, 2]) && sets.intersects(self.list, [9, 3]) && sets.equivalent([1, 2], [2, 1, 1])
self.list.all(i, v, v > i - 5) && self.map.exists(k, v, k == 'z' && v == 'w')
self.list.transformList(i, v, i * v) == [0, 1, 4]
self.map.transformMap(k, v, v + '!') == {'k': 'v!', 'z': 'w!'}
self.map.transformMapEntry(k, v, {v: k}) == {'v': 'k', 'w': 'z'}
self.?o.?deep.?z.orValue(7) == 7
self.?a.hasValue() && self.?missing.hasValue()
self.map[?'none'].orValue('d') == 'd' && self.list[?9].or(optional.of(1)).value() == 1
optional.none().value() == 1
self.?o.x.optMap(x, x + 1).value() == 6
[?self.?o.x, ?self.?o.deep.?z] == [5]
optional.ofNonZeroValue(0).hasValue()
url('https://u:p@example.com:80/a b?k=v').getHost() == 'example.com:80'
url('https://example.com:80/path?k=v&k=w').getHostname() == 'example.com' && url('https://x/').getScheme() == 'https'
url('https://example.com/p?k=v&k=w').getQuery() == {'k': ['v', 'w']} && url('https://x:8/').getPort() == '8'
isURL('https://x') && !isURL('x:y') && isURL('/a')
url('nope').getHost() == ''
ip('10.0.0.1').family() == 4 && ip('::1').isLoopback() && isIP('::') && !isIP('1.2.3') && ip('fe80::1').isLinkLocalUnicast()
ip('x') == ip('::1')
ip.isCanonical('2001:db8::abcd') && !ip.isCanonical('2001:DB8::ABCD')
cidr('10.0.0.0/8').containsIP('10.1.2.3') && cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16') && cidr('10.1.2.3/8').masked() == cidr('10.0.0.0/8')
cidr('10.0.0.0/8').prefixLength() == 8 && string(cidr('10.0.0.0/8').ip()) == '10.0.0.0' && isCIDR('::/0')
cidr('10.0.0.0').prefixLength() == 8
quantity('500m').isLessThan(quantity('1')) && quantity('1Gi').isGreaterThan(quantity('1G')) && quantity('2').asInteger() == 2
quantity('1').add(quantity('1')).compareTo(quantity('2')) == 0 && quantity('1').sub(1).asApproximateFloat() == 0.0
quantity('0.5').isInteger()
quantity('0.5').asInteger() == 1
quantity('x') == quantity('1')
isQuantity('1Ki') && !isQuantity('1Kx') && sign(quantity('-1')) == -1
quantity('1').sign() == 1
semver('1.2.3').isLessThan(semver('1.10.0')) && semver('1.2.3-rc.1').compareTo(semver('1.2.3')) == -1 && isSemver('1.2.3+b')
semver('v1.2', true).major() == 1 && !isSemver('v1.2') && semver('1.2.3').minor() == 2
semver('x').major() == 1
format.dns1123Label().validate('ok') == optional.none() && format.dns1123Label().validate('No!').hasValue()
format.named('dns1123Label').value().validate('x').hasValue()
!format.named('nope').hasValue()
format.date().validate('2026-01-01').hasValue() || format.uuid().validate('x').value() == ['does not match the UUID format']
b'a' + b'b' == b'ab' && '\u00e9\x41\101' == 'éAA' && r'\n' == '\\n' && '''x''' == "x"
0x1F == 31 && 1e3 == 1000.0 && .5 == 0.5 && 5u / 2u == 2u
'a' in 'abc'
self.words.exists(w, w)
self.a.exists(x, x)
foo(self.a)
self.s.foo()
self.s.size(1) == 1
[1, 2, 3][0] + self.list[0] == 4
self.a == 3 &&
(self.a == 3
self.a = 3
self.a == 3 )
'unterminated
self.s matches 'x'
1 + 'a' == 2
has(self)
self.list.map(self.a, 1) == []
for == 1
self == oldSelf
oldSelf.a == 1
type(self.a) == int && type(self.s) == string && type([1]) == list && type({}) == map && type(null) == null_type
self.o
Foo{a: 1} == null
self.list.exists(x, x > 2) ? 'yes' : 'no'
int(self.s) > 0 || self.a == 3
duration('1h').getSeconds() == 3600 && duration('1500ms').getMilliseconds() == 1500
timestamp('2026-12-31T23:59:59.5Z').getMilliseconds() == 500 && timestamp('2026-12-31T00:00:00Z').getDayOfYear() == 364
bytes('é').size() == 2
self.any.contains('x') && self.any.matches('x.*')
true ? true : 1 / 0 == 0
[] == [] && {} == {} && [1] != [2] && {'a': [1]} == {'a': [1]}
1 == 1u && 1.0 == 1 && 2u > 1 && dyn(1u) == dyn(1)
'abc' < b'abc'
self.list.exists(x, y, x == 0 && y == 3)
self.list.existsOne(i, v, v == 3)
"\z" == ""
9223372036854775808 == 1
cel.bind(x, 1, x == 1)
self.s.reverse() == ''
math.abs(-1) == 1
`
  .trim()
  .split("\n");

const crd = (name: string, spec: object) => ({
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: `${name}s.${GROUP}` },
  spec: {
    group: GROUP,
    scope: "Namespaced",
    names: { plural: `${name}s`, kind: name[0]!.toUpperCase() + name.slice(1) },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", properties: { spec } } },
      },
    ],
  },
});
const probe = (rules: readonly string[]) => ({
  type: "object",
  properties: fields,
  "x-kubernetes-validations": rules.map((rule) => ({ rule })),
});

interface Answer {
  readonly details?: { readonly causes?: readonly { readonly field: string; readonly message: string }[] };
}

/** Why rules do not compile, by rule. */
function refusalsOf({ details }: Answer): Map<string, string> {
  const found = new Map<string, string>();
  for (const { field, message } of details?.causes ?? []) {
    const rule = expressions[Number(/x-kubernetes-validations\[(\d+)\]/.exec(field)?.[1])] ?? field;
    const text = message.replace(/^Invalid value: \{"Rule".*?"OptionalOldSelf":null\}: /s, "");
    found.set(rule, `${found.get(rule) ?? ""}${text.replace(/selfType\d*/g, "selfType")}`);
  }
  return found;
}

/** How rules failed, by rule. */
function failuresOf({ details }: Answer, rules: readonly string[]): Map<string, string> {
  const found = new Map<string, string>();
  for (const { message } of details?.causes ?? []) {
    const rule = rules.find((each) => message.endsWith(`rule: ${each}`)) ?? message;
    found.set(rule, message.replace(/selfType\d*/g, "selfType"));
  }
  return found;
}

describeWith(["real-cluster"], "rules, compared with a real control plane", () => {
  let sides: Sides;
  const both = <T>(ask: (side: Side) => Promise<T>): Promise<T[]> => Promise.all([sides.embedded, sides.real].map(ask));
  beforeAll(async () => {
    sides = await openSides();
  });
  afterAll(() => sides.close());

  it("compile or are refused with the same words, and evaluate alike", async () => {
    // One definition says what is refused; the rest is evaluated by one object.
    const differences: unknown[] = [];
    const definition = crd("trial", probe(expressions));
    const refusals = await both((side) => side.request("POST", `${CRDS}?dryRun=All`, definition));
    const [ownRefusals, realRefusals] = refusals.map(({ json }) => refusalsOf(json));
    for (const rule of expressions) {
      const [own, real] = [ownRefusals!.get(rule), realRefusals!.get(rule)];
      if (own !== real) differences.push({ rule, own, real });
    }
    const accepted = expressions.filter((rule) => !ownRefusals!.has(rule) && !realRefusals!.has(rule));
    await sides.define(crd("probe", probe(accepted)));
    const object = {
      apiVersion: `${GROUP}/v1`,
      kind: "Probe",
      metadata: { name: "p" },
      spec: value,
    };
    const path = `/apis/${GROUP}/v1/namespaces/${sides.namespace}/probes`;
    const answers = await both((side) => side.request("POST", path, object));
    const [ownFailures, realFailures] = answers.map(({ json }) => failuresOf(json, accepted));
    for (const rule of accepted) {
      const [own, real] = [ownFailures!.get(rule) ?? "holds", realFailures!.get(rule) ?? "holds"];
      if (own !== real) differences.push({ rule, own, real });
    }
    expect(differences).toEqual([]);
    expect(accepted.length).toBeGreaterThan(100);
  });
});
