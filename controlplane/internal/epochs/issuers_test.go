package epochs_test

import (
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/publish"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

const (
	keyA = `{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`
	keyB = `{"kty":"OKP","crv":"Ed25519","kid":"b","x":"PUAXw-hDiVqStwqnTRt-vJyYLM8uxJaMwM1V8Sr0Zgw"}`
)

func (r *replica) issuer(verb publish.Verb, key, keys string) {
	body := fmt.Sprintf(`{"name":"login","issuer":"https://login.test","audiences":["api"],"consumer":{"name_claim":"sub"},"jwks":%q}`, `{"keys":[`+keys+`]}`)
	r.apply(verb, "issuers", key, body)
}

// keys is how many keys of the one issuer nodes hold for good, and for retired.
func (r *replica) keys() (good, retired int) {
	r.t.Helper()
	_, err := r.db.Lanes(r.vault).DirectoryEntries(r.t.Context(), r.env, func(c *edgev1.EntryChange) error {
		var e directoryv1.Entry
		err := proto.Unmarshal(c.GetEntry(), &e)
		good, retired = good+len(e.GetKeySet().GetKeys()), retired+len(e.GetKeySet().GetRetired())
		return err
	})
	if err != nil {
		r.t.Fatal(err)
	}
	return good, retired
}

func TestRetiredKeyOfAnIssuerIsDeadAfterAnOlderDumpIsRestored(t *testing.T) {
	t.Parallel()
	r := start(t)
	r.issuer(publish.Create, "", keyA+","+keyB)
	restored, n := r.after(func() { r.issuer(publish.Put, "login", keyB) })
	if good, retired := restored.keys(); good != 2 || retired != 0 {
		t.Fatalf("the dump has %d keys and %d retired", good, retired)
	}
	if !restored.open(n.evidence(restored)) || !restored.recall(n) {
		t.Fatal("no epoch, or no recall")
	}
	if good, retired := restored.keys(); good != 1 || retired != 1 {
		t.Errorf("taken back, there are %d keys and %d retired", good, retired)
	}
	if now := restored.epoch(); now.Taken != 1 {
		t.Errorf("recorded as %s", text(now))
	}
	restored.issuer(publish.Patch, "login", keyA+","+keyB)
	if good, retired := restored.keys(); good != 1 || retired != 1 {
		t.Errorf("written as it is, there are %d keys and %d retired", good, retired)
	}
}
