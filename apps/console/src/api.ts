/** The object fields that the lists show; everything else stays untyped JSON. */
export interface KubeItem {
  metadata: {
    name: string;
    namespace?: string;
    uid?: string;
    creationTimestamp?: string;
    annotations?: Record<string, string>;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the shape belongs to the kind
  spec?: any;
  // biome-ignore lint/suspicious/noExplicitAny: the shape belongs to the kind
  status?: any;
}

export interface EventItem {
  id: string;
  namespace: string;
  eventSource: string;
  eventName: string;
  type: string;
  at: string;
  change: string;
}

/** Thrown when the session is over and the user has to log in. */
export class LoggedOut extends Error {}

async function checked(response: Response): Promise<Response> {
  if (response.status === 401) throw new LoggedOut();
  if (!response.ok) {
    const body = await response.json().catch(() => ({}));
    throw new Error(body.message ?? `the server answered ${response.status}`);
  }
  return response;
}

export async function login(username: string, password: string): Promise<void> {
  const response = await fetch("/api/v1/session", {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ username, password }),
  });
  if (response.status === 401) throw new Error("Invalid username or password");
  await checked(response);
}

export async function logout(): Promise<void> {
  await fetch("/api/v1/session", { method: "DELETE", headers: { "content-type": "application/json" } });
}

export async function events(signal: AbortSignal): Promise<EventItem[]> {
  const response = await checked(await fetch("/api/tiphys/v1/events?limit=100", { signal }));
  return (await response.json()).events ?? [];
}

export interface WatchHandlers {
  /** The server has answered; what there is comes now. */
  onOpen(): void;
  onItem(resource: string, type: string, item: KubeItem): void;
}

/** Tells of every object of these kinds that there is, and of every change; ends when the connection does. */
export async function watch(
  resources: readonly string[],
  { onOpen, onItem }: WatchHandlers,
  signal: AbortSignal,
): Promise<void> {
  const response = await checked(await fetch(`/api/tiphys/v1/watch/${resources.join(",")}`, { signal }));
  onOpen();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = (await reader?.read()) ?? { done: true, value: undefined };
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") continue;
      const { result, error } = JSON.parse(line);
      if (error) throw new Error(error.message);
      onItem(result.resource, result.type, result.object);
    }
  }
}
