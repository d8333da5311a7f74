import { type FieldOf, type JFunction, JObject, type Layer } from "../values.js";
import { arrays, identity } from "./arrays.js";
import { codecs } from "./codecs.js";
import type { Functions } from "./define.js";
import { manifests } from "./manifests.js";
import { math } from "./math.js";
import { objects } from "./objects.js";
import { strings } from "./strings.js";

const all: Functions = { ...math, ...strings, ...arrays, ...objects, ...codecs, ...manifests, id: identity };

/** Names of everything in `std`, for measuring what tests reach. */
export const standardNames: readonly string[] = [...Object.keys(all), "pi", "thisFile"].sort();

const hidden = (slot: FieldOf["slot"] & {}): FieldOf => ({ visibility: "::", plus: false, slot });

const library: Layer = {
  fields: new Map<string, FieldOf>([
    ...Object.entries(all).map(([name, made]): [string, FieldOf] => [name, hidden(made as JFunction)]),
    ["pi", hidden(Math.PI)],
  ]),
};

/** The standard library as a file sees it. */
export const standardFor = (file: string): JObject =>
  new JObject([library, { fields: new Map([["thisFile", hidden(file)]]) }]);
