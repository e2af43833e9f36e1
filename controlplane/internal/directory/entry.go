package directory

import (
	"crypto/rand"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
)

// Head is where an environment's directory is.
type Head struct {
	Sequence uint64
	Digest   digest.Sum
}

// Entry is one fact as nodes hold it.
type Entry struct {
	Key    digest.Key
	Hash   digest.Hash // of the bytes as sent
	Bytes  []byte      // as sent, or sealed
	Sealed bool
	Gone   bool // a tombstone: no hash, no bytes
}

// Tombstone returns the entry that says that a key's fact is no more.
func Tombstone(key digest.Key) Entry { return Entry{Key: key, Gone: true} }

// Sealer seals what lies in the database and must not be read there.
type Sealer interface {
	Seal(purpose string, plaintext []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// Unseal returns an entry's bytes as they are sent.
func Unseal(sealer Sealer, environment string, e Entry) ([]byte, error) {
	if !e.Sealed {
		return e.Bytes, nil
	}
	plain, err := sealer.Open(SealedFor(environment, e.Key), e.Bytes)
	if err != nil {
		return nil, fmt.Errorf("entry %s of %s: %w", e.Key, environment, err)
	}
	return plain, nil
}

// Pepper is one version of the secret that an environment's key digests are made with.
type Pepper struct {
	Version   uint32
	Entry     Entry
	CreatedAt time.Time
}

// NewPepper makes a pepper out of random bytes.
func NewPepper(sealer Sealer, environment string, version uint32, now time.Time) (Pepper, error) {
	value := make([]byte, apikey.MinPepper)
	rand.Read(value) // never fails: the runtime ends the process instead
	entry := &directoryv1.Entry{Body: &directoryv1.Entry_Pepper{Pepper: &directoryv1.Pepper{Version: version, Value: value}}}
	sealed, err := seal(sealer, environment, digest.KeyOf(Peppers, strconv.FormatUint(uint64(version), 10)), entry)
	if err != nil {
		return Pepper{}, err
	}
	return Pepper{Version: version, Entry: sealed, CreatedAt: now}, nil
}

// Prepare opens a pepper and makes it ready for use.
func (p Pepper) Prepare(sealer Sealer, environment string) (*apikey.Pepper, error) {
	plain, err := Unseal(sealer, environment, p.Entry)
	if err != nil {
		return nil, err
	}
	var entry directoryv1.Entry
	if err := proto.Unmarshal(plain, &entry); err != nil {
		return nil, fmt.Errorf("pepper %d of %s: %w", p.Version, environment, err)
	}
	prepared, err := apikey.NewPepper(entry.GetPepper().GetValue())
	if err != nil {
		return nil, fmt.Errorf("pepper %d of %s: %w", p.Version, environment, err)
	}
	return prepared, nil
}

// open makes an entry that lies in the database as it is sent.
func open(key digest.Key, entry *directoryv1.Entry) (Entry, error) {
	plain, err := marshal(entry)
	if err != nil {
		return Entry{}, err
	}
	return Entry{Key: key, Hash: digest.HashOf(plain), Bytes: plain}, nil
}

// seal makes an entry that lies in the database sealed.
func seal(sealer Sealer, environment string, key digest.Key, entry *directoryv1.Entry) (Entry, error) {
	plain, err := marshal(entry)
	if err != nil {
		return Entry{}, err
	}
	sealed, err := sealer.Seal(SealedFor(environment, key), plain)
	if err != nil {
		return Entry{}, fmt.Errorf("seal entry %s: %w", key, err)
	}
	return Entry{Key: key, Hash: digest.HashOf(plain), Bytes: sealed, Sealed: true}, nil
}

func marshal(entry *directoryv1.Entry) ([]byte, error) {
	plain, err := proto.MarshalOptions{Deterministic: true}.Marshal(entry)
	if err != nil {
		return nil, fmt.Errorf("marshal entry: %w", err)
	}
	return plain, nil
}

// SealedFor binds sealed bytes to their place, so that they can't be moved to another key or environment.
func SealedFor(environment string, key digest.Key) string {
	return "directory/" + environment + "/" + key.String()
}
