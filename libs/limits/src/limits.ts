const KiB = 1024;
const MiB = 1024 * KiB;

/** Every limit on input, in one place. Bytes, counts, depths; times are milliseconds. */
export const limits = {
  /** Largest request body of the Kubernetes API (the real server's 3 MiB). */
  kubeRequestBytes: 3 * MiB,
  /** Largest single object in the store (etcd's default request size). */
  kubeObjectBytes: 1.5 * MiB,
  /** A page whose links are rewritten on its way through the proxy of pods and Services; longer ones pass as they are. */
  proxiedPageBytes: 8 * MiB,
  /** Characters of a cron schedule. */
  cronScheduleBytes: 1024,
  /** Operations in one JSON patch (the real server's 10,000). */
  jsonPatchOperations: 10_000,
  /** Nesting of JSON and YAML input. */
  documentDepth: 100,
  /** One YAML file of a source. */
  yamlFileBytes: 10 * MiB,
  /** Documents in one YAML stream. */
  yamlDocuments: 10_000,
  /** YAML aliases expanded in one document. */
  yamlAliasedNodes: 10_000,
  /** All manifests of one source together. */
  renderOutputBytes: 50 * MiB,
  renderFiles: 10_000,
  /** All files that one render reads, a packed chart among them. */
  renderInputBytes: 128 * MiB,
  renderMilliseconds: 90_000,
  /** One file encrypted by SOPS (a Secret of the cluster holds no more). */
  sopsFileBytes: 1.5 * MiB,
  /** One secret of a provider, how long it may take, how many are kept in memory, and how many one source may name. */
  secretBytes: 4 * MiB,
  secretMilliseconds: 15_000,
  secretsKept: 2_000,
  secretsPerSource: 500,
  /** What a config management plugin is sent: gzipped bytes, and files and bytes before. */
  pluginArchiveBytes: 100 * MiB,
  pluginFilesBytes: 1024 * MiB,
  pluginFiles: 200_000,
  /** All processes of one program in a sandbox together. */
  sandboxMemoryBytes: 1024 * MiB,
  /** What is kept of a failed program's own words. */
  programMessageBytes: 4 * KiB,
  /** Kustomizations that one reaches through others. */
  kustomizeDepth: 50,
  /** Nesting of expressions in a Jsonnet program. */
  jsonnetDepth: 200,
  /** Calls and values of one Jsonnet evaluation. */
  jsonnetSteps: 50_000_000,
  /** Characters of texts and elements of arrays that one Jsonnet evaluation makes through the standard library. */
  jsonnetAllocation: 20_000_000,
  /** Silence of one git command after which it is ended. */
  gitMilliseconds: 90_000,
  /** One git command from beginning to end: the first fetch of a large repository takes long. */
  gitTotalMilliseconds: 3_600_000,
  /** `git ls-remote`, from beginning to end. */
  gitRefsMilliseconds: 60_000,
  /** Mirrors on disk: bytes of all together, beyond which those go that were used longest ago; time without use. */
  gitMirrorsBytes: 20 * 1024 * MiB,
  gitMirrorUnusedMilliseconds: 30 * 24 * 3_600_000,
  /** Commits whose signatures are looked at for one revision. */
  gitVerifiedCommits: 10_000,
  /** Submodules of one repository, and how deep they are inside one another. */
  gitSubmodules: 500,
  gitSubmoduleDepth: 10,
  /** Output of `git ls-remote`. */
  gitRefsBytes: 64 * MiB,
  /** OpenPGP keys, signatures and signed texts: bytes, packets, bits of an integer, keys of one ring, signatures of a key over itself, signatures over one text. */
  openPgpBytes: 16 * MiB,
  openPgpPackets: 20_000,
  openPgpIntegerBits: 16_384,
  openPgpKeys: 2_000,
  openPgpSelfSignatures: 500,
  openPgpSignatures: 10,
  /** Webhook body (Argo Events' maxPayloadSize default). */
  webhookBodyBytes: 1 * MiB,
  /** Replay window of a signed webhook. */
  webhookReplayMilliseconds: 300_000,
  /** gRPC message both ways, as Argo CD's default. */
  grpcMessageBytes: 200 * MiB,
  /** Body of a REST request to our API. */
  restBodyBytes: 5 * MiB,
  /** A script's or container's captured `outputs.result` (Argo Workflows' 256 kB). */
  taskResultBytes: 256 * KiB,
  /** A workflow as JSON above which its nodes are stored compressed (Argo Workflows' 1 MiB). */
  workflowBytes: 1 * MiB,
  /** A workflow's nodes, decompressed. */
  workflowNodesBytes: 64 * MiB,
  /** Recursion of templates (Argo Workflows' 100). */
  templateDepth: 100,
  /** Items of one withItems/withParam/withSequence loop. */
  loopItems: 10_000,
  /** Steps of fuel for one expression. */
  expressionFuel: 1_000_000,
  expressionBytes: 64 * KiB,
  /** One response of a web metric provider. */
  metricResponseBytes: 1 * MiB,
  /** One response of an HTTP trigger that is kept. */
  triggerResponseBytes: 64 * KiB,
  /** Bytes of one container's log that are kept. */
  podLogBytes: 10 * MiB,
  /** One manifest or index of a registry (what registries take at most). */
  ociManifestBytes: 4 * MiB,
  /** An image's config, and other blobs that are read whole. */
  ociConfigBytes: 8 * MiB,
  /** One layer as it is sent. */
  ociBlobBytes: 8 * 1024 * MiB,
  /** Files of one image, unpacked: bytes, count, length of a path. */
  imageBytes: 32 * 1024 * MiB,
  imageFiles: 1_000_000,
  imagePathBytes: 4096,
  /** Unpacked bytes for each packed one, judged beyond `imageRatioFromBytes`. */
  imageRatio: 400,
  imageRatioFromBytes: 256 * MiB,
  /** One request to a registry; sending a layer takes as long as `ociBlobMilliseconds`. */
  ociRequestMilliseconds: 30_000,
  ociBlobMilliseconds: 3_600_000,
  /** The index of a chart repository, and one whose layout is unusual and that must be read whole. */
  chartIndexBytes: 128 * MiB,
  chartIndexMilliseconds: 60_000,
  /** Charts of one repository, versions of one chart, tags of one repository of a registry. */
  chartNames: 50_000,
  chartVersions: 20_000,
  /** A packed chart or OCI artifact as it is sent, and unpacked (Helm's 100 MiB). */
  chartArchiveBytes: 100 * MiB,
  chartUnpackedBytes: 100 * MiB,
  chartMilliseconds: 90_000,
  /** A provenance file. */
  chartProvenanceBytes: 1 * MiB,
  /** What is kept of charts and indexes on disk, together. */
  chartCacheBytes: 2 * 1024 * MiB,
  /** Layers of an OCI artifact with manifests (Argo CD's 10). */
  ociArtifactLayers: 10,
  /** Charts that one chart depends on, through others too. */
  chartDependencies: 200,
  /** One message on the bus (NATS' max_payload default). */
  busMessageBytes: 1 * MiB,
} as const;
