import { InvalidScheduleError, latestRun, parseSchedule, rfc3339 } from "./index.js";

/** Schedule, zone, after when, and what the original library gives: the next four times, or its error. */
const facts: readonly (readonly [string, string, string, readonly string[] | string])[] = [
  [
    "30 2 */2 * MON-FRI",
    "America/New_York",
    "2026-11-01T04:00:00Z",
    ["2026-11-01T07:30:00Z", "2026-11-02T07:30:00Z", "2026-11-03T07:30:00Z", "2026-11-04T07:30:00Z"],
  ],
  [
    "5,35 1-3 15-20 * ?",
    "Europe/Berlin",
    "2026-04-04T14:00:00Z",
    ["2026-04-14T23:05:00Z", "2026-04-14T23:35:00Z", "2026-04-15T00:05:00Z", "2026-04-15T00:35:00Z"],
  ],
  [
    "* 1-3 1 OCT-DEC *",
    "Asia/Kolkata",
    "2026-04-23T20:00:00Z",
    ["2026-09-30T19:30:00Z", "2026-09-30T19:31:00Z", "2026-09-30T19:32:00Z", "2026-09-30T19:33:00Z"],
  ],
  [
    "5,35 1-3 15-20 * ?",
    "America/Sao_Paulo",
    "2026-04-04T14:00:00Z",
    ["2026-04-15T04:05:00Z", "2026-04-15T04:35:00Z", "2026-04-15T05:05:00Z", "2026-04-15T05:35:00Z"],
  ],
  [
    "59 3 1 mar 1,3",
    "Africa/Cairo",
    "2018-11-03T23:00:00Z",
    ["2019-03-01T01:59:00Z", "2019-03-04T01:59:00Z", "2019-03-06T01:59:00Z", "2019-03-11T01:59:00Z"],
  ],
  [
    "10-20/5 3 */2 2 ?",
    "America/Sao_Paulo",
    "2026-04-23T20:00:00Z",
    ["2027-02-01T06:10:00Z", "2027-02-01T06:15:00Z", "2027-02-01T06:20:00Z", "2027-02-03T06:10:00Z"],
  ],
  [
    "10-20/5 1-3 15-20 11 MON-FRI",
    "Asia/Kolkata",
    "2026-04-04T14:00:00Z",
    ["2026-11-01T19:40:00Z", "2026-11-01T19:45:00Z", "2026-11-01T19:50:00Z", "2026-11-01T20:40:00Z"],
  ],
  [
    "59 0 * OCT-DEC 6",
    "Asia/Kolkata",
    "2018-11-03T23:00:00Z",
    ["2018-11-09T19:29:00Z", "2018-11-16T19:29:00Z", "2018-11-23T19:29:00Z", "2018-11-30T19:29:00Z"],
  ],
  [
    "0 2 ? 2 *",
    "America/Sao_Paulo",
    "2026-04-23T20:00:00Z",
    ["2027-02-01T05:00:00Z", "2027-02-02T05:00:00Z", "2027-02-03T05:00:00Z", "2027-02-04T05:00:00Z"],
  ],
  [
    "* 0 15-20 */3 MON-FRI",
    "America/Sao_Paulo",
    "2026-03-28T22:30:00Z",
    ["2026-04-01T03:00:00Z", "2026-04-01T03:01:00Z", "2026-04-01T03:02:00Z", "2026-04-01T03:03:00Z"],
  ],
  [
    "30 3 * * MON-FRI",
    "Asia/Kolkata",
    "2026-10-24T22:10:05Z",
    ["2026-10-25T22:00:00Z", "2026-10-26T22:00:00Z", "2026-10-27T22:00:00Z", "2026-10-28T22:00:00Z"],
  ],
  [
    "0/20 1-3 15-20 11 *",
    "Europe/Berlin",
    "2026-03-08T05:59:59Z",
    ["2026-11-15T00:00:00Z", "2026-11-15T00:20:00Z", "2026-11-15T00:40:00Z", "2026-11-15T01:00:00Z"],
  ],
  [
    "30 2,14 31 11 0",
    "Asia/Kolkata",
    "2026-04-04T14:00:00Z",
    ["2026-10-31T21:00:00Z", "2026-11-01T09:00:00Z", "2026-11-07T21:00:00Z", "2026-11-08T09:00:00Z"],
  ],
  [
    "0 2,14 1 2 ?",
    "Europe/Berlin",
    "2026-03-28T22:30:00Z",
    ["2027-02-01T01:00:00Z", "2027-02-01T13:00:00Z", "2028-02-01T01:00:00Z", "2028-02-01T13:00:00Z"],
  ],
  [
    "? 0 29 * MON-FRI",
    "Australia/Lord_Howe",
    "2026-04-23T20:00:00Z",
    ["2026-04-26T13:30:00Z", "2026-04-26T13:31:00Z", "2026-04-26T13:32:00Z", "2026-04-26T13:33:00Z"],
  ],
  [
    "0/20 2,14 29 mar sun",
    "Asia/Kolkata",
    "2026-12-31T23:59:59Z",
    ["2027-03-06T20:30:00Z", "2027-03-06T20:50:00Z", "2027-03-06T21:10:00Z", "2027-03-07T08:30:00Z"],
  ],
  [
    "? 0 31 OCT-DEC 1,3",
    "Europe/Berlin",
    "2026-06-15T12:34:56Z",
    ["2026-10-04T22:00:00Z", "2026-10-04T22:01:00Z", "2026-10-04T22:02:00Z", "2026-10-04T22:03:00Z"],
  ],
  [
    "0 1-3 15-20 */3 6",
    "Africa/Cairo",
    "2026-03-08T05:59:59Z",
    ["2026-04-03T23:00:00Z", "2026-04-04T00:00:00Z", "2026-04-04T01:00:00Z", "2026-04-10T23:00:00Z"],
  ],
  [
    "59 */6 */2 mar 1,3",
    "Asia/Kolkata",
    "2011-12-29T00:00:00Z",
    ["2012-02-29T19:29:00Z", "2012-03-01T01:29:00Z", "2012-03-01T07:29:00Z", "2012-03-01T13:29:00Z"],
  ],
  [
    "0 2 31 * 1,3",
    "Australia/Lord_Howe",
    "2026-06-15T12:34:56Z",
    ["2026-06-16T15:30:00Z", "2026-06-21T15:30:00Z", "2026-06-23T15:30:00Z", "2026-06-28T15:30:00Z"],
  ],
  [
    "@every 1h30m",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2026-01-31T11:30:00Z", "2026-01-31T13:00:00Z", "2026-01-31T14:30:00Z", "2026-01-31T16:00:00Z"],
  ],
  [
    "@every 1.5s",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2026-01-31T10:00:01Z", "2026-01-31T10:00:02Z", "2026-01-31T10:00:03Z", "2026-01-31T10:00:04Z"],
  ],
  [
    "@every 10ms",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2026-01-31T10:00:01Z", "2026-01-31T10:00:02Z", "2026-01-31T10:00:03Z", "2026-01-31T10:00:04Z"],
  ],
  ["@every x", "UTC", "2026-01-31T10:00:00Z", 'failed to parse duration @every x: time: invalid duration "x"'],
  ["@every 5", "UTC", "2026-01-31T10:00:00Z", 'failed to parse duration @every 5: time: missing unit in duration "5"'],
  [
    "@every 1d",
    "UTC",
    "2026-01-31T10:00:00Z",
    'failed to parse duration @every 1d: time: unknown unit "d" in duration "1d"',
  ],
  [
    "*/1 * */1 * 1",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2026-02-02T00:00:00Z", "2026-02-02T00:01:00Z", "2026-02-02T00:02:00Z", "2026-02-02T00:03:00Z"],
  ],
  [
    "*/2 * */2 * 1",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2026-01-31T10:02:00Z", "2026-01-31T10:04:00Z", "2026-01-31T10:06:00Z", "2026-01-31T10:08:00Z"],
  ],
  ["0 0 30 2 *", "UTC", "2026-01-31T10:00:00Z", ["none"]],
  [
    "0 0 29 2 *",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2028-02-29T00:00:00Z", "2032-02-29T00:00:00Z", "2036-02-29T00:00:00Z", "2040-02-29T00:00:00Z"],
  ],
  [
    "TZ=Nowhere/City * * * * *",
    "UTC",
    "2026-01-31T10:00:00Z",
    "provided bad location Nowhere/City: unknown time zone Nowhere/City",
  ],
  [
    "CRON_TZ=Asia/Tokyo 0 9 * * *",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2026-02-01T00:00:00Z", "2026-02-02T00:00:00Z", "2026-02-03T00:00:00Z", "2026-02-04T00:00:00Z"],
  ],
  [
    "TZ=UTC 0 9 * * *",
    "UTC",
    "2026-01-31T10:00:00Z",
    ["2026-02-01T09:00:00Z", "2026-02-02T09:00:00Z", "2026-02-03T09:00:00Z", "2026-02-04T09:00:00Z"],
  ],
  [
    "59 */6 L * 6",
    "Australia/Lord_Howe",
    "2026-10-03T14:59:00Z",
    'failed to parse int from L: strconv.Atoi: parsing "L": invalid syntax',
  ],
  ["* * */2 mar 7", "Europe/Berlin", "2026-12-31T23:59:59Z", "end of range (7) above maximum (6): 7"],
  ["@never", "UTC", "2026-01-31T10:00:00Z", "unrecognized descriptor: @never"],
  ["* * * *", "UTC", "2026-01-31T10:00:00Z", "expected exactly 5 fields, found 4: [* * * *]"],
  ["* * * * * *", "UTC", "2026-01-31T10:00:00Z", "expected exactly 5 fields, found 6: [* * * * * *]"],
  ["", "UTC", "2026-01-31T10:00:00Z", "expected exactly 5 fields, found 0: []"],
  [" ", "UTC", "2026-01-31T10:00:00Z", "expected exactly 5 fields, found 0: []"],
  ["60 * * * *", "UTC", "2026-01-31T10:00:00Z", "end of range (60) above maximum (59): 60"],
  ["-1 * * * *", "UTC", "2026-01-31T10:00:00Z", 'failed to parse int from : strconv.Atoi: parsing "": invalid syntax'],
  ["1-2-3 * * * *", "UTC", "2026-01-31T10:00:00Z", "too many hyphens: 1-2-3"],
  ["1/2/3 * * * *", "UTC", "2026-01-31T10:00:00Z", "too many slashes: 1/2/3"],
  ["*/0 * * * *", "UTC", "2026-01-31T10:00:00Z", "step of range should be a positive number: */0"],
  ["5-1 * * * *", "UTC", "2026-01-31T10:00:00Z", "beginning of range (5) beyond end of range (1): 5-1"],
  ["a * * * *", "UTC", "2026-01-31T10:00:00Z", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
  [
    "* * * foo *",
    "UTC",
    "2026-01-31T10:00:00Z",
    'failed to parse int from foo: strconv.Atoi: parsing "foo": invalid syntax',
  ],
  ["* * 0 * *", "UTC", "2026-01-31T10:00:00Z", "beginning of range (0) below minimum (1): 0"],
];

it.each(facts)("reads %j in %s after %s as the original does", (spec, zone, from, want) => {
  const next = (): readonly string[] | string => {
    try {
      const schedule = parseSchedule(spec, { zone });
      const times: string[] = [];
      for (let at: Date | undefined = new Date(from); at && times.length < 4; ) {
        at = schedule.next(at);
        times.push(at ? at.toISOString().replace(".000", "") : "none");
      }
      return times;
    } catch (error) {
      return (error as InvalidScheduleError).problem;
    }
  };
  expect(next()).toEqual(want);
});

it("takes a field of seconds where it is asked to", () => {
  const schedule = parseSchedule("*/20 * * * * *", { seconds: "optional" });
  expect(schedule.next(new Date("2026-01-01T00:00:25Z"))).toEqual(new Date("2026-01-01T00:00:40Z"));
});

it("finds an end in a calendar that leaves out a day", () => {
  const schedule = parseSchedule("0 0 31 12 *", { zone: "Pacific/Apia" });
  expect(() => schedule.next(new Date("2011-12-29T00:00:00Z"))).not.toThrow();
});

it("refuses a zone that is not there, and a schedule without end", () => {
  expect(() => parseSchedule("* * * * *", { zone: "Mars/Olympus" })).toThrow(InvalidScheduleError);
  expect(() => parseSchedule(`${"1,".repeat(1000)}1 * * * *`)).toThrow("longer than");
});

it.each([
  { name: "nothing is due", now: "2026-01-01T00:59:00Z", want: { many: false, missed: false } },
  {
    name: "one is due",
    now: "2026-01-01T01:30:00Z",
    want: { at: new Date("2026-01-01T01:00:00Z"), many: false, missed: false },
  },
  {
    name: "some were missed",
    now: "2026-01-01T05:30:00Z",
    want: { at: new Date("2026-01-01T05:00:00Z"), many: false, missed: true },
  },
  {
    name: "too many were missed",
    now: "2026-01-11T05:30:00Z",
    want: { at: new Date("2026-01-11T05:00:00Z"), many: true, missed: true },
  },
])("says what a controller has missed: $name", ({ now, want }) => {
  const after = new Date("2026-01-01T00:00:00Z");
  expect(latestRun(parseSchedule("0 * * * *"), { after, now: new Date(now) })).toEqual(want);
});

it("writes times as the clocks of a zone show them", () => {
  const at = new Date("2026-07-01T10:00:00Z");
  expect([rfc3339(at, ""), rfc3339(at, "Europe/Berlin"), rfc3339(at, "America/St_Johns")]).toEqual([
    "2026-07-01T10:00:00Z",
    "2026-07-01T12:00:00+02:00",
    "2026-07-01T07:30:00-02:30",
  ]);
});
