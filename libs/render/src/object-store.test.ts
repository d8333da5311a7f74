import type { Ask } from "@tiphys/child-process";
import { createObjectStore } from "./object-store.js";
import type { Entry, Question } from "./questions.js";

it("gives a folder that it knows beside one that makes it forget the others", () => {
  const ask: Ask = (question) => {
    const { ids } = question as Extract<Question, { ask: "folders" }>;
    return { data: ids.map((id): Entry[] => [{ name: `in-${id}`, kind: "blob", id: "x" }]) };
  };
  const store = createObjectStore();
  store.folders(
    ask,
    "",
    Array.from({ length: 5_000 }, (_, n) => `${n}`),
  );
  const [known, fresh] = store.folders(ask, "", ["17", "new"]);
  expect(known?.entries).toMatchObject([{ name: "in-17" }]);
  expect(fresh?.entries).toMatchObject([{ name: "in-new" }]);
});
