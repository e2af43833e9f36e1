package waf

import (
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/proto/path"
)

// Inspect says what the policy would make of a request that nobody sends now. It costs nobody anything, counts nowhere and touches no exchange. Of a body that
// is handed over the content coding is undone; nil: there is none.
func (s *stage) Inspect(head *waf.Head, body []byte, skipped []waf.Skip) waf.Decision {
	canonical, err := path.Canonical(head.Path)
	if err != nil {
		canonical = head.Path // it would not have come so far
	}
	in := s.begin(canonical, skipped)
	defer in.Close()
	if s.body.ignore || int64(len(body)) > s.body.most && s.body.pass {
		body = nil
	}
	if int64(len(body)) > s.body.most {
		return waf.Decision{Block: true}
	}
	said := in.Head(head)
	if said.Block {
		return said
	}
	return said.Then(in.Body(body))
}
