package directory

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Bearer is who asks to be let in, or was: by what, and from where.
type Bearer struct {
	// Digest of the API key; zero: none.
	Digest apikey.Digest
	// Password as it was when it fitted; nil: none.
	Password *Password
	// Consumer that was proven; zero: none, or nobody has asked the directory yet whose the key is.
	Consumer id.ID
	// Token that proved them; nil: none did.
	Token *Token
	// Address of the client.
	Address netip.Addr
	// Route and Service are what the API key was used for; zero: it isn't known, or doesn't matter.
	Route, Service id.ID
}

// Denied tells whether a bearer is let in no more at a time, and the code to refuse them with: their address, key, token, subject or
// consumer is blocked, the key is gone, has expired or is pinned to other addresses or routes, the token has expired, the consumer is gone or
// suspended. It is what decides on a request, asked again of what is still open. It takes no lock and doesn't allocate.
func (d *Directory) Denied(who Bearer, now time.Time) (problem.Code, bool) {
	if d.AddressBlocked(who.Address, now) {
		return problem.Blocked, true
	}
	if who.Digest != (apikey.Digest{}) {
		key, ok := d.Key(who.Digest)
		if !ok || !who.Consumer.IsZero() && key.Consumer() != who.Consumer {
			return problem.CredentialInvalid, true
		}
		if !who.Route.IsZero() && !key.Routes.Allows(who.Route, who.Service) {
			return problem.AccessDenied, true
		}
		_, code := d.Admit(&key, who.Address, now)
		return code, code != ""
	}
	if who.Password != nil {
		is, ok := d.stillGood(who.Password)
		if !ok {
			return problem.CredentialInvalid, true
		}
		_, code := d.AdmitPassword(is, who.Address, now)
		return code, code != ""
	}
	if who.Consumer.IsZero() {
		return "", false
	}
	s := d.state.Load()
	consumer, known := s.people.find(who.Consumer)
	var code problem.Code
	if who.Token != nil {
		code = s.admitToken(who.Token, consumer, known, now.UnixMilli())
	} else {
		code = s.admit(consumer, known, now.UnixMilli())
	}
	return code, code != ""
}

// Admit holds a key against its own bounds, its consumer's state and the blocks on either, at a time. It returns whom the
// key proves, or the code of what keeps it out. Blocks of addresses are not its business: they are asked about before
// anybody looks for a key.
func (d *Directory) Admit(key *Key, address netip.Addr, now time.Time) (*Consumer, problem.Code) {
	at := now.UnixMilli()
	if code := bounds(key.ExpiresMs, key.Addresses, address, at); code != "" {
		return nil, code
	}
	s := d.state.Load()
	consumer, known := s.people.known(key.Consumer(), key.number)
	return s.admitBy(key.ID, consumer, known, at)
}

// bounds holds a credential against its own: when it ends and what it is pinned to.
func bounds(expiresMs int64, addresses AddressSet, address netip.Addr, at int64) problem.Code {
	if expiresMs != 0 && at >= expiresMs {
		return problem.CredentialExpired
	}
	if !addresses.Allows(address) {
		return problem.AddressNotAllowed
	}
	return ""
}

// admitBy holds a consumer, if they are known, and the credential that they show against state and blocks.
func (s *state) admitBy(credential id.ID, consumer *Consumer, known bool, at int64) (*Consumer, problem.Code) {
	if code := s.admit(consumer, known, at); code != "" {
		return nil, code
	}
	if b := s.blocks.Load(); b != nil && b.credential(credential, at) {
		return nil, problem.Blocked
	}
	return consumer, ""
}

// admit holds a consumer, if they are known, against their state and the blocks on them. It returns the code of what keeps them out.
func (s *state) admit(consumer *Consumer, known bool, at int64) problem.Code {
	switch {
	case !known:
		return problem.CredentialInvalid
	case consumer.Suspended():
		return problem.ConsumerSuspended
	}
	if b := s.blocks.Load(); b != nil && b.consumer(consumer.ID, at) {
		return problem.Blocked
	}
	return ""
}

// AddressBlocked tells whether a client's address is blocked at a time. It takes no lock and doesn't allocate.
func (d *Directory) AddressBlocked(address netip.Addr, now time.Time) bool {
	b := d.state.Load().blocks.Load()
	return b != nil && b.address(address, now.UnixMilli())
}
