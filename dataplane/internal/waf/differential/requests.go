package differential

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/proto/ruleset/corpus"
)

// Share says how much of the corpus is judged.
type Share struct {
	// OneOf is of how many regression tests, and of how many benign requests, one is judged.
	OneOf int
	// Mutants are how many there are.
	Mutants int
	// Patterns is of how many patterns one is sampled; 0: each. Samples are how many there are of it.
	Patterns, Samples int
}

// kinds of requests by name.
var kinds = map[string]func(Share) iter.Seq[corpus.Request]{
	"regression": func(s Share) iter.Seq[corpus.Request] {
		return func(yield func(corpus.Request) bool) {
			for n, test := range corpus.Regression() {
				if n%s.OneOf == 0 && !yield(test.Request) {
					return
				}
			}
		}
	},
	"mutants": func(s Share) iter.Seq[corpus.Request] {
		return func(yield func(corpus.Request) bool) {
			for n := 0; n < s.Mutants && yield(corpus.Mutant(n)); n++ {
			}
		}
	},
	"samples": func(s Share) iter.Seq[corpus.Request] {
		return func(yield func(corpus.Request) bool) {
			patterns := corpus.Patterns()
			for i := 0; i < len(patterns); i += max(s.Patterns, 1) {
				for n, text := range patterns[i].Samples(s.Samples) {
					if !yield(patterns[i].Sample(n, text)) {
						return
					}
				}
			}
		}
	},
	"benign": func(s Share) iter.Seq[corpus.Request] {
		return func(yield func(corpus.Request) bool) {
			for n := 0; n < corpus.BenignCount && yield(corpus.Benign(n)); n += s.OneOf {
			}
		}
	},
}

// Kinds are the names of the kinds of requests.
func Kinds() []string { return slices.Sorted(maps.Keys(kinds)) }

// Requests returns a share of a kind, by name.
func Requests(kind string, share Share) (iter.Seq[corpus.Request], error) {
	of, ok := kinds[kind]
	if !ok {
		return nil, fmt.Errorf("there is no kind %q of requests; there are %v", kind, Kinds())
	}
	return of(share), nil
}
