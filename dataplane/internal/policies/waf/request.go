package waf

import (
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/sallyport/sallyport/dataplane/internal/exclusions"
	"github.com/sallyport/sallyport/dataplane/internal/payload"
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// inspected is a request under inspection. Who keeps it closes it.
type inspected struct {
	waf.Inspection
	head *waf.Head
	body []byte // nil: none was looked at
	said waf.Decision
	on   *exclusions.Route
}

// Close implements io.Closer.
func (in *inspected) Close() error {
	in.Inspection.Close()
	return nil
}

// Request implements pipeline.Stage.
func (s *stage) Request(ex *pipeline.Exchange) error {
	if err := ex.MayInspect(s.effort, s.allowance); err != nil {
		return err //nolint:wrapcheck // a rejection
	}
	on := ex.Exclusions.On(routeOf(ex))
	in := &inspected{Inspection: s.begin(ex.Request.Path, on.Skipped(ex.Now)), on: on}
	kept := false
	defer func() {
		if !kept {
			in.Inspection.Close()
		}
	}()
	if err := s.inspect(ex, in); err != nil {
		return err
	}
	if err := s.judge(ex, in); err != nil {
		return err
	}
	if s.answers != nil && !ex.Dry {
		kept = true
		ex.Keep(s, in)
	}
	return nil
}

func routeOf(ex *pipeline.Exchange) id.ID {
	if ex.Route == nil {
		return id.ID{}
	}
	return ex.Route.ID
}

// inspect has the request inspected: its head, and with it the body, once that may be read. An error is a *Rejection: it wasn't inspected.
func (s *stage) inspect(ex *pipeline.Exchange, in *inspected) error {
	wanted, codings := s.wantsBody(ex), ex.ContentCodings()
	in.head = headOf(ex, wanted && isKnown(codings))
	weight, part := weightOf(in.head), waf.PartHead
	if err := s.within(ex, weight, func() {
		in.said = in.Head(in.head)
		if !wanted && !in.said.Block {
			in.said = in.said.Then(in.Body(nil))
		}
	}); err != nil {
		return err
	}
	if wanted && !in.said.Block {
		var err error
		if in.body, err = s.read(ex, codings); err != nil {
			return err
		}
		if in.body != nil {
			part = waf.PartBody
			weight += len(in.body)
		}
		if err := s.within(ex, weight, func() { in.said = in.said.Then(in.Body(in.body)) }); err != nil {
			return err
		}
	}
	s.count(ex, part, waf.VerdictOf(in.said), weight)
	return nil
}

// within has something inspected within what the caller may cost.
func (s *stage) within(ex *pipeline.Exchange, weight int, work func()) error {
	return ex.Inspect(s.effort, s.allowance, weight, func() {
		begun := time.Now()
		work()
		if !ex.Dry {
			s.tally.Took(time.Since(begun))
		}
	}) //nolint:wrapcheck // a rejection
}

// count counts what was inspected. Dry runs count nowhere.
func (s *stage) count(ex *pipeline.Exchange, part waf.Part, verdict waf.Verdict, bytes int) {
	if !ex.Dry {
		s.tally.Inspected(part, verdict, bytes)
	}
}

// wantsBody tells whether the request has a body that is looked at. Of what streams for as long as somebody likes nobody waits for the end, and in a dry run
// nobody sends one.
func (s *stage) wantsBody(ex *pipeline.Exchange) bool {
	r := &ex.Request
	return !s.body.ignore && !ex.Dry && r.ContentLength != 0 && r.Upgrade == "" && (!s.grpc || !isGRPC(r))
}

// read reads the body, its content coding undone; nil: it isn't looked at, and passes. An error is a *Rejection.
func (s *stage) read(ex *pipeline.Exchange, codings string) ([]byte, error) {
	body, err := ex.ReadBody(s.body.most)
	if err != nil {
		return nil, err //nolint:wrapcheck // a rejection
	}
	content, err := contentOf(body, codings, s.body.most)
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, payload.ErrNoMemory):
		return nil, ex.RejectBody(problem.BodyRefused, err) //nolint:wrapcheck // a rejection
	}
	s.count(ex, waf.PartBody, waf.Beyond, 0)
	switch {
	case s.body.pass:
		return nil, nil
	case errors.Is(err, payload.ErrTooLarge):
		return nil, ex.Reject(problem.BodyTooLarge, "The body may have at most "+strconv.FormatInt(s.body.most, 10)+" bytes, its content coding undone.",
			"the body is beyond request_body.max_bytes")
	}
	return nil, ex.RejectBody(problem.BodyRefused, err) //nolint:wrapcheck // a rejection
}

// judge does what follows from what was found in the request.
func (s *stage) judge(ex *pipeline.Exchange, in *inspected) error {
	d := in.said
	s.tell(ex, d, in.on, false)
	if !ex.Dry && s.keeper.Wants(d.Block) {
		s.keeper.Keep(routeOf(ex), waf.SampleOf(in.head, in.body, d.Block))
	}
	if !d.Block {
		return nil
	}
	return ex.Reject(problem.WafBlocked, "", reasonOf(d))
}

// tell keeps findings for operators, each with the exclusion in shadow that would have kept the rule from it, and counts where those would have let pass.
func (s *stage) tell(ex *pipeline.Exchange, d waf.Decision, on *exclusions.Route, inAnswer bool) {
	noted := make(map[int]bool) // by index of finding
	for i, f := range d.Findings {
		exclusion, found := s.exclusionOf(ex, on, f)
		if found {
			noted[i] = true
		}
		ex.Found(pipeline.Finding{
			Policy: s.policy, Rule: strconv.Itoa(f.Rule), Message: f.Message, Target: textOf(f.Target), Part: waf.Mask(f.Part),
			Score: uint32(max(f.Score, 0)), InAnswer: inAnswer, Exclusion: exclusion,
		})
	}
	if !d.Block || len(noted) == 0 || ex.Dry {
		return
	}
	next := -1
	if !d.Without(func(waf.Finding) bool { next++; return noted[next] }).Block {
		on.Opened()
	}
}

func (s *stage) exclusionOf(ex *pipeline.Exchange, on *exclusions.Route, f waf.Finding) (id.ID, bool) {
	if ex.Dry {
		return on.Find(ex.Now, f.Rule, f.Target)
	}
	return on.Noted(ex.Now, f.Rule, f.Target)
}

// maxNamed is how many rules a reason names.
const maxNamed = 8

// reasonOf says to operators why something is blocked.
func reasonOf(d waf.Decision) string {
	var b strings.Builder
	if d.Denied != 0 {
		b.WriteString("refused by rule " + strconv.Itoa(d.Denied))
	} else {
		b.WriteString("score " + strconv.Itoa(d.Score) + " reaches " + strconv.Itoa(d.Threshold))
	}
	var named []int
	for _, f := range d.Findings {
		if f.Rule == d.Denied || f.Score == 0 || isIn(named, f.Rule) {
			continue
		}
		if len(named) == maxNamed {
			b.WriteString(", …")
			break
		}
		if len(named) == 0 {
			b.WriteString(", by rules ")
		} else {
			b.WriteString(", ")
		}
		named = append(named, f.Rule)
		b.WriteString(strconv.Itoa(f.Rule) + " (" + f.Message + ")")
	}
	return b.String()
}

func isIn(all []int, n int) bool {
	for _, m := range all {
		if m == n {
			return true
		}
	}
	return false
}

// textOf is a target as policies write it.
func textOf(t waf.Target) string {
	if t.Name == "" {
		return t.Part
	}
	return t.Part + ":" + t.Name
}
