package audit

import (
	"context"
	"time"
)

// Store keeps the chains. What is about an operation's own change the ground writes in the change's transaction.
type Store interface {
	// Append writes events in a transaction of their own, all or none.
	Append(ctx context.Context, drafts []*Draft) error
	// Events returns events of a chain, the newest first.
	Events(ctx context.Context, chain string, q Question) ([]Stored, error)
	// Event returns one by its id; problem.NotFound when there is none in the chain.
	Event(ctx context.Context, chain, id string) (Stored, error)
	// Walk goes through a chain as it lies in the table, in the order of numbers, holding little of it at once.
	Walk(ctx context.Context, chain string, after uint64, from, to time.Time, each func(Stored) error) error
	// Chains returns all chains that there are rows of.
	Chains(ctx context.Context) ([]string, error)
	// Witnesses returns the signed heads that are kept of an environment.
	Witnesses(ctx context.Context, environment string) ([]Witness, error)
	Ends
}

// Ends is what a store knows of where chains end.
type Ends interface {
	// Heads returns every chain's, as one state of the database.
	Heads(ctx context.Context) ([]Head, error)
	// HashAt returns the hash of an event; false when there is none of this number.
	HashAt(ctx context.Context, chain string, number uint64) ([]byte, bool, error)
	// Opened returns the number of the first event of a chain that opened a later epoch of an environment.
	Opened(ctx context.Context, chain, environment string, epoch uint64) (uint64, bool, error)
	// KeepWitness keeps a signed head that a node has shown ("": that the control plane has signed), unless a newer one is kept.
	KeepWitness(ctx context.Context, environment, node string, epoch, number uint64, signed []byte) error
}

// Question is what is asked of a chain. Empty texts ask for nothing.
type Question struct {
	Before                                              uint64 // number; 0: from the newest
	Limit                                               int
	Actor, Operation, Outcome, Code, RequestID, Address string
	Objects                                             []string // all of these words
	From, To                                            time.Time
}

// Head is where a chain ends.
type Head struct {
	Chain     string
	Epoch     uint64 // of the environment; 0: the global chain
	Number    uint64
	Hash      []byte
	EventHash []byte // of the event of this number; nil: there is none
}

// Witness is a signed head that somebody showed.
type Witness struct {
	Environment, Node string
	Signed            []byte // an edgev1.SignedAuditHead
	ShownAt           time.Time
}
