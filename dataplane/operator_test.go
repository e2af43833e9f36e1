package dataplane

import (
	"net/http"
	"net/http/httptest"
	"testing"
)

func TestProfilesAreOnlyAnsweredByANodeThatWasToldTo(t *testing.T) {
	for profiles, want := range map[bool]int{false: http.StatusNotFound, true: http.StatusOK} {
		n := &node{cfg: Config{Profiles: profiles}}
		w := httptest.NewRecorder()
		n.operatorHandler().ServeHTTP(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/debug/pprof/heap", nil))
		if w.Code != want {
			t.Errorf("with profiles %t the operator is answered %d, want %d", profiles, w.Code, want)
		}
	}
}
