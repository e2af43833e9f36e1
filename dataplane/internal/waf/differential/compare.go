package differential

import (
	"fmt"
	"iter"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/proto/ruleset/corpus"
)

// Disagreement is a request that two engines judge differently.
type Disagreement struct{ One, Other Verdict }

// String names the request, and what each engine says of it.
func (d Disagreement) String() string {
	return fmt.Sprintf("%s: one says %s, the other %s", d.One.Request, d.One.said(), d.Other.said())
}

// Lost are the rules that found something for one engine alone.
func (d Disagreement) Lost() []int {
	return slices.DeleteFunc(slices.Clone(d.One.Rules), func(rule int) bool { return slices.Contains(d.Other.Rules, rule) })
}

func (v *Verdict) said() string {
	verdict := "pass"
	if v.Block {
		verdict = "block"
	}
	return fmt.Sprintf("%s, score %d, %v", verdict, v.Score, v.Rules)
}

// Report is what came of a comparison.
type Report struct {
	// Requests that were judged, Found those in which a rule found something, Blocked those that were refused.
	Requests, Found, Blocked int
	Disagreements            []Disagreement
	// One and Other are the time that the engines took, where both were asked by Compare.
	One, Other time.Duration
}

// Compare has two engines judge each request, one right behind the other and in turns first, so that what else the machine does falls on both. As many requests are
// judged at once as there are processors.
func Compare(one, other waf.Engine, requests iter.Seq[corpus.Request]) Report {
	var report Report
	var mu sync.Mutex
	var working sync.WaitGroup
	queue := make(chan corpus.Request)
	for range runtime.GOMAXPROCS(0) {
		working.Go(func() {
			for n := 0; ; n++ {
				request, ok := <-queue
				if !ok {
					return
				}
				d, first, second := both(one, other, &request, n%2 == 1)
				mu.Lock()
				report.add(&d)
				report.One += first
				report.Other += second
				mu.Unlock()
			}
		})
	}
	for request := range requests {
		queue <- request
	}
	close(queue)
	working.Wait()
	slices.SortFunc(report.Disagreements, func(a, b Disagreement) int { return strings.Compare(a.One.Request, b.One.Request) })
	return report
}

// both has both engines judge a request.
func both(one, other waf.Engine, request *corpus.Request, swap bool) (d Disagreement, first, second time.Duration) {
	if swap {
		d.Other, second = timed(other, request)
	}
	d.One, first = timed(one, request)
	if !swap {
		d.Other, second = timed(other, request)
	}
	return d, first, second
}

func timed(engine waf.Engine, request *corpus.Request) (Verdict, time.Duration) {
	began := time.Now()
	verdict := Judge(engine, request)
	return verdict, time.Since(began)
}

// add counts a pair of verdicts.
func (r *Report) add(d *Disagreement) {
	r.Requests++
	if len(d.One.Rules) > 0 {
		r.Found++
	}
	if d.One.Block {
		r.Blocked++
	}
	if !d.One.Equal(&d.Other) {
		r.Disagreements = append(r.Disagreements, *d)
	}
}

// Lines compares verdicts that were written by two programs. It is an error if they aren't on the same requests.
func Lines(one, other []Verdict) (Report, error) {
	var report Report
	if len(one) != len(other) {
		return report, fmt.Errorf("one has judged %d requests, the other %d", len(one), len(other))
	}
	for i := range one {
		if one[i].Request != other[i].Request {
			return report, fmt.Errorf("verdict %d is on %s, the other's on %s", i+1, one[i].Request, other[i].Request)
		}
		report.add(&Disagreement{one[i], other[i]})
	}
	return report, nil
}
