package issuers

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestWhyAnIssuerCannotBeAskedIsToldWithoutAddressesAndInBounds(t *testing.T) {
	refused := &url.Error{Op: "Get", URL: "https://login.test/keys?code=hidden", Err: errors.New("connection refused")}
	nested := &url.Error{Op: "Get", URL: "https://login.test/" + strings.Repeat("x", 2000), Err: fmt.Errorf("fetch: %w", refused)}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"one":                {fmt.Errorf("the key set: %w", refused), "the key set: connection refused"},
		"one in another":     {fmt.Errorf("the document: %w", nested), "the document: fetch: connection refused"},
		"control characters": {errors.New("a\x1b[31m\nb"), "a [31m b"},
		"long":               {errors.New(strings.Repeat("é", 400)), strings.Repeat("é", 250) + "…"},
		"cut within":         {errors.New("a" + strings.Repeat("é", 400)), "a" + strings.Repeat("é", 249) + "…"},
	} {
		if got := words(c.err); got != c.want || !utf8.ValidString(got) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

func TestAfterFailuresAnIssuerIsAskedSoonAndThenNoLaterThanOtherwise(t *testing.T) {
	for _, interval := range []time.Duration{5 * time.Second, 30 * time.Second, time.Hour} {
		for failures := 1; failures < 100; failures++ {
			wait := retry(failures, interval)
			most := min(interval, time.Minute)
			if wait <= 0 || wait > most || failures == 1 && wait > 2*time.Second || failures > 6 && wait < most*9/10 {
				t.Errorf("after %d failures, at %v: %v", failures, interval, wait)
			}
		}
		for range 100 {
			if wait := jittered(interval); wait > interval || wait < interval*9/10 {
				t.Errorf("at %v: %v", interval, wait)
			}
		}
	}
}
