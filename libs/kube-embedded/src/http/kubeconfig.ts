import type { Credentials } from "../pki/credentials.js";

/** A kubeconfig for the administrator. */
export function kubeconfig(url: string, { ca, adminCert, adminKey }: Credentials): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return `apiVersion: v1
kind: Config
clusters:
- name: tiphys
  cluster:
    server: ${url}
    certificate-authority-data: ${base64(ca)}
users:
- name: admin
  user:
    client-certificate-data: ${base64(adminCert)}
    client-key-data: ${base64(adminKey)}
contexts:
- name: tiphys
  context:
    cluster: tiphys
    user: admin
    namespace: default
current-context: tiphys
`;
}
