package directory

import (
	"crypto/rand"
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

const (
	// maxTicketKeys is how many keys nodes open session tickets with: after as many rotations a session begins anew.
	maxTicketKeys  = 3
	ticketKeyBytes = 32
)

// Tickets are the keys that an environment's session tickets are sealed with, as they lie in the database.
type Tickets struct {
	Version   uint32 // of the newest key
	Epoch     uint64 // in which all of them were made
	RotatedAt time.Time
	Entry     Entry
}

// TicketKeysKey is the key of the one entry that holds them.
func TicketKeysKey() digest.Key { return digest.KeyOf(TicketKeys, "ticket-keys") }

// NextTickets makes a new key, newest of those that there are. Of an epoch that has ended none is kept, nor of an entry that is gone.
func NextTickets(sealer Sealer, environment string, last Tickets, epoch uint64, now time.Time) (Tickets, error) {
	next := Tickets{Version: last.Version + 1, Epoch: epoch, RotatedAt: now}
	value := make([]byte, ticketKeyBytes)
	rand.Read(value) // never fails: the runtime ends the process instead
	keys := &directoryv1.TicketKeys{Keys: []*directoryv1.TicketKey{{Version: next.Version, Value: value, CreatedAtMs: now.UnixMilli()}}}
	if last.Epoch == epoch && !last.Entry.Gone && last.Version > 0 {
		plain, err := Unseal(sealer, environment, last.Entry)
		if err != nil {
			return Tickets{}, err
		}
		var entry directoryv1.Entry
		if err := proto.Unmarshal(plain, &entry); err != nil {
			return Tickets{}, fmt.Errorf("ticket keys of %s: %w", environment, err)
		}
		keys.Keys = append(keys.Keys, entry.GetTicketKeys().GetKeys()...)
	}
	keys.Keys = keys.Keys[:min(len(keys.Keys), maxTicketKeys)]
	var err error
	next.Entry, err = seal(sealer, environment, TicketKeysKey(), &directoryv1.Entry{Body: &directoryv1.Entry_TicketKeys{TicketKeys: keys}})
	return next, err
}
