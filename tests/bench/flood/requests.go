package flood

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"
)

// ordinaryRequests are a browser's, of all the ordinary clients.
func ordinaryRequests(host string) [][]byte {
	var all [][]byte
	for n := range ordinary {
		all = append(all, fmt.Appendf(nil, "GET /articles/%d?page=%d&sort=newest&q=garden+chairs HTTP/1.1\r\nHost: %s\r\nX-Forwarded-For: 192.0.2.%d\r\n"+
			"User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0.0.0 Safari/537.36\r\n"+
			"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8\r\nAccept-Language: en-GB,en;q=0.9\r\n"+
			"Accept-Encoding: gzip, deflate, br\r\nReferer: https://%s/articles\r\nCookie: session=5f2b8c1d9e; theme=dark; seen=1%d\r\n\r\n",
			n, n%7, host, n+1, host, n))
	}
	return all
}

// dearBody is JSON of so many bytes or a little more, in at most 800 values: all of it is looked at.
func dearBody(random *rand.Rand, bytes int) string {
	words := []string{"chairs", "the", "garden", "oak", "delivery", "second", "floor", "of", "tables", "week", "blue", "invoice", "please", "leave", "parcel"}
	var b strings.Builder
	b.WriteString(`{"items":[`)
	each := max(bytes/800, 60)
	for n := 0; b.Len() < bytes; n++ {
		if n > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"name%d":"`, n)
		for from := b.Len(); b.Len() < from+each; {
			b.WriteString(words[random.IntN(len(words))])
			b.WriteByte(' ')
		}
		b.WriteString(`"}`)
	}
	b.WriteString("]}")
	return b.String()
}

const (
	// floodPause is between two requests of one flooder, whatever becomes of them; atOnce is how many are under way at most.
	floodPause = 100 * time.Millisecond
	atOnce     = 16
	patience   = 30 * time.Second
)

// answers are what flooders were told.
type answers struct {
	mu     sync.Mutex
	sent   int
	status map[int]int
	lost   int
}

func (a *answers) add(status int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sent++
	if a.status == nil {
		a.status = map[int]int{}
	}
	if status == 0 {
		a.lost++
		return
	}
	a.status[status]++
}

// startFlood lets the flooders, who have new addresses in each round, ask until stop is called.
func startFlood(ctx context.Context, url string, round int, into *answers) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for n := range flooders {
		all.Go(func() {
			f := &flooder{
				url: url, address: fmt.Sprintf("203.0.113.%d", round*flooders%250+n), into: into,
				client: &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: atOnce}},
			}
			random := rand.New(rand.NewPCG(uint64(round), uint64(n))) //nolint:gosec // no secret
			for _, size := range []int{10, 20, 40, 60, 80, 100} {
				f.bodies = append(f.bodies, dearBody(random, size<<10))
			}
			f.flood(ctx)
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}

// flooder is one of those who flood.
type flooder struct {
	url, address string
	bodies       []string
	client       *http.Client
	into         *answers
}

func (f *flooder) flood(ctx context.Context) {
	defer f.client.CloseIdleConnections()
	pause := time.NewTicker(floodPause)
	defer pause.Stop()
	free := make(chan struct{}, atOnce)
	var asking sync.WaitGroup
	defer asking.Wait()
	for n := 0; ctx.Err() == nil; n++ {
		select {
		case free <- struct{}{}:
			asking.Go(func() {
				f.into.add(f.ask(ctx, f.bodies[n%len(f.bodies)]))
				<-free
			})
		default: // as many are under way as may
		}
		select {
		case <-pause.C:
		case <-ctx.Done():
		}
	}
}

// ask returns the status of the answer; 0: there was none.
func (f *flooder) ask(ctx context.Context, body string) int {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, f.url+"/orders", strings.NewReader(body))
	if err != nil {
		return 0
	}
	request.Host = inspectedHost
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("X-Forwarded-For", f.address)
	answer, err := f.client.Do(request)
	if err != nil {
		return 0
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, answer.Body) // the status tells
	return answer.StatusCode
}
