export { encodeSafely, podTemplateHash } from "./hash.js";
