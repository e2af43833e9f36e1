// Package controlplane is Sallyport's control plane: the admin API, the fleet of nodes behind it, and
// Postgres as the only truth.
//
// It wires and decides nothing: [Run] opens the database and the material under the root key, puts
// domains on them and faces before those, listens, and stops everything in order. [RunBus] runs the bus
// alone, for several control planes to share. [Open] opens the same without listening, for commands.
//
//	faces    internal/api (REST), internal/edgeapi (nodes)
//	domains  internal/{access,environments,catalog,directory,publish,fleet,usage,secrets}
//	ground   internal/postgres (all SQL), internal/bus (NATS), internal/telemetry
//
// A write goes api → publish → postgres, whose commit wakes fleet's lanes, which wake the streams of
// edgeapi. Answers of nodes come back edgeapi → fleet → postgres; usage comes node → bus → usage →
// postgres.
package controlplane
