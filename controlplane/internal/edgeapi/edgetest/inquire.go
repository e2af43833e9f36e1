package edgetest

import (
	"context"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// Inquiry is one open inquiry stream of a node.
type Inquiry struct {
	stream edgev1.EdgeService_InquireClient
	end    context.CancelFunc
}

// Inquire opens an inquiry stream and says hello.
func (n *Node) Inquire(ctx context.Context, hello *edgev1.Hello) (*Inquiry, error) {
	ctx, cancel := context.WithCancel(ctx)
	stream, err := n.client.Inquire(ctx)
	if err != nil {
		cancel()
		return nil, err
	}
	i := &Inquiry{stream: stream, end: cancel}
	if err := i.say(&edgev1.InquireRequest{Message: &edgev1.InquireRequest_Hello{Hello: hello}}); err != nil {
		cancel()
		return nil, err
	}
	return i, nil
}

func (i *Inquiry) say(m *edgev1.InquireRequest) error { return i.stream.Send(m) }

// Next returns the next question.
func (i *Inquiry) Next() (*edgev1.Question, error) {
	m, err := i.stream.Recv()
	return m.GetQuestion(), err
}

// Answer answers a question.
func (i *Inquiry) Answer(answer *edgev1.Answer) error {
	return i.say(&edgev1.InquireRequest{Message: &edgev1.InquireRequest_Answer{Answer: answer}})
}

// Goodbye says that the node's process ends. Next tells when the control plane has heard it: by the end of the stream.
func (i *Inquiry) Goodbye() error {
	return i.say(&edgev1.InquireRequest{Message: &edgev1.InquireRequest_Goodbye{Goodbye: &edgev1.Goodbye{}}})
}

// Close ends the stream.
func (i *Inquiry) Close() { i.end() }
