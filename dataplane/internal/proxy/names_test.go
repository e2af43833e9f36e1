package proxy

import (
	"slices"
	"testing"

	"github.com/sallyport/sallyport/proto/policy/headers"
)

// What the proxy takes out of requests or writes itself, no policy of kind headers may promise to change.
func TestNoPolicyMayChangeWhatTheProxyOwns(t *testing.T) {
	for _, table := range []*names{refused, hopByHop} {
		for _, name := range slices.Concat(table.byLength[:]...) {
			if headers.Refused(headers.Request, name) == "" {
				t.Errorf("%s may be changed on requests", name)
			}
		}
	}
	for _, prefix := range ownPrefixes {
		if headers.Refused(headers.Request, prefix+"any") == "" {
			t.Errorf("%s* may be changed on requests", prefix)
		}
	}
	for _, name := range slices.Concat(hopByHop.byLength[:]...) {
		if headers.Refused(headers.Response, name) == "" {
			t.Errorf("%s may be changed on answers", name)
		}
	}
	if headers.Refused(headers.Response, requestIDHeader) == "" {
		t.Errorf("%s may be changed on answers", requestIDHeader)
	}
}
