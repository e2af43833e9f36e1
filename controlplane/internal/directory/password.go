package directory

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/password"
)

// PasswordKey is the key of a username's entry.
func PasswordKey(username string) digest.Key { return digest.KeyOf(Passwords, username) }

// Password returns a password's entry, sealed: a digest of what people remember can be guessed by whoever has it.
func Password(sealer Sealer, environment string, m *adminv1.Password, of password.Digest) (Entry, error) {
	raw, err := id.Parse(id.Password, m.GetId())
	if err != nil {
		return Entry{}, fmt.Errorf("password: %w", err)
	}
	consumer, err := id.Parse(id.Consumer, m.GetConsumer())
	if err != nil {
		return Entry{}, fmt.Errorf("password %s: consumer: %w", m.GetId(), err)
	}
	body := &directoryv1.Password{
		Id: raw[:], Username: m.GetUsername(), Consumer: consumer[:], Digest: of.Message(), Scopes: m.GetScopes(), Addresses: m.GetAddresses(),
	}
	if m.GetExpiresAt() != nil {
		body.ExpiresAtMs = max(m.GetExpiresAt().AsTime().UnixMilli(), 1) // 0 means never on a node
	}
	return seal(sealer, environment, PasswordKey(m.GetUsername()), &directoryv1.Entry{Body: &directoryv1.Entry_Password{Password: body}})
}

// PasswordDigest reads what the password of an entry is compared by.
func PasswordDigest(sealer Sealer, environment string, e Entry) (password.Digest, error) {
	plain, err := Unseal(sealer, environment, e)
	if err != nil {
		return password.Digest{}, err
	}
	var entry directoryv1.Entry
	if proto.Unmarshal(plain, &entry) != nil {
		return password.Digest{}, fmt.Errorf("password entry %s of %s can't be read", e.Key, environment) // the cause could quote it
	}
	of, err := password.Of(entry.GetPassword().GetDigest())
	if err != nil {
		return password.Digest{}, fmt.Errorf("password entry %s of %s: %w", e.Key, environment, err)
	}
	return of, nil
}
