import { mutations, survives } from "@tiphys/testing";
import { parseLabelSelector } from "./index.js";

it("reads any label selector or refuses it", () => {
  const samples = [
    "app=web,tier in (a, b),!old",
    "a!=b",
    "x notin (1,2)",
    "partition",
    "a==b , c",
    "toString",
    "__proto__=x",
  ];
  survives(mutations(samples, 1500), (text) => parseLabelSelector(text)({ app: "web", tier: "a" }));
});

it("gives a label selector no way to hang", () => {
  const texts = [
    `${" ".repeat(100_000)}!`,
    "a ".repeat(50_000),
    `a in (${"x,".repeat(100_000)}`,
    "!".repeat(100_000),
    "a,".repeat(20_000),
  ];
  survives(texts, (text) => parseLabelSelector(text)({}));
});
