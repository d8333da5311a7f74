export * from "./secret-provider.js";
export * from "./vault.js";
export { type VaultLogin, type VaultSettings, vaultSettings } from "./vault-settings.js";
