import { readLimited } from "./index.js";

async function* body(...chunks: string[]): AsyncIterable<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk);
}

it.each([
  { why: "a body of exactly the limit is whole", chunks: ["ab", "cd"], limit: 4, want: "abcd" },
  { why: "one byte more is too many", chunks: ["ab", "cde"], limit: 4, want: undefined },
  { why: "nothing is a body too", chunks: [], limit: 0, want: "" },
])("$why", async ({ chunks, limit, want }) => {
  expect((await readLimited(body(...chunks), limit))?.toString()).toBe(want);
});

it("reads no further than the limit", async () => {
  let asked = 0;
  async function* endless(): AsyncIterable<Uint8Array> {
    for (;;) {
      asked++;
      yield new Uint8Array(10);
    }
  }
  expect(await readLimited(endless(), 25)).toBeUndefined();
  expect(asked).toBe(3);
});
