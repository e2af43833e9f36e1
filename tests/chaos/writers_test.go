package chaos

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sallyport/sallyport/sdk/sallyport"
	"github.com/sallyport/sallyport/tests/harness"
)

const (
	writerCount  = 4
	writersPause = 2 * time.Millisecond
)

// writers write to both lanes all the time, and note what was acknowledged.
type writers struct {
	story   *harness.Story
	service string
	stop    context.CancelFunc
	running sync.WaitGroup

	mu     sync.Mutex
	kept   []written
	failed int
}

// written is an acknowledged write.
type written struct {
	collection, name string
	number           int // revision or sequence
}

func write(t *testing.T, s *harness.Story, service string) *writers {
	t.Helper()
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	w := &writers{story: s, service: service, stop: stop}
	for n := range writerCount {
		w.running.Go(func() { w.work(ctx, n) })
	}
	t.Cleanup(w.end)
	return w
}

func (w *writers) work(ctx context.Context, writer int) {
	tick := time.NewTicker(writersPause)
	defer tick.Stop()
	for n := 0; ; n++ {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		name := w.story.Name("w" + strconv.Itoa(writer) + "-" + strconv.Itoa(n))
		one, err := w.one(context.WithoutCancel(ctx), name, n%2 == 0)
		w.mu.Lock()
		if err == nil {
			w.kept = append(w.kept, one)
		} else {
			w.failed++
		}
		w.mu.Unlock()
	}
}

// one makes a route, or a consumer.
func (w *writers) one(ctx context.Context, name string, route bool) (written, error) {
	if route {
		made, err := w.story.API.CreateRouteWithResponse(ctx, w.story.Environment.Name, nil, sallyport.Route{
			Name: name, Service: w.service, Hosts: []string{name + ".test"}, Paths: harness.Below("/"),
		})
		if err := sallyport.Check(made, err); err != nil {
			return written{}, err
		}
		return acknowledged("routes", name, made.HTTPResponse.Header.Get("Sallyport-Revision"))
	}
	made, err := w.story.API.CreateConsumerWithResponse(ctx, w.story.Environment.Name, nil, sallyport.Consumer{Name: name})
	if err := sallyport.Check(made, err); err != nil {
		return written{}, err
	}
	return acknowledged("consumers", name, made.HTTPResponse.Header.Get("Sallyport-Sequence"))
}

func acknowledged(collection, name, number string) (written, error) {
	n, err := strconv.Atoi(number)
	if err != nil {
		return written{}, fmt.Errorf("%s %s: the answer names no number: %q", collection, name, number)
	}
	return written{collection: collection, name: name, number: n}, nil
}

// progress returns once this many more writes were acknowledged.
func (w *writers) progress(t *testing.T, more int) {
	t.Helper()
	want := w.count() + more
	harness.Eventually(t, progressBound, func() error {
		if got := w.count(); got < want {
			return fmt.Errorf("%d writes were acknowledged, %d are waited for", got, want)
		}
		return nil
	})
}

func (w *writers) count() int {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.kept)
}

// end stops writing, and returns once the last answer is there.
func (w *writers) end() {
	w.stop()
	w.running.Wait()
}

// check fails the test unless every acknowledged write is there, none was given a number twice, and no number is missing.
func (w *writers) check(t *testing.T) {
	t.Helper()
	numbers := map[string]map[int]string{"routes": {}, "consumers": {}}
	for _, one := range w.kept {
		if other, twice := numbers[one.collection][one.number]; twice {
			t.Errorf("%s and %s were both acknowledged as number %d", other, one.name, one.number)
		}
		numbers[one.collection][one.number] = one.name
		if status := w.status(t, one); status != http.StatusOK {
			t.Errorf("%s %s was acknowledged as %d, and is now answered %d", one.collection, one.name, one.number, status)
		}
	}
	w.checkRevisions(t)
}

func (w *writers) status(t *testing.T, one written) int {
	t.Helper()
	environment := w.story.Environment.Name
	if one.collection == "routes" {
		got, err := w.story.API.GetRouteWithResponse(t.Context(), environment, one.name)
		if err != nil {
			t.Fatal(err)
		}
		return got.StatusCode()
	}
	got, err := w.story.API.GetConsumerWithResponse(t.Context(), environment, one.name)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode()
}

// checkRevisions walks all revisions, latest first: they are the head's number, and one less each, down to 1.
func (w *writers) checkRevisions(t *testing.T) {
	t.Helper()
	next := w.story.Head().Revision
	limit, params := 500, &sallyport.ListRevisionsParams{}
	params.Limit = &limit
	for {
		page, err := w.story.API.ListRevisionsWithResponse(t.Context(), w.story.Environment.Name, params)
		w.story.Must(page, err)
		for _, revision := range page.JSON200.Data {
			if revision.Number != next {
				t.Fatalf("after revision %d comes %d: the numbers have a gap", next+1, revision.Number)
			}
			next--
		}
		if page.JSON200.NextCursor == "" {
			break
		}
		params.Cursor = &page.JSON200.NextCursor
	}
	if next != 0 {
		t.Errorf("the list of revisions ends at %d", next+1)
	}
}
