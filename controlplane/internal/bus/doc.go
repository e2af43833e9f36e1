// Package bus is the conveyor between nodes and the control plane: NATS with JetStream, run inside
// this process.
//
// It owns
//   - the bus identities ([Keys]): operator, accounts, and the user JWT that lets a node speak as
//     itself and as nobody else; all keys are sealed under the root key;
//   - the embedded server ([Server]): TLS of our own authority, every write fsynced before its ack;
//   - the usage stream and its consumer ([Consumer]).
//
// It doesn't own what a message means (usage does), nor the truth: Postgres is the ledger, and a
// message is acked here after it was committed there.
//
// Messages flow node → stream → Consumer → usage.Receiver. Whatever runs on a connection takes a
// *nats.Conn, so that a bus of its own process, or an external cluster, changes nothing but who
// dials: Server.Connect is the only place that knows that the server is embedded.
package bus
