package api_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

// plain is a collection as the tests of what all have in common see it.
type plain struct {
	collection string
	body       string // of a new object named "thing"
	change     string // merge patch that changes something
	changed    string // body that differs from body
	needs      []string
	lane       string // header that a write sets
}

var plains = []plain{
	{
		collection: "services", lane: "Sallyport-Revision",
		body:    `{"name":"thing","upstream":{"targets":[{"address":"a.internal:80"}]}}`,
		changed: `{"name":"thing","upstream":{"targets":[{"address":"b.internal:80","weight":0}]}}`,
		change:  `{"description":"changed"}`,
	},
	{
		collection: "routes", lane: "Sallyport-Revision",
		needs:   []string{"services " + ordersService},
		body:    `{"name":"thing","service":"orders","paths":[{"prefix":"/a"}],"public":true}`,
		changed: `{"name":"thing","service":"orders","paths":[{"exact":"/b"}],"public":true}`,
		change:  `{"methods":["GET"]}`,
	},
	{
		collection: "policies", lane: "Sallyport-Revision",
		body:    `{"name":"thing","kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":10,"window":"1s"}]}}`,
		changed: `{"name":"thing","kind":"rate-limit","config":{"by":[{"address":true}],"windows":[{"requests":20,"window":"1s"}]}}`,
		change:  `{"mode":"shadow"}`,
	},
	{
		collection: "consumers", lane: "Sallyport-Sequence",
		body:    `{"name":"thing"}`,
		changed: `{"name":"thing","metadata":{"tier":"gold"}}`,
		change:  `{"suspended":true}`,
	},
	{
		collection: "api-keys", lane: "Sallyport-Sequence",
		needs:   []string{"consumers " + shopConsumer},
		body:    `{"name":"thing","consumer":"shop"}`,
		changed: `{"name":"thing","consumer":"shop","scopes":["orders:read"]}`,
		change:  `{"addresses":["192.0.2.0/24"]}`,
	},
	{
		collection: "secrets", lane: "Sallyport-Sequence",
		body:    `{"name":"thing","value":"first"}`,
		changed: `{"name":"thing","value":"second"}`,
		change:  `{"description":"changed"}`,
	},
}

// eachPlain runs a test for every collection, in a world that has what its objects need.
func eachPlain(t *testing.T, test func(w *world, c plain)) {
	t.Helper()
	for _, c := range plains {
		t.Run(c.collection, func(t *testing.T) {
			w := newWorld(t)
			for _, needed := range c.needs {
				collection, body, _ := strings.Cut(needed, " ")
				w.make(http.MethodPost, at(collection), body)
			}
			test(w, c)
		})
	}
}

func TestCreate201(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		made := w.do(http.MethodPost, at(c.collection), c.body).want(t, http.StatusCreated)
		o := made.object(t)
		if made.header.Get("Location") != at(c.collection, o.text("id")) {
			t.Errorf("Location is %q", made.header.Get("Location"))
		}
		if made.header.Get(c.lane) == "" {
			t.Errorf("no %s", c.lane)
		}
		for _, key := range []string{o.text("id"), "thing"} {
			read := w.do(http.MethodGet, at(c.collection, key), "").want(t, http.StatusOK)
			if read.header.Get("ETag") != made.header.Get("ETag") {
				t.Errorf("the ETag of %s is %s, made with %s", key, read.header.Get("ETag"), made.header.Get("ETag"))
			}
			if read.object(t).text("id") != o.text("id") {
				t.Errorf("%s reads as another object", key)
			}
		}
	})
}

func TestCreate409WhenTheNameIsTaken(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		w.make(http.MethodPost, at(c.collection), c.body)
		w.do(http.MethodPost, at(c.collection), c.body).want(t, http.StatusConflict).wantProblem(t, problem.NameTaken)
	})
}

func TestCreate400NamesEveryBadField(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		got := w.do(http.MethodPost, at(c.collection), `{"name":7,"colour":"red","labels":{"a":1}}`).want(t, http.StatusBadRequest)
		got.wantProblem(t, problem.InvalidRequest, "/name", "/colour", "/labels/a")
	})
}

func TestANameThatLooksLikeAnIDIsRefused(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		body := strings.Replace(c.body, `"thing"`, `"svc_01jc0000000000000000000000"`, 1)
		w.do(http.MethodPost, at(c.collection), body).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/name")
	})
}

func TestGet404(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		for _, key := range []string{"nothing", "svc_01jc0000000000000000000000", "%00", "..%2f..", "a%2fb", "%ff", strings.Repeat("x", 3000)} {
			w.do(http.MethodGet, at(c.collection, key), "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
		}
		w.do(http.MethodGet, "/api/v1/environments/nothing/"+c.collection, "").want(t, http.StatusNotFound)
	})
}

func TestObjectsOfAnotherEnvironmentAreNotThere(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		made := w.make(http.MethodPost, at(c.collection), c.body)
		w.make(http.MethodPost, "/api/v1/environments", `{"name":"staging"}`)
		for _, key := range []string{made.text("id"), "thing"} {
			path := "/api/v1/environments/staging/" + c.collection + "/" + key
			w.do(http.MethodGet, path, "").want(t, http.StatusNotFound)
			w.do(http.MethodPatch, path, c.change).want(t, http.StatusNotFound)
			w.do(http.MethodDelete, path, "").want(t, http.StatusNotFound)
		}
		w.do(http.MethodPut, "/api/v1/environments/staging/"+c.collection+"/"+made.text("id"), c.changed).want(t, http.StatusNotFound)
		w.do(http.MethodGet, at(c.collection, "thing"), "").want(t, http.StatusOK)
	})
}

func TestPutCreates201ThenReplaces200(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		made := w.do(http.MethodPut, at(c.collection, "thing"), c.body).want(t, http.StatusCreated)
		replaced := w.do(http.MethodPut, at(c.collection, "thing"), c.changed).want(t, http.StatusOK)
		if made.object(t).text("id") != replaced.object(t).text("id") {
			t.Error("replacing made another object")
		}
		if made.header.Get("ETag") == replaced.header.Get("ETag") {
			t.Error("the ETag stayed although the object changed")
		}
		again := w.do(http.MethodPut, at(c.collection, "thing"), c.changed).want(t, http.StatusOK)
		if c.collection != "secrets" && again.header.Get(c.lane) != "" {
			t.Errorf("a write that changes nothing made %s", again.header.Get(c.lane))
		}
	})
}

func TestPut404ForAnUnknownID(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		made := w.make(http.MethodPost, at(c.collection), c.body).text("id")
		unknown := made[:len(made)-3] + "000"
		w.do(http.MethodPut, at(c.collection, unknown), c.changed).want(t, http.StatusNotFound)
		w.do(http.MethodPut, at(c.collection, unknown), c.changed, header("If-None-Match", "*")).want(t, http.StatusNotFound)
	})
}

func TestPutWithIfNoneMatchOnlyCreates(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		onlyCreate := header("If-None-Match", "*")
		nameless := strings.Replace(c.body, `"name":"thing",`, "", 1)
		made := w.do(http.MethodPut, at(c.collection, "thing"), nameless, onlyCreate)
		if nameless != c.body {
			made.want(t, http.StatusCreated)
		}
		w.do(http.MethodPut, at(c.collection, "thing"), c.changed, onlyCreate).want(t, http.StatusCreated, http.StatusPreconditionFailed)
		w.do(http.MethodPut, at(c.collection, "thing"), c.changed, onlyCreate).want(t, http.StatusPreconditionFailed).wantProblem(t, problem.PreconditionFailed)
		w.do(http.MethodPut, at(c.collection, "other"), c.body, onlyCreate).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/name")
		w.do(http.MethodPut, at(c.collection, "other"), c.body, header("If-None-Match", `"x"`)).want(t, http.StatusBadRequest)
		for _, method := range []string{http.MethodPatch, http.MethodDelete} { // passed over, it would change what must not be there
			body := map[string]string{http.MethodPatch: "{}"}[method]
			w.do(method, at(c.collection, "orders"), body, onlyCreate).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/If-None-Match")
		}
		w.do(http.MethodPut, at(c.collection, "new"), c.body, onlyCreate, header("If-Match", "*")).want(t, http.StatusPreconditionFailed)
	})
}

func TestPatchChangesAndNullClears(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		w.make(http.MethodPost, at(c.collection), c.body)
		before := w.do(http.MethodGet, at(c.collection, "thing"), "")
		patched := w.do(http.MethodPatch, at(c.collection, "thing"), c.change).want(t, http.StatusOK)
		if patched.header.Get("ETag") == before.header.Get("ETag") {
			t.Error("the ETag stayed although the object changed")
		}
		w.make(http.MethodPatch, at(c.collection, "thing"), `{"labels":{"a":"b"}}`)
		cleared := w.make(http.MethodPatch, at(c.collection, "thing"), `{"labels":null}`)
		if _, there := cleared["labels"]; there {
			t.Errorf("null didn't clear: %v", cleared)
		}
		w.do(http.MethodPatch, at(c.collection, "thing"), `{"colour":null}`).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/colour")
		w.do(http.MethodPatch, at(c.collection, "nothing"), c.change).want(t, http.StatusNotFound)
	})
}

func TestIfMatch412WhenStale(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		w.make(http.MethodPost, at(c.collection), c.body)
		read := w.do(http.MethodGet, at(c.collection, "thing"), "")
		etag := read.header.Get("ETag")
		w.do(http.MethodPatch, at(c.collection, "thing"), c.change, header("If-Match", etag)).want(t, http.StatusOK)
		for method, body := range map[string]string{http.MethodPut: c.changed, http.MethodPatch: c.change, http.MethodDelete: ""} {
			for _, stale := range []string{etag, `"AAAAAAAAAAAAAAAAAAAAAA"`, ""} {
				w.do(method, at(c.collection, "thing"), body, header("If-Match", stale)).
					want(t, http.StatusPreconditionFailed).wantProblem(t, problem.PreconditionFailed)
			}
		}
		w.do(http.MethodDelete, at(c.collection, "thing"), "", header("If-Match", "*")).want(t, http.StatusNoContent)
		w.do(http.MethodPut, at(c.collection, "thing"), c.changed, header("If-Match", "*")).want(t, http.StatusPreconditionFailed, http.StatusNotFound)
	})
}

func TestDelete204ThenItIsGone(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		w.make(http.MethodPost, at(c.collection), c.body)
		deleted := w.do(http.MethodDelete, at(c.collection, "thing"), "").want(t, http.StatusNoContent)
		if deleted.header.Get(c.lane) == "" {
			t.Errorf("no %s", c.lane)
		}
		w.do(http.MethodGet, at(c.collection, "thing"), "").want(t, http.StatusNotFound)
		w.do(http.MethodDelete, at(c.collection, "thing"), "").want(t, http.StatusNotFound)
	})
}

func TestDryRunPlansAndWritesNothing(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		environment := func() object { return w.make(http.MethodGet, "/api/v1/environments/production", "") }
		before := environment()
		plan := w.do(http.MethodPost, at(c.collection)+"?dry_run=true", c.body).want(t, http.StatusOK)
		if plan.header.Get("Content-Type") != mediaPlan {
			t.Errorf("the plan is sent as %q", plan.header.Get("Content-Type"))
		}
		changes := plan.object(t).list("changes")
		if plan.object(t)["dry_run"] != true || len(changes) != 1 || changes[0].text("action") != "create" {
			t.Errorf("the plan is %s", plan.body)
		}
		w.do(http.MethodGet, at(c.collection, "thing"), "").want(t, http.StatusNotFound)
		w.do(http.MethodPost, at(c.collection)+"?dry_run=true", `{"colour":1}`).want(t, http.StatusBadRequest)
		w.do(http.MethodPost, at(c.collection)+"?dry_run=yes", c.body).want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, "/dry_run")
		if after := environment(); fmt.Sprint(after) != fmt.Sprint(before) {
			t.Errorf("a dry run made %v of %v", after, before)
		}
		w.make(http.MethodPost, at(c.collection), c.body)
		for method, body := range map[string]string{http.MethodPut: c.changed, http.MethodPatch: c.change, http.MethodDelete: ""} {
			plan := w.do(method, at(c.collection, "thing")+"?dry_run=true", body).want(t, http.StatusOK)
			if len(plan.object(t).list("changes")) != 1 {
				t.Errorf("%s plans %s", method, plan.body)
			}
		}
		w.do(http.MethodGet, at(c.collection, "thing"), "").want(t, http.StatusOK)
	})
}

func TestListPagesInTheOrderOfNames(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		if got := w.do(http.MethodGet, at(c.collection), ""); !strings.HasPrefix(string(got.body), `{"data":[]`) {
			t.Errorf("an empty list is %s", got.body)
		}
		var operations []string
		for i := range 5 {
			body := strings.Replace(c.body, `"thing"`, fmt.Sprintf(`"thing-%d","labels":{"parity":"%d"}`, i, i%2), 1)
			body = strings.NewReplacer(`"prefix":"/a"`, fmt.Sprintf(`"prefix":"/a%d"`, i)).Replace(body)
			operations = append(operations, fmt.Sprintf(`{"action":"create","collection":%q,"body":%s}`, c.collection, body))
		}
		w.make(http.MethodPost, at("changes"), `{"operations":[`+strings.Join(operations, ",")+`]}`)
		var all []string
		for cursor := ""; ; {
			page := w.do(http.MethodGet, at(c.collection)+"?limit=2&cursor="+cursor, "").want(t, http.StatusOK)
			all = append(all, page.names(t)...)
			if cursor = page.object(t).text("next_cursor"); cursor == "" {
				break
			}
		}
		if !slices.Equal(all, []string{"thing-0", "thing-1", "thing-2", "thing-3", "thing-4"}) {
			t.Errorf("the pages hold %v", all)
		}
		if odd := w.do(http.MethodGet, at(c.collection)+"?labels=parity%3D1", "").names(t); !slices.Equal(odd, []string{"thing-1", "thing-3"}) {
			t.Errorf("selected by labels: %v", odd)
		}
		if one := w.do(http.MethodGet, at(c.collection)+"?filter[name]=thing-2", "").names(t); !slices.Equal(one, []string{"thing-2"}) {
			t.Errorf("filtered by name: %v", one)
		}
	})
}

func TestList400(t *testing.T) {
	eachPlain(t, func(w *world, c plain) {
		t := w.t
		for query, pointer := range map[string]string{
			"limit=0":                    "/limit",
			"limit=501":                  "/limit",
			"limit=-1":                   "/limit",
			"limit=ten":                  "/limit",
			"limit=99999999999999999999": "/limit",
			"limit=":                     "/limit",
			"limit=1&limit=2":            "/limit",
			"cursor=nonsense":            "/cursor",
			"labels=%3D":                 "/labels",
			"filter[colour]=red":         "/filter/colour",
			"sort=name":                  "/sort",
		} {
			w.do(http.MethodGet, at(c.collection)+"?"+query, "").want(t, http.StatusBadRequest).wantProblem(t, problem.InvalidRequest, pointer)
		}
		w.do(http.MethodGet, at(c.collection)+"?limit=%zz", "").want(t, http.StatusBadRequest)
	})
}
