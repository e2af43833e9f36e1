package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestABlockIsMadeChangedAndDeletedLikeAnyObject(t *testing.T) {
	w := newWorld(t)
	consumer := w.make(http.MethodPost, at("consumers"), shopConsumer)
	made := w.do(http.MethodPost, at("blocks"), `{"consumer":"shop","description":"fraud","expires_at":"2999-01-01T00:00:00Z"}`).want(t, http.StatusCreated)
	block := made.object(t)
	if block.text("consumer") != consumer.text("id") || !strings.HasPrefix(block.text("name"), "block-") || made.header.Get("Sallyport-Sequence") == "" {
		t.Fatalf("made %v, %v", block, made.header)
	}
	w.do(http.MethodPut, at("blocks", "scanner"), `{"address_range":"192.0.2.0/24"}`).want(t, http.StatusCreated)
	w.do(http.MethodPatch, at("blocks", "scanner"), `{"address_range":"198.51.100.0/24"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/address_range")
	w.do(http.MethodPost, at("blocks"), `{"name":"nobody"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "")
	listed := w.do(http.MethodGet, at("blocks")+"?filter[consumer]=shop", "").want(t, http.StatusOK).object(t).list("data")
	if len(listed) != 1 || listed[0].text("id") != block.text("id") {
		t.Errorf("the blocks of a consumer are %v", listed)
	}
	w.do(http.MethodPost, at("changes"), `{"operations":[{"action":"delete","collection":"blocks","key":"scanner"},
		{"action":"create","collection":"blocks","body":{"name":"again","address_range":"192.0.2.0/24"}}]}`).want(t, http.StatusOK)
	w.do(http.MethodDelete, at("blocks", block.text("id")), "").want(t, http.StatusNoContent)
}

func TestARevocationIsAnsweredForAKeyThatIsGone(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	key := w.make(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`)
	not := w.do(http.MethodGet, at("api-keys", "web", "revocation"), "").want(t, http.StatusNotFound)
	if !strings.Contains(string(not.body), "was not revoked") {
		t.Errorf("a key that lives: %s", not.body)
	}
	deleted := w.do(http.MethodDelete, at("api-keys", "web"), "").want(t, http.StatusNoContent)
	sequence := deleted.header.Get("Sallyport-Sequence")
	got := w.do(http.MethodGet, at("api-keys", key.text("id"), "revocation"), "").want(t, http.StatusOK)
	o := got.object(t)
	if o.text("id") != key.text("id") || o.text("cause") != "deleted" || o.text("committed_at") == "" || o.text("author") == "" ||
		!strings.Contains(string(got.body), `"sequence":`+sequence) {
		t.Errorf("the revocation is %s", got.body)
	}
	if strings.Contains(string(got.body), key.text("key")) || strings.Contains(string(got.body), key.text("last_four")) {
		t.Errorf("it shows the key: %s", got.body)
	}
	w.do(http.MethodPatch, at("consumers", "shop"), `{"suspended":true}`).want(t, http.StatusOK)
	if o := w.make(http.MethodGet, at("consumers", "shop", "revocation"), ""); o.text("cause") != "suspended" {
		t.Errorf("a suspended consumer's is %v", o)
	}
	w.make(http.MethodPost, at("blocks"), `{"name":"b","address_range":"192.0.2.0/24"}`)
	if o := w.make(http.MethodGet, at("blocks", "b", "revocation"), ""); o.text("cause") != "blocked" {
		t.Errorf("a block's is %v", o)
	}
	w.do(http.MethodGet, at("blocks", "c", "revocation"), "").want(t, http.StatusNotFound)
}

func TestTheStatusOfASequenceThatIsNotThereIs404(t *testing.T) {
	w := newWorld(t)
	w.do(http.MethodGet, at("sequences", "1", "status"), "").want(t, http.StatusOK)
	for _, number := range []string{"0", "2", "-1", "01", "9223372036854775808", "x"} {
		w.do(http.MethodGet, at("sequences", number, "status"), "").want(t, http.StatusNotFound)
	}
}
