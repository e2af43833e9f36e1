// Package bus is the conveyor between nodes and the control plane: NATS with JetStream, run inside this
// process or elsewhere.
//
// It owns
//   - the bus identities ([Keys]): operator, accounts, and the user JWT that lets a node speak as
//     itself and as nobody else; all keys are sealed under the root key;
//   - the embedded server ([Server]): TLS of our own authority, every write fsynced before its ack;
//     and what a NATS server that isn't ours to run is told ([Keys.Configuration]);
//   - the way to either ([Client]);
//   - who may not come in ([Warden]): the account on the bus is kept as the database says;
//   - the usage stream and its consumer ([Consumer]), each node's share of it, and who fills theirs.
//
// It doesn't own what a message means (usage does), nor the truth: Postgres is the ledger, and a
// message is acked here after it was committed there.
//
// Messages flow node → stream → Consumer → usage.Receiver; revocations flow Postgres → Warden → servers.
// Whatever runs on a connection takes a *nats.Conn, so that where the server is changes nothing but who dials.
package bus
