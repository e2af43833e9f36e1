// Package edgeapi is the face that the control plane shows to nodes: EdgeService over gRPC and mutual
// TLS.
//
// It owns the wire: who may call what ([Server] reads the node's identity off its certificate, and
// lets Enroll and Renew come without one), how
// long a connection may live (its certificate's life), bounds and deadlines of messages, keepalive, and the loop of
// one stream. It decides nothing about state: what to send and what an answer means is
// fleet.Session's, one per stream.
//
// Inquire is the way back: the node opens the stream, the control plane asks on it (fleet.Inquiries), the node answers, and
// says goodbye on it when its process ends.
//
// A stream is one loop with five sources: the lane has a newer head, there is news of whom to believe (the directory's
// stream, before all else), the node answered, it is time for a beat, it is time to end. Two goroutines serve it, one that receives and one that sends, so
// that a node that stops reading or writing holds up nobody but itself; both end with the stream.
//
// That no node is sent what the database never held is shown on random histories, with real writes and two replicas (history_test.go).
package edgeapi
