package explain_test

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sallyport/sallyport/controlplane/internal/directory"
	"github.com/sallyport/sallyport/controlplane/internal/explain"
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	"github.com/sallyport/sallyport/proto/digest"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// nodes answer as a test wants, by their ids.
type nodes struct {
	connected []string
	answer    func(node string, q *edgev1.ExplainQuestion) (*edgev1.Explanation, error)
}

func (n nodes) Find(_ context.Context, _, key string) (fleet.Node, error) {
	if !slices.Contains(n.connected, key) {
		return fleet.Node{}, problem.Errorf(problem.NotFound, "there is no node %q", key)
	}
	return fleet.Node{ID: key, Name: "name of " + key}, nil
}

func (n nodes) Connected(_ context.Context, _ string, most int) (all []fleet.Node, more bool, _ error) {
	for _, node := range n.connected[:min(len(n.connected), most)] {
		all = append(all, fleet.Node{ID: node, Name: "name of " + node})
	}
	return all, len(n.connected) > most, nil
}

func (n nodes) Ask(_ context.Context, node *fleet.Node, q *edgev1.Question) (*edgev1.Answer, error) {
	m, err := n.answer(node.ID, q.GetExplain())
	if err != nil {
		return nil, err
	}
	return &edgev1.Answer{Answer: &edgev1.Answer_Explanation{Explanation: m}}, nil
}

// rows hold one API key and one consumer.
type rows struct{}

var keyDigest = digest.KeyOf("test", "a key's digest")

func (rows) Row(_ context.Context, _, collection, key string) (directory.Row, error) {
	switch {
	case collection == directory.APIKeys && key == "phone":
		return directory.Row{Message: &adminv1.ApiKey{Id: id.Text(id.APIKey, id.ID{1})}, Key: keyDigest}, nil
	case collection == directory.Consumers && key == "alice":
		return directory.Row{Message: &adminv1.Consumer{Id: id.Text(id.Consumer, id.ID{2})}}, nil
	}
	return directory.Row{}, problem.Errorf(problem.NotFound, "there is no %s %q", collection, key)
}

func TestAKeyGoesToTheNodeAsItsDigestAndAConsumerByID(t *testing.T) {
	var asked *edgev1.ExplainQuestion
	e := explain.New(nodes{connected: []string{"n1"}, answer: func(_ string, q *edgev1.ExplainQuestion) (*edgev1.Explanation, error) {
		asked = q
		return &edgev1.Explanation{Verdict: "allowed"}, nil
	}}, rows{})
	ask := func(c *adminv1.HypotheticalCaller) {
		t.Helper()
		if _, err := e.Explain(t.Context(), "env", "", &adminv1.HypotheticalRequest{Target: "/x", Caller: c}); err != nil {
			t.Fatal(err)
		}
	}
	ask(&adminv1.HypotheticalCaller{ApiKey: "phone"})
	if !bytes.Equal(asked.GetProof(), keyDigest[:]) || len(asked.GetConsumer()) != 0 {
		t.Errorf("asked %v", asked)
	}
	ask(&adminv1.HypotheticalCaller{Consumer: "alice", Scopes: []string{"read"}})
	if who := (id.ID{2}); !bytes.Equal(asked.GetConsumer(), who[:]) || len(asked.GetProof()) != 0 || asked.GetScopes()[0] != "read" {
		t.Errorf("asked %v", asked)
	}
	ask(nil)
	if asked.GetMethod() != "GET" || asked.GetHost() != "localhost" || asked.GetProtocol() != "HTTP/1.1" || asked.GetPeer() != "192.0.2.1" {
		t.Errorf("what a request doesn't say is asked as %v", asked)
	}
}

func TestNodesThatDifferAreSetAgainstEachOther(t *testing.T) {
	var all []string
	for i := range 70 {
		all = append(all, fmt.Sprint("n", i))
	}
	e := explain.New(nodes{connected: all, answer: func(node string, _ *edgev1.ExplainQuestion) (*edgev1.Explanation, error) {
		switch node {
		case "n3":
			return &edgev1.Explanation{Verdict: "scope_missing", Status: 403, Revision: 8, Route: &edgev1.ExplainedRoute{Id: "rt_1"}}, nil
		case "n5":
			return nil, problem.Errorf(problem.NodeUnreachable, "it is away")
		}
		return &edgev1.Explanation{Verdict: "allowed", Revision: 9, Route: &edgev1.ExplainedRoute{Id: "rt_1"}}, nil
	}}, rows{})
	got, err := e.ExplainAll(t.Context(), "env", &adminv1.HypotheticalRequest{Target: "/"})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.GetNodes()) != 64 || !got.GetMore() {
		t.Errorf("%d nodes answer, more: %v", len(got.GetNodes()), got.GetMore())
	}
	var fields []string
	for _, d := range got.GetDifferences() {
		fields = append(fields, d.GetField())
		for _, side := range d.GetSides() {
			if odd := slices.Contains(side.GetNodes(), "n3"); odd && len(side.GetNodes()) != 1 || slices.Contains(side.GetNodes(), "n5") {
				t.Errorf("%s: %v", d.GetField(), side)
			}
		}
	}
	if !slices.Equal(fields, []string{"revision", "verdict", "status"}) {
		t.Errorf("they differ in %v", fields)
	}
	if away := got.GetNodes()[5]; away.GetAnswered() || away.GetCode() != "node_unreachable" || away.GetDetail() == "" {
		t.Errorf("who is away says %v", away)
	}
}

func TestARequestThatIsTooLargeOrAsksNobodyIsRefused(t *testing.T) {
	none := explain.New(nodes{}, rows{})
	if _, err := none.Explain(t.Context(), "env", "", &adminv1.HypotheticalRequest{Target: "/"}); problem.CodeOf(err) != problem.NodeUnreachable {
		t.Errorf("nobody is connected: %v", err)
	}
	large := &adminv1.HypotheticalRequest{Target: "/"}
	for range 10 {
		large.Headers = append(large.Headers, &adminv1.HypotheticalHeader{Name: "X", Value: strings.Repeat("x", 8000)})
	}
	if _, err := none.Explain(t.Context(), "env", "", large); problem.CodeOf(err) != problem.TooLarge {
		t.Errorf("a large one: %v", err)
	}
	secret := &adminv1.HypotheticalRequest{Target: "/", Headers: []*adminv1.HypotheticalHeader{{Name: "Cookie", Value: "gehe\nim"}, {Name: "Host", Value: "geheim"}}}
	if _, err := none.Explain(t.Context(), "env", "", secret); problem.CodeOf(err) != problem.InvalidRequest {
		t.Errorf("a broken one: %v", err)
	}
}
