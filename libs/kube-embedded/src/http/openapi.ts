import { digest } from "@tiphys/canonical-json";
import { type BuiltinKind, openApiV2Document, openApiV3Document, type ServedCrd } from "@tiphys/kube-schema";
import type { Kinds } from "../api/kinds.js";
import { openApiProtobuf } from "./openapi-protobuf.js";

/** OpenAPI documents, made when asked for and kept until the served kinds change. */
export class OpenApi {
  private readonly documents = new Map<string, { readonly text: string; readonly hash: string }>();
  private generation = -1;

  constructor(private readonly kinds: Kinds) {}

  /** /openapi/v3: where the document of each group and version is. */
  index(): string {
    const paths: Record<string, object> = {};
    for (const path of this.groupVersions()) {
      const { hash } = this.v3(path) ?? { hash: "" };
      paths[path] = { serverRelativeURL: `/openapi/v3/${path}?hash=${hash}` };
    }
    return JSON.stringify({ paths });
  }

  /** /openapi/v3/api/v1 or /openapi/v3/apis/<group>/<version>. */
  v3(path: string): { readonly text: string; readonly hash: string } | undefined {
    const [root, first = "", second = "", ...rest] = path.split("/");
    const [group, version] = root === "api" ? ["", first] : [first, second];
    if (rest.length > 0 || !this.kinds.hasGroupVersion(group, version)) return undefined;
    return this.cached(path, () => openApiV3Document(group, version, this.builtins(), this.customs()));
  }

  v2(): { readonly text: string; readonly hash: string } {
    return this.cached("v2", () => openApiV2Document(this.builtins(), this.customs()));
  }

  /** The same for clients that read nothing but protobuf. */
  v2Protobuf(): Buffer {
    const { text } = this.v2();
    if (this.packed?.text !== text) this.packed = { text, bytes: openApiProtobuf(JSON.parse(text)) };
    return this.packed.bytes;
  }
  private packed: { readonly text: string; readonly bytes: Buffer } | undefined;

  private cached(key: string, make: () => object): { readonly text: string; readonly hash: string } {
    if (this.generation !== this.kinds.generation) {
      this.documents.clear();
      this.generation = this.kinds.generation;
    }
    let known = this.documents.get(key);
    if (!known) {
      const text = JSON.stringify(make());
      known = { text, hash: digest(text).toUpperCase() };
      this.documents.set(key, known);
    }
    return known;
  }

  private groupVersions(): string[] {
    const found = new Set(
      this.kinds.all().map(({ group, version }) => (group ? `apis/${group}/${version}` : `api/${version}`)),
    );
    return [...found].sort();
  }

  private builtins(): BuiltinKind[] {
    return this.kinds.all().flatMap(({ builtin }) => (builtin ? [builtin] : []));
  }

  private customs(): ServedCrd[] {
    return this.kinds.all().flatMap(({ crd, version }) => (crd ? [{ crd, version }] : []));
  }
}
