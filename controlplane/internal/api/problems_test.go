package api_test

import (
	"net/http"
	"testing"

	"github.com/sallyport/sallyport/proto/problem"
)

func TestAnybodyCanReadWhatAProblemMeans(t *testing.T) {
	w := newWorld(t)
	page := w.do("GET", "/api/v1/problems/rate_limited", "", as("")).want(t, http.StatusOK).object(t)
	if page["type"] != problem.RateLimited.Type() || page["status"] != float64(429) || page["mend"] == "" {
		t.Errorf("got %v", page)
	}
	list := w.do("GET", "/api/v1/problems", "", as("")).want(t, http.StatusOK).object(t)
	if got := len(list["data"].([]any)); got != len(problem.Definitions()) {
		t.Errorf("%d problems are listed, of %d", got, len(problem.Definitions()))
	}
	w.do("GET", "/api/v1/problems/no_such_code", "", as("")).want(t, http.StatusNotFound)
}
