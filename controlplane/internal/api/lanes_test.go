package api_test

import (
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestAnAPIKeyIsShownOnceAndRotatedWithAnOverlap(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	made := w.make(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop","scopes":["orders:read"]}`)
	if !strings.HasPrefix(made.text("key"), "spk_production_") || made.text("last_four") == "" || made.text("prefix") == "" {
		t.Fatalf("made %v", made)
	}
	read := w.do(http.MethodGet, at("api-keys", "web"), "").want(t, http.StatusOK)
	if strings.Contains(string(read.body), made.text("key")) {
		t.Errorf("the key is shown again: %s", read.body)
	}
	rotated := w.do(http.MethodPost, at("api-keys", "web", "rotate"), `{"overlap":"1h","name":"web-2"}`).want(t, http.StatusCreated)
	o := rotated.object(t)
	if o.text("key") == made.text("key") || o.text("key") == "" || o.text("consumer") != made.text("consumer") {
		t.Errorf("rotated to %v", o)
	}
	if rotated.header.Get("Location") != at("api-keys", o.text("id")) || rotated.header.Get("Sallyport-Sequence") == "" {
		t.Errorf("headers are %v", rotated.header)
	}
	if old := w.make(http.MethodGet, at("api-keys", "web"), ""); old.text("rotated_to") != o.text("id") || old.text("expires_at") == "" {
		t.Errorf("the old key reads %v", old)
	}
	w.do(http.MethodPost, at("api-keys", "nothing", "rotate"), `{}`).want(t, http.StatusNotFound)
	w.do(http.MethodPost, at("api-keys", "web-2", "rotate"), `{"overlap":"-1s"}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/overlap")
	plan := w.do(http.MethodPost, at("api-keys", "web-2", "rotate")+"?dry_run=true", "").want(t, http.StatusOK)
	if strings.Contains(string(plan.body), `"key":"spk_`) {
		t.Errorf("a dry run shows a key: %s", plan.body)
	}
	w.do(http.MethodPost, at("api-keys", "web-2", "rotate"), "").want(t, http.StatusCreated)
}

func TestASecretsValueIsNeverShown(t *testing.T) {
	w := newWorld(t)
	const value = "correct-horse-battery"
	for _, got := range []answer{
		w.do(http.MethodPost, at("secrets"), `{"name":"s","value":"`+value+`"}`),
		w.do(http.MethodGet, at("secrets", "s"), ""),
		w.do(http.MethodGet, at("secrets"), ""),
		w.do(http.MethodPatch, at("secrets", "s"), `{"description":"x"}`),
		w.do(http.MethodPut, at("secrets", "s"), `{"name":"s","value":"`+value+`2"}`),
		w.do(http.MethodPatch, at("secrets", "s")+"?dry_run=true", `{"value":"`+value+`3"}`),
		w.do(http.MethodPost, at("changes"), `{"operations":[{"action":"patch","collection":"secrets","key":"s","body":{"value":"`+value+`4"}}]}`),
		w.do(http.MethodPost, at("secrets"), `{"name":"t","value":"`+value+`","colour":1}`),
	} {
		if strings.Contains(string(got.body), value) {
			t.Errorf("it is shown: %s", got.body)
		}
	}
}

func TestNoAnswerRepeatsASecretHoweverBadTheRequest(t *testing.T) {
	w := newWorld(t)
	const value = "hunter2-hunter2"
	w.make(http.MethodPost, at("secrets"), `{"name":"there","value":"`+value+`"}`)
	for _, body := range []string{
		`{"name":"a","value":"` + value + `","value":"` + value + `"}`,
		`{"name":"a","value":["` + value + `"]}`,
		`{"name":"a","value":{"a":"` + value + `"}}`,
		`{"name":"there","value":"` + value + `"}`,
		`{"name":"A B","value":"` + value + `"}`,
		`{"name":"a","value":"` + value + `\u0000"}`,
		`{"name":"a","value":"` + strings.Repeat(value, 10_000) + `"}`,
		`{"name":"a","value":"` + value,
	} {
		for path, request := range map[string]string{
			at("secrets"): body,
			at("changes"): `{"operations":[{"action":"create","collection":"secrets","body":` + body + `}]}`,
		} {
			got := w.do(http.MethodPost, path, request).want(t, http.StatusBadRequest, http.StatusConflict)
			if strings.Contains(string(got.body), value) {
				t.Errorf("%.60s is answered by %.300s", request, got.body)
			}
		}
	}
}

func TestDelete409ListsTheReferrers(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	route := w.make(http.MethodPost, at("routes"), ordersRoute)
	got := w.do(http.MethodDelete, at("services", "orders"), "").want(t, http.StatusConflict)
	got.wantProblem(t, problem.Referenced)
	referrers := got.object(t).list("referrers")
	if len(referrers) != 1 || referrers[0].text("collection") != "routes" || referrers[0].text("id") != route.text("id") || referrers[0].text("pointer") != "/service" {
		t.Errorf("the referrers are %v", referrers)
	}
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	w.make(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`)
	got = w.do(http.MethodDelete, at("consumers", "shop"), "").want(t, http.StatusConflict)
	if referrers = got.object(t).list("referrers"); len(referrers) != 1 || referrers[0].text("collection") != "api-keys" {
		t.Errorf("the referrers are %v", referrers)
	}
}

func TestARouteWithoutAuthenticationIsRefusedUnlessPublic(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	private := strings.Replace(ordersRoute, `,"public":true`, "", 1)
	w.do(http.MethodPost, at("routes"), private).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest)
	w.make(http.MethodPost, at("policies"), apiKeyPolicy)
	w.make(http.MethodPost, at("routes"), private)
	w.do(http.MethodDelete, at("policies", "keys"), "").want(t, http.StatusBadRequest, http.StatusConflict)
	w.do(http.MethodPatch, at("policies", "keys"), `{"mode":"shadow"}`).want(t, http.StatusBadRequest, http.StatusConflict)
}

func TestSettingsAreAlwaysThere(t *testing.T) {
	w := newWorld(t)
	first := w.do(http.MethodGet, at("settings"), "").want(t, http.StatusOK)
	put := w.do(http.MethodPut, at("settings"), `{"trusted_proxies":["10.0.0.0/8"]}`, header("If-Match", first.header.Get("ETag"))).want(t, http.StatusOK)
	if put.header.Get("Sallyport-Revision") != "1" {
		t.Errorf("the revision is %q", put.header.Get("Sallyport-Revision"))
	}
	w.do(http.MethodPut, at("settings"), `{}`, header("If-Match", first.header.Get("ETag"))).want(t, http.StatusPreconditionFailed)
	patched := w.make(http.MethodPatch, at("settings"), `{"allowed_target_ranges":["127.0.0.0/8"]}`)
	if len(patched["trusted_proxies"].([]any)) != 1 || patched.text("name") != "settings" {
		t.Errorf("patched to %v", patched)
	}
	w.do(http.MethodPatch, at("settings"), `{"trusted_proxies":["all"]}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/trusted_proxies/0")
	w.do(http.MethodDelete, at("settings"), "").want(t, http.StatusMethodNotAllowed)
	w.do(http.MethodPut, at("settings"), `{}`, header("If-None-Match", "*")).want(t, http.StatusPreconditionFailed)
}

func TestABatchIsAllOrNothing(t *testing.T) {
	w := newWorld(t)
	step := func(action, collection, key, body string) string {
		return `{"action":"` + action + `","collection":"` + collection + `","key":"` + key + `","body":` + body + `}`
	}
	batch := func(steps ...string) string {
		return `{"message":"first","operations":[` + strings.Join(steps, ",") + `]}`
	}
	whole := batch(
		step("create", "services", "", ordersService), step("create", "routes", "", ordersRoute),
		step("put", "consumers", "shop", shopConsumer), step("create", "api-keys", "", `{"name":"web","consumer":"shop"}`),
	)
	plan := w.do(http.MethodPost, at("changes")+"?dry_run=true", whole).want(t, http.StatusOK)
	if plan.object(t)["dry_run"] != true || len(plan.object(t).list("changes")) != 4 || plan.header.Get("Sallyport-Revision") != "" {
		t.Errorf("the plan is %s", plan.body)
	}
	got := w.do(http.MethodPost, at("changes"), whole).want(t, http.StatusOK)
	results := got.object(t).list("results")
	if got.header.Get("Sallyport-Revision") != "1" || got.header.Get("Sallyport-Sequence") == "" || len(results) != 4 {
		t.Fatalf("the answer is %v %s", got.header, got.body)
	}
	if key, _ := results[3]["object"].(map[string]any); !strings.HasPrefix(object(key).text("key"), "spk_production_") {
		t.Errorf("the new key isn't shown: %v", results[3])
	}
	failed := w.do(http.MethodPost, at("changes"), batch(
		step("create", "consumers", "", `{"name":"fine"}`), step("create", "services", "", `{"name":"bad","upstream":{"targets":[]}}`),
		step("patch", "routes", "nothing", `{}`), step("create", "gadgets", "", `{}`), step("rotate", "services", "orders", `{}`),
	))
	failed.want(t, http.StatusBadRequest, http.StatusNotFound)
	w.do(http.MethodGet, at("consumers", "fine"), "").want(t, http.StatusNotFound)
	w.do(http.MethodPost, at("changes"), batch(step("create", "services", "", `{"name":"bad","upstream":{"targets":[]}}`))).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/operations/0/body/upstream/targets")
	w.do(http.MethodPost, at("changes"), `{"operations":[]}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/operations")
	w.do(http.MethodPost, at("changes"), `{"operations":[{"action":"destroy","collection":"services","key":"orders"}]}`).
		want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/operations/0/action")
}

func TestRevisionsAreListedComparedAndBroughtBack(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	w.make(http.MethodPatch, at("services", "orders"), `{"description":"two"}`)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	w.make(http.MethodPut, at("services", "items"), strings.Replace(ordersService, "orders", "items", 1))

	list := w.do(http.MethodGet, at("revisions")+"?limit=2", "").want(t, http.StatusOK).object(t)
	if data := list.list("data"); len(data) != 2 || data[0]["number"] != 3.0 || data[1]["number"] != 2.0 {
		t.Errorf("the first page is %v", list)
	}
	rest := w.do(http.MethodGet, at("revisions")+"?limit=2&cursor="+list.text("next_cursor"), "").want(t, http.StatusOK).object(t)
	if data := rest.list("data"); len(data) != 1 || data[0]["number"] != 1.0 || rest["next_cursor"] != nil {
		t.Errorf("the second page is %v", rest)
	}
	if one := w.make(http.MethodGet, at("revisions", "2"), ""); one.text("author") != "bootstrap" || one["changes"] != 1.0 {
		t.Errorf("revision 2 reads %v", one)
	}
	diff := w.make(http.MethodGet, at("revisions", "2", "diff"), "")
	if changes := diff.list("changes"); len(changes) != 1 || changes[0].text("action") != "update" || changes[0]["fields"].([]any)[0] != "/description" {
		t.Errorf("revision 2 changed %v", diff)
	}
	if whole := w.make(http.MethodGet, at("revisions", "3", "diff")+"?from=0", "").list("changes"); len(whole) != 2 {
		t.Errorf("since the beginning: %v", whole)
	}
	status := w.make(http.MethodGet, at("revisions", "3", "status"), "")
	if status["revision"] != 3.0 {
		t.Errorf("the status is %v", status)
	}

	plan := w.do(http.MethodPost, at("revisions", "1", "rollback")+"?dry_run=true", "").want(t, http.StatusOK)
	if len(plan.object(t).list("changes")) != 2 {
		t.Errorf("the plan is %s", plan.body)
	}
	back := w.do(http.MethodPost, at("revisions", "1", "rollback"), `{"message":"as it was"}`).want(t, http.StatusOK)
	if back.header.Get("Sallyport-Revision") != "4" || back.header.Get("Sallyport-Sequence") != "" {
		t.Errorf("the rollback made %v", back.header)
	}
	w.do(http.MethodGet, at("services", "items"), "").want(t, http.StatusNotFound)
	w.do(http.MethodGet, at("consumers", "shop"), "").want(t, http.StatusOK)
	if made := w.make(http.MethodGet, at("revisions", "4"), ""); made["rollback_to"] != 1.0 || made.text("message") != "as it was" {
		t.Errorf("revision 4 reads %v", made)
	}
}

func TestRevisions404(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	for _, number := range []string{"0", "2", "-1", "01", "1.0", "one", "18446744073709551616", "9223372036854775808", "1%20"} {
		for _, path := range []string{at("revisions", number), at("revisions", number, "status"), at("revisions", number, "diff")} {
			w.do(http.MethodGet, path, "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
		}
	}
	for _, number := range []string{"2", "-1", "one"} {
		w.do(http.MethodPost, at("revisions", number, "rollback"), `{}`).want(t, http.StatusNotFound)
	}
	w.do(http.MethodGet, at("revisions", "1", "diff")+"?from=7", "").want(t, http.StatusNotFound)
	w.do(http.MethodGet, at("revisions", "1", "diff")+"?from=x", "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/from")
}

// Of many editors who all read the same version, one wins, the others are told.
func TestOfManyEditorsWithIfMatchOneWins(t *testing.T) {
	w := newWorld(t)
	w.make(http.MethodPost, at("services"), ordersService)
	etag := w.do(http.MethodGet, at("services", "orders"), "").header.Get("ETag")
	const editors = 16
	statuses := make(chan int, editors)
	var all sync.WaitGroup
	for i := range editors {
		request := w.request(http.MethodPatch, at("services", "orders"), `{"description":"editor `+string(rune('a'+i))+`"}`, header("If-Match", etag))
		all.Go(func() { statuses <- statusOf(w.server, request) })
	}
	all.Wait()
	close(statuses)
	count := map[int]int{}
	for status := range statuses {
		count[status]++
	}
	if count[http.StatusOK] != 1 || count[http.StatusPreconditionFailed] != editors-1 {
		t.Errorf("the statuses are %v", count)
	}
	if e := w.make(http.MethodGet, "/api/v1/environments/production", ""); e["revision"] != 2.0 {
		t.Errorf("the revision is %v", e["revision"])
	}
}

func TestOfManyCreatorsWithIfNoneMatchOneWins(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ collection, body string }{{"services", ordersService}, {"consumers", `{"name":"orders"}`}} {
		const creators = 8
		statuses := make(chan int, creators)
		var all sync.WaitGroup
		for range creators {
			request := w.request(http.MethodPut, at(c.collection, "orders"), c.body, header("If-None-Match", "*"))
			all.Go(func() { statuses <- statusOf(w.server, request) })
		}
		all.Wait()
		close(statuses)
		count := map[int]int{}
		for status := range statuses {
			count[status]++
		}
		if count[http.StatusCreated] != 1 || count[http.StatusPreconditionFailed] != creators-1 {
			t.Errorf("%s: the statuses are %v", c.collection, count)
		}
	}
}
