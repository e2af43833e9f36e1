package apikey_test

import (
	"strings"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/edgetest"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/proto/id"
)

// What a key costs: one of ours is the usual case, the others must be near it, and what is no key at all must cost less where no other
// system's keys are taken.
func BenchmarkKey(b *testing.B) {
	for name, tt := range map[string]struct {
		imported bool
		key      edgetest.Key
		text     string // shown instead
	}{
		"ours":                    {},
		"ours beside imported":    {imported: true},
		"bound to its route":      {key: edgetest.Key{Routes: []id.ID{{}}}},
		"imported":                {key: edgetest.Key{Text: theirs}},
		"no key":                  {text: strings.Repeat("no-key-", 6)},
		"no key, beside imported": {imported: true, text: strings.Repeat("no-key-", 6)},
	} {
		b.Run(name, func(b *testing.B) {
			e := edge(b, "enforce", `{}`)
			if tt.imported {
				e.Key(b, "bob", edgetest.Key{Text: theirs})
			}
			if len(tt.key.Routes) > 0 {
				tt.key.Routes[0] = e.Do(edgetest.Get("/", "X-Api-Key: "+e.Key(b, "alice", edgetest.Key{}))).Route.ID
			}
			text := e.Key(b, "alice", tt.key)
			if tt.text != "" {
				text = tt.text
			}
			ex := e.Do(edgetest.Get("/", "X-Api-Key: "+text))
			if (ex.Verdict == pipeline.Allowed) != (tt.text == "") {
				b.Fatal(ex.Verdict)
			}
			ex.Reset()
			b.ReportAllocs()
			for b.Loop() {
				ex.Reset()
				ex.Request.Method, ex.Request.Authority, ex.Request.Path = "GET", "test", "/"
				ex.Request.Header.Add("X-Api-Key", text)
				route, err := e.Holder.Load().Route(ex)
				if err != nil {
					b.Fatal(err)
				}
				_ = route.Stages.Run(ex)
				route.Stages.Finish(ex)
			}
		})
	}
}
