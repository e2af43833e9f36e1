package api

import (
	"fmt"
	"net/http"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/problem"
	"github.com/sallyport/sallyport/proto/problem/pages"
)

func (s *Server) addProblems(handlers map[string]handler) {
	handlers["listProblems"] = s.listProblems
	handlers["getProblem"] = s.getProblem
}

func (s *Server) listProblems(x *exchange) error {
	var page listing.Page[proto.Message]
	for _, d := range problem.Definitions() {
		found, ok := pages.Of(d.Code)
		if !ok {
			return fmt.Errorf("the problem %s has no page", d.Code)
		}
		page.Items = append(page.Items, pageMessage(found))
	}
	return sendPage(x, page, itself)
}

func (s *Server) getProblem(x *exchange) error {
	name, err := x.param("name")
	if err != nil {
		return err
	}
	found, ok := pages.Of(problem.Code(name))
	if !ok {
		return problem.Errorf(problem.NotFound, "there is no problem %q", shorten(name))
	}
	return x.sendObject(http.StatusOK, pageMessage(found))
}

func pageMessage(page pages.Page) *adminv1.ProblemPage {
	return &adminv1.ProblemPage{
		Code: string(page.Code), Status: uint32(page.Status), Title: page.Title, Description: page.Description, // #nosec G115 -- an HTTP status
		Caller: page.Caller, Operator: page.Operator, Mend: page.Mend, Type: page.Code.Type(),
	}
}
