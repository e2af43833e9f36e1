package fleet

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

const (
	// MaxAnswer bounds one answer of a node, in bytes.
	MaxAnswer = 256 << 10
	// maxOpen bounds the questions that one node has yet to answer, on each way to it.
	maxOpen = 8
	// askWithin is how long a node is given for an answer.
	askWithin = 5 * time.Second
	// inquiryPoll is how often is looked at the database for questions and answers that nobody told of.
	inquiryPoll = 500 * time.Millisecond
	// inquirySweep is how often questions that are over are removed.
	inquirySweep = 10 * time.Second
	// maxCarried bounds how many questions of other replicas are being asked here.
	maxCarried = 64
)

// Inquiry is a question as it goes from one replica to another.
type Inquiry struct {
	ID          id.ID
	Environment string
	Node        string
	Question    []byte        // an edgev1.Question, its id left out
	Within      time.Duration // from now on
}

// InquiryStore carries questions to the replica that has the node's stream, and answers back. It tells at once of what it
// was given; who missed that finds it by looking.
type InquiryStore interface {
	// PostInquiry keeps a question; problem.RateLimited when the node has that many open ones.
	PostInquiry(ctx context.Context, inquiry Inquiry, most int) error
	// TakeInquiries returns questions to these nodes, each to one taker alone.
	TakeInquiries(ctx context.Context, nodes []string, most int) ([]Inquiry, error)
	// AnswerInquiry keeps the answer, an edgev1.Answer; of a question that is over it keeps nothing.
	AnswerInquiry(ctx context.Context, question id.ID, answer []byte) error
	// InquiryAnswer returns it; nil while there is none.
	InquiryAnswer(ctx context.Context, question id.ID) ([]byte, error)
	// DropInquiry removes a question that nobody waits for.
	DropInquiry(ctx context.Context, question id.ID) error
	// SweepInquiries removes what is long over.
	SweepInquiries(ctx context.Context) error
}

// InquiryWakes tells that there may be new questions or answers. It may tell too often, or not at all.
type InquiryWakes interface {
	Inquiries() (<-chan struct{}, func())
}

// Inquiries asks nodes. A node whose stream this replica has is asked directly; else the question goes by the database to
// the replica that has it.
type Inquiries struct {
	nodes *Nodes
	store InquiryStore
	wakes InquiryWakes
	log   *slog.Logger
	slots chan struct{}

	sealer Sealer // nil: what must be sealed isn't passed on

	mu    sync.Mutex
	desks map[string][]*Desk // by node; during a hand-over two
}

// NewInquiries returns inquiries of these nodes. They pass on other replicas' questions while Run does.
func NewInquiries(nodes *Nodes, store InquiryStore, wakes InquiryWakes, log *slog.Logger) *Inquiries {
	return &Inquiries{nodes: nodes, store: store, wakes: wakes, log: log, slots: make(chan struct{}, maxCarried), desks: make(map[string][]*Desk)}
}

// Ask asks a node, and returns its answer; problem.NodeUnreachable when none comes in time.
func (q *Inquiries) Ask(ctx context.Context, node *Node, question *edgev1.Question) (*edgev1.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, askWithin)
	defer cancel()
	if !node.Enabled {
		return nil, unreachable(node, "it is disabled")
	}
	answer, err := q.ask(ctx, node, question)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, unreachable(node, "it didn't answer in "+askWithin.String())
	case err != nil:
		return nil, err
	case answer.GetRefusal() != nil:
		refusal := answer.GetRefusal()
		return nil, unreachable(node, "it refuses the question ("+clean(refusal.GetCode(), 64)+"): "+clean(refusal.GetMessage(), 256))
	}
	return answer, nil
}

func (q *Inquiries) ask(ctx context.Context, node *Node, question *edgev1.Question) (*edgev1.Answer, error) {
	if desk := q.desk(node.ID); desk != nil {
		return desk.ask(ctx, question)
	}
	if !node.Configuration.Connected && !node.Directory.Connected {
		return nil, unreachable(node, "no replica of the control plane has a stream of it")
	}
	return q.askElsewhere(ctx, node, question)
}

// unreachable says why a node doesn't answer, and since when.
func unreachable(node *Node, why string) error {
	seen := node.seenAt()
	if seen.IsZero() {
		return problem.Errorf(problem.NodeUnreachable, "the node %s doesn't answer: %s; it was never heard of", node.ID, why)
	}
	return problem.Errorf(problem.NodeUnreachable, "the node %s doesn't answer: %s; it was last heard of at %s", node.ID, why, seen.UTC().Format(time.RFC3339))
}

// askElsewhere leaves the question for the replica that has the node's stream, and waits for the answer.
func (q *Inquiries) askElsewhere(ctx context.Context, node *Node, question *edgev1.Question) (*edgev1.Answer, error) {
	woken, cancel := q.wakes.Inquiries()
	defer cancel()
	sealed, err := q.seal(question)
	if err != nil {
		return nil, err
	}
	text, err := proto.Marshal(sealed)
	if err != nil {
		return nil, err
	}
	inquiry := Inquiry{ID: id.New(time.Now()), Environment: node.Environment, Node: node.ID, Question: text, Within: askWithin}
	if err := q.store.PostInquiry(ctx, inquiry, maxOpen); err != nil {
		return nil, err
	}
	defer func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = q.store.DropInquiry(ending, inquiry.ID) // else it is swept
	}()
	poll := time.NewTicker(inquiryPoll)
	defer poll.Stop()
	for {
		text, err := q.store.InquiryAnswer(ctx, inquiry.ID)
		if err != nil {
			return nil, err
		}
		if text != nil {
			answer := new(edgev1.Answer)
			return answer, proto.Unmarshal(text, answer)
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-woken:
		case <-poll.C:
		}
	}
}

// Run asks the nodes of this replica what other replicas want to know, until ctx ends.
func (q *Inquiries) Run(ctx context.Context) error {
	woken, cancel := q.wakes.Inquiries()
	defer cancel()
	var asking sync.WaitGroup
	defer asking.Wait()
	poll, sweep := time.NewTicker(inquiryPoll), time.NewTicker(inquirySweep)
	defer poll.Stop()
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-woken:
		case <-poll.C:
		case <-sweep.C:
			if err := q.store.SweepInquiries(ctx); err != nil && ctx.Err() == nil {
				q.log.Warn("can't remove questions that are over", "error", err)
			}
		}
		q.carry(ctx, &asking)
	}
}

// carry takes what is to be asked of the nodes here.
func (q *Inquiries) carry(ctx context.Context, asking *sync.WaitGroup) {
	nodes, free := q.seated(), maxCarried-len(q.slots)
	if len(nodes) == 0 || free == 0 {
		return
	}
	inquiries, err := q.store.TakeInquiries(ctx, nodes, free)
	if err != nil {
		if ctx.Err() == nil {
			q.log.Warn("can't read other replicas' questions", "error", err)
		}
		return
	}
	for _, inquiry := range inquiries {
		q.slots <- struct{}{} // there are as many free as were taken: this goroutine alone fills them
		asking.Go(func() {
			defer func() { <-q.slots }()
			q.pass(ctx, inquiry)
		})
	}
}

// pass asks one question of another replica, and leaves the answer for it.
func (q *Inquiries) pass(ctx context.Context, inquiry Inquiry) {
	ctx, cancel := context.WithTimeout(ctx, min(inquiry.Within, askWithin))
	defer cancel()
	question := new(edgev1.Question)
	desk := q.desk(inquiry.Node)
	if desk == nil || desk.identity.Environment != inquiry.Environment || proto.Unmarshal(inquiry.Question, question) != nil {
		return // who asks gives up in time
	}
	question, err := q.unseal(question)
	if err != nil {
		q.log.Warn("can't pass on another replica's question", "node", inquiry.Node, "error", err)
		return
	}
	answer, err := desk.ask(ctx, question)
	if err != nil {
		return
	}
	text, err := proto.Marshal(answer)
	if err == nil {
		err = q.store.AnswerInquiry(ctx, inquiry.ID, text)
	}
	if err != nil && ctx.Err() == nil {
		q.log.Warn("can't pass on a node's answer", "node", inquiry.Node, "error", err)
	}
}

// Sit adds a node's inquiry stream.
func (q *Inquiries) Sit(identity Identity, hello *edgev1.Hello) *Desk {
	desk := &Desk{
		inquiries: q, identity: identity, started: startedAt(hello),
		questions: make(chan *edgev1.Question, maxOpen), left: make(chan struct{}), open: make(map[uint64]chan *edgev1.Answer),
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	q.desks[identity.Node] = append(q.desks[identity.Node], desk)
	return desk
}

// desk returns the stream of the node's newest process; nil when none is here.
func (q *Inquiries) desk(node string) *Desk {
	q.mu.Lock()
	defer q.mu.Unlock()
	var newest *Desk
	for _, desk := range q.desks[node] {
		if newest == nil || !desk.started.Before(newest.started) {
			newest = desk
		}
	}
	return newest
}

func (q *Inquiries) seated() []string {
	q.mu.Lock()
	defer q.mu.Unlock()
	nodes := make([]string, 0, len(q.desks))
	for node := range q.desks {
		nodes = append(nodes, node)
	}
	return nodes
}

// Desk is one inquiry stream of one node.
type Desk struct {
	inquiries *Inquiries
	identity  Identity
	started   time.Time
	questions chan *edgev1.Question
	left      chan struct{}

	mu   sync.Mutex
	last uint64
	open map[uint64]chan *edgev1.Answer // capacity 1
}

// Questions returns what is to be sent to the node.
func (d *Desk) Questions() <-chan *edgev1.Question { return d.questions }

// Answered passes an answer on to who asked. One that nobody waits for is dropped.
func (d *Desk) Answered(answer *edgev1.Answer) {
	if proto.Size(answer) > MaxAnswer {
		answer = &edgev1.Answer{Id: answer.GetId(), Answer: &edgev1.Answer_Refusal{Refusal: &edgev1.Refusal{
			Code: "too_large", Message: "the answer is larger than 256 KiB",
		}}}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if waiting, ok := d.open[answer.GetId()]; ok {
		delete(d.open, answer.GetId())
		waiting <- answer
	}
}

// Leave takes the stream away. Who waits for an answer gets none.
func (d *Desk) Leave() {
	q := d.inquiries
	q.mu.Lock()
	defer q.mu.Unlock()
	var others []*Desk
	for _, desk := range q.desks[d.identity.Node] {
		if desk != d {
			others = append(others, desk)
		}
	}
	if q.desks[d.identity.Node] = others; len(others) == 0 {
		delete(q.desks, d.identity.Node)
	}
	close(d.left)
}

// ask asks on this stream.
func (d *Desk) ask(ctx context.Context, question *edgev1.Question) (*edgev1.Answer, error) {
	asked := proto.CloneOf(question)
	if deadline, ok := ctx.Deadline(); ok {
		asked.Within = durationpb.New(time.Until(deadline))
	}
	waiting := make(chan *edgev1.Answer, 1)
	d.mu.Lock()
	if len(d.open) >= maxOpen {
		d.mu.Unlock()
		return nil, problem.Errorf(problem.RateLimited, "the node has %d questions yet to answer; try again in a moment", maxOpen)
	}
	d.last++
	asked.Id = d.last
	d.open[asked.GetId()] = waiting
	d.mu.Unlock()
	defer func() {
		d.mu.Lock()
		defer d.mu.Unlock()
		delete(d.open, asked.GetId())
	}()
	for questions := d.questions; ; {
		select {
		case questions <- asked:
			questions = nil // sent once
		case answer := <-waiting:
			return answer, nil
		case <-d.left:
			return nil, problem.Errorf(problem.NodeUnreachable, "the node %s left before it answered", d.identity.Node)
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}
