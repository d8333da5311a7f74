import { type FormEvent, type ReactNode, useCallback, useState } from "react";
import { createRoot } from "react-dom/client";
import { type EventItem, type KubeItem, login, logout } from "./api.js";
import { type Live, useEvents, useLive } from "./live.js";
import "./console.css";

/** Words of state → the tone they are shown in. */
const tones: Readonly<Record<string, string>> = {
  Synced: "good",
  Healthy: "good",
  Succeeded: "good",
  True: "good",
  OutOfSync: "warn",
  Progressing: "busy",
  Running: "busy",
  Pending: "busy",
  Paused: "warn",
  Suspended: "warn",
  Missing: "warn",
  Degraded: "bad",
  Failed: "bad",
  Error: "bad",
  False: "bad",
};

const Badge = ({ text }: { text: string | undefined }) => (
  <span className={`badge ${tones[text ?? ""] ?? "none"}`}>{text || "Unknown"}</span>
);

function Change({ item }: { item: KubeItem }) {
  const id = item.metadata.annotations?.["tiphys.dev/change"];
  return id ? (
    <code className="change" title={`change ${id}`}>
      {id.slice(-8)}
    </code>
  ) : null;
}

function Panel<T>({
  title,
  live,
  header,
  children,
}: {
  title: string;
  live: Live<T>;
  header: readonly string[];
  children: ReactNode;
}) {
  return (
    <section aria-label={title}>
      <h2>
        {title} <small>{live.state === "loading" ? "…" : live.items.length}</small>
        {live.state === "away" && <span className="badge bad">reconnecting</span>}
      </h2>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              {header.map((column) => (
                <th key={column}>{column}</th>
              ))}
            </tr>
          </thead>
          <tbody>{children}</tbody>
        </table>
        {live.state === "live" && live.items.length === 0 && <p className="empty">Nothing yet.</p>}
      </div>
    </section>
  );
}

const Name = ({ item }: { item: KubeItem }) => (
  <td>
    <strong>{item.metadata.name}</strong> <span className="dim">{item.metadata.namespace}</span>
  </td>
);

const rowKey = (item: KubeItem) => item.metadata.uid ?? `${item.metadata.namespace}/${item.metadata.name}`;

const Application = ({ item }: { item: KubeItem }) => (
  <tr>
    <Name item={item} />
    <td>
      <Badge text={item.status?.sync?.status} />
    </td>
    <td>
      <Badge text={item.status?.health?.status} />
    </td>
    <td>
      <code>{String(item.status?.sync?.revision ?? "").slice(0, 7)}</code>
    </td>
    <td>
      <Change item={item} />
    </td>
  </tr>
);

const Workflow = ({ item }: { item: KubeItem }) => (
  <tr>
    <Name item={item} />
    <td>
      <Badge text={item.status?.phase || "Pending"} />
    </td>
    <td>{item.status?.progress}</td>
    <td className="dim">{item.status?.message}</td>
    <td>
      <Change item={item} />
    </td>
  </tr>
);

function Rollout({ item }: { item: KubeItem }) {
  const steps: unknown[] = item.spec?.strategy?.canary?.steps ?? [];
  const step = item.status?.currentStepIndex ?? 0;
  return (
    <tr>
      <Name item={item} />
      <td>
        <Badge text={item.status?.phase} />
      </td>
      <td>
        {steps.length > 0 && (
          <>
            <progress max={steps.length} value={step} aria-label="step" /> {step}/{steps.length}
          </>
        )}
      </td>
      <td>
        {item.status?.availableReplicas ?? 0}/{item.spec?.replicas ?? 1}
      </td>
      <td>
        <Change item={item} />
      </td>
    </tr>
  );
}

const Event = ({ item }: { item: EventItem }) => (
  <tr>
    <td>
      <strong>{item.eventName}</strong> <span className="dim">{item.eventSource}</span>
    </td>
    <td>{item.type}</td>
    <td>
      <time dateTime={item.at}>{new Date(item.at).toLocaleTimeString()}</time>
    </td>
    <td>
      <code className="change">{item.change.slice(-8)}</code>
    </td>
  </tr>
);

const RESOURCES = ["applications", "workflows", "rollouts"] as const;

function Lists({ onLoggedOut }: { onLoggedOut: () => void }) {
  const { applications, workflows, rollouts } = useLive(RESOURCES, onLoggedOut);
  const happened = useEvents(onLoggedOut);
  return (
    <main>
      <Panel title="Applications" live={applications} header={["Name", "Sync", "Health", "Revision", "Change"]}>
        {applications.items.map((item) => (
          <Application key={rowKey(item)} item={item} />
        ))}
      </Panel>
      <Panel title="Workflows" live={workflows} header={["Name", "Phase", "Progress", "Message", "Change"]}>
        {workflows.items.map((item) => (
          <Workflow key={rowKey(item)} item={item} />
        ))}
      </Panel>
      <Panel title="Rollouts" live={rollouts} header={["Name", "Phase", "Step", "Available", "Change"]}>
        {rollouts.items.map((item) => (
          <Rollout key={rowKey(item)} item={item} />
        ))}
      </Panel>
      <Panel title="Events" live={happened} header={["Event", "Type", "Time", "Change"]}>
        {happened.items.map((item) => (
          <Event key={item.id} item={item} />
        ))}
      </Panel>
    </main>
  );
}

function Login({ onDone }: { onDone: () => void }) {
  const [problem, setProblem] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    try {
      await login(String(form.get("username")), String(form.get("password")));
      onDone();
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <form className="login" onSubmit={submit}>
      <h1>Tiphys</h1>
      <label>
        User name <input name="username" defaultValue="admin" autoComplete="username" />
      </label>
      <label>
        Password <input name="password" type="password" autoComplete="current-password" />
      </label>
      <button type="submit">Log in</button>
      {problem && <p role="alert">{problem}</p>}
    </form>
  );
}

function Console() {
  const [loggedIn, setLoggedIn] = useState(true);
  const onLoggedOut = useCallback(() => setLoggedIn(false), []);
  if (!loggedIn) return <Login onDone={() => setLoggedIn(true)} />;
  return (
    <>
      <header>
        <h1>Tiphys</h1>
        <button type="button" onClick={() => void logout().then(onLoggedOut)}>
          Log out
        </button>
      </header>
      <Lists onLoggedOut={onLoggedOut} />
    </>
  );
}

const root = document.getElementById("root");
if (root) createRoot(root).render(<Console />);
