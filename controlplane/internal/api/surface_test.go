package api_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/sallyport/sallyport/controlplane/internal/access"
	"github.com/sallyport/sallyport/proto/problem"
)

// filled puts something into the parameters of a path.
func filled(path string) string {
	return strings.NewReplacer("{environment}", "production", "{number}", "1", "{key}", "nothing", "{name}", "nothing").Replace(path)
}

func TestEveryOperationOfTheDocumentIsServedAndNamesItsPermission(t *testing.T) {
	w := newWorld(t)
	served := w.server.Routes()
	var documented []string
	theContract(t).operations(func(method, path string, operation *openapi3.Operation) {
		documented = append(documented, method+" "+path)
		permission, _ := operation.Extensions["x-permission"].(string)
		if !access.Known(access.Permission(permission)) {
			t.Errorf("%s names the permission %q", operation.OperationID, permission)
		}
		public := operation.Security != nil && len(*operation.Security) == 0
		if public != (permission == string(access.Public)) {
			t.Errorf("%s: its security and its permission %q don't agree", operation.OperationID, permission)
		}
	})
	slices.Sort(documented)
	if !slices.Equal(served, documented) {
		t.Errorf("served:\n%s\ndocumented:\n%s", strings.Join(served, "\n"), strings.Join(documented, "\n"))
	}
}

func TestEveryOperationRefusesUnknownQueryParametersAndNamesThoseItTakes(t *testing.T) {
	w := newWorld(t)
	signedIn := w.personWithPassword("grace")
	theContract(t).operations(func(method, path string, operation *openapi3.Operation) {
		if operation.Extensions["x-open-query"] == true {
			return // somebody else writes its query
		}
		var who []option
		if operation.Extensions["x-session"] == true {
			who = append(who, signedIn.page())
		}
		t.Run(operation.OperationID, func(t *testing.T) {
			got := w.in(t).do(method, filled(path)+"?verbose=1&filtre[x]=y", "", who...).want(t, http.StatusBadRequest)
			got.wantProblem(t, problem.InvalidRequest, "/verbose", "/filtre[x]")
			for _, p := range operation.Parameters {
				if p.Value.In == "query" && !strings.Contains(got.problem(t).Errors[0].Allowed, p.Value.Name) {
					t.Errorf("%q doesn't name %s", got.problem(t).Errors[0].Allowed, p.Value.Name)
				}
			}
		})
	})
}

// besides returns the operations on an object, where a path ends in what may be an object's name.
func besides(t *testing.T, path string) map[string]*openapi3.Operation {
	t.Helper()
	collection := path[:strings.LastIndexByte(path, '/')]
	item := theContract(t).doc.Paths.Value(collection + "/{key}")
	if strings.HasSuffix(path, "}") || item == nil {
		return nil
	}
	return item.Operations()
}

func TestAPathDoesNotTakeMethodsThatItDoesNotHave(t *testing.T) {
	w := newWorld(t)
	for path, item := range theContract(t).doc.Paths.Map() {
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodHead, "PURGE"} {
			if _, takes := item.Operations()[method]; takes {
				continue
			}
			if _, takes := besides(t, path)[method]; takes {
				continue // of an object that has such a name
			}
			got := w.do(method, filled(path), "").want(t, http.StatusMethodNotAllowed)
			got.wantProblem(t, problem.MethodNotAllowed)
			for takes := range item.Operations() {
				if !strings.Contains(got.header.Get("Allow"), takes) {
					t.Errorf("%s %s: Allow is %q, without %s", method, path, got.header.Get("Allow"), takes)
				}
			}
		}
	}
}

func TestPathsOfNothingAreNotFound(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/", "/api", "/api/v1", "/api/v2/environments", at("gadgets"), at("services", "orders", "rotate"), at("services") + "/", "/api/v1//environments", "/healthz/x"} {
		w.do(http.MethodGet, path, "").want(t, http.StatusNotFound).wantProblem(t, problem.NotFound)
	}
}

func TestHealthReadinessAndTheDocumentNeedNoToken(t *testing.T) {
	w := newWorld(t)
	w.do(http.MethodGet, "/healthz", "", as("")).want(t, http.StatusNoContent)
	w.do(http.MethodGet, "/readyz", "", as("")).want(t, http.StatusNoContent)
	served := w.do(http.MethodGet, "/api/v1/openapi.json", "", as("")).want(t, http.StatusOK).object(t)
	if served.text("openapi") != "3.1.0" {
		t.Errorf("the document says it is %q", served.text("openapi"))
	}
}

func TestAnUnreadyControlPlaneSaysSoWithoutSayingWhy(t *testing.T) {
	w := newWorld(t)
	w.unready = true
	got := w.do(http.MethodGet, "/readyz", "", as("")).want(t, http.StatusServiceUnavailable)
	got.wantProblem(t, problem.Unavailable)
	if strings.Contains(string(got.body), errUnready.Error()) {
		t.Errorf("the answer tells the cause: %s", got.body)
	}
	if !strings.Contains(w.log.String(), errUnready.Error()) {
		t.Error("the log doesn't tell the cause")
	}
}

func TestAPanicIsAnInternalErrorWhoseCauseIsOnlyInTheLog(t *testing.T) {
	w := newWorld(t)
	w.panicking = true
	got := w.do(http.MethodGet, "/readyz", "", as("")).want(t, http.StatusInternalServerError)
	got.wantProblem(t, problem.Internal)
	if strings.Contains(string(got.body), errUnready.Error()) {
		t.Errorf("the answer tells the cause: %s", got.body)
	}
	log := w.log.String()
	if !strings.Contains(log, errUnready.Error()) || !strings.Contains(log, got.header.Get("X-Request-Id")) {
		t.Errorf("the log doesn't tell the cause under the request id: %s", log)
	}
	w.panicking = false
	w.do(http.MethodGet, "/readyz", "", as("")).want(t, http.StatusNoContent)
}

func TestTheLogTellsWhoDidWhatAndNoSecret(t *testing.T) {
	w := newWorld(t)
	const value = "correct-horse-battery"
	w.make(http.MethodPost, at("secrets"), `{"name":"s","value":"`+value+`"}`)
	w.make(http.MethodPost, at("consumers"), shopConsumer)
	key := w.make(http.MethodPost, at("api-keys"), `{"name":"web","consumer":"shop"}`).text("key")
	w.do(http.MethodGet, at("secrets")+"?token="+w.token, "").want(t, http.StatusBadRequest)
	log := w.log.String()
	for _, secret := range []string{value, key, w.token} {
		if strings.Contains(log, secret) {
			t.Errorf("the log holds %q", secret)
		}
	}
	for _, told := range []string{`"actor":"tok_`, `"route":"/api/v1/environments/:environment/secrets"`, `"status":201`, `"address":"192.0.2.1"`} {
		if !strings.Contains(log, told) {
			t.Errorf("the log doesn't tell %s: %s", told, log)
		}
	}
}
