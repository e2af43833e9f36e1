package directory

import (
	"net/netip"
	"time"

	"github.com/sallyport/sallyport/proto/apikey"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// Admitted tells whether a credential that was let in would be let in still, from the same address; else the code that says why not.
// A credential of zero is nobody's, and is let in. It doesn't allocate.
func (d *Directory) Admitted(credential apikey.Digest, consumer id.ID, client netip.Addr, now time.Time) (problem.Code, bool) {
	if credential == (apikey.Digest{}) {
		return "", true
	}
	key, found := d.Key(credential)
	if !found || key.Consumer != consumer {
		return problem.CredentialInvalid, false
	}
	if key.ExpiresMs != 0 && now.UnixMilli() >= key.ExpiresMs {
		return problem.CredentialExpired, false
	}
	if !key.Addresses.Allows(client) {
		return problem.AddressNotAllowed, false
	}
	who, found := d.Consumer(consumer)
	if !found {
		return problem.CredentialInvalid, false
	}
	if who.Suspended {
		return problem.ConsumerSuspended, false
	}
	return "", true
}
