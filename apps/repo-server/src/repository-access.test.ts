import { join } from "node:path";
import type { KubeClient } from "@tiphys/kube";
import { types } from "@tiphys/resources";
import {
  createTestRepository,
  describeWith,
  eventually,
  type GitServer,
  type SshServer,
  selfSignedCertificate,
  startGitServer,
  startSshServer,
  temporaryDirectory,
} from "@tiphys/testing";
import type { RepoServer } from "./create.js";
import { openRepoServerLine, type RepoServerLine } from "./testdata/repo-server-line.js";

const namespace = "argocd";

describeWith(["sshd", "git"], "access to repositories by Argo CD's Secrets and ConfigMaps", () => {
  let folder: ReturnType<typeof temporaryDirectory>;
  let line: RepoServerLine;
  let client: KubeClient;
  let server: RepoServer;
  let ssh: SshServer;
  let https: GitServer;
  let ca: string;
  let url: { ssh: string; https: string };

  beforeAll(async () => {
    folder = temporaryDirectory();
    const source = createTestRepository(join(folder.path, "config"));
    source.commit({ "app/a.yaml": "a: 1\n" });
    ssh = await startSshServer(join(folder.path, "sshd"));
    const tls = await selfSignedCertificate();
    ca = tls.cert;
    https = await startGitServer(folder.path, { tls });
    url = {
      ssh: `ssh://${ssh.user}@127.0.0.1:${ssh.port}${source.directory}/.git`,
      https: `${https.url}/config/.git`,
    };
    line = await openRepoServerLine({ folder: folder.path, namespace });
    ({ client, server } = line);
  });
  afterAll(async () => {
    await line.close();
    await ssh.close();
    await https.close();
    folder.dispose();
  });
  afterEach(async () => {
    await client.delete(types.secrets, { namespace, name: "repo" });
    for (const name of ["argocd-ssh-known-hosts-cm", "argocd-tls-certs-cm"]) {
      await client.delete(types.configMaps, { namespace, name }).catch(() => {});
    }
  });

  const secret = (stringData: Record<string, string>) =>
    client.create(types.secrets, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "repo", namespace, labels: { "argocd.argoproj.io/secret-type": "repository" } },
      data: Object.fromEntries(
        Object.entries(stringData).map(([key, value]) => [key, Buffer.from(value).toString("base64")]),
      ),
    });
  const configMap = (name: string, data: Record<string, string>) =>
    client.create(types.configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name, namespace }, data });
  const test = (repoUrl: string) => server.api.testRepository({ repoUrl, project: "" });
  /** A change of a Secret or ConfigMap counts from the moment the informer has it. */
  const isVerified = (repoUrl: string) => eventually(async () => (await test(repoUrl)).verified);
  const says = (repoUrl: string, want: RegExp) =>
    eventually(() =>
      test(repoUrl).then(
        () => false,
        (error: Error) => want.test(error.message),
      ),
    );

  it("reads over ssh once key and host key are there, and at no time before", async () => {
    await secret({ url: url.ssh, sshPrivateKey: ssh.key });
    await says(url.ssh, /^the ssh host key of .* is not known: add it to argocd-ssh-known-hosts-cm$/);
    await configMap("argocd-ssh-known-hosts-cm", {
      ssh_known_hosts: `# hosts\n[127.0.0.1]:${ssh.port} ${ssh.hostKey}\n`,
    });
    await isVerified(url.ssh);
  });

  it("reads over ssh without a host key where the Secret says insecure", async () => {
    await secret({ url: url.ssh, sshPrivateKey: ssh.key, insecure: "true" });
    await isVerified(url.ssh);
  });

  it("names a key that the server does not let in", async () => {
    await secret({ url: url.ssh, sshPrivateKey: ssh.strangerKey, insecure: "true" });
    await says(url.ssh, /^repository ssh:.* refused the credentials: check its repository Secret$/);
  });

  it("reads over https once the CA is there, and at no time before", async () => {
    await secret({ url: url.https });
    await says(url.https, /^the TLS certificate of https:.* is not trusted .* add its CA to argocd-tls-certs-cm under/);
    await configMap("argocd-tls-certs-cm", { "127.0.0.1": ca });
    await isVerified(url.https);
  });

  it("reads over https without a CA where the Secret says insecure", async () => {
    await secret({ url: url.https, insecure: "true" });
    await isVerified(url.https);
  });

  it("names a field of the Secret that it does not honour", async () => {
    await secret({ url: url.https, insecure: "true", gcpServiceAccountKey: "{}" });
    await says(url.https, /^gcpServiceAccountKey in a repository Secret \(https:.*\) is not implemented yet/);
  });
});
