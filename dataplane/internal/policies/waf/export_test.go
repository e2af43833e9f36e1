package waf

import (
	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
	"github.com/sallyport/sallyport/dataplane/internal/waf"
	policyv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/policy/v1"
	contract "github.com/sallyport/sallyport/proto/policy/waf"
)

// Faulty is the kind with an engine that panics as soon as it is asked.
var Faulty = pipeline.Bind(contract.Kind, func(env pipeline.Env, config *policyv1.Waf) (pipeline.Stage, error) {
	made, err := compile(env, config)
	if s, ok := made.(*stage); ok {
		s.engine = &shared{faulty{}}
	}
	return made, err
})

type faulty struct{}

func (faulty) Begin([]waf.Skip) waf.Inspection { return faultyInspection{} }

type faultyInspection struct{ waf.Inspection }

func (faultyInspection) Close() {}
