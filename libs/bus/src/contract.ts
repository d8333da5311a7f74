import { sleep, systemClock } from "@tiphys/clock";
import { eventually } from "@tiphys/testing";
import type { Bus, Consumer, Message } from "./bus.js";

/** One stream that survives closing its bus: `open` may be called again after `close`. */
export interface BusUnderTest {
  open(): Promise<Bus>;
  cleanup(): Promise<void>;
}

const clock = systemClock();
const bytes = (text: string) => Buffer.from(text);
const text = (message: { bytes: Uint8Array }) => Buffer.from(message.bytes).toString();

/** What every bus promises; both implementations pass it. */
export function busContract(make: () => Promise<BusUnderTest>): void {
  let stream: BusUnderTest;
  let bus: Bus;
  beforeEach(async () => {
    stream = await make();
    bus = await stream.open();
  });
  afterEach(async () => {
    await bus.close();
    await stream.cleanup();
  });

  /** A consumer that acknowledges all and remembers what came. */
  const collect = async (durable: string, subjects: string[], startAt: "new" | "all" = "all") => {
    const seen: string[] = [];
    const consumer = await bus.consume({ durable, subjects, startAt }, async (message) => {
      seen.push(text(message));
      await message.ack();
    });
    return { seen, consumer };
  };

  it("counts positions up and keeps subject, id, headers and bytes", async () => {
    const first = await bus.append("events.shop.push", "a", bytes("one"), { "tiphys-change": "c1" });
    const second = await bus.append("events.shop.push", "b", new Uint8Array([0, 255, 10]));
    expect(second).toBe(first + 1);
    const [stored, other] = await bus.read("events.>");
    expect(stored).toMatchObject({
      subject: "events.shop.push",
      id: "a",
      position: first,
      headers: { "tiphys-change": "c1" },
    });
    expect(text(stored!)).toBe("one");
    expect([...other!.bytes]).toEqual([0, 255, 10]);
    expect(stored!.at).toBeInstanceOf(Date);
  });

  it("stores an id once within the window", async () => {
    const positions = await Promise.all([1, 2, 3].map(() => bus.append("a.b", "same", bytes("x"))));
    expect(new Set(positions).size).toBe(1);
    expect(await bus.read("a.b")).toHaveLength(1);
  });

  it("reads by filter, limit and position", async () => {
    const positions: number[] = [];
    for (const name of ["a.x.1", "a.y.1", "a.x.2", "b.x.1"]) positions.push(await bus.append(name, name, bytes(name)));
    expect((await bus.read("a.x.*")).map(text)).toEqual(["a.x.1", "a.x.2"]);
    expect((await bus.read("a.>", { limit: 2 })).map(text)).toEqual(["a.x.1", "a.y.1"]);
    expect((await bus.read("a.>", { after: positions[1]! })).map(text)).toEqual(["a.x.2"]);
    expect(await bus.read("nothing.here")).toEqual([]);
  });

  it("refuses a subject with wildcards", async () => {
    await expect(bus.append("a.*", "1", bytes(""))).rejects.toMatchObject({ code: "InvalidArgument" });
  });

  it("delivers what matches any of the filters, in order", async () => {
    const { seen } = await collect("worker", ["a.*", "c.>"]);
    for (const name of ["a.1", "b.1", "c.1.2", "a.2"]) await bus.append(name, name, bytes(name));
    await eventually(() => seen.length === 3);
    expect(seen).toEqual(["a.1", "c.1.2", "a.2"]);
  });

  it("starts a new durable at the end, or at the beginning when asked", async () => {
    await bus.append("a.1", "old", bytes("old"));
    const fresh = await collect("fresh", ["a.>"], "new");
    const all = await collect("all", ["a.>"], "all");
    await bus.append("a.1", "new", bytes("new"));
    await eventually(() => fresh.seen.length === 1 && all.seen.length === 2);
    expect(fresh.seen).toEqual(["new"]);
    expect(all.seen).toEqual(["old", "new"]);
  });

  it("continues a durable where it left off after a restart", async () => {
    const before = await collect("worker", ["a.>"]);
    await bus.append("a.1", "1", bytes("1"));
    await eventually(() => before.seen.length === 1);
    await bus.close();
    bus = await stream.open();
    await bus.append("a.1", "2", bytes("2"));
    const after = await collect("worker", ["a.>"], "new");
    await eventually(() => after.seen.length > 0);
    expect(after.seen).toEqual(["2"]);
  });

  it("remembers ids across a restart", async () => {
    await bus.append("a.1", "same", bytes("1"));
    await bus.close();
    bus = await stream.open();
    await bus.append("a.1", "same", bytes("1"));
    expect(await bus.read("a.1")).toHaveLength(1);
  });

  it("delivers again after nak, counting deliveries", async () => {
    const deliveries: number[] = [];
    await bus.consume({ durable: "w", subjects: ["a.>"], startAt: "all" }, async (message) => {
      deliveries.push(message.deliveries);
      if (message.deliveries < 3) await message.nak(10);
      else await message.ack();
    });
    await bus.append("a.1", "1", bytes("1"));
    await eventually(() => deliveries.length === 3);
    expect(deliveries).toEqual([1, 2, 3]);
  });

  it("takes a handler that throws as a nak with back-off", async () => {
    let calls = 0;
    await bus.consume({ durable: "w", subjects: ["a.>"], startAt: "all" }, async (message) => {
      calls++;
      if (calls === 1) throw new Error("the first try fails");
      await message.ack();
    });
    await bus.append("a.1", "1", bytes("1"));
    await eventually(() => calls === 2);
  });

  it("delivers again when nobody acknowledged in time", async () => {
    const seen: Message[] = [];
    await bus.consume({ durable: "w", subjects: ["a.>"], startAt: "all", ackWait: 200 }, async (message) => {
      seen.push(message);
      if (seen.length === 2) await message.ack();
    });
    await bus.append("a.1", "1", bytes("1"));
    await eventually(() => seen.length === 2);
    expect(seen[1]!.deliveries).toBe(2);
  });

  it("delivers an unacknowledged message again after a restart", async () => {
    let held = false;
    await bus.consume({ durable: "w", subjects: ["a.>"], startAt: "all", ackWait: 300 }, async () => {
      held = true;
    });
    await bus.append("a.1", "1", bytes("crash"));
    await eventually(() => held);
    await bus.close();
    bus = await stream.open();
    const seen: string[] = [];
    await bus.consume({ durable: "w", subjects: ["a.>"], startAt: "all", ackWait: 300 }, async (message) => {
      seen.push(text(message));
      await message.ack();
    });
    await eventually(() => seen.length === 1);
    expect(seen).toEqual(["crash"]);
  });

  it("never delivers a terminated message again", async () => {
    const seen: string[] = [];
    const consumer = await bus.consume(
      { durable: "w", subjects: ["a.>"], startAt: "all", ackWait: 200 },
      async (message) => {
        seen.push(text(message));
        if (text(message) === "bad") await message.term("not an event");
        else await message.ack();
      },
    );
    await bus.append("a.1", "1", bytes("bad"));
    await bus.append("a.1", "2", bytes("good"));
    await eventually(() => seen.length === 2);
    await consumer.stop();
    await bus.close();
    bus = await stream.open();
    const again = await collect("w", ["a.>"]);
    await bus.append("a.1", "3", bytes("last"));
    await eventually(() => again.seen.length > 0);
    expect(again.seen).toEqual(["last"]);
  });

  it("handles no more messages at once than allowed", async () => {
    let running = 0;
    let most = 0;
    let done = 0;
    const options = { durable: "w", subjects: ["a.>"], startAt: "all", maxInFlight: 2 } as const;
    await bus.consume(options, async (message) => {
      most = Math.max(most, ++running);
      await sleep(clock, 5);
      running--;
      done++;
      await message.ack();
    });
    await Promise.all(Array.from({ length: 10 }, (_, index) => bus.append("a.1", `${index}`, bytes("x"))));
    await eventually(() => done === 10);
    expect(most).toBe(2);
  });

  it("lets a stopped consumer start again under the same name", async () => {
    const first = await collect("w", ["a.>"]);
    await (first.consumer as Consumer).stop();
    await bus.append("a.1", "1", bytes("1"));
    const second = await collect("w", ["a.>"]);
    await eventually(() => second.seen.length === 1);
    expect(first.seen).toEqual([]);
  });

  it("publishes to live subscribers only, and stores nothing", async () => {
    const seen: string[] = [];
    const end = bus.subscribe("live.*", (subject, body, headers) =>
      seen.push(`${subject} ${Buffer.from(body)} ${headers["k"]}`),
    );
    // A subscription may need a moment to reach the server; appends on the same connection come after it.
    await bus.append("a.1", "1", bytes("1"));
    bus.publish("live.a", bytes("hello"), { k: "v" });
    await eventually(() => seen.length === 1);
    end();
    bus.publish("live.a", bytes("again"), { k: "v" });
    await bus.append("a.1", "2", bytes("2"));
    expect(seen).toEqual(["live.a hello v"]);
    expect(await bus.read("live.>")).toEqual([]);
  });
}
