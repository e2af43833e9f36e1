package api

import (
	"github.com/sallyport/sallyport/controlplane/internal/effects"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
)

// effectMessages returns what a change means for callers, as the document describes it.
func effectMessages(all []effects.Effect) []*adminv1.Effect {
	messages := make([]*adminv1.Effect, len(all))
	for i, e := range all {
		messages[i] = &adminv1.Effect{
			Code: e.Code, Severity: e.Severity.String(), Sentence: e.Sentence, Count: uint32(e.Count),
			Collection: e.Collection, Id: e.ID, Name: e.Name, Kind: e.Kind, Fields: e.Fields,
		}
		for _, r := range e.Routes {
			messages[i].Routes = append(messages[i].Routes, &adminv1.AffectedRoute{Id: r.ID, Name: r.Name})
		}
	}
	return messages
}
