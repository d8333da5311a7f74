import { defaultImages, type ImageTable, parseImage, resolveImage } from "./images.js";

describe("image table", () => {
  const table: ImageTable = [
    { pattern: "tiphys/executor*", entrypoint: ["x"] },
    { pattern: "node:18*", requires: ["node18"] },
    ...defaultImages,
  ];
  it.each([
    { image: "alpine", want: "alpine" },
    { image: "docker.io/library/alpine:3.20", want: "alpine" },
    { image: `node:20@sha256:${"a".repeat(64)}`, want: "node" },
    { image: "tiphys/executor-static:1.2", want: "tiphys/executor*" },
    { image: "node:18-slim", want: "node" },
    { image: "registry.k8s.io/pause:3.9", want: "registry.k8s.io/pause" },
  ])("runs $image as $want", ({ image, want }) => {
    expect(resolveImage(image, table, (program) => program !== "node18")).toMatchObject({
      runnable: true,
      entry: { pattern: want },
    });
  });

  it.each([
    { image: "nginx:1.27", reason: "ErrImagePull", says: "not in the image table" },
    { image: "evil/alpine", reason: "ErrImagePull", says: "not in the image table" },
    { image: "python:3", reason: "ErrImagePull", says: "host program python3, which is not on this machine" },
    { image: "no spaces allowed", reason: "InvalidImageName", says: "not a valid image name" },
  ])("refuses $image: $says", ({ image, reason, says }) => {
    expect(resolveImage(image, table, (program) => program !== "python3")).toMatchObject({
      runnable: false,
      reason,
      message: expect.stringContaining(says),
    });
  });

  it("keeps a registry's port apart from a tag", () => {
    expect(parseImage("localhost:5000/web")).toEqual({ repository: "localhost:5000/web", tag: "latest" });
  });
});
