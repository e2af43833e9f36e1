package admin

import (
	"fmt"
	"net/http"
	"runtime"
	"runtime/pprof"
	"strconv"
	"time"
)

const (
	// profileSeconds is how long processor time is looked at when nobody says, and mostProfileSeconds at most.
	profileSeconds     = 30
	mostProfileSeconds = 120
	// deepestProfile is pprof's most readable form.
	deepestProfile = 2
)

// Profiled is a handler that also answers GET /debug/pprof/profile?seconds= (processor time), and /debug/pprof/ followed by heap,
// allocs, goroutine, mutex, block or threadcreate, as `go tool pprof` asks for them. From then on the process notes who waits for a mutex.
//
// It is not net/http/pprof, which also tells the command line, and registers itself with whoever imports it.
func Profiled(next http.Handler) http.Handler {
	runtime.SetMutexProfileFraction(1) // each of them: on the hot path there are to be none
	mux := http.NewServeMux()
	mux.Handle("/", next)
	mux.HandleFunc("GET /debug/pprof/profile", processorProfile)
	mux.HandleFunc("GET /debug/pprof/{name}", namedProfile)
	return mux
}

// processorProfile looks where processor time goes, for as long as it was asked to, or until the operator is gone.
func processorProfile(w http.ResponseWriter, r *http.Request) {
	seconds, ok := number(r, "seconds", profileSeconds)
	if !ok || seconds < 1 || seconds > mostProfileSeconds {
		http.Error(w, fmt.Sprintf("seconds: a number from 1 to %d", mostProfileSeconds), http.StatusBadRequest)
		return
	}
	took := time.Duration(seconds) * time.Second
	// Longer than what else is asked may take. A recorder of a test has no deadlines.
	_ = http.NewResponseController(w).SetWriteDeadline(time.Now().Add(took + writeTimeout))
	w.Header().Set("Content-Type", "application/octet-stream")
	if err := pprof.StartCPUProfile(w); err != nil {
		http.Error(w, "processor time is being looked at already", http.StatusConflict)
		return
	}
	defer pprof.StopCPUProfile()
	timer := time.NewTimer(took)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-r.Context().Done():
	}
}

func namedProfile(w http.ResponseWriter, r *http.Request) {
	profile := pprof.Lookup(r.PathValue("name"))
	if profile == nil {
		http.Error(w, "no such profile: heap, allocs, goroutine, mutex, block, threadcreate, profile", http.StatusNotFound)
		return
	}
	debug, ok := number(r, "debug", 0)
	if !ok || debug < 0 || debug > deepestProfile {
		http.Error(w, "debug: 0, 1 or 2", http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	if debug > 0 {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	_ = profile.WriteTo(w, debug) // the operator may be gone: nobody to tell
}

// number reads a number out of the query.
func number(r *http.Request, name string, otherwise int) (value int, ok bool) {
	text := r.FormValue(name)
	if text == "" {
		return otherwise, true
	}
	value, err := strconv.Atoi(text)
	return value, err == nil
}
