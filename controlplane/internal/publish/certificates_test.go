package publish_test

import (
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/certificate/certificatetest"
	"github.com/sallyport/sallyport/proto/problem"
)

// certificate is the body of a certificate whose key is in a secret.
func certificate(t testing.TB, name, chain, secret string, hosts ...string) string {
	t.Helper()
	return text(t, map[string]any{"name": name, "chain": chain, "private_key": secret, "hosts": hosts})
}

func secretBody(t testing.TB, name, value string) string {
	t.Helper()
	return text(t, map[string]any{"name": name, "value": value})
}

func text(t testing.TB, body map[string]any) string {
	t.Helper()
	written, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	return string(written)
}

func TestACertificateIsTakenWithItsOwnKeyAlone(t *testing.T) {
	t.Parallel()
	r := start(t)
	authority := certificatetest.NewAuthority(t)
	leaf, other := authority.Issue(t, "api.test", "*.shop.test"), authority.Issue(t, "api.test")
	r.must(create("secrets", secretBody(t, "own", leaf.Key)), create("secrets", secretBody(t, "others", other.Key)), create("secrets", secretBody(t, "words", "hunter2")))
	for secret, want := range map[string]string{
		"others": "no private key in the secret is the certificate's", "words": "holds no private key", "none": "there is no object",
	} {
		p := r.refused(create("certificates", certificate(t, "api", leaf.Chain, secret, "api.test")))
		if len(p.Errors) != 1 || p.Errors[0].Pointer != "/private_key" || !strings.Contains(p.Errors[0].Detail, want) {
			t.Errorf("%s: %+v", secret, p.Errors)
		}
	}
	for pointer, body := range map[string]string{
		"/chain":       certificate(t, "api", leaf.Chain+leaf.Key, "own", "api.test"),
		"/hosts/1":     certificate(t, "api", leaf.Chain, "own", "api.test", "other.test"),
		"/hosts/0":     certificate(t, "api", leaf.Chain, "own", "192.0.2.1"),
		"/private_key": text(t, map[string]any{"name": "api", "chain": leaf.Chain}),
	} {
		p := r.refused(create("certificates", body))
		if len(p.Errors) != 1 || p.Errors[0].Pointer != pointer || strings.Contains(p.Error(), "BEGIN PRIVATE") || p.Errors[0].Given != "" && strings.Contains(p.Errors[0].Given, "BEGIN") {
			t.Errorf("%s: %+v", pointer, p.Errors)
		}
	}
	r.must(create("certificates", certificate(t, "api", leaf.Chain, "own", "api.test", "*.shop.test")))
	for name, ops := range map[string][]publish.Operation{
		"a host twice": {create("certificates", certificate(t, "again", other.Chain, "others", "api.test"))},
		"its secret":   {remove("secrets", "own")},
		"two in a row": {create("certificates", certificate(t, "x", other.Chain, "others")), create("certificates", certificate(t, "y", other.Chain, "own"))},
		"two defaults": {create("certificates", text(t, map[string]any{"name": "x", "chain": other.Chain, "private_key": "others", "default": true})), patch("certificates", "api", `{"default":true}`)},
	} {
		if p := r.refused(ops...); p.Code == problem.Internal {
			t.Errorf("%s: %v", name, p)
		}
	}
	r.must(patch("certificates", "api", `{"hosts":["*.shop.test"]}`), create("certificates", certificate(t, "again", other.Chain, "others", "api.test")))
	r.consistent()
}

func TestACertificateAndItsKeyRotateInOneBatch(t *testing.T) {
	t.Parallel()
	r := start(t)
	authority := certificatetest.NewAuthority(t)
	first, second := authority.Issue(t, "api.test"), authority.Issue(t, "api.test")
	made := r.must(create("secrets", secretBody(t, "key-1", first.Key)), create("certificates", certificate(t, "api", first.Chain, "key-1", "api.test")))
	equal(t, "warnings", len(made.Warnings), 0)
	patched := patch("certificates", "api", text(t, map[string]any{"chain": second.Chain, "private_key": "key-2"}))
	equal(t, "another key", r.refused(patched).Code, problem.InvalidRequest)
	rotated := r.must(create("secrets", secretBody(t, "key-2", second.Key)), patched)
	if rotated.Revision == 0 || rotated.Sequence == 0 {
		t.Errorf("%+v", rotated)
	}
	r.must(remove("secrets", "key-1"))
	// The key that is there loses its certificate: it is told, and isn't refused, since it may be the first of two steps.
	warned := r.must(patch("secrets", "key-2", text(t, map[string]any{"value": first.Key})))
	if len(warned.Warnings) != 1 || !strings.Contains(warned.Warnings[0], `The private key of the certificate "api" isn't in the secret "key-2" any more`) {
		t.Errorf("warned %q", warned.Warnings)
	}
	both := r.must(patch("secrets", "key-2", text(t, map[string]any{"value": first.Key + second.Key})))
	equal(t, "warnings", len(both.Warnings), 0)
	r.consistent()
}

func TestTheEndOfACertificateIsWarnedOfAndRefusesNothing(t *testing.T) {
	t.Parallel()
	r := start(t)
	authority, key := certificatetest.NewAuthority(t), certificatetest.NewKey(t)
	r.must(create("secrets", secretBody(t, "key", certificatetest.KeyPEM(t, key))))
	day := 24 * time.Hour
	for want, life := range map[string][2]time.Duration{
		" ended on ": {-2 * day, -day}, " begins on ": {day, 2 * day}, " ends on ": {-day, 5 * day}, "": {-day, 90 * day},
	} {
		leaf := authority.IssueFor(t, key, &x509.Certificate{DNSNames: []string{"api.test"}, NotBefore: time.Now().Add(life[0]), NotAfter: time.Now().Add(life[1])})
		made := r.must(put("certificates", "api", certificate(t, "api", leaf.Chain, "key", "api.test")))
		if (want == "") != (len(made.Warnings) == 0) || want != "" && !strings.Contains(made.Warnings[0], want) {
			t.Errorf("%q: %q", want, made.Warnings)
		}
	}
}
