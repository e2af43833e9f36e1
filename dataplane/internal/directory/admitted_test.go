package directory

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sallyport/sallyport/proto/apikey"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

func TestWhoWasLetInIsAdmittedUntilTheDirectorySaysOtherwise(t *testing.T) {
	now := time.UnixMilli(1_000_000)
	here := netip.MustParseAddr("192.0.2.1")
	sum, key, owner := digestOf(1), idOf(1), idOf(2)
	plain := &directoryv1.ApiKey{Digest: sum[:], Id: key[:], Consumer: owner[:]}
	for _, tt := range []struct {
		name     string
		key      *directoryv1.ApiKey
		consumer *directoryv1.Consumer
		want     problem.Code
	}{
		{"nothing has changed", plain, &directoryv1.Consumer{Name: "c"}, ""},
		{"revoked", nil, &directoryv1.Consumer{Name: "c"}, problem.CredentialInvalid},
		{"expired", &directoryv1.ApiKey{Digest: sum[:], Id: key[:], Consumer: owner[:], ExpiresAtMs: now.UnixMilli()}, &directoryv1.Consumer{Name: "c"}, problem.CredentialExpired},
		{"not expired yet", &directoryv1.ApiKey{Digest: sum[:], Id: key[:], Consumer: owner[:], ExpiresAtMs: now.UnixMilli() + 1}, &directoryv1.Consumer{Name: "c"}, ""},
		{"pinned elsewhere", &directoryv1.ApiKey{Digest: sum[:], Id: key[:], Consumer: owner[:], Addresses: []string{"198.51.100.0/24"}}, &directoryv1.Consumer{Name: "c"}, problem.AddressNotAllowed},
		{"suspended", plain, &directoryv1.Consumer{Name: "c", Suspended: true}, problem.ConsumerSuspended},
		{"consumer gone", plain, nil, problem.CredentialInvalid},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := New()
			if tt.key != nil {
				apply(t, d, keyEntry(t, tt.key))
			}
			if tt.consumer != nil {
				apply(t, d, consumerEntry(t, 2, tt.consumer))
			}
			if code, ok := d.Admitted(sum, owner, here, now); code != tt.want || ok != (tt.want == "") {
				t.Errorf("admitted: %v, %q; want %q", ok, code, tt.want)
			}
			if code, ok := d.Admitted(apikey.Digest{}, [16]byte{}, here, now); !ok {
				t.Errorf("who proved nothing is refused: %q", code)
			}
			if allocs := testing.AllocsPerRun(10, func() { d.Admitted(sum, owner, here, now) }); allocs != 0 {
				t.Errorf("a question takes %v allocations", allocs)
			}
		})
	}
}
