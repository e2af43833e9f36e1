package directory

import (
	"fmt"
	"net/netip"
	"time"
	"unicode/utf8"

	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/password"
	"github.com/sallyport/sallyport/proto/problem"
)

// maxUsername bounds a username, in bytes, as the control plane does.
const maxUsername = 128

// Password is a username and password that prove a consumer. It is immutable.
type Password struct {
	// ID names it in the API, logs and usage.
	ID id.ID
	// Username that it is found by.
	Username string
	// Consumer whom it proves. The directory may not hold them.
	Consumer id.ID
	// Digest is what the password is compared by.
	Digest password.Digest
	// Scopes are what it may be used for.
	Scopes ScopeSet
	// ExpiresMs is when it ends, in milliseconds since 1970; 0: never.
	ExpiresMs int64
	// Addresses are what it is pinned to; empty: nothing.
	Addresses AddressSet
}

// Password finds a password by its username. It takes no lock and doesn't allocate.
func (d *Directory) Password(username string) (*Password, bool) {
	if len(username) > maxUsername {
		return nil, false
	}
	found, ok := d.state.Load().passwords.get(passwordPlace(passwordKey(username)))
	if !ok || found.Username != username {
		return nil, false
	}
	return found, true
}

// AdmitPassword is Admit for a password that fits.
func (d *Directory) AdmitPassword(p *Password, address netip.Addr, now time.Time) (*Consumer, problem.Code) {
	at := now.UnixMilli()
	if code := bounds(p.ExpiresMs, p.Addresses, address, at); code != "" {
		return nil, code
	}
	s := d.state.Load()
	consumer, known := s.people.find(p.Consumer)
	return s.admitBy(p.ID, consumer, known, at)
}

// AdmitConsumer holds a consumer whom no credential of the directory proves against their state and the blocks on them.
func (d *Directory) AdmitConsumer(who id.ID, now time.Time) (*Consumer, problem.Code) {
	s := d.state.Load()
	consumer, known := s.people.find(who)
	if code := s.admit(consumer, known, now.UnixMilli()); code != "" {
		return nil, code
	}
	return consumer, ""
}

// stillGood tells whether a password that somebody was let in by is the username's still.
func (d *Directory) stillGood(was *Password) (*Password, bool) {
	is, ok := d.Password(was.Username)
	return is, ok && (is == was || is.ID == was.ID && is.Consumer == was.Consumer && is.Digest == was.Digest)
}

func passwordKey(username string) digest.Key { return digest.KeyOf("passwords", username) }

// passwordPlace is what passwords lie under: half of their entry's key, which nobody finds a second username for.
func passwordPlace(key digest.Key) id.ID { return id.ID(key[:len(id.ID{})]) }

func (f *fact) takePassword(m *directoryv1.Password) (digest.Key, error) {
	f.kind = kindPassword
	if err := f.takeID(m.GetId()); err != nil {
		return digest.Key{}, err
	}
	p := &Password{ID: f.id, Username: m.GetUsername(), ExpiresMs: m.GetExpiresAtMs(), Scopes: NewScopeSet(m.GetScopes()...)}
	if n := len(p.Username); n == 0 || n > maxUsername || !utf8.ValidString(p.Username) {
		return digest.Key{}, fmt.Errorf("%w: username of %d bytes, at least 1 and at most %d", ErrMalformed, n, maxUsername)
	}
	if len(m.GetConsumer()) != len(p.Consumer) {
		return digest.Key{}, fmt.Errorf("%w: consumer of %d bytes", ErrMalformed, len(m.GetConsumer()))
	}
	p.Consumer = id.ID(m.GetConsumer())
	if p.ExpiresMs < 0 {
		return digest.Key{}, fmt.Errorf("%w: expires_at_ms is negative", ErrMalformed)
	}
	var err error
	if p.Digest, err = password.Of(m.GetDigest()); err != nil {
		return digest.Key{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	f.ranges = f.ranges[:0]
	for i, text := range m.GetAddresses() {
		r, err := netip.ParsePrefix(text)
		if err != nil {
			return digest.Key{}, fmt.Errorf("%w: addresses[%d] is no CIDR", ErrMalformed, i)
		}
		f.ranges = append(f.ranges, r)
	}
	p.Addresses = NewAddressSet(f.ranges...)
	key := passwordKey(p.Username)
	f.id, f.password = passwordPlace(key), p
	return key, nil
}
