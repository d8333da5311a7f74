import { tiphysFactsV1Facts as facts } from "@tiphys/proto";
import { publishFact } from "./facts.js";

describe("a fact on the bus", () => {
  it("keeps its subject six tokens long, whatever the object is called", () => {
    const sent: [string, Uint8Array][] = [];
    publishFact(
      { publish: (subject, bytes) => void sent.push([subject, bytes]) },
      {
        area: "delivery",
        kind: "Application",
        namespace: "argocd",
        name: "shop.example.com",
        code: "Synced",
        message: "4f2c1ab",
        at: new Date("2026-01-01T00:00:00Z"),
      },
    );
    expect(sent[0]?.[0]).toBe("tiphys.facts.delivery.argocd.shop_example_com.Synced");
    expect(facts.Fact.decode(sent[0]?.[1] as Uint8Array)).toMatchObject({
      area: "delivery",
      name: "shop.example.com",
      at: "2026-01-01T00:00:00.000Z",
    });
  });
});
