package fleet

import (
	"context"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// connectedPage is how many nodes are read at a time to find those that are connected.
const connectedPage = 500

// Find returns a node by id or name; problem.NotFound if there is none.
func (q *Inquiries) Find(ctx context.Context, environment, key string) (Node, error) {
	node, err := q.nodes.store.Node(ctx, environment, key)
	if problem.CodeOf(err) != problem.NotFound {
		return node, err
	}
	named, failed := q.nodes.store.Nodes(ctx, environment, Selection{Name: &key, Limit: 2})
	switch {
	case failed != nil:
		return Node{}, failed
	case len(named) == 0:
		return Node{}, err
	case len(named) > 1:
		return Node{}, problem.Errorf(problem.Conflict, "several nodes have the name %q: say which one by its id", key)
	}
	return named[0], nil
}

// Connected returns nodes that are enabled and have a stream open, at most so many, and whether there are more.
func (q *Inquiries) Connected(ctx context.Context, environment string, most int) (connected []Node, more bool, _ error) {
	after := ""
	for {
		nodes, err := q.nodes.store.Nodes(ctx, environment, Selection{After: after, Limit: connectedPage})
		if err != nil {
			return nil, false, err
		}
		for i := range nodes {
			switch {
			case !nodes[i].Enabled || !nodes[i].Configuration.Connected && !nodes[i].Directory.Connected:
			case len(connected) == most:
				return connected, true, nil
			default:
				connected = append(connected, nodes[i])
			}
		}
		if len(nodes) < connectedPage {
			return connected, false, nil
		}
		after = nodes[len(nodes)-1].ID
	}
}

// Sealer seals what may hold somebody's secret on its way from one replica to another.
type Sealer interface {
	Seal(purpose string, plaintext []byte) ([]byte, error)
	Open(purpose string, sealed []byte) ([]byte, error)
}

// explainPurpose is what questions that hold a client's request are sealed for.
const explainPurpose = "inquiry/explain"

// Sealing makes the inquiries seal, in the database, what a client's request would hold. Without it such questions reach only the
// nodes whose streams this replica has.
func (q *Inquiries) Sealing(sealer Sealer) *Inquiries {
	q.sealer = sealer
	return q
}

var errUnsealed = errors.New("a question with a client's request in it can't be sealed, and isn't left in the database open")

// seal returns the question as it may lie in the database.
func (q *Inquiries) seal(question *edgev1.Question) (*edgev1.Question, error) {
	asked := question.GetExplain()
	if asked == nil {
		return question, nil
	}
	if q.sealer == nil {
		return nil, errUnsealed
	}
	text, err := proto.Marshal(asked)
	if err != nil {
		return nil, err
	}
	sealed, err := q.sealer.Seal(explainPurpose, text)
	if err != nil {
		return nil, fmt.Errorf("seal a question: %w", err)
	}
	return explainQuestion(&edgev1.ExplainQuestion{Sealed: sealed}), nil
}

// unseal returns the question as a node is asked.
func (q *Inquiries) unseal(question *edgev1.Question) (*edgev1.Question, error) {
	if question.GetExplain() == nil {
		return question, nil
	}
	if q.sealer == nil {
		return nil, errUnsealed
	}
	text, err := q.sealer.Open(explainPurpose, question.GetExplain().GetSealed())
	if err != nil {
		return nil, fmt.Errorf("open a question: %w", err)
	}
	asked := new(edgev1.ExplainQuestion)
	if err := proto.Unmarshal(text, asked); err != nil {
		return nil, fmt.Errorf("open a question: %w", err)
	}
	return explainQuestion(asked), nil
}

func explainQuestion(asked *edgev1.ExplainQuestion) *edgev1.Question {
	return &edgev1.Question{Question: &edgev1.Question_Explain{Explain: asked}}
}
