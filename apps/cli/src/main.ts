import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath, pathToFileURL } from "node:url";
import { messageOf } from "@tiphys/errors";
import { Command, InvalidArgumentError as CommanderArgumentError, CommanderError, Option } from "commander";
import * as commands from "./commands.js";
import { connect } from "./connection.js";
import { applicationView, eventSourceView, type KindView, rolloutView, sensorView, workflowView } from "./kinds.js";

/** Exit codes: 0 done, 1 refused or failed, 2 wrong use, 130 interrupted. */
const FAILED = 1;
const WRONG_USE = 2;
const INTERRUPTED = 130;
const EVENT_POLL_MS = 1_000;

interface Common {
  data?: string;
  namespace?: string;
  output: string;
}

/** What the command is given by the process that runs it. */
export interface Outside {
  readonly out: (text: string) => void;
  readonly err: (text: string) => void;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly folder: string;
  readonly now: () => Date;
  /** Aborts when the user interrupts. */
  readonly signal: AbortSignal;
}

/** Runs the `tiphys` command; resolves to its exit code. */
export async function main(argv: readonly string[], outside?: Outside): Promise<number> {
  if (outside) return await run(argv, outside);
  const abort = new AbortController();
  const interrupt = () => abort.abort();
  process.once("SIGINT", interrupt);
  try {
    return await run(argv, {
      out: (text) => process.stdout.write(text),
      err: (text) => process.stderr.write(text),
      env: process.env,
      folder: process.cwd(),
      now: () => new Date(),
      signal: abort.signal,
    });
  } finally {
    process.off("SIGINT", interrupt);
  }
}

async function run(argv: readonly string[], outside: Outside): Promise<number> {
  const { signal, now, out, err } = outside;
  const program = build(outside, (options) => ({
    connect: () => connect(dataFolder(options.data, outside)),
    print: (text) => out(`${text}\n`),
    remark: (text) => err(`${text}\n`),
    now,
    signal,
  }));
  try {
    await program.parseAsync([...argv], { from: "user" });
    return signal.aborted ? INTERRUPTED : 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : WRONG_USE;
    if (signal.aborted) return INTERRUPTED;
    err(`tiphys: ${messageOf(error)}\n`);
    // Not by class: an error from another bundle has its own.
    return (error as { field?: string }).field?.startsWith("--") ? WRONG_USE : FAILED;
  }
}

/** --data, TIPHYS_DATA, or the nearest `.tiphys` folder upwards from here. */
function dataFolder(given: string | undefined, { env, folder: start }: Outside): string {
  const named = given ?? env["TIPHYS_DATA"];
  if (named) return named;
  for (let folder = start; ; folder = dirname(folder)) {
    if (existsSync(join(folder, ".tiphys", "login.json"))) return join(folder, ".tiphys");
    if (dirname(folder) === folder) return join(start, ".tiphys");
  }
}

type WorldOf = (options: Common) => commands.World;

/** A bundle beside this one: most commands need nothing of an API server. */
const bundled = (name: string) =>
  import(pathToFileURL(join(dirname(fileURLToPath(import.meta.url)), `../../standalone/dist/${name}.mjs`)).href);

/** What the bundle of that name exports. */
interface ClusterFiles {
  snapshotCluster(file: string, options: object): Promise<{ objects: number; revision: number }>;
  restoreCluster(file: string, options: object): Promise<{ objects: number; revision: number; kept?: string }>;
}

const clusterFiles = (): Promise<ClusterFiles> => bundled("cluster-files");

function build(outside: Outside, world: WorldOf): Command {
  const { out, err } = outside;
  const program = new Command("tiphys")
    .description("GitOps delivery, workflows, progressive rollouts and events")
    .configureOutput({ writeOut: out, writeErr: err })
    .exitOverride();
  program
    .command("up")
    .description("start the whole suite on the embedded cluster")
    .allowUnknownOption()
    .allowExcessArguments()
    .helpOption(false)
    .action(async (_options, command: Command) => {
      const { main: standalone } = await bundled("main");
      await standalone(command.args);
    });

  const many = (value: string, before: string[] = []): string[] => [...before, value];
  program
    .command("render <path>")
    .description(
      "print the manifests of a folder or file: Helm, Kustomize, Jsonnet or plain; needs no cluster and no server",
    )
    .option("--name <release>", "name of the Helm release", "release-name")
    .option("-n, --namespace <namespace>", "namespace of the release")
    .option("-f, --values <file>", "values of a chart, again for more", many)
    .option("--set <values>", "values by path: a.b=c,d={e,f}", many)
    .option("--set-string <values>", "the same, always as texts", many)
    .option("--set-file <values>", "the same, from files", many)
    .option("--set-json <values>", "the same, as JSON", many)
    .option("--set-literal <values>", "the same, taken letter by letter", many)
    .option("--api-versions <versions>", "API versions that a chart may see", many)
    .option("--kube-version <version>", "version of Kubernetes that a chart sees")
    .option("--include-crds", "CRDs of charts, too")
    .option("--skip-tests", "leave tests of charts out")
    .option("--no-hooks", "leave hooks of charts out")
    .option("--recurse", "folders below a plain folder, too")
    .option("--include <glob>", "files of a plain folder")
    .option("--exclude <glob>", "but not these")
    .option("--ext-str <name=text>", "external variable of Jsonnet", many)
    .option("--ext-code <name=code>", "the same, as a program", many)
    .option("--tla-str <name=text>", "top-level argument of Jsonnet", many)
    .option("--tla-code <name=code>", "the same, as a program", many)
    .option("-J, --jpath <folder>", "library folder of Jsonnet", many)
    .addOption(new Option("-o, --output <format>", "yaml or json").default("yaml"))
    .action(async (path: string, o) => {
      // Loaded when asked for: the engines are as large as the rest of the command.
      const { render } = await import("./render.js");
      out(render(path, o, () => outside.now().getTime(), outside.env["TZ"]?.replace(/^:/, "")));
    });

  const cluster = group(program, "cluster", "the embedded cluster: its state as one file");
  const clusterFile = (name: string, text: string) =>
    cluster
      .command(`${name} <file>`)
      .description(text)
      .option("--data <folder>", "data folder of the server")
      .option("--cluster <name>", "which one, of several: cluster-2, …");
  clusterFile("snapshot", "write the cluster to a file, as it is at one moment; it may run meanwhile")
    .option("--replace", "also when the file is there already")
    .action(async (file: string, o) => {
      const { snapshotCluster } = await clusterFiles();
      const { objects, revision } = await snapshotCluster(file, { ...o, data: dataFolder(o.data, outside) });
      out(`${file}: ${objects} objects at revision ${revision}\n`);
    });
  clusterFile("restore", "make the cluster what a snapshot holds; the suite must not run")
    .option("--replace", "also when the folder holds a cluster: its files are put aside")
    .action(async (file: string, o) => {
      const { restoreCluster } = await clusterFiles();
      const options = { ...o, data: dataFolder(o.data, outside), now: outside.now() };
      const { objects, revision, kept } = await restoreCluster(file, options);
      out(
        `restored ${objects} objects at revision ${revision}${kept ? `; the cluster before is kept in ${kept}` : ""}\n`,
      );
    });

  const app = group(program, "app", "applications (GitOps delivery)");
  viewCommands(app, applicationView, world);
  common(app.command("sync <name>").description("bring the cluster to what the repository says"))
    .option("--revision <revision>", "another revision than the target's")
    .option("--prune", "also delete what the repository no longer has")
    .option("--dry-run", "only say what would happen")
    .option("--async", "do not wait for the end")
    .action((name: string, o) =>
      commands.syncApplication(world(o), applicationView, name, {
        ...target(o),
        revision: o.revision,
        prune: o.prune,
        dryRun: o.dryRun,
        wait: !o.async,
      }),
    );

  const wf = group(program, "wf", "workflows").alias("workflow");
  viewCommands(wf, workflowView, world);
  common(wf.command("submit [file]").description("run a workflow from a file, or from a template with --from"))
    .option("--from <template>", "workflowtemplate/NAME")
    .option("-p, --parameter <name=value...>", "workflow parameters", [])
    .option("--wait", "wait for the end")
    .option("--log", "follow the logs")
    .action((file: string | undefined, o) =>
      commands.submitWorkflow(world(o), workflowView, {
        ...target(o),
        file,
        from: o.from,
        parameters: o.parameter,
        wait: o.wait ?? false,
        log: o.log ?? false,
      }),
    );
  common(wf.command("logs <name>").description("what its pods print"))
    .option("-f, --follow", "go on until the workflow has finished")
    .action((name: string, o) => commands.workflowLogs(world(o), name, o.namespace, o.follow ?? false));
  for (const action of ["stop", "terminate", "suspend", "resume"]) {
    common(wf.command(`${action} <name>`).description(`${action} a workflow`)).action((name: string, o) =>
      commands.act(world(o), workflowView, "workflow", name, action, target(o)),
    );
  }

  const rollout = group(program, "rollout", "progressive rollouts").alias("ro");
  viewCommands(rollout, rolloutView, world);
  common(rollout.command("promote <name>").description("go on to the next step"))
    .option("--full", "skip all steps, pauses and analyses")
    .action((name: string, o) =>
      commands.act(world(o), rolloutView, "rollout", name, o.full ? "promote-full" : "promote", target(o)),
    );
  for (const action of ["abort", "retry", "pause", "resume", "restart"]) {
    common(rollout.command(`${action} <name>`).description(`${action} a rollout`)).action((name: string, o) =>
      commands.act(world(o), rolloutView, "rollout", name, action, target(o)),
    );
  }
  common(rollout.command("undo <name>").description("go back to an earlier revision"))
    .option("--to-revision <number>", "which one; the one before when absent", wholeNumber)
    .action((name: string, o) =>
      commands.act(world(o), rolloutView, "rollout", name, "undo", { ...target(o), revision: o.toRevision }),
    );

  const event = group(program, "event", "events, their sources and sensors");
  common(event.command("list").description("the newest events"))
    .option("--change <id>", "only those of one change")
    .option("--limit <count>", "how many", wholeNumber, 50)
    .action((o) => commands.listEvents(world(o), target(o), { change: o.change, limit: o.limit }));
  common(event.command("get <id>").description("one event")).action((id: string, o) =>
    commands.listEvents(world(o), target(o), { id, limit: 1_000 }),
  );
  common(event.command("watch").description("every event as it comes")).action((o) =>
    commands.watchEvents(world(o), target(o), (signal) => delay(EVENT_POLL_MS, undefined, { signal })),
  );
  common(event.command("sources").description("event sources")).action((o) =>
    commands.list(world(o), eventSourceView, target(o)),
  );
  common(event.command("sensors").description("sensors")).action((o) => commands.list(world(o), sensorView, target(o)));
  return program;
}

const group = (program: Command, name: string, description: string): Command =>
  program.command(name).description(description);

function common(command: Command): Command {
  return command
    .option("--data <folder>", "data folder of the server (holds login.json)")
    .option("-n, --namespace <namespace>", "namespace")
    .addOption(new Option("-o, --output <format>", "table, json, yaml or name").default("table"));
}

function wholeNumber(text: string): number {
  if (!/^[0-9]{1,9}$/.test(text)) throw new CommanderArgumentError("It must be a whole number.");
  return Number(text);
}

const target = (o: Common): commands.Target => ({
  ...(o.namespace ? { namespace: o.namespace } : {}),
  output: commands.parseFormat(o.output),
});

function viewCommands(parent: Command, view: KindView, world: WorldOf): void {
  common(parent.command("list").alias("ls").description(`all ${view.resource}`))
    .option("-l, --selector <labels>", "label selector")
    .action((o) => commands.list(world(o), view, target(o), o.selector));
  common(parent.command("get <name>").description("one, in detail")).action((name: string, o) =>
    commands.get(world(o), view, name, target(o)),
  );
  common(parent.command("watch [name]").description("a line at every change")).action((name: string | undefined, o) =>
    commands.watch(world(o), view, { ...target(o), ...(name ? { name } : {}) }),
  );
  common(parent.command("explain <name>").description("why it is as it is: its controller's newest decisions")).action(
    (name: string, o) => commands.explain(world(o), view, name, target(o)),
  );
}
