export * from "./secret.js";
