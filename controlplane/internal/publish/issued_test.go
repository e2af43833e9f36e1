package publish_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const issuer = `{"name":"login","issuer":"https://login.example.com","jwks_url":"https://login.example.com/jwks","audiences":["https://api.example.com"],"consumer":{"name_claim":"client_id"}}`

func TestABlockOfATokenOrSubjectIsAboutAnIssuerThatThereIs(t *testing.T) {
	t.Parallel()
	r := start(t)
	// In one batch with the issuer, and in one that touches the directory alone; by name and by id.
	made := r.must(create("issuers", issuer), create("blocks", `{"name":"stolen","token":{"issuer":"login","id":"t-1"}}`))
	login := made.Outcomes[0].ID
	r.must(create("blocks", `{"name":"left","subject":{"issuer":"login","subject":"alice"},"expires_at":"2999-01-01T00:00:00Z"}`),
		create("blocks", `{"name":"other","subject":{"issuer":"`+login+`","subject":"bob"}}`))
	said := map[string]int64{}
	for _, b := range r.allBlocks() {
		switch {
		case b.GetToken() != nil:
			said[id.Text(id.Issuer, id.ID(b.GetToken().GetIssuer()))+" token "+b.GetToken().GetId()] = b.GetExpiresAtMs()
		case b.GetSubject() != nil:
			said[id.Text(id.Issuer, id.ID(b.GetSubject().GetIssuer()))+" subject "+b.GetSubject().GetSubject()] = b.GetExpiresAtMs()
		}
	}
	for want, until := range map[string]int64{login + " token t-1": 0, login + " subject alice": 32472144000000, login + " subject bob": 0} {
		if got, ok := said[want]; !ok || got != until {
			t.Errorf("of %s nodes are told %v", want, said)
		}
	}
	for body, want := range map[string]string{
		`{"token":{"issuer":"nobody","id":"t"}}`:                                              "/token/issuer unknown_reference",
		`{"subject":{"issuer":"nobody","subject":"s"}}`:                                       "/subject/issuer unknown_reference",
		`{"token":{"issuer":"login"}}`:                                                        "/token/id required",
		`{"subject":{"subject":"s"}}`:                                                         "/subject/issuer required",
		`{"token":{"issuer":"login","id":"` + strings.Repeat("t", 257) + `"}}`:                "/token/id too_long",
		`{"token":{"issuer":"login","id":"t"},"subject":{"issuer":"login","subject":"s"}}`:    " mutually_excluded",
		`{"token":{"issuer":"login","id":"t"},"address_range":"10.0.0.0/8","consumer":"app"}`: " mutually_excluded",
	} {
		if got := found(r.refused(create("blocks", body))); !slices.Contains(got, want) {
			t.Errorf("%s: %v, want %s", body, got, want)
		}
	}
	for name, body := range map[string]string{"stolen": `{"token":{"id":"t-2"}}`, "left": `{"subject":{"subject":"bob"}}`} {
		refused := r.refused(patch("blocks", name, body))
		if refused.Errors[0].Code != problem.ViolationImmutable {
			t.Errorf("%s: %v", body, found(refused))
		}
	}
	// As it was shown it can be sent back, and it outlives its issuer.
	r.must(put("blocks", "stolen", `{"token":{"issuer":"`+login+`","id":"t-1"},"description":"found in a log"}`))
	r.must(remove("issuers", "login"))
	r.must(patch("blocks", "left", `{"expires_at":null}`))
	r.must(remove("blocks", "stolen"))
	r.consistent()
}

// Its nodes would refuse the entry, and with it every revocation behind it, though they know other blocks.
func TestABlockOfATokenThatANodeDoesNotKnowNeedsForce(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.must(create("issuers", issuer))
	old := r.enrolled("old", 4)
	r.must(create("blocks", `{"name":"range","address_range":"192.0.2.0/24"}`))
	block := create("blocks", `{"name":"b","subject":{"issuer":"login","subject":"alice"}}`)
	refused := r.refused(block)
	if refused.Code != problem.CapabilityMissing || !strings.Contains(refused.Error(), old.Node) || !strings.Contains(refused.Error(), "capability 5") {
		t.Errorf("%+v", refused)
	}
	forced, err := r.publisher.Apply(t.Context(), publish.Batch{Environment: r.env, Author: author, Operations: []publish.Operation{block}, Force: true})
	if err != nil || !strings.Contains(strings.Join(forced.Warnings, "\n"), old.Node) {
		t.Errorf("forced: %v, warnings %q", err, forced.Warnings)
	}
}
