package subject

import (
	"errors"
	"fmt"
	"strings"
)

const (
	usagePrefix = "sallyport.usage."

	// UsageStream is the JetStream stream that holds usage batches until they are in Postgres.
	UsageStream = "SALLYPORT_USAGE"

	// UsageConsumer is that stream's one durable consumer, which all control-plane replicas share.
	UsageConsumer = "SALLYPORT_USAGE_INGEST"

	// MaxToken is the length of the longest token of a subject, in bytes.
	MaxToken = 64
)

// ErrMalformed is what the errors of Check and ParseUsage wrap.
var ErrMalformed = errors.New("malformed subject")

// Usage returns the subject on which a node publishes its usage batches:
// sallyport.usage.<environment id>.<node id>. It panics for an id that Check refuses: a dot or
// wildcard in it would make another node's subject, or everybody's. Ids from outside go through
// Check first.
func Usage(environmentID, nodeID string) string {
	return usagePrefix + must(environmentID) + "." + must(nodeID)
}

// UsageAll returns the subject that stands for all nodes' usage, which the stream listens to.
func UsageAll() string { return usagePrefix + "*.*" }

// ParseUsage takes a Usage subject apart. The ingest compares the result with what the payload says.
func ParseUsage(subject string) (environmentID, nodeID string, err error) {
	rest, ok := strings.CutPrefix(subject, usagePrefix)
	environmentID, nodeID, cut := strings.Cut(rest, ".")
	if !ok || !cut || Check(environmentID) != nil || Check(nodeID) != nil {
		return "", "", fmt.Errorf("%w: want %s<environment>.<node>", ErrMalformed, usagePrefix)
	}
	return environmentID, nodeID, nil
}

// InboxPrefix returns what a node's inboxes start with (nats.CustomInboxPrefix), without a dot
// behind: replies to one node can't be heard by another. It panics as Usage does.
func InboxPrefix(nodeID string) string { return "_INBOX_" + must(nodeID) }

// NodePublish returns the subjects that a node may publish on: its own usage. Publishing into the
// stream needs no more, its API ($JS.API) least of all.
func NodePublish(environmentID, nodeID string) []string {
	return []string{Usage(environmentID, nodeID)}
}

// NodeSubscribe returns the subjects that a node may hear: its own inboxes, where the stream's
// acknowledgement of each publish arrives.
func NodeSubscribe(nodeID string) []string {
	return []string{InboxPrefix(nodeID) + ".>"}
}

// Check tells whether an id can be a token of a subject: 1 to 64 of A-Z, a-z, 0-9, _ and -. The
// error doesn't repeat the id.
func Check(token string) error {
	if token == "" || len(token) > MaxToken {
		return fmt.Errorf("%w: a token has 1 to %d characters, not %d", ErrMalformed, MaxToken, len(token))
	}
	for i := range len(token) {
		if !isTokenChar(token[i]) {
			return fmt.Errorf("%w: a token holds A-Z, a-z, 0-9, _ and - only; see byte %d", ErrMalformed, i)
		}
	}
	return nil
}

func isTokenChar(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '-'
}

func must(token string) string {
	if err := Check(token); err != nil {
		panic(err)
	}
	return token
}
