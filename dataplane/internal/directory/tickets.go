package directory

import (
	"fmt"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

// maxTicketKeys is how many keys a session ticket is tried with, as the control plane keeps them.
const maxTicketKeys = 3

// TicketKey is what session tickets are sealed with.
type TicketKey [32]byte

// TicketKeys are those of the whole fleet. It is immutable.
type TicketKeys struct {
	Keys []TicketKey // newest first: the first seals, all open; never empty
}

// String keeps keys out of logs.
func (*TicketKeys) String() string { return "ticket keys" }

// GoString keeps keys out of logs.
func (*TicketKeys) GoString() string { return "ticket keys" }

func (f *fact) takeTicketKeys(m *directoryv1.TicketKeys) (digest.Key, error) {
	f.kind = kindTicketKeys
	if n := len(m.GetKeys()); n == 0 || n > maxTicketKeys {
		return digest.Key{}, fmt.Errorf("%w: %d ticket keys, at least 1 and at most %d", ErrMalformed, n, maxTicketKeys)
	}
	keys := &TicketKeys{Keys: make([]TicketKey, len(m.GetKeys()))}
	for i, k := range m.GetKeys() {
		if len(k.GetValue()) != len(keys.Keys[i]) {
			return digest.Key{}, fmt.Errorf("%w: keys[%d] of %d bytes", ErrMalformed, i, len(k.GetValue()))
		}
		if k.GetVersion() == 0 || i > 0 && k.GetVersion() >= m.GetKeys()[i-1].GetVersion() {
			return digest.Key{}, fmt.Errorf("%w: keys[%d] isn't older than the one before", ErrMalformed, i)
		}
		keys.Keys[i] = TicketKey(k.GetValue())
	}
	f.tickets = keys
	return digest.KeyOf("ticket-keys", "ticket-keys"), nil
}
