package differential

import (
	"fmt"
	"iter"
	"maps"
	"slices"

	"github.com/sallyport/sallyport/proto/ruleset/corpus"
)

// Share says how much of the corpus is judged: of each kind one request of so many, and up to so many mutants, and samples of each pattern.
type Share struct {
	OneOf, Mutants, Samples int
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
			for i := range patterns {
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
