import { statusError } from "./errors.js";

describe("the kind of a refusal", () => {
  it.each([
    { http: 404, reason: "NotFound", message: "x", code: "NotFound" },
    { http: 500, reason: "", message: "etcd is away", code: "Unavailable" },
    {
      http: 500,
      reason: "",
      message: "failed to create typed patch object (a/b; v1, Kind=Pod): .spec.x: field not declared in schema",
      code: "InvalidArgument",
    },
  ])("of $http $message is $code", ({ http, reason, message, code }) => {
    expect(statusError(http, reason, message).code).toBe(code);
  });
});
