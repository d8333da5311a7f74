import { execFileSync } from "node:child_process";
import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describeWith } from "@tiphys/testing";
import { credentials, issuerOf, serialNumber } from "./credentials.js";
import { DerError, decode, integer, oid, oidText, time } from "./der.js";
import { CN, issueCertificate, nameOf, O, parseRequest } from "./x509.js";

const now = new Date("2026-01-02T03:04:05Z");

it("makes certificates that others read and trust", async () => {
  const made = await credentials({ now, random: randomBytes });
  const ca = new X509Certificate(made.ca);
  expect(ca.ca).toBe(true);
  expect(ca.checkIssued(ca)).toBe(true);
  const server = new X509Certificate(made.serverCert);
  expect(server.verify(ca.publicKey)).toBe(true);
  expect(server.checkIssued(ca)).toBe(true);
  expect(server.checkHost("localhost")).toBe("localhost");
  expect(server.checkIP("10.96.0.1")).toBe("10.96.0.1");
  expect(server.validTo).toBe("Jan  2 03:04:05 2036 GMT");
  const admin = new X509Certificate(made.adminCert);
  expect(admin.subject).toBe("O=system:masters\nCN=admin");
  expect(admin.keyUsage).toEqual(["1.3.6.1.5.5.7.3.2"]);
  expect(admin.checkPrivateKey(createPrivateKey(made.adminKey))).toBe(true);
});

it.each(["1.2.840.10045.4.3.2", "2.5.29.15", "2.16.840.1.113730.4.1"])("writes and reads %s", (text) => {
  expect(oidText(decode(oid(text)))).toBe(text);
});

it.each([
  { why: "small", bytes: [5], want: "020105" },
  { why: "leading zeros are dropped", bytes: [0, 0, 5], want: "020105" },
  { why: "a first bit needs one", bytes: [0x80], want: "02020080" },
])("integers: $why", ({ bytes, want }) => expect(integer(Buffer.from(bytes)).toString("hex")).toBe(want));

it("writes the years after 2049 with four digits", () => {
  expect(time(new Date("2049-12-31T23:59:59Z")).toString("latin1").slice(2)).toBe("491231235959Z");
  expect(time(new Date("2050-01-01T00:00:00Z")).toString("latin1").slice(2)).toBe("20500101000000Z");
});

it.each(["", "30", "3080", "3084ffffffff", "308501020304", "020105ff"])("refuses the bytes %s", (hex) => {
  expect(() => decode(Buffer.from(hex, "hex"))).toThrow(DerError);
});

describeWith(["openssl"], "requests that openssl makes", () => {
  const dir = mkdtempSync(join(tmpdir(), "tiphys-pki-"));
  afterAll(() => rmSync(dir, { recursive: true }));
  const request = (name: string, keyArgs: string[], subject: string, more: string[] = []) => {
    const file = join(dir, `${name}.csr`);
    const args = [
      "req",
      "-new",
      "-newkey",
      ...keyArgs,
      "-nodes",
      "-keyout",
      join(dir, `${name}.key`),
      "-subj",
      subject,
    ];
    execFileSync("openssl", [...args, ...more, "-out", file], { stdio: "pipe" });
    return execFileSync("openssl", ["req", "-in", file], { encoding: "utf8" });
  };
  it.each([
    { name: "rsa", key: ["rsa:2048"] },
    { name: "ec", key: ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"] },
    { name: "ec384", key: ["ec", "-pkeyopt", "ec_paramgen_curve:P-384"] },
    { name: "ed25519", key: ["ed25519"] },
  ])("with a key of $name are read and signed", async ({ name, key }) => {
    const made = await credentials({ now, random: randomBytes });
    const names = "subjectAltName=DNS:a.example,IP:10.0.0.7,IP:fd00::1,email:a@b.example,URI:spiffe://x/y";
    const found = parseRequest(request(name, key, "/O=devs/O=ops/CN=jane", ["-addext", names]));
    expect(found).toMatchObject({ commonName: "jane", organizations: ["devs", "ops"] });
    expect(found?.altNames).toMatchObject({ dns: ["a.example"], emails: ["a@b.example"], uris: ["spiffe://x/y"] });
    const cert = issueCertificate(
      {
        ...found!,
        serial: serialNumber(randomBytes),
        notBefore: now,
        notAfter: now,
        usages: ["digital signature", "client auth"],
      },
      issuerOf(made),
    );
    const read = new X509Certificate(cert);
    expect(read.subject).toBe("O=devs\nO=ops\nCN=jane");
    expect(read.subjectAltName).toBe(
      "DNS:a.example, email:a@b.example, IP Address:10.0.0.7, IP Address:FD00:0:0:0:0:0:0:1, URI:spiffe://x/y",
    );
    expect(read.verify(new X509Certificate(made.ca).publicKey)).toBe(true);
    writeFileSync(join(dir, "ca.crt"), made.ca);
  });
  it("whose bytes were changed afterwards are none", () => {
    const text = request("changed", ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"], "/CN=jane");
    const lines = text.trim().split("\n");
    const der = Buffer.from(lines.slice(1, -1).join(""), "base64");
    der[der.indexOf("jane")] = 0x6b;
    const changed = `-----BEGIN CERTIFICATE REQUEST-----\n${der.toString("base64")}\n-----END CERTIFICATE REQUEST-----\n`;
    expect(parseRequest(changed)).toBeUndefined();
  });
});

it("is not disturbed by anything that calls itself a request", () => {
  const { publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  for (let size = 0; size < 400; size++) {
    const noise = randomBytes(size).toString("base64");
    expect(
      parseRequest(`-----BEGIN CERTIFICATE REQUEST-----\n${noise}\n-----END CERTIFICATE REQUEST-----`),
    ).toBeUndefined();
  }
  expect(publicKey.asymmetricKeyType).toBe("ec");
  expect(nameOf({ type: O, value: "x" }, { type: CN, value: "y" }).length).toBeGreaterThan(8);
});
