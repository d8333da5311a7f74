import { loadDirectory, renderChart } from "./index.js";

// What helm 4.1.4 makes of times with TZ=Europe/Berlin.
const inBerlin: readonly (readonly [string, string])[] = [
  ['{{ date "2006-01-02 15:04 MST -0700" 1767312000 }}', "2026-01-02 01:00 CET +0100"],
  ["{{ htmlDate 1767308400 }}", "2026-01-02"],
  ['{{ (toDate "2006-01-02 15:04" "2026-07-01 00:30") | toString }}', "2026-07-01 00:30:00 +0200 CEST"],
  ['{{ (toDate "2006-01-02 15:04" "2026-07-01 00:30").UTC | toString }}', "2026-06-30 22:30:00 +0000 UTC"],
  ['{{ (toDate "2006-01-02 15:04 -0700" "2026-07-01 00:30 +0200") | toString }}', "2026-07-01 00:30:00 +0200 CEST"],
  ['{{ (toDate "2006-01-02 15:04 -0700" "2026-07-01 00:30 +0300") | toString }}', "2026-07-01 00:30:00 +0300 +0300"],
  ['{{ (toDate "2006-01-02 15:04 MST" "2026-07-01 00:30 CEST") | toString }}', "2026-07-01 00:30:00 +0200 CEST"],
  ['{{ (toDate "2006-01-02 15:04 MST" "2026-07-01 00:30 CET") | toString }}', "2026-07-01 01:30:00 +0200 CEST"],
  ['{{ (toDate "2006-01-02 15:04 MST" "2026-07-01 00:30 PDT") | toString }}', "2026-07-01 00:30:00 +0000 PDT"],
  ['{{ (toDate "2006-01-02 15:04 MST" "2026-07-01 00:30 UTC") | toString }}', "2026-07-01 00:30:00 +0000 UTC"],
  ['{{ (toDate "2006-01-02 15:04" "2026-03-29 02:30") | toString }}', "2026-03-29 03:30:00 +0200 CEST"],
  ['{{ (toDate "2006-01-02 15:04" "2026-10-25 02:30") | toString }}', "2026-10-25 02:30:00 +0100 CET"],
  ['{{ (toDate "2006-01-02 15:04" "2026-03-28 12:00").AddDate 0 0 1 | toString }}', "2026-03-29 12:00:00 +0200 CEST"],
  [
    '{{ (toDate "2006-01-02 15:04" "2026-03-28 12:00") | dateModify "24h" | toString }}',
    "2026-03-29 13:00:00 +0200 CEST",
  ],
  ['{{ dateInZone "15:04 MST" 1767312000 "UTC" }}', "00:00 UTC"],
  ['{{ dateInZone "15:04 MST" 1767312000 "Local" }}', "01:00 CET"],
  ['{{ dateInZone "15:04 MST" 1767312000 "Nowhere" }}', "00:00 UTC"],
  ['{{ (toDate "2006-01-02" "2026-07-01").UTC.Local | toString }}', "2026-07-01 00:00:00 +0200 CEST"],
  ['{{ unixEpoch (toDate "2006-01-02" "2026-07-01") }}', "1782856800"],
  ['{{ (toDate "2006-01-02T15:04:05Z07:00" "2026-07-01T00:00:00Z") | toString }}', "2026-07-01 00:00:00 +0000 UTC"],
  ['{{ toDate "2006-01-02" "2026-01-01" | toJson }}', '"2026-01-01T00:00:00+01:00"'],
];

function render(template: string, timeZone?: string): unknown {
  const chart = loadDirectory([
    { name: "Chart.yaml", data: Buffer.from("apiVersion: v2\nname: zones\nversion: 1.0.0\n") },
    { name: "templates/_case.tpl", data: Buffer.from(template) },
    {
      name: "templates/show.yaml",
      data: Buffer.from('out: {{ include "zones/templates/_case.tpl" . | toJson }}\n'),
    },
  ]);
  const environment = {
    now: () => Date.UTC(2026, 0, 2),
    random: (count: number) => new Uint8Array(count),
    ...(timeZone === undefined ? {} : { timeZone }),
  };
  const { manifests } = renderChart(chart, new Map(), { releaseName: "rel", environment });
  return manifests[0]?.object?.["out"];
}

describe("the zone Local of dates", () => {
  it.each(inBerlin)("is the one that was given: %s", (template, want) => {
    expect(render(template, "Europe/Berlin")).toBe(want);
  });
  it("is UTC where none was given, whatever the machine has", () => {
    expect(render('{{ date "15:04 MST" 1767312000 }}')).toBe("00:00 UTC");
    expect(render('{{ toDate "2006-01-02" "2026-07-01" }}', "No/Where")).toBe("2026-07-01 00:00:00 +0000 UTC");
  });
  it("shows in now", () => {
    expect(render('{{ now.Format "15:04 MST" }}', "Europe/Berlin")).toBe("01:00 CET");
  });
});
