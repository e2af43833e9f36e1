package admin

import (
	"context"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
)

func TestProfilesAreAnsweredOnlyWhereTheyWereAskedFor(t *testing.T) {
	plain := Handler(node{})
	for _, path := range []string{"/debug/pprof/profile?seconds=1", "/debug/pprof/heap", "/debug/pprof/"} {
		if code, _ := get(t, plain, path); code != http.StatusNotFound {
			t.Errorf("%s without profiles is %d, want 404", path, code)
		}
	}
	profiled := Profiled(plain)
	for _, path := range []string{"/debug/pprof/heap", "/debug/pprof/mutex", "/debug/pprof/profile?seconds=1"} {
		code, body := get(t, profiled, path)
		if code != http.StatusOK || !strings.HasPrefix(body, "\x1f\x8b") {
			t.Errorf("%s is %d and no gzipped profile: %.40q", path, code, body)
		}
	}
	if code, body := get(t, profiled, "/debug/pprof/mutex?debug=1"); code != http.StatusOK || !strings.HasPrefix(body, "--- mutex:") {
		t.Errorf("mutex?debug=1 is %d: %.40q", code, body)
	}
	if code, _ := get(t, profiled, "/healthz"); code != http.StatusOK {
		t.Errorf("/healthz beside profiles is %d", code)
	}
	if runtime.SetMutexProfileFraction(-1) != 1 {
		t.Error("who waits for a mutex isn't noted")
	}
}

func TestProfilesTellNoCommandLineAndTakeNoOtherNumbers(t *testing.T) {
	h := Profiled(Handler(node{}))
	for path, want := range map[string]int{
		"/debug/pprof/cmdline":              http.StatusNotFound,
		"/debug/pprof/nothing":              http.StatusNotFound,
		"/debug/pprof/profile?seconds=0":    http.StatusBadRequest,
		"/debug/pprof/profile?seconds=3600": http.StatusBadRequest,
		"/debug/pprof/profile?seconds=x":    http.StatusBadRequest,
		"/debug/pprof/goroutine?debug=3":    http.StatusBadRequest,
	} {
		if code, _ := get(t, h, path); code != want {
			t.Errorf("%s is %d, want %d", path, code, want)
		}
	}
}

func TestAProfileEndsWithWhoAskedForIt(t *testing.T) {
	gone, leave := context.WithCancel(t.Context())
	leave()
	w := httptest.NewRecorder()
	Profiled(Handler(node{})).ServeHTTP(w, httptest.NewRequestWithContext(gone, http.MethodGet, "/debug/pprof/profile?seconds=120", nil))
	if code, _ := get(t, Profiled(Handler(node{})), "/debug/pprof/profile?seconds=1"); code != http.StatusOK {
		t.Errorf("after an operator who left, a profile is %d", code)
	}
}
