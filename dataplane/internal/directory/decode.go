package directory

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
)

// maxEntry bounds one entry, in bytes.
const maxEntry = 1 << 20

// Errors of a change that is refused.
var (
	ErrMalformed   = errors.New("malformed entry")
	ErrKeyMismatch = errors.New("the entry's key isn't the one that its content has")
	ErrTooMany     = errors.New("too many entries")
)

// fact is a decoded change of one entry.
type fact struct {
	key  digest.Key
	gone bool // nothing of what follows is set

	hash digest.Hash
	kind kind
	id   id.ID

	holder    id.ID // the consumer that an API key proves
	expires   int64
	scopes    []byte // of an API key, as content writes them
	addresses []byte
	ranges    []netip.Prefix // what the addresses say
	routes    []byte         // ids, one behind the other
	marks     marks

	consumer Consumer
	plain    bool // the consumer's bytes are what appendPlain makes of it
	secret   []byte
	pepper   *apikey.Pepper
	version  uint32
	target   target
	until    int64 // of a block; 0: for ever
	fleet    *Fleet
	tickets  *TicketKeys
	password *Password
	identity *IdentityKeys
	keySet   *KeySet
	issued   *issued // what a block of a token or subject names
}

var entryDescriptor = (*directoryv1.Entry)(nil).ProtoReflect().Descriptor()

// decode reads one change and refuses whatever it can't fully understand. No error holds anything
// of an entry's content.
func decode(change *edgev1.EntryChange) (fact, error) {
	var f fact
	err := f.decode(change.GetKey(), change.GetEntry())
	return f, err
}

// decode makes the fact that of an entry, less what the fact was before. It keeps neither key nor stored.
func (f *fact) decode(key, stored []byte) error {
	*f = fact{gone: len(stored) == 0, scopes: f.scopes[:0], addresses: f.addresses[:0], ranges: f.ranges[:0], routes: f.routes[:0]}
	if len(key) != len(f.key) {
		return fmt.Errorf("%w: a key of %d bytes", ErrMalformed, len(key))
	}
	f.key = digest.Key(key)
	if f.gone {
		return nil
	}
	if err := f.decodeEntry(stored); err != nil {
		return fmt.Errorf("entry %s: %w", f.key, err)
	}
	return nil
}

func (f *fact) decodeEntry(stored []byte) error {
	if len(stored) > maxEntry {
		return fmt.Errorf("%w: %d bytes, at most %d", ErrMalformed, len(stored), maxEntry)
	}
	key, plain := f.takePlain(stored)
	if !plain {
		var err error
		if key, err = f.takeAny(stored); err != nil {
			return err
		}
	}
	if key != f.key {
		return ErrKeyMismatch
	}
	f.hash = digest.HashOf(stored)
	if plain && f.kind == kindConsumer {
		var told [maxPlain]byte
		f.plain = bytes.Equal(stored, f.consumer.appendPlain(told[:0]))
	}
	return nil
}

// takeAny takes over an entry in whatever form a message may have.
func (f *fact) takeAny(stored []byte) (digest.Key, error) {
	if err := strict(stored, entryDescriptor); err != nil {
		return digest.Key{}, err
	}
	var entry directoryv1.Entry
	if err := proto.Unmarshal(stored, &entry); err != nil {
		return digest.Key{}, fmt.Errorf("%w: not a message", ErrMalformed) // the cause could quote the content
	}
	return f.take(&entry)
}

// take takes over an entry's content and returns the key that it must have.
func (f *fact) take(entry *directoryv1.Entry) (digest.Key, error) {
	switch body := entry.GetBody().(type) {
	case *directoryv1.Entry_ApiKey:
		return f.takeKey(body.ApiKey)
	case *directoryv1.Entry_Consumer:
		return f.takeConsumer(body.Consumer)
	case *directoryv1.Entry_Secret:
		return f.takeSecret(body.Secret)
	case *directoryv1.Entry_Pepper:
		return f.takePepper(body.Pepper)
	case *directoryv1.Entry_Block:
		return f.takeBlock(body.Block)
	case *directoryv1.Entry_Fleet:
		return f.takeFleet(body.Fleet)
	case *directoryv1.Entry_TicketKeys:
		return f.takeTicketKeys(body.TicketKeys)
	case *directoryv1.Entry_Password:
		return f.takePassword(body.Password)
	case *directoryv1.Entry_IdentityKeys:
		return f.takeIdentityKeys(body.IdentityKeys)
	case *directoryv1.Entry_KeySet:
		return f.takeKeySet(body.KeySet)
	default:
		return digest.Key{}, fmt.Errorf("%w: none of the facts that this build knows", ErrMalformed)
	}
}

func (f *fact) takeKey(k *directoryv1.ApiKey) (digest.Key, error) {
	f.kind, f.expires = kindKey, k.GetExpiresAtMs()
	if len(k.GetDigest()) != len(f.key) {
		return digest.Key{}, fmt.Errorf("%w: digest of %d bytes", ErrMalformed, len(k.GetDigest()))
	}
	if len(k.GetConsumer()) != len(f.holder) {
		return digest.Key{}, fmt.Errorf("%w: consumer of %d bytes", ErrMalformed, len(k.GetConsumer()))
	}
	f.holder = id.ID(k.GetConsumer())
	if f.expires < 0 {
		return digest.Key{}, fmt.Errorf("%w: expires_at_ms is negative", ErrMalformed)
	}
	f.ranges = f.ranges[:0] // what a look at the plain form left
	for i, text := range k.GetAddresses() {
		r, err := netip.ParsePrefix(text)
		if err != nil {
			return digest.Key{}, fmt.Errorf("%w: addresses[%d] is no CIDR", ErrMalformed, i)
		}
		f.ranges = append(f.ranges, r)
	}
	f.scopes, f.addresses = content(f.scopes[:0], k.GetScopes()), content(f.addresses[:0], k.GetAddresses())
	f.routes, f.marks = f.routes[:0], marksOf(k.GetWatched(), k.GetImported())
	for i, raw := range k.GetRoutes() {
		if len(raw) != len(id.ID{}) {
			return digest.Key{}, fmt.Errorf("%w: routes[%d] of %d bytes", ErrMalformed, i, len(raw))
		}
		f.routes = append(f.routes, raw...)
	}
	return digest.Key(k.GetDigest()), f.takeID(k.GetId())
}

func marksOf(watched, imported bool) (m marks) {
	if watched {
		m |= markWatched
	}
	if imported {
		m |= markImported
	}
	return m
}

func (f *fact) takeConsumer(c *directoryv1.Consumer) (digest.Key, error) {
	f.kind = kindConsumer
	if err := f.takeID(c.GetId()); err != nil {
		return digest.Key{}, err
	}
	f.consumer = Consumer{ID: f.id, Name: c.GetName()}
	if said := (about{labels: c.GetLabels(), metadata: c.GetMetadata(), suspended: c.GetSuspended()}); said.suspended || len(said.labels)+len(said.metadata) > 0 {
		f.consumer.about = &said
	}
	return consumerKey(f.id), nil
}

func (f *fact) takeSecret(s *directoryv1.Secret) (digest.Key, error) {
	f.kind, f.secret = kindSecret, s.GetValue()
	if err := f.takeID(s.GetId()); err != nil {
		return digest.Key{}, err
	}
	return digest.KeyOf("secrets", id.Text(id.Secret, f.id)), nil
}

func (f *fact) takePepper(p *directoryv1.Pepper) (digest.Key, error) {
	f.kind, f.version = kindPepper, p.GetVersion()
	if f.version == 0 {
		return digest.Key{}, fmt.Errorf("%w: pepper without a version", ErrMalformed)
	}
	pepper, err := apikey.NewPepper(p.GetValue())
	if err != nil {
		return digest.Key{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	f.pepper = pepper
	binary.BigEndian.PutUint32(f.id[len(f.id)-4:], f.version)
	return digest.KeyOf("peppers", strconv.FormatUint(uint64(f.version), 10)), nil
}

func (f *fact) takeBlock(b *directoryv1.Block) (digest.Key, error) {
	f.kind, f.until = kindBlock, b.GetExpiresAtMs()
	if f.until < 0 {
		return digest.Key{}, fmt.Errorf("%w: expires_at_ms is negative", ErrMalformed)
	}
	if err := f.takeTarget(b); err != nil {
		return digest.Key{}, err
	}
	if err := f.takeID(b.GetId()); err != nil {
		return digest.Key{}, err
	}
	return digest.KeyOf("blocks", id.Text(id.Block, f.id)), nil
}

// takeTarget takes over whom a block is about. A range that IPv4 addresses are only a part of, mapped into IPv6, is refused:
// addresses are compared unmapped, and it would block fewer than it says.
func (f *fact) takeTarget(b *directoryv1.Block) error {
	var named []byte
	switch t := b.GetTarget().(type) {
	case *directoryv1.Block_Consumer:
		f.target.sort, named = targetConsumer, t.Consumer
	case *directoryv1.Block_ApiKey:
		f.target.sort, named = targetKey, t.ApiKey
	case *directoryv1.Block_AddressRange:
		r, err := netip.ParsePrefix(t.AddressRange)
		if err != nil || r.Addr().Is4In6() && plainRange(r).Addr().Is6() {
			return fmt.Errorf("%w: address_range is no CIDR", ErrMalformed)
		}
		f.target = rangeTarget(r)
		return nil
	case *directoryv1.Block_Token:
		return f.takeIssued(targetToken, t.Token.GetIssuer(), t.Token.GetId())
	case *directoryv1.Block_Subject:
		return f.takeIssued(targetSubject, t.Subject.GetIssuer(), t.Subject.GetSubject())
	default:
		return fmt.Errorf("%w: a block of nobody", ErrMalformed)
	}
	if len(named) != len(f.target.key) {
		return fmt.Errorf("%w: target of %d bytes", ErrMalformed, len(named))
	}
	f.target.key = id.ID(named)
	return nil
}

func (f *fact) takeFleet(fleet *directoryv1.Fleet) (digest.Key, error) {
	f.kind = kindFleet
	nodes := make([]id.ID, len(fleet.GetNodes()))
	for i, raw := range fleet.GetNodes() {
		if len(raw) != len(id.ID{}) {
			return digest.Key{}, fmt.Errorf("%w: nodes[%d] of %d bytes", ErrMalformed, i, len(raw))
		}
		nodes[i] = id.ID(raw)
		if i > 0 && bytes.Compare(nodes[i-1][:], nodes[i][:]) >= 0 {
			return digest.Key{}, fmt.Errorf("%w: nodes[%d] isn't behind the one before", ErrMalformed, i)
		}
	}
	f.fleet = &Fleet{Nodes: nodes}
	return digest.KeyOf("fleets", "fleet"), nil
}

func (f *fact) takeID(raw []byte) error {
	if len(raw) != len(f.id) {
		return fmt.Errorf("%w: id of %d bytes", ErrMalformed, len(raw))
	}
	f.id = id.ID(raw)
	return nil
}
