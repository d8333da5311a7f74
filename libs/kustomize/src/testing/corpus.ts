/** Files of a source by path; the kustomization to build is in `app`. */
export type Files = Readonly<Record<string, string>>;

const deployment = (name: string, more = ""): string => `apiVersion: apps/v1
kind: Deployment
metadata:
  name: ${name}
  labels: {app: ${name}}
spec:
  replicas: 1
  selector: {matchLabels: {app: ${name}}}
  template:
    metadata: {labels: {app: ${name}}}
    spec:
      serviceAccountName: runner
      containers:
      - name: main
        image: nginx:1.25
        ports: [{containerPort: 80, name: http}, {containerPort: 53, protocol: UDP}]
        envFrom: [{configMapRef: {name: settings}}, {secretRef: {name: keys}}]
        env:
        - {name: A, value: one}
        - {name: P, valueFrom: {secretKeyRef: {name: keys, key: p}}}
        args: [--host, $(HOST), $$(HOST), "$(NONE)"]
      - {name: side, image: "registry.example:5000/team/side:2.0@sha256:0123456789012345678901234567890123456789012345678901234567890123"}
      initContainers: [{name: init, image: busybox}]
      volumes:
      - {name: conf, configMap: {name: settings}}
      - {name: key, secret: {secretName: keys}}
      - {name: both, projected: {sources: [{configMap: {name: settings}}, {secret: {name: keys}}]}}
${more}`;

const service = `apiVersion: v1
kind: Service
metadata: {name: web}
spec: {ports: [{port: 80, targetPort: http}], selector: {app: web}}
`;

const rbac = `apiVersion: v1
kind: ServiceAccount
metadata: {name: runner}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [secrets], resourceNames: [keys], verbs: [get]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: reading}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: reader}
subjects:
- {kind: ServiceAccount, name: runner}
- {kind: ServiceAccount, name: default, namespace: elsewhere}
- {kind: User, name: somebody, apiGroup: rbac.authorization.k8s.io}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRole
metadata: {name: all}
rules: [{apiGroups: ["*"], resources: ["*"], verbs: ["*"]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: all-of-it}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: all}
subjects: [{kind: ServiceAccount, name: runner, namespace: default}]
`;

const others = `apiVersion: v1
kind: Namespace
metadata: {name: home}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db}
spec:
  serviceName: web
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec: {containers: [{name: db, image: postgres}]}
  volumeClaimTemplates: [{metadata: {name: data}, spec: {storageClassName: fast}}]
---
apiVersion: batch/v1
kind: CronJob
metadata: {name: tick}
spec:
  schedule: "* * * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: t, image: busybox:1, envFrom: [{configMapRef: {name: settings}}]}]}}}}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata: {name: front, annotations: {nginx.ingress.kubernetes.io/auth-secret: keys}}
spec:
  tls: [{hosts: [a.example], secretName: keys}]
  rules: [{host: a.example, http: {paths: [{path: /, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}]}}]
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata: {name: scale}
spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}, minReplicas: 1, maxReplicas: 3}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {name: closed}
spec: {podSelector: {matchLabels: {app: web}}, ingress: [{from: [{podSelector: {matchLabels: {app: db}}}]}]}
---
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: things.example.com}
spec: {group: example.com, names: {kind: Thing, plural: things}, scope: Namespaced, versions: []}
---
apiVersion: example.com/v1
kind: Thing
metadata: {name: thing}
spec: {list: [a, b], ref: {name: web}, image: nginx:1.25, flag: yes, day: 2020-01-02, off: no}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata: {name: some}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: fast}
provisioner: none
---
apiVersion: v1
kind: List
items:
- {apiVersion: v1, kind: ConfigMap, metadata: {name: listed}, data: {a: "1"}}
- {apiVersion: v1, kind: ConfigMap, metadata: {name: hidden, annotations: {config.kubernetes.io/local-config: "true"}}}
`;

const base: Files = {
  "base/kustomization.yaml": `resources: [web.yaml, service.yaml, rbac.yaml, others.yaml]
configMapGenerator:
- {name: settings, literals: [A=1, 'B="quoted"', "C='x y'"], files: [conf.txt, other.txt=conf.txt], envs: [vars.env]}
secretGenerator:
- {name: keys, literals: [p=secret, long=${"x".repeat(90)}], type: example.com/keys}
`,
  "base/web.yaml": deployment("web"),
  "base/service.yaml": service,
  "base/rbac.yaml": rbac,
  "base/others.yaml": others,
  "base/conf.txt": "one\ntwo <&>\n",
  "base/vars.env": "\ufeff# comment\nENV1=x=y\n  ENV2\n\n",
};

const over = (kustomization: string, files: Files = {}): Files => ({
  ...base,
  "app/kustomization.yaml": `resources: [../base]\n${kustomization}`,
  ...files,
});
const alone = (kustomization: string, files: Files = {}): Files => ({
  "app/kustomization.yaml": kustomization,
  "app/web.yaml": deployment("web"),
  "app/service.yaml": service,
  ...files,
});
const merge = (patch: string): Files => over(`patches:\n- patch: |-\n${patch.replace(/^/gm, "    ")}\n`);
const ofWeb = (spec: string): Files =>
  merge(`apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n${spec.replace(/^/gm, "  ")}`);

/** Sources that build. Every field of a kustomization is in one. */
export const good: Readonly<Record<string, Files>> = {
  "a base": over(""),
  "names, namespace": over("namePrefix: pre-\nnameSuffix: -suf\nnamespace: prod\n"),
  "names over names": over("namePrefix: outer-\n", {
    "base/kustomization.yaml": `${base["base/kustomization.yaml"]}namePrefix: inner-\nnameSuffix: "-1"\n`,
  }),
  "two bases with one name": {
    ...base,
    "a/kustomization.yaml": "resources: [../base]\nnamePrefix: a-\nnamespace: a\n",
    "b/kustomization.yaml": "resources: [../base]\nnamePrefix: b-\nnamespace: b\n",
    "app/kustomization.yaml": "resources: [x.yaml]\n",
    "app/x.yaml": service,
  },
  "common labels and annotations": over(
    "commonLabels: {team: a, tier: front}\ncommonAnnotations: {note: 'x: y', num: '1'}\n",
  ),
  labels: over(
    "labels:\n- pairs: {l1: a}\n- pairs: {l2: b}\n  includeSelectors: true\n- pairs: {l3: c}\n  includeTemplates: true\n- pairs: {l4: d}\n  fields: [{path: spec/extra/labels, kind: Thing, create: true}]\n",
  ),
  images: over(
    "images:\n- {name: nginx, newTag: '1.26'}\n- {name: registry.example:5000/team/side, newName: other/side, digest: sha256:abc}\n- {name: busybox, newName: box, newTag: x}\n- {name: postgres, tagSuffix: -alpine}\n",
  ),
  "image tags, the older name": over("imageTags:\n- {name: nginx, newTag: '7'}\n"),
  replicas: over("replicas:\n- {name: web, count: 5}\n- {name: db, count: 0}\n"),
  "bases, the older name": { ...base, "app/kustomization.yaml": "bases: [../base]\n" },
  "generator behaviors": over(
    "configMapGenerator:\n- {name: settings, behavior: merge, literals: [A=2, D=4]}\nsecretGenerator:\n- {name: keys, behavior: replace, literals: [only=this]}\n",
  ),
  "generator options": alone(
    "configMapGenerator:\n- {name: one, literals: [a=b], options: {labels: {own: x}, immutable: true}}\n- {name: two, namespace: ns, literals: [a=b], options: {disableNameSuffixHash: true}}\nsecretGenerator:\n- {name: empty}\ngeneratorOptions: {labels: {all: z}, annotations: {an: z}}\n",
  ),
  "binary data": alone("configMapGenerator:\n- {name: bin, files: [data.bin, t.txt]}\n", {
    "app/data.bin": "\udcffbinary",
    "app/t.txt": "héllo\n",
  }),
  "strategic merge": ofWeb(
    "replicas: 3\ntemplate:\n  spec:\n    containers:\n    - name: new\n      image: x\n    - name: main\n      env: [{name: A, value: two}, {name: B, value: b}]\n      ports: [{containerPort: 81}, {containerPort: 80, name: web}]\n    terminationGracePeriodSeconds: 5",
  ),
  "deleting by patch": ofWeb(
    "replicas: null\ntemplate:\n  spec:\n    volumes:\n    - {name: conf, $patch: delete}\n    containers:\n    - name: side\n      $patch: delete\n    - name: main\n      env:\n      - {name: P, $patch: delete}\n      args: null",
  ),
  "replacing by patch": ofWeb(
    "template:\n  spec:\n    volumes:\n    - $patch: replace\n    - {name: only, emptyDir: {}}\n    containers:\n    - name: main\n      $patch: replace\n      image: y",
  ),
  "deleting a resource": merge("apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n$patch: delete"),
  "a patch of a custom resource": merge(
    "apiVersion: example.com/v1\nkind: Thing\nmetadata: {name: thing}\nspec: {list: [c], ref: {x: 1}}",
  ),
  "finalizers and owners": over(
    "patches:\n- target: {kind: Deployment}\n  patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: any, finalizers: [a/b, c/d], annotations: {x: y}}\n",
  ),
  "JSON patches": over(
    "patches:\n- target: {group: apps, version: v1, kind: Deployment|StatefulSet, name: w.*|db}\n  patch: |-\n    - {op: add, path: /metadata/annotations, value: {a~b: c}}\n    - {op: replace, path: /spec/template/spec/containers/0/image, value: z}\n- target: {labelSelector: app=web}\n  path: ops.json\n",
    {
      "app/ops.json":
        '[{"op": "test", "path": "/spec/replicas", "value": 1}, {"op": "remove", "path": "/spec/replicas"}]',
    },
  ),
  "patches of the older names": over(
    'patchesStrategicMerge:\n- merge.yaml\n- |-\n  apiVersion: v1\n  kind: Service\n  metadata: {name: web}\n  spec: {type: NodePort, ports: [{port: 81, name: b}]}\npatchesJson6902:\n- target: {version: v1, kind: Service, name: web}\n  patch: \'[{"op": "add", "path": "/spec/x", "value": 1}]\'\n- target: {version: v1, kind: Service, name: web}\n  path: ops.yaml\n',
    {
      "app/merge.yaml": "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec: {replicas: 9}\n",
      "app/ops.yaml": "- op: copy\n  from: /spec/x\n  path: /spec/y\n- {op: move, from: /spec/x, path: /spec/z}\n",
    },
  ),
  "patches that rename": over(
    'patches:\n- patch: |-\n    apiVersion: v1\n    kind: ServiceAccount\n    metadata: {name: walker}\n  target: {kind: ServiceAccount, name: runner}\n  options: {allowNameChange: true}\n- patch: \'[{"op": "replace", "path": "/metadata/name", "value": "site"}]\'\n  target: {kind: Service}\n- patch: |-\n    apiVersion: apps/v1\n    kind: DaemonSet\n    metadata: {name: db}\n  target: {kind: StatefulSet}\n  options: {allowKindChange: true}\n',
  ),
  selectors: over(
    'patches:\n- target: {labelSelector: \'app in (web, x),!none\', annotationSelector: \'\'}\n  patch: \'[{"op": "add", "path": "/metadata/labels/hit", "value": "1"}]\'\n- target: {annotationSelector: nginx.ingress.kubernetes.io/auth-secret=keys}\n  patch: \'[{"op": "add", "path": "/metadata/labels", "value": {"hit": "2"}}]\'\n- target: {namespace: default, kind: Service}\n  patch: \'[{"op": "add", "path": "/metadata/labels", "value": {"hit": "3"}}]\'\n',
  ),
  replacements: over(
    "replacements:\n- source: {kind: Service, name: web, fieldPath: 'spec.ports.0.port'}\n  targets:\n  - select: {kind: Deployment}\n    fieldPaths: ['spec.template.spec.containers.[name=main].ports.[name=http].containerPort', spec.template.metadata.annotations.port]\n    options: {create: true}\n- source: {kind: ConfigMap, name: settings, fieldPath: data.A}\n  targets:\n  - select: {kind: Thing}\n    fieldPaths: [spec.ref.name, 'spec.list.1']\n- sourceValue: other.example\n  targets:\n  - select: {kind: Ingress}\n    fieldPaths: ['spec.rules.*.host']\n    options: {delimiter: '.', index: 0}\n- path: more.yaml\n",
    {
      "app/more.yaml":
        "source: {kind: Deployment, name: web, fieldPath: 'spec.template.spec.containers.[name=main].image', options: {delimiter: ':', index: 1}}\ntargets:\n- select: {kind: Thing}\n  reject: [{name: nothing}]\n  fieldPaths: [spec.image]\n  options: {delimiter: ':', index: 1}\n- select: {version: v1, kind: ConfigMap}\n  reject: [{name: settings}]\n  fieldPaths: ['metadata.annotations.[example.com/tag]']\n  options: {create: true}\n",
    },
  ),
  vars: over(
    "vars:\n- {name: HOST, objref: {kind: Service, name: web, apiVersion: v1}}\n- {name: COUNT, objref: {kind: Deployment, name: web, apiVersion: apps/v1}, fieldref: {fieldpath: spec.replicas}}\nnamePrefix: v-\n",
  ),
  components: over("components: [../part]\n", {
    "part/kustomization.yaml":
      "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\nresources: [more.yaml]\nnamePrefix: c-\nconfigMapGenerator: [{name: settings, behavior: merge, literals: [Z=1]}]\npatches:\n- patch: |-\n    apiVersion: apps/v1\n    kind: Deployment\n    metadata: {name: web}\n    spec: {paused: true}\n",
    "part/more.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: more}\n",
  }),
  configurations: over("namePrefix: x-\nconfigurations: [fields.yaml]\ncommonAnnotations: {a: b}\n", {
    "app/fields.yaml":
      "nameReference:\n- kind: Service\n  version: v1\n  fieldSpecs: [{kind: Thing, path: spec/ref/name}]\nnamePrefix: [{path: metadata/labels/name, kind: Thing}]\ncommonAnnotations: [{path: spec/notes, kind: Thing, create: true}]\nimages: [{path: spec/image, kind: Thing}]\nvarReference: [{path: spec/list, kind: Thing}]\nreplicas: [{path: spec/size, kind: Thing, create: true}]\n",
  }),
  crds: over("namePrefix: x-\ncrds: [crd.json]\n", {
    "app/crd.json": JSON.stringify({
      "com.example.v1.Thing": {
        Schema: {
          properties: {
            apiVersion: { type: "string" },
            kind: { type: "string" },
            metadata: { type: "object" },
            spec: { $ref: "com.example.v1.ThingSpec" },
          },
        },
      },
      "com.example.v1.ThingSpec": {
        Schema: {
          properties: {
            ref: {
              "x-kubernetes-object-ref-api-version": "v1",
              "x-kubernetes-object-ref-kind": "Service",
              type: "object",
            },
          },
        },
      },
    }),
  }),
  openapi: over(
    "openapi: {path: schema.json}\npatches:\n- patch: |-\n    apiVersion: example.com/v1\n    kind: Thing\n    metadata: {name: thing}\n    spec: {list: [c]}\n",
    {
      "app/schema.json": JSON.stringify({
        definitions: {
          Thing: {
            properties: {
              spec: {
                properties: {
                  list: { type: "array", "x-kubernetes-patch-strategy": "merge", items: { type: "string" } },
                },
                type: "object",
              },
            },
            "x-kubernetes-group-version-kind": [{ group: "example.com", version: "v1", kind: "Thing" }],
          },
        },
      }),
    },
  ),
  "order of coming in": over("sortOptions: {order: fifo}\n"),
  "order of one's own": over(
    "sortOptions: {order: legacy, legacySortOptions: {orderFirst: [Service, Namespace], orderLast: [ConfigMap]}}\n",
  ),
  transformers: over("transformers: [label.yaml, prefix.yaml, image.yaml, space.yaml, value.yaml]\n", {
    "app/label.yaml":
      "apiVersion: builtin\nkind: LabelTransformer\nmetadata: {name: l}\nlabels: {by: transformer}\nfieldSpecs: [{path: metadata/labels, create: true}]\n",
    "app/prefix.yaml":
      "apiVersion: builtin\nkind: PrefixTransformer\nmetadata: {name: p}\nprefix: t-\nfieldSpecs: [{path: metadata/name}]\n",
    "app/image.yaml":
      "apiVersion: builtin\nkind: ImageTagTransformer\nmetadata: {name: i}\nimageTag: {name: nginx, newTag: t}\nfieldSpecs: []\n",
    "app/space.yaml":
      "apiVersion: builtin\nkind: NamespaceTransformer\nmetadata: {name: n, namespace: far}\nsetRoleBindingSubjects: allServiceAccounts\nunsetOnly: true\nfieldSpecs: []\n",
    "app/value.yaml":
      "apiVersion: builtin\nkind: ValueAddTransformer\nmetadata: {name: v}\nvalue: added\ntargets: [{selector: {kind: Thing}, fieldPath: spec/added}]\n",
  }),
  "transformers inline": over(
    'transformers:\n- |-\n  apiVersion: builtin\n  kind: PatchTransformer\n  metadata: {name: p}\n  target: {kind: Thing}\n  patch: \'[{"op": "add", "path": "/spec/in", "value": 1}]\'\n- |-\n  apiVersion: builtin\n  kind: SuffixTransformer\n  metadata: {name: s}\n  suffix: -t\n  fieldSpecs: [{path: metadata/name}]\n',
  ),
  generators: over("generators:\n- gen.yaml\nvalidators: []\n", {
    "app/gen.yaml":
      "apiVersion: builtin\nkind: ConfigMapGenerator\nmetadata: {name: generated}\nliterals: [x=y]\n---\napiVersion: builtin\nkind: SecretGenerator\nmetadata: {name: secret}\nliterals: [x=y]\n",
  }),
  origins: alone("resources: [web.yaml, sub]\nbuildMetadata: [originAnnotations]\n", {
    "app/sub/kustomization.yaml": "resources: [one.yaml]\n",
    "app/sub/one.yaml": service,
  }),
  "empty values": alone(
    "resources: [web.yaml, e.yaml]\nnamespace: ns\npatches:\n- target: {kind: Pod}\n  patch: |-\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: e}\n    spec: {x: 1}\n",
    {
      "app/e.yaml":
        "apiVersion: v1\nkind: Pod\nmetadata:\n  name: e\n  labels:\n  annotations: {}\nspec:\n  empty:\n  said: null\n  containers:\n  n: 0777\n  f: 1.50\n  s: '012'\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  t: |\n    ends without a break",
    },
  ),
  "a patch in place of a whole object, doubled elements, build annotations": alone(
    "resources: [twice.yaml]\npatches:\n- patch: |-\n    {apiVersion: v1, kind: ConfigMap, metadata: {name: c}, $patch: replace}\n- patch: |-\n    {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {containers: [{name: side, args: [x]}]}}}}\n- target: {kind: ConfigMap}\n  patch: |-\n    - {op: add, path: /metadata/annotations/note, value: n}\n",
    {
      "app/twice.yaml":
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {a: b}\n---\napiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d, annotations: {config.kubernetes.io/index: '3', internal.config.kubernetes.io/path: p}}\nspec: {template: {spec: {containers: [{name: side, image: one}, {name: main, image: m}, {name: side, image: two}]}}}\n",
    },
  ),
  "labels that are one label, replacements into new and typed fields, nulls of patches": alone(
    "resources: [one.yaml]\ncommonLabels: {app: web}\ncommonAnnotations: {note: a}\npatchesStrategicMerge:\n- |-\n  {apiVersion: apps/v1, kind: Deployment, metadata: {name: d, labels: {x: null}, annotations: {y: null}}}\nreplacements:\n- sourceValue: '1e3'\n  targets:\n  - {select: {kind: Deployment}, fieldPaths: [metadata.labels.app, metadata.annotations.note, 'metadata.annotations[example.com/when]', 'metadata.annotations.[example.com/then]', spec.made], options: {create: true}}\n- sourceValue: '7'\n  targets: [{select: {kind: Deployment}, fieldPaths: [spec.replicas]}]\n",
    {
      "app/one.yaml":
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {replicas: 1, selector: {matchLabels: {a: b}}, template: {metadata: {labels: {a: b}}, spec: {containers: []}}}\n",
    },
  ),
  "a generator that merges into an object of a file": alone(
    "resources: [c.yaml]\nconfigMapGenerator: [{name: c, behavior: merge, literals: [a=1]}]\n",
    { "app/c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: {b: '2'}\n" },
  ),
  "prefix and suffix by one transformer, a replacement's path that begins with a dot": alone(
    "resources: [service.yaml]\ntransformers:\n- |-\n  apiVersion: builtin\n  kind: PrefixSuffixTransformer\n  metadata: {name: t}\n  prefix: a-\n  suffix: -z\n  fieldSpecs:\n  - {kind: Service, path: metadata/name}\n  - {kind: Service, path: spec/clusterIP, create: true}\nreplacements:\n- source: {kind: Service, fieldPath: .metadata.name}\n  targets: [{select: {kind: Service}, fieldPaths: [spec.type, .spec.made], options: {create: true}}]\n",
  ),
  "annotations and labels that are no texts": alone("resources: [a.yaml]\n", {
    "app/a.yaml":
      "apiVersion: v1\nkind: A\nmetadata:\n  name: a\n  annotations: {e: , i: 1, b: true, f: 1.10, x: 0x1F, t: True, n: null, d: 2020-01-02}\n  labels: {e: , i: 1, s: null}\n",
  }),
  "a made field that gets a number, then a text": alone(
    "resources: [service.yaml]\nreplacements:\n- {sourceValue: '5', targets: [{select: {kind: Service}, fieldPaths: [spec.one], options: {create: true}}]}\n- {sourceValue: abc, targets: [{select: {kind: Service}, fieldPaths: [spec.one, spec.two], options: {create: true}}]}\n- {sourceValue: '7', targets: [{select: {kind: Service}, fieldPaths: [spec.two]}]}\n",
  ),
  "folded texts with deeper lines": alone("resources: [a.yaml]\n", {
    "app/a.yaml":
      "apiVersion: v1\nkind: A\nmetadata: {name: a}\nspec:\n  a: >-\n    one(\n      two\n      three\n    )\n    four\n\n      five\n  list:\n  - b: >\n      x\n        y\n    c: |\n      k: >\n        m\n          n\n  - >-\n    p\n     q\n  - last\n",
  }),
  "a var of a list's element": alone(
    "resources: [service.yaml, p.yaml]\nvars:\n- {name: V, objref: {kind: Pod, name: p, apiVersion: v1}, fieldref: {fieldpath: 'spec.containers[0].image'}}\n- {name: W, objref: {kind: Pod, name: p, apiVersion: v1}, fieldref: {fieldpath: 'spec.containers.[name=c].name'}}\n",
    {
      "app/p.yaml":
        "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {containers: [{name: c, image: i, args: ['$(V) $(W)']}]}\n",
    },
  ),
  "patches whose labels are empty, and nulls of patches with a target": alone(
    "resources: [three.yaml]\nbuildMetadata: [managedByLabel]\npatchesStrategicMerge:\n- '{apiVersion: v1, kind: Thing, metadata: {name: one, labels: {}}}'\npatches:\n- target: {kind: Other}\n  patch: '{apiVersion: v1, kind: Other, metadata: {name: two, labels: {}, annotations: {x: null}}}'\n- patch: '{apiVersion: v1, kind: Thing, metadata: {name: three, labels: {a: null}, annotations: {x: null, y: b}}}'\n",
    {
      "app/three.yaml":
        "apiVersion: v1\nkind: Thing\nmetadata: {name: one}\n---\napiVersion: v1\nkind: Other\nmetadata: {name: two}\n---\napiVersion: v1\nkind: Thing\nmetadata: {name: three}\n",
    },
  ),
  "annotations that were one until a step was noted; scalars without a type that a merge or a var finds": {
    "app/kustomization.yaml":
      "resources: [../base]\nbuildMetadata: [managedByLabel]\ncommonAnnotations: {note: a}\nreplacements:\n- sourceValue: b\n  targets: [{select: {kind: Deployment}, fieldPaths: [metadata.annotations.note]}]\npatches:\n- patch: '{apiVersion: v1, kind: ConfigMap, metadata: {name: c}, data: {x: y}}'\n",
    "base/kustomization.yaml":
      "resources: [two.yaml]\nvars: [{name: V, objref: {apiVersion: v1, kind: ConfigMap, name: c}}]\nreplacements:\n- sourceValue: '1e3'\n  targets: [{select: {kind: ConfigMap}, fieldPaths: [spec.made], options: {create: true}}, {select: {kind: Deployment}, fieldPaths: [spec.made, metadata.labels.made], options: {create: true}}]\n",
    "base/two.yaml":
      "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: d}\nspec: {template: {metadata: {labels: {a: b}}, spec: {containers: []}}}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\n",
  },
  "a block at the end of a file whose text looks like one, too": alone("resources: [e.yaml]\n", {
    "app/e.yaml":
      "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata:\n  t: |\n    inner: |\n      ends without a break",
  }),
  "origins of generated objects": alone(
    "configMapGenerator: [{name: a, literals: [a=b]}]\nbuildMetadata: [originAnnotations]\n",
    {},
  ),
  "names of fields in other case": alone(
    "Resources: [web.yaml]\nnameprefix: x-\nmetadata: {name: k}\napiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n",
  ),
};

/** Sources that do not build. */
export const bad: Readonly<Record<string, Files>> = {
  "no kustomization": { "app/web.yaml": service },
  "two kustomizations": { "app/kustomization.yaml": "namePrefix: a\n", "app/Kustomization": "namePrefix: a\n" },
  "an empty kustomization": { "app/kustomization.yaml": "" },
  "an unknown field": alone("resorces: [web.yaml]\n"),
  "a wrong type": alone("resources: web.yaml\n"),
  "a wrong kind": alone("kind: Thing\nresources: [web.yaml]\n"),
  "a wrong version": alone("apiVersion: v1\nresources: [web.yaml]\n"),
  "broken YAML": alone("resources: [web.yaml\n"),
  "a missing file": alone("resources: [absent.yaml]\n"),
  "a broken resource": alone("resources: [x.yaml]\n", { "app/x.yaml": "a: [b\n" }),
  "a resource without kind": alone("resources: [x.yaml]\n", { "app/x.yaml": "apiVersion: v1\nmetadata: {name: a}\n" }),
  "a resource without name": alone("resources: [x.yaml]\n", { "app/x.yaml": "apiVersion: v1\nkind: Pod\n" }),
  "one resource twice": alone("resources: [service.yaml, x.yaml]\n", { "app/x.yaml": service }),
  "a file outside": alone("resources: [../x.yaml]\n", { "x.yaml": service }),
  "a circle": {
    "app/kustomization.yaml": "resources: [../other]\n",
    "other/kustomization.yaml": "resources: [../app]\n",
  },
  itself: { "app/kustomization.yaml": "resources: [.]\n" },
  "a patch without target": alone(
    'resources: [service.yaml]\npatches: [{patch: \'[{"op": "remove", "path": "/spec"}]\'}]\n',
  ),
  "a patch of nothing": alone(
    "resources: [service.yaml]\npatches:\n- patch: |-\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: none}\n",
  ),
  "a patch and a path": alone("resources: [service.yaml]\npatches: [{path: a, patch: b}]\n"),
  "a failing JSON patch": alone(
    'resources: [service.yaml]\npatches:\n- target: {kind: Service}\n  patch: \'[{"op": "remove", "path": "/spec/none"}]\'\n',
  ),
  "a patch of another shape": alone(
    "resources: [service.yaml]\npatches:\n- patch: |-\n    apiVersion: v1\n    kind: Service\n    metadata: {name: web}\n    spec: {ports: text}\n",
  ),
  "a repeated key": alone("configMapGenerator: [{name: a, literals: [x=1, x=2]}]\n"),
  "a literal without sign": alone("configMapGenerator: [{name: a, literals: [x]}]\n"),
  "a generator without name": alone("configMapGenerator: [{literals: [x=1]}]\n"),
  "merging into nothing": alone("configMapGenerator: [{name: a, behavior: merge, literals: [x=1]}]\n"),
  "replicas of nothing": alone("resources: [service.yaml]\nreplicas: [{name: none, count: 1}]\n"),
  "a replacement from nothing": alone(
    "resources: [service.yaml]\nreplacements: [{source: {kind: Pod}, targets: [{select: {kind: Service}, fieldPaths: [spec.x]}]}]\n",
  ),
  "a replacement to no field": alone(
    "resources: [service.yaml]\nreplacements: [{source: {kind: Service}, targets: [{select: {kind: Service}, fieldPaths: [spec.x.y]}]}]\n",
  ),
  "a var of nothing": alone(
    "resources: [service.yaml]\nvars: [{name: A, objref: {kind: Pod, name: none, apiVersion: v1}}]\n",
  ),
  "a component as a base": alone("resources: [part]\n", {
    "app/part/kustomization.yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n",
  }),
  "a base as a component": alone("components: [part]\n", { "app/part/kustomization.yaml": "namePrefix: x\n" }),
  "an unknown plugin": alone("transformers: [t.yaml]\nresources: [service.yaml]\n", {
    "app/t.yaml": "apiVersion: example.com/v1\nkind: Mine\nmetadata: {name: m}\n",
  }),
  "suffixes that give two resources one name": {
    "app/kustomization.yaml": "resources: [../one, ../two]\n",
    "one/kustomization.yaml": "resources: [service.yaml]\nnameSuffix: -s-s\n",
    "one/service.yaml": service,
    "two/kustomization.yaml": "resources: [service.yaml]\nnameSuffix: -s-s\n",
    "two/service.yaml": service,
  },
  "a field spec with a field too many": alone("resources: [service.yaml]\nconfigurations: [c.yaml]\n", {
    "app/c.yaml": "namespace: [{kind: Service, apiGroup: x, path: spec/x}]\n",
  }),
  "a wildcard in a configuration": alone(
    "resources: [l.yaml]\nconfigurations: [c.yaml]\nvars: [{name: V, objref: {kind: Service, name: l, apiVersion: v1}}]\n",
    {
      "app/c.yaml": "varReference: [{kind: Service, path: metadata/labels/*}]\n",
      "app/l.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: l, labels: {a: b}}\n",
    },
  ),
  "a wrong order": alone("resources: [service.yaml]\nsortOptions: {order: none}\n"),
  "one var twice": {
    "app/kustomization.yaml":
      "resources: [../base]\nvars: [{name: A, objref: {kind: Service, name: web, apiVersion: v1}}]\n",
    "base/kustomization.yaml":
      "resources: [service.yaml]\nvars: [{name: A, objref: {kind: Service, name: web, apiVersion: v1}}]\n",
    "base/service.yaml": service,
  },
  "a patch that gives two resources one id": alone(
    "resources: [service.yaml, x.yaml]\npatches:\n- target: {}\n  options: {allowNameChange: true}\n  patch: '{apiVersion: v1, kind: Service, metadata: {name: same}}'\n",
    { "app/x.yaml": "apiVersion: v1\nkind: Service\nmetadata: {name: x}\n" },
  ),
  "a replacement that a number cannot hold": alone(
    "resources: [n.yaml]\nreplacements:\n- sourceValue: x\n  targets: [{select: {kind: Pod}, fieldPaths: [spec.n]}]\n",
    { "app/n.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\nspec: {n: 5}\n" },
  ),
  "a JSON patch that is flow YAML": alone(
    "resources: [n.yaml]\npatches:\n- target: {kind: Pod}\n  patch: '[{op: add, path: /a, value: b}]'\n",
    { "app/n.yaml": "apiVersion: v1\nkind: Pod\nmetadata: {name: p}\n" },
  ),
  "charts without leave": alone("helmCharts: [{name: a}]\n"),
};
