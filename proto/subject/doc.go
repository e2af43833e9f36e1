// Package subject is every name on the bus, in one place: subjects, the stream, its consumer, a node's
// inbox, and what a node may publish and hear.
//
// It owns names only: no connection, no payload, no retention. Control plane and edge build them
// here, so that the permissions in a node's user JWT and the subjects that it uses can't differ.
//
// Data flows from the nodes to the control plane: a node publishes usage as itself and hears the
// stream's acknowledgements on an inbox of its own. It can't hear usage, not even its own.
package subject
