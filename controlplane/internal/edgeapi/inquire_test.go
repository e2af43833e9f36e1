package edgeapi_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/sallyport/sallyport/controlplane/internal/edgeapi"
	"github.com/sallyport/sallyport/controlplane/internal/edgeapi/edgetest"
	"github.com/sallyport/sallyport/controlplane/internal/listing"
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/problem"
)

// begun is when a stub's process started, so many seconds after others.
func begun(seconds int64) *timestamppb.Timestamp {
	return timestamppb.New(time.Unix(1_800_000_000+seconds, 0))
}

func hello(boot string, seconds int64) *edgev1.Hello {
	return &edgev1.Hello{Boot: boot, Build: "v1", Capability: 2, StartedAt: begun(seconds)}
}

// inquire opens an inquiry stream that ends with the test.
func (c *control) inquire(node *edgetest.Node, h *edgev1.Hello) *edgetest.Inquiry {
	c.t.Helper()
	inquiry, err := node.Inquire(c.t.Context(), h)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(inquiry.Close)
	return inquiry
}

// replying answers every question by its boot. What it returns tells why the stream ended.
func replying(inquiry *edgetest.Inquiry, boot string) <-chan error {
	ended := make(chan error, 1)
	go func() {
		for {
			q, err := inquiry.Next()
			if err == nil {
				err = inquiry.Answer(&edgev1.Answer{Id: q.GetId(), Answer: &edgev1.Answer_Health{Health: &edgev1.Health{
					Boot: boot, Directory: &edgev1.LaneHealth{Epoch: 1, Number: 7, Digest: []byte{0xab}},
				}}})
			}
			if err != nil {
				ended <- err
				return
			}
		}
	}()
	return ended
}

// leave says goodbye, and waits until it was heard.
func (c *control) leave(inquiry *edgetest.Inquiry, ended <-chan error) {
	c.t.Helper()
	if err := inquiry.Goodbye(); err != nil {
		c.t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, io.EOF) {
		c.t.Fatalf("a goodbye is answered with %v", err)
	}
}

// awaitHealth asks until the node's answer is as wanted.
func (c *control) awaitHealth(node *edgetest.Node, wanted func(*adminv1.NodeHealth, error) bool) *adminv1.NodeHealth {
	c.t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		health, err := c.inquiries.Health(c.t.Context(), c.environment, node.Identity.GetNode())
		if wanted(health, err) {
			return health
		}
		if time.Now().After(end) {
			c.t.Fatalf("the node's health is %v, %v", health, err)
		}
	}
}

func of(boot string) func(*adminv1.NodeHealth, error) bool {
	return func(h *adminv1.NodeHealth, err error) bool { return err == nil && h.GetBoot() == boot }
}

func isUnreachable(_ *adminv1.NodeHealth, err error) bool {
	return problem.CodeOf(err) == problem.NodeUnreachable
}

func TestANodeAnswersHowItIs(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	replying(c.inquire(node, hello("b1", 0)), "b1")
	health := c.awaitHealth(node, of("b1"))
	if !health.GetAnswered() || health.GetName() != "edge-1" || health.GetDirectory().GetNumber() != 7 || health.GetDirectory().GetDigest() != "ab" {
		t.Errorf("the answer reads %v", health)
	}
}

func TestANodeThatIsNotThereIsUnreachableAtOnceAndInAListInItsPlace(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	there, gone := c.enrol("there"), c.enrol("gone")
	replying(c.inquire(there, hello("b1", 0)), "b1")
	c.awaitHealth(there, of("b1"))
	_, err := c.inquiries.Health(t.Context(), c.environment, gone.Identity.GetNode())
	if !isUnreachable(nil, err) || !strings.Contains(err.Error(), "never heard of") {
		t.Errorf("a node that never came: %v", err)
	}
	page, err := c.inquiries.Healths(t.Context(), c.environment, listing.Query{})
	if err != nil || len(page.Items) != 2 {
		t.Fatalf("%d answers, %v", len(page.Items), err)
	}
	for _, h := range page.Items {
		if answered := h.GetNode() == there.Identity.GetNode(); h.GetAnswered() != answered || !answered && h.GetCode() != string(problem.NodeUnreachable) {
			t.Errorf("%v", h)
		}
	}
}

func TestAReplicaAsksANodeOfAnother(t *testing.T) {
	one := newControl(t, edgeapi.Times{})
	two := one.another()
	node := one.enrol("edge-1")
	replying(one.inquire(node, hello("b1", 0)), "b1")
	one.open(node, node.Replica(directory), directory) // by which the database knows that it is there
	two.awaitHealth(node, of("b1"))
	if left, err := one.db.Pool().Query(t.Context(), "SELECT FROM inquiries"); err != nil || left.Next() {
		t.Errorf("a question that was answered is still there: %v", err)
	}
}

func TestANodeThatRefusesAQuestionOrAnswersTooMuchIsUnreachableInWordsAndStaysConnected(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	inquiry := c.inquire(node, hello("b1", 0))
	answers := []*edgev1.Answer{
		{Answer: &edgev1.Answer_Refusal{Refusal: &edgev1.Refusal{Code: "unknown_question", Message: "update the node"}}},
		{Answer: &edgev1.Answer_Health{Health: &edgev1.Health{Build: strings.Repeat("x", 300<<10)}}},
		{Answer: &edgev1.Answer_Health{Health: &edgev1.Health{Boot: "b1"}}},
	}
	go func() {
		for _, answer := range answers {
			q, err := inquiry.Next()
			if err != nil {
				return
			}
			answer.Id = q.GetId()
			_ = inquiry.Answer(answer)
		}
	}()
	for _, word := range []string{"unknown_question", "too_large"} {
		c.awaitHealth(node, func(_ *adminv1.NodeHealth, err error) bool {
			return isUnreachable(nil, err) && strings.Contains(err.Error(), word)
		})
	}
	c.awaitHealth(node, of("b1"))
}

func TestDisablingANodeEndsItsInquiryStream(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	inquiry := c.inquire(node, hello("b1", 0))
	ended := replying(inquiry, "b1")
	c.awaitHealth(node, of("b1"))
	if _, err := c.nodes.SetEnabled(t.Context(), c.environment, node.Identity.GetNode(), false); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; codeOf(err) != codes.PermissionDenied {
		t.Errorf("the stream ends with %v", err)
	}
	if _, err := c.inquiries.Health(t.Context(), c.environment, node.Identity.GetNode()); !isUnreachable(nil, err) {
		t.Errorf("a disabled node: %v", err)
	}
}

func TestTheNewerProcessOfANodeHasTheSayDuringAHandOver(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	older := c.inquire(node, hello("old", 0))
	olderEnded := replying(older, "old")
	c.awaitHealth(node, of("old"))
	newer := c.inquire(node, hello("new", 10))
	newerEnded := replying(newer, "new")
	c.awaitHealth(node, of("new"))
	c.leave(older, olderEnded)
	if n, err := c.nodes.Get(t.Context(), c.environment, node.Identity.GetNode()); err != nil || n.GetLeftAt() != nil || n.GetBoot() != "new" {
		t.Errorf("after the older process has left, the node reads %v, %v", n, err)
	}
	c.leave(newer, newerEnded)
	if n, err := c.nodes.Get(t.Context(), c.environment, node.Identity.GetNode()); err != nil || n.GetLeftAt() == nil {
		t.Errorf("after its last process has left, the node reads %v, %v", n, err)
	}
	c.open(node, node.Replica(directory), directory)
	next := c.inquire(node, hello("next", 20))
	replying(next, "next")
	c.awaitHealth(node, of("next"))
	if n, err := c.nodes.Get(t.Context(), c.environment, node.Identity.GetNode()); err != nil || n.GetLeftAt() != nil || n.GetBoot() != "next" {
		t.Errorf("a node that is back reads %v, %v", n, err)
	}
}

func TestAnOlderProcessNeitherTakesTheStatusBackNorMakesItFlap(t *testing.T) {
	c := newControl(t, edgeapi.Times{})
	node := c.enrol("edge-1")
	c.store.PutObject("rt_a", []byte("a"))
	newer, older := node.Replica(configuration), node.Replica(configuration)
	say := func(r *edgetest.Replica, boot string, seconds int64) *edgetest.Stream {
		h := r.Hello()
		h.Boot, h.StartedAt = boot, begun(seconds)
		stream, err := node.Open(t.Context(), configuration, h)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(stream.Close)
		return stream
	}
	first := say(newer, "new", 10)
	c.take(first, newer)
	c.awaitRevision(node, 1, "new")
	// The older process opens its stream later, holds less, and refuses what it is sent.
	second := say(older, "old", 0)
	event, err := second.NextState()
	if err != nil || second.Nack(&edgev1.Nack{Number: 1, Errors: []*edgev1.ObjectError{{Code: "not_compiled"}}}) != nil {
		t.Fatal(event, err)
	}
	c.store.PutObject("rt_a", []byte("b"))
	c.take(first, newer)
	c.awaitRevision(node, 2, "new") // written after what the older said
	status, err := c.nodes.Status(t.Context(), c.environment, 2)
	if err != nil || status.GetAcked() != 1 || !status.GetNodes()[0].GetConnected() {
		t.Errorf("the status is %v, %v", status, err)
	}
	// When the newer one ends before it, the older has the say again.
	first.Close()
	c.awaitRevision(node, 0, "old")
}

// awaitRevision waits until the database says that the node's process of a boot is connected and holds a revision.
func (c *control) awaitRevision(node *edgetest.Node, revision uint64, boot string) {
	c.t.Helper()
	end := time.Now().Add(time.Minute)
	for {
		found, err := c.db.Fleet().Node(c.t.Context(), c.environment, node.Identity.GetNode())
		lane := found.Configuration
		if err == nil && lane.Connected && lane.Boot == boot && (lane.Held.Number == revision || revision == 0) {
			return
		}
		if time.Now().After(end) {
			c.t.Fatalf("the lane is %+v, %v", lane, err)
		}
	}
}
