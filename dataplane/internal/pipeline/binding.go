package pipeline

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/backoff"
	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/dataplane/internal/effort"
	"github.com/sallyport/sallyport/dataplane/internal/issuers"
	"github.com/sallyport/sallyport/dataplane/internal/limiter"
	"github.com/sallyport/sallyport/dataplane/internal/samples"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/policy"
)

// Env is what the compile function of a kind gets.
type Env struct {
	// Directory is what is the case now. Stages keep it and ask it anew on each request.
	Directory *directory.Directory
	// Clock tells the time, wall clock and monotonic. Stages read Exchange.Now instead.
	Clock func() time.Time
	// Parts keeps what is expensive or must survive a change of configuration.
	Parts *Parts
	// Shares is this node's part of what is limited over the whole fleet; nil: it has none to know of.
	Shares limiter.Shares
	// Failures slows down who tries credentials: stages that authenticate ask it, and tell it; nil: nobody is slowed down.
	Failures *backoff.Table
	// Issuers looks for keys of tokens that nobody knows, and remembers which were verified; nil: the node knows no tokens.
	Issuers *issuers.Registry
	// Samples keeps inspected requests for policies that ask for it; nil: the node keeps none.
	Samples *samples.Ring
	// Effort bounds what inspections cost; nil: nothing does.
	Effort *effort.Meter
	// PolicyID and PolicyName are those of the policy that is compiled.
	PolicyID   id.ID
	PolicyName string
}

// Binding joins the contract of a kind with the function that compiles its policies.
type Binding struct {
	// Kind is the contract.
	Kind    policy.Kind
	compile func(Env, proto.Message) (Stage, error)
}

// Bind returns the binding of a kind. compile gets a configuration whose defaults are filled in and that the kind's
// Validate may not have seen: it must refuse what it can't enforce. It is called once per policy and change, aside, and
// must start nothing that lives: the result may never be used.
func Bind[M proto.Message](k policy.Kind, compile func(Env, M) (Stage, error)) Binding {
	return Binding{Kind: k, compile: func(env Env, config proto.Message) (Stage, error) {
		m, ok := config.(M)
		if !ok {
			return nil, fmt.Errorf("kind %s can't have a configuration of type %T", k.Name, config)
		}
		return compile(env, m)
	}}
}

// Compile makes the stage of one policy.
func (b Binding) Compile(env Env, config proto.Message) (Stage, error) {
	stage, err := b.compile(env, config)
	if err == nil && stage == nil {
		return nil, fmt.Errorf("kind %s compiled to nothing", b.Kind.Name)
	}
	return stage, err
}
