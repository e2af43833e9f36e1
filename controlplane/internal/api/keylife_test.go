package api_test

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

// theirKey is one that another system made.
const theirKey = "Zk3x-kong-made-this-one-9a1f"

func (w *world) consumer(name string) {
	w.make(http.MethodPost, at("consumers"), `{"name":"`+name+`"}`)
}

func (w *world) apiKey(name, consumer, more string) object {
	return w.make(http.MethodPost, at("api-keys"), fmt.Sprintf(`{"name":%q,"consumer":%q%s}`, name, consumer, more))
}

// deeds are the actions of a key's events, the newest first.
func (w *world) deeds(operation string) (deeds []string) {
	for _, event := range w.events(at("audit-events")) {
		if event.text("operation") != operation {
			continue
		}
		for _, change := range event.list("changes") {
			deeds = append(deeds, change.text("action"))
		}
	}
	return deeds
}

// wantUnrecorded fails if an event holds one of these.
func (w *world) wantUnrecorded(secrets ...string) {
	w.t.Helper()
	recorded, err := json.Marshal(w.events(at("audit-events")))
	if err != nil || len(recorded) < 100 {
		w.t.Fatalf("%s, %v", recorded, err)
	}
	for _, secret := range secrets {
		if strings.Contains(string(recorded), secret) {
			w.t.Errorf("an event holds the secret %q…", secret[:4])
		}
	}
}

func TestARotationNamesBothKeysAndItsUseIsTold(t *testing.T) {
	w := newWorld(t)
	w.consumer("shop")
	old := w.apiKey("web", "shop", `,"labels":{"a":"b"},"scopes":["read"],"routes":["rt_01k00000000000000000000001"],"retire_after_silence":"2160h"`)
	next := w.make(http.MethodPost, at("api-keys", "web", "rotate"), `{"name":"web-2","overlap":"24h"}`)
	if next.text("rotated_from") != old.text("id") || next.text("key") == "" || next["labels"].(map[string]any)["a"] != "b" ||
		fmt.Sprint(next["routes"]) != "[rt_01k00000000000000000000001]" || next.text("retire_after_silence") != "2160h" {
		t.Errorf("the successor is %v", next)
	}
	is := w.make(http.MethodGet, at("api-keys", "web"), "")
	if is.text("rotated_to") != next.text("id") || is.text("rotated_at") == "" || is.text("expires_at") == "" || is["watched"] != true {
		t.Errorf("the old one is %v", is)
	}
	use := w.make(http.MethodGet, at("api-keys", "web", "use"), "")
	if use.text("rotated_to") != next.text("id") || use["requests"] == nil || use["coverage"] == nil || use.text("last_used_at") != "" {
		t.Errorf("its use is %v", use)
	}
	w.do(http.MethodGet, at("api-keys", "nobody", "use"), "").want(t, http.StatusNotFound)
	if got := fmt.Sprint(w.deeds("rotateApiKey")); got != "[rotate create]" {
		t.Errorf("it is recorded as %s", got)
	}
	if atOnce := w.make(http.MethodPost, at("api-keys", "web-2", "rotate"), `{"overlap":"0s"}`); atOnce.text("rotated_from") != next.text("id") {
		t.Errorf("rotated at once: %v", atOnce)
	}
	if ended := w.make(http.MethodGet, at("api-keys", "web-2"), ""); ended["watched"] == true {
		t.Error("a key that is dead is watched")
	}
}

func TestRoutesAndSilenceOfAKeyAreChecked(t *testing.T) {
	w := newWorld(t)
	w.consumer("shop")
	w.do(http.MethodPost, at("api-keys"), `{"consumer":"shop","routes":["orders","svc_01k00000000000000000000001","con_01k00000000000000000000001"]}`).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/routes/0", "/routes/2")
	w.do(http.MethodPost, at("api-keys"), `{"consumer":"shop","retire_after_silence":"86400.5s"}`).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/retire_after_silence")
	w.do(http.MethodPost, at("api-keys"), `{"consumer":"shop","retire_after_silence":"1h"}`).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/retire_after_silence")
	w.do(http.MethodPost, at("api-keys"), `{"consumer":"shop","imported":true,"watched":true}`).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/imported", "/watched")
}

func TestManyKeysAreRevokedAtOnceAndOnlyThoseThatAreMeant(t *testing.T) {
	w := newWorld(t)
	w.consumer("shop")
	w.consumer("bank")
	prefix := w.apiKey("s1", "shop", "").text("prefix")
	w.apiKey("s2", "shop", "")
	w.apiKey("b1", "bank", "")
	revoke := func(body, query string) []string {
		answer := w.make(http.MethodPost, at("api-keys", "revoke")+query, body)
		var names []string
		for _, key := range answer.list("revoked") {
			names = append(names, key.text("name"))
		}
		if answer["more"] == true || (answer["sequence"] != nil) != (len(names) > 0 && query == "") {
			t.Errorf("%s: %v", body, answer)
		}
		return names
	}
	for body, want := range map[string]string{
		`{"consumer":"shop"}`:                                          "[s1 s2]",
		`{"prefix":"` + prefix + `"}`:                                  "[s1]",
		`{"prefix":"spk_production_%"}`:                                "[]",
		`{"consumer":"bank","prefix":"` + prefix + `"}`:                "[]",
		`{"created_before":"2020-01-01T00:00:00Z"}`:                    "[]",
		`{"created_after":"2020-01-01T00:00:00Z"}`:                     "[s1 s2 b1]",
		`{"created_after":"2020-01-01T00:00:00Z","consumer":"bank"}`:   "[b1]",
		`{"created_before":"2099-01-01T00:00:00Z","prefix":"spk_pro"}`: "[s1 s2 b1]",
	} {
		if got := fmt.Sprint(revoke(body, "?dry_run=true")); got != want {
			t.Errorf("%s: %s, want %s", body, got, want)
		}
	}
	w.make(http.MethodGet, at("api-keys", "s1"), "")
	if got := fmt.Sprint(revoke(`{"consumer":"shop","reason":"they left"}`, "")); got != "[s1 s2]" {
		t.Fatalf("revoked %s", got)
	}
	w.do(http.MethodGet, at("api-keys", "s1"), "").want(t, http.StatusNotFound)
	w.make(http.MethodGet, at("api-keys", "b1"), "")
	if proof := w.make(http.MethodGet, at("api-keys", "s2", "revocation"), ""); proof.text("cause") != "revoked" {
		t.Errorf("the proof is %v", proof)
	}
	if got := fmt.Sprint(w.deeds("revokeApiKeys")); got != "[revoke revoke]" {
		t.Errorf("it is recorded as %s", got)
	}
	w.do(http.MethodPost, at("api-keys", "revoke"), `{"reason":"all of them"}`).want(t, http.StatusBadRequest)
	w.do(http.MethodPost, at("api-keys", "revoke"), `{"consumer":"nobody"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/consumer")
}

func TestLeakedKeysAreRevokedAndOthersAreNotTold(t *testing.T) {
	w := newWorld(t)
	w.consumer("shop")
	leaked, kept := w.apiKey("leaked", "shop", ""), w.apiKey("kept", "shop", "")
	scanner := w.grantee("scanner", place{environment: "production"}, access.ReportLeaks)
	body := jsonOf(t, map[string]any{
		"keys": []string{"no key", leaked.text("key") + "\n", leaked.text("key"), kept.text("key") + "x"}, "source": "scanner of repositories",
	})
	answer := w.do(http.MethodPost, at("api-keys", "leaked"), body, as(scanner)).want(t, http.StatusOK).object(t)
	var statuses []string
	for _, result := range answer.list("results") {
		statuses = append(statuses, strings.TrimSuffix(result.text("status")+" "+strings.Replace(result.text("api_key"), leaked.text("id"), "leaked", 1), " "))
	}
	if got := fmt.Sprint(statuses); got != "[unknown revoked leaked revoked leaked unknown]" || answer["sequence"] == nil {
		t.Errorf("answered %s: %v", got, answer)
	}
	w.do(http.MethodGet, at("api-keys", "leaked"), "").want(t, http.StatusNotFound)
	w.make(http.MethodGet, at("api-keys", "kept"), "")
	if proof := w.make(http.MethodGet, at("api-keys", "leaked", "revocation"), ""); proof.text("cause") != "leaked" || proof.text("author") != "scanner" {
		t.Errorf("the proof is %v", proof)
	}
	events := w.events(at("audit-events"))
	if events[0].text("operation") != "reportLeakedApiKeys" || events[0].text("message") != "leaked: scanner of repositories" || fmt.Sprint(w.deeds("reportLeakedApiKeys")) != "[leak]" {
		t.Errorf("it is recorded as %v", events[0])
	}
	again := w.do(http.MethodPost, at("api-keys", "leaked"), body, as(scanner)).want(t, http.StatusOK).object(t)
	if fmt.Sprint(again.list("results")[1]) != "map[status:unknown]" || again["sequence"] != nil {
		t.Errorf("handed in again: %v", again)
	}
	// The permission lets do nothing else.
	w.do(http.MethodDelete, at("api-keys", "kept"), "", as(scanner)).want(t, http.StatusForbidden)
	w.do(http.MethodPost, at("api-keys", "revoke"), `{"consumer":"shop"}`, as(scanner)).want(t, http.StatusForbidden)
	w.wantUnrecorded(leaked.text("key"), kept.text("key"))
}

func TestKeysOfAnotherSystemAreTakenOverByTextOrDigestAndAgainWithoutHarm(t *testing.T) {
	w := newWorld(t)
	w.consumer("shop")
	sum := sha256.Sum256([]byte("another-of-their-keys-77"))
	items := `{"items":[
		{"name":"one","consumer":"shop","value":"` + theirKey + `","scopes":["read"],"labels":{"from":"kong"}},
		{"name":"two","consumer":"new-app","sha256":"` + hex.EncodeToString(sum[:]) + `"}]`
	statuses := func(answer object) (all string) {
		for _, result := range answer.list("results") {
			all += result.text("status") + " "
		}
		return strings.TrimSpace(all)
	}
	w.do(http.MethodPost, at("api-keys", "import"), items+`}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/items/1/consumer")
	w.do(http.MethodGet, at("api-keys", "one"), "").want(t, http.StatusNotFound)
	if plan := w.make(http.MethodPost, at("api-keys", "import")+"?dry_run=true", items+`,"create_consumers":true}`); plan["dry_run"] != true || plan["sequence"] != nil {
		t.Errorf("planned %v", plan)
	}
	made := w.make(http.MethodPost, at("api-keys", "import"), items+`,"create_consumers":true}`)
	if statuses(made) != "imported imported" || made["sequence"] == nil {
		t.Fatalf("%v", made)
	}
	one, two := w.make(http.MethodGet, at("api-keys", "one"), ""), w.make(http.MethodGet, at("api-keys", "two"), "")
	if one["imported"] != true || one.text("prefix") != theirKey[:4] || one.text("last_four") != theirKey[len(theirKey)-4:] || two.text("prefix") != "" || two["key"] != nil {
		t.Errorf("they read %v and %v", one, two)
	}
	if again := w.make(http.MethodPost, at("api-keys", "import"), items+`}`); statuses(again) != "known known" || again["sequence"] != nil {
		t.Errorf("again: %v", again)
	}
	if got := fmt.Sprint(w.deeds("importApiKeys")); got != "[create import import]" {
		t.Errorf("it is recorded as %s", got)
	}
	w.do(http.MethodPost, at("api-keys", "import"), `{"items":[{"consumer":"new-app","value":"`+theirKey+`"}]}`).
		want(t, http.StatusConflict).wantProblem(t, problem.Conflict, "/items/0")
	w.do(http.MethodPost, at("api-keys", "import"), `{"items":[{"consumer":"shop","value":"twice-in-one-import-1"},{"consumer":"shop","value":"twice-in-one-import-1"}]}`).
		want(t, http.StatusConflict).wantProblem(t, problem.Conflict, "/items/1")
	// A key that was revoked doesn't come back by the way.
	w.do(http.MethodDelete, at("api-keys", "one"), "").want(t, http.StatusNoContent)
	back := `{"items":[{"name":"one","consumer":"shop","value":"` + theirKey + `"}]}`
	w.do(http.MethodPost, at("api-keys", "import"), back).want(t, http.StatusConflict).wantProblem(t, problem.Conflict, "/items/0")
	w.make(http.MethodPost, at("api-keys", "import")+"?force=true", back)
	w.wantUnrecorded(theirKey, hex.EncodeToString(sum[:]))
}

func TestWeakAndMalformedKeysAreNotTakenOver(t *testing.T) {
	w := newWorld(t)
	w.consumer("shop")
	empty := sha256.Sum256(nil)
	w.do(http.MethodPost, at("api-keys", "import"), `{"items":[
		{"consumer":"shop","value":"short"}, {"consumer":"shop","value":"aaaaaaaaaaaaaaaaaaaaaaaa"}, {"consumer":"shop"},
		{"consumer":"shop","value":"`+theirKey+`","sha256":"`+strings.Repeat("ab", 32)+`"}, {"consumer":"shop","sha256":"`+hex.EncodeToString(empty[:])+`"}]}`).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/items/0/value", "/items/1/value", "/items/2", "/items/3", "/items/4/sha256")
	for _, body := range []string{
		`{"items":[]}`, `{"items":[{"consumer":"shop","sha256":"abc"}]}`, `{"items":[{"consumer":"shop","value":"with a space in the midst"}]}`,
		`{"items":[{"consumer":"shop","value":"` + strings.Repeat("x1", 65) + `"}]}`,
	} {
		w.do(http.MethodPost, at("api-keys", "import")+"?force=true", body).want(t, http.StatusBadRequest)
	}
	w.make(http.MethodPost, at("api-keys", "import")+"?force=true", `{"items":[{"consumer":"shop","value":"short"}]}`)
}

func TestKeysThatAreCalledLikeWhatIsDoneToManyAreReadAsAnyOther(t *testing.T) {
	w := newWorld(t)
	w.consumer("shop")
	for _, name := range []string{"revoke", "leaked", "import"} {
		w.apiKey(name, "shop", "")
		if read := w.make(http.MethodGet, at("api-keys", name), ""); read.text("name") != name {
			t.Errorf("%s is read as %v", name, read)
		}
		w.do(http.MethodDelete, at("api-keys", name), "").want(t, http.StatusNoContent)
	}
}

// Whoever writes a team's credentials reaches none of another team's, by whichever way.
func TestATeamsKeysAreItsOwnInWhateverIsDoneToMany(t *testing.T) {
	w := newWorld(t)
	for _, team := range []string{"red", "blue"} {
		w.make(http.MethodPost, at("teams"), `{"name":"`+team+`"}`)
		w.make(http.MethodPost, at("consumers"), `{"name":"`+team+`-app","team":"`+team+`"}`)
		w.apiKey(team+"-key", team+"-app", "")
	}
	red := as(w.grantee("red-script", place{"production", "red"}, "credentials.read", "credentials.write"))
	w.do(http.MethodGet, at("api-keys", "red-key", "use"), "", red).want(t, http.StatusOK)
	w.do(http.MethodGet, at("api-keys", "blue-key", "use"), "", red).want(t, http.StatusNotFound)
	w.do(http.MethodPost, at("api-keys", "revoke"), `{"consumer":"blue-app"}`, red).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/consumer")
	w.do(http.MethodPost, at("api-keys", "import"), `{"items":[{"consumer":"blue-app","value":"`+theirKey+`"}]}`, red).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/items/0/consumer")
	w.do(http.MethodPost, at("api-keys", "leaked"), `{"keys":["`+theirKey+`"],"source":"me"}`, red).want(t, http.StatusForbidden)
	revoked := w.do(http.MethodPost, at("api-keys", "revoke"), `{"created_after":"2020-01-01T00:00:00Z"}`, red).want(t, http.StatusOK).object(t)
	if keys := revoked.list("revoked"); len(keys) != 1 || keys[0].text("name") != "red-key" {
		t.Errorf("revoked %v", revoked)
	}
	w.make(http.MethodGet, at("api-keys", "blue-key"), "")
	w.do(http.MethodPost, at("api-keys", "import"), `{"items":[{"consumer":"red-app","value":"`+theirKey+`"}]}`, red).want(t, http.StatusOK)
}
