export * from "./emissary.js";
