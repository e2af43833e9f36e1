package proxy

import (
	"maps"
	"testing"

	"github.com/sallyport/sallyport/proto/policy/headers"
)

// What the proxy takes out of requests or writes itself, no policy of kind headers may promise to change.
func TestNoPolicyMayChangeWhatTheProxyOwns(t *testing.T) {
	for _, table := range []map[string]bool{refusedNames, hopByHop} {
		for name := range maps.Keys(table) {
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
	for name := range hopByHop {
		if headers.Refused(headers.Response, name) == "" {
			t.Errorf("%s may be changed on answers", name)
		}
	}
	if headers.Refused(headers.Response, requestIDHeader) == "" {
		t.Errorf("%s may be changed on answers", requestIDHeader)
	}
}
