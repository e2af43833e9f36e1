package snapshot

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/path"
)

// forwarding is what becomes of a path that matched one of a route's paths.
type forwarding struct {
	names   []string // of the parameters
	strip   int      // bytes that are taken off its front
	rewrite []piece  // what is forwarded instead; none: the path itself
}

// piece is a literal, or the value of a parameter.
type piece struct {
	literal string
	param   int // -1: literal
}

// newForwarding returns what a route does with one of its paths.
func newForwarding(route *configv1.Route, match *configv1.PathMatch) (forwarding, error) {
	var f forwarding
	if text := match.GetTemplate(); text != "" {
		template, err := path.ParseTemplate(text)
		if err != nil {
			return forwarding{}, fmt.Errorf("template: %w", err)
		}
		f.names = template.Names()
	}
	if route.GetStripPrefix() {
		f.strip = len(strings.TrimSuffix(match.GetPrefix(), "/"))
	}
	if text := route.GetRewritePath(); text != "" {
		pieces, err := piecesOf(text, f.names)
		if err != nil {
			return forwarding{}, err
		}
		f.rewrite = pieces
	}
	return f, nil
}

// piecesOf takes a template apart. Its parameters are whole segments, as a canonical path's are, so that no value can
// make another path of what is around it.
func piecesOf(text string, names []string) ([]piece, error) {
	if _, err := path.ParseTemplate(text); err != nil {
		return nil, fmt.Errorf("rewrite_path: %w", err)
	}
	var pieces []piece
	for rest := text; rest != ""; {
		var segment string
		segment, rest = path.NextSegment(rest)
		name, parameter := strings.CutPrefix(segment, "{")
		if !parameter {
			pieces = append(pieces, piece{literal: "/" + segment, param: -1})
			continue
		}
		name = strings.TrimSuffix(name, "}")
		at := slices.Index(names, name)
		if at < 0 {
			return nil, fmt.Errorf("rewrite_path: no parameter %q in every path", name)
		}
		pieces = append(pieces, piece{literal: "/", param: -1}, piece{param: at})
	}
	return pieces, nil
}

// apply sets the exchange's parameter names and the path to forward.
func (f *forwarding) apply(ex *pipeline.Exchange) {
	ex.ParamNames = f.names
	whole := ex.Request.Path
	switch {
	case len(f.rewrite) > 0:
		ex.Request.ForwardPath = f.rewritten(ex)
	case f.strip == len(whole):
		ex.Request.ForwardPath = "/"
	default:
		ex.Request.ForwardPath = whole[f.strip:]
	}
}

func (f *forwarding) rewritten(ex *pipeline.Exchange) string {
	b := ex.TextBuffer()
	for _, p := range f.rewrite {
		if p.param >= 0 {
			b = append(b, ex.Params[p.param]...)
			continue
		}
		b = append(b, p.literal...)
	}
	return ex.TextDone(b)
}
