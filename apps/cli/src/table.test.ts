import { age, table } from "./table.js";

it("aligns columns and leaves nothing behind the last one", () => {
  expect(
    table(
      ["NAME", "STATUS"],
      [
        ["a", "Synced"],
        ["longer", ""],
      ],
    ),
  ).toBe("NAME     STATUS\na        Synced\nlonger");
});

it.each([
  { seconds: 5, want: "5s" },
  { seconds: 119, want: "119s" },
  { seconds: 192, want: "3m12s" },
  { seconds: 3600, want: "60m" },
  { seconds: 4 * 3600, want: "4h" },
  { seconds: 3 * 86400, want: "3d" },
])("shows $seconds seconds as $want", ({ seconds, want }) => {
  const start = new Date("2026-01-01T00:00:00Z");
  expect(age(start.toISOString(), new Date(start.getTime() + seconds * 1000))).toBe(want);
});
