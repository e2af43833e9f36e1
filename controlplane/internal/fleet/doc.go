// Package fleet is what the control plane knows and says about its nodes: who they are, what state
// they are to hold, and what they answered.
//
// It owns
//   - identities: the certificate authority ([Authority]), join tokens ([JoinTokens]), enrolment
//     ([Enroller]), renewal ([Renewer]), and their end ([Nodes.SetEnabled]);
//   - what nodes believe in ([Trust]): the numbered bundles of authorities, signing keys and bus issuers,
//     each announced under the key before, and the rotations that lead from one to the next;
//   - the lanes to be synced ([Lanes]): the current head of each environment's configuration and
//     directory, signed once for all nodes ([Signer]), the deltas that lead to it and the snapshots
//     behind it, each read once and shared by all streams;
//   - the conversation with one node on one lane ([Session]): what to send next, and what an answer
//     means; where what it holds is beside the database's history, and what package epochs must be told of it;
//   - the answers ([Roster], [Nodes]): who is connected, who serves which revision, who refused it
//     and why.
//
// It doesn't own the wire (edgeapi serves it), the bus (it only asks for a node's bus credential),
// nor the state itself: that is drawn from Postgres through [LaneStore].
//
// State flows one way: a commit wakes a Lane, the Lane wakes the Sessions, each Session sends what
// its node lacks. Answers flow the other way: Session → Roster → Postgres → whoever waits in
// [Nodes.Wait].
package fleet
