package catalog

import (
	"testing"

	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
)

func FuzzFilterIsAFieldOrRefused(f *testing.F) {
	for _, path := range []string{"name", "service", "paths.prefix", "attached_to.route", "config.value", "labels", ".", "paths..prefix", "hosts"} {
		f.Add(path, "x")
	}
	h := newHead()
	o := &Object{Message: &configv1.Route{Name: "r", Hosts: []string{"x"}, Paths: []*configv1.PathMatch{{Match: &configv1.PathMatch_Prefix{Prefix: "/"}}}}}
	f.Fuzz(func(t *testing.T, path, value string) {
		filter, ok := parseFilter(o.Message.ProtoReflect().Descriptor(), path, value)
		if !ok {
			return
		}
		if len(filter.path) == 0 {
			t.Errorf("%q is a filter on nothing", path)
		}
		filter.matches(h, o)
	})
}
