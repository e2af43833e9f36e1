// Package secrets keeps what must not lie in the database in the clear: it seals under the root key,
// and keeps the control plane's own key material ([Vault.Material]) sealed in a store.
//
// The root key never reaches Postgres. From it a key per purpose is derived (HKDF-SHA-256), and
// everything is sealed with AES-256-GCM under its purpose's key: what was sealed for one purpose (one
// row, one name) can't be opened for another. A sealed canary is checked at the start, so that a wrong
// root key is said at once instead of in the middle of a request.
//
// The package owns neither the values (secrets of an environment, peppers: package directory) nor what
// the material is used for.
//
// [Rotate] seals everything anew under another root key; that nobody seals under the old one meanwhile is for
// the store to see to.
//
// Data flows root key → [New] → [Open] (store, canary) → Seal, Open, Material.
package secrets
