package snapshot

import (
	"errors"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/router"
	configv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/config/v1"
	"github.com/sallyport/sallyport/proto/path"
	"github.com/sallyport/sallyport/proto/problem"
)

// formOf takes settings in which defaults are filled in. Whatever isn't known to be normalised is refused.
func formOf(m *configv1.PathReading) path.Form {
	const normalise = configv1.PathRule_PATH_RULE_NORMALISE
	return path.Form{
		DotSegments: m.GetDotSegments() == normalise, EmptySegments: m.GetEmptySegments() == normalise, Backslashes: m.GetBackslashes() == normalise,
		EncodedSlashes: m.GetEncodedSlashes() == normalise, Parameters: m.GetParameters() == normalise,
	}
}

// Locate makes a request's path of what was sent: the one path that routes, policies and services see. One that has no single reading by these
// settings is refused with path_refused, and stays empty.
func (s *Settings) Locate(ex *pipeline.Exchange) *pipeline.Rejection {
	in := &ex.Request
	canonical, err := s.Path.Canonical(in.RawPath)
	if err != nil {
		return pathRefused(ex, err)
	}
	in.Path, in.ForwardPath = canonical, canonical
	return nil
}

func pathRefused(ex *pipeline.Exchange, err error) *pipeline.Rejection {
	refused := ex.Reject(problem.PathRefused, "", err.Error())
	var why *path.Error
	if errors.As(err, &why) {
		refused.Detail = "The path can be read in two ways: " + why.Reason.String() + "."
	}
	return refused
}

// readTwice tells whether somebody who decodes slashes before looking for segments finds another route for a request than was
// found, or one where none was. Policies hang on routes: what a service may take for another path must pass what that one has to.
func (s *Snapshot) readTwice(ex *pipeline.Exchange, found router.Match) bool {
	if !s.Settings.Path.EncodedSlashes || !path.HasEncodedSlash(ex.Request.Path) {
		return false
	}
	as := ex.Request.Path
	ex.Request.Path = ex.TextDone(path.DecodeSlashes(ex.TextBuffer(), as))
	other, _ := s.match(ex, nil)
	ex.Request.Path = as
	return other.Found != found.Found || other.Slot != found.Slot
}

var errReadTwice = errors.New("path refused: an encoded slash, read as a slash, leads to another route")
