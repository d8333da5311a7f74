import { capabilitiesOf, identityOf, refusedCapabilities } from "./identity.js";

const accounts = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nweb:x:101:102:web:/srv/web:/bin/false\nbroken line\n",
  group: "root:x:0:\nweb:x:102:\nlog:x:200:other,web\n",
};
const where = { pod: "p_ns(uid)" };
const of = (pod: object | undefined, securityContext: object | undefined, user = "") =>
  identityOf(pod, { name: "c", securityContext }, user, accounts, where);

it.each([
  {
    why: "nothing is asked for",
    user: "",
    pod: undefined,
    own: undefined,
    want: { uid: 0, gid: 0, groups: [], home: "/root" },
  },
  {
    why: "the image's user by name",
    user: "web",
    pod: undefined,
    own: undefined,
    want: { uid: 101, gid: 102, groups: [200], home: "/srv/web" },
  },
  {
    why: "the image's user and group",
    user: "web:log",
    pod: undefined,
    own: undefined,
    want: { uid: 101, gid: 200, groups: [] },
  },
  {
    why: "the container outweighs the pod",
    user: "web",
    pod: { runAsUser: 5, runAsGroup: 6 },
    own: { runAsUser: 7 },
    want: { uid: 7, gid: 6 },
  },
  {
    why: "an unknown number has group 0 and no home",
    user: "",
    pod: { runAsUser: 4000 },
    own: undefined,
    want: { uid: 4000, gid: 0, home: "/" },
  },
  {
    why: "fsGroup and supplemental groups are added",
    user: "",
    pod: { fsGroup: 9, supplementalGroups: [8, 9] },
    own: undefined,
    want: { groups: [8, 9] },
  },
  {
    why: "strict groups leave the image's out",
    user: "web",
    pod: { supplementalGroupsPolicy: "Strict" },
    own: undefined,
    want: { groups: [] },
  },
])("$why", ({ user, pod, own, want }) => expect(of(pod, own, user)).toMatchObject(want));

it.each([
  [{ runAsNonRoot: true }, {}, "", 'image will run as root (pod: "p_ns(uid)", container: c)'],
  [{ runAsNonRoot: true }, { runAsUser: 0 }, "", "container's runAsUser breaks non-root policy"],
  [{ runAsNonRoot: true }, {}, "web", "image has non-numeric user (web), cannot verify"],
  [{}, {}, "nobody-here", "unable to find user nobody-here"],
])("refuses %j with %j and image user %p: %s", (pod, own, user, problem) =>
  expect(() => of(pod, own, user)).toThrow(problem),
);

it("keeps, drops and adds capabilities, and none for others than root", () => {
  const caps = (capabilities: object) => capabilitiesOf({ name: "c", securityContext: { capabilities } });
  expect(caps({ drop: ["ALL"] })).toEqual([]);
  expect(caps({ drop: ["ALL"], add: ["NET_BIND_SERVICE", "CAP_chown"] })).toEqual(["CHOWN", "NET_BIND_SERVICE"]);
  expect(caps({ drop: ["KILL"] })).not.toContain("KILL");
  expect(caps({ add: ["SYS_ADMIN"] })).not.toContain("SYS_ADMIN");
  expect(
    refusedCapabilities({ name: "c", securityContext: { capabilities: { add: ["SYS_ADMIN", "CHOWN"] } } }),
  ).toEqual(["SYS_ADMIN"]);
  expect(of({ runAsUser: 5 }, {}).capabilities).toEqual([]);
});
