package configsync

import (
	"context"

	"google.golang.org/grpc"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// maxReceive bounds one message, in bytes: what is bigger travels in chunks.
const maxReceive = 4 << 20

// link is either lane's stream.
type link interface {
	receive() (received, error)
	hello(*edgev1.Hello) error
	ack(*edgev1.Ack) error
	nack(*edgev1.Nack) error
	show(*edgev1.Holdings) error
	// closeSend says that the node has nothing more to say.
	closeSend() error
}

// received is one message of the control plane; exactly one of delta, chunk, beat, recall, trust and audit is set.
type received struct {
	delta  *delta
	head   *edgev1.SignedHead // of a delta or beat
	chunk  *edgev1.SnapshotChunk
	beat   bool
	recall *edgev1.Recall
	trust  *edgev1.Announcements
	audit  *edgev1.SignedAuditHead
	fault  *refusal // fields that this build doesn't know
}

// open opens a lane's stream. It ends with ctx.
type open func(ctx context.Context) (link, error)

func openConfiguration(client edgev1.EdgeServiceClient) open {
	return func(ctx context.Context) (link, error) {
		stream, err := client.SyncConfiguration(ctx, grpc.MaxCallRecvMsgSize(maxReceive))
		return configurationLink{stream}, err
	}
}

func openDirectory(client edgev1.EdgeServiceClient) open {
	return func(ctx context.Context) (link, error) {
		stream, err := client.SyncDirectory(ctx, grpc.MaxCallRecvMsgSize(maxReceive))
		return directoryLink{stream}, err
	}
}

var errNothingSaid = &refusal{code: codeUnknownField, reaction: reconnect, detail: "a message that this build doesn't know; update the node"}

type configurationLink struct {
	stream edgev1.EdgeService_SyncConfigurationClient
}

func (l configurationLink) receive() (received, error) {
	m, err := l.stream.Recv()
	if err != nil {
		return received{}, err
	}
	fault := refuseUnknown(m.ProtoReflect())
	switch body := m.GetMessage().(type) {
	case *edgev1.SyncConfigurationResponse_Delta:
		return received{fault: fault, head: body.Delta.GetHead(), delta: &delta{from: body.Delta.GetFrom(), objects: body.Delta.GetChanges()}}, nil
	case *edgev1.SyncConfigurationResponse_Chunk:
		return received{fault: fault, chunk: body.Chunk}, nil
	case *edgev1.SyncConfigurationResponse_Beat:
		return received{fault: fault, head: body.Beat, beat: true}, nil
	default:
		return received{}, errNothingSaid
	}
}

// show is never called: a configuration isn't asked for.
func (l configurationLink) show(*edgev1.Holdings) error { return errNothingSaid }

func (l configurationLink) closeSend() error { return l.stream.CloseSend() }

func (l configurationLink) hello(m *edgev1.Hello) error {
	return l.stream.Send(&edgev1.SyncConfigurationRequest{Message: &edgev1.SyncConfigurationRequest_Hello{Hello: m}})
}

func (l configurationLink) ack(m *edgev1.Ack) error {
	return l.stream.Send(&edgev1.SyncConfigurationRequest{Message: &edgev1.SyncConfigurationRequest_Ack{Ack: m}})
}

func (l configurationLink) nack(m *edgev1.Nack) error {
	return l.stream.Send(&edgev1.SyncConfigurationRequest{Message: &edgev1.SyncConfigurationRequest_Nack{Nack: m}})
}

type directoryLink struct {
	stream edgev1.EdgeService_SyncDirectoryClient
}

func (l directoryLink) receive() (received, error) {
	m, err := l.stream.Recv()
	if err != nil {
		return received{}, err
	}
	fault := refuseUnknown(m.ProtoReflect())
	switch body := m.GetMessage().(type) {
	case *edgev1.SyncDirectoryResponse_Delta:
		return received{fault: fault, head: body.Delta.GetHead(), delta: &delta{from: body.Delta.GetFrom(), entries: body.Delta.GetChanges()}}, nil
	case *edgev1.SyncDirectoryResponse_Chunk:
		return received{fault: fault, chunk: body.Chunk}, nil
	case *edgev1.SyncDirectoryResponse_Beat:
		return received{fault: fault, head: body.Beat, beat: true}, nil
	case *edgev1.SyncDirectoryResponse_Trust:
		return received{fault: fault, trust: body.Trust}, nil
	case *edgev1.SyncDirectoryResponse_Audit:
		return received{fault: fault, audit: body.Audit}, nil
	case *edgev1.SyncDirectoryResponse_Recall:
		return received{fault: fault, recall: body.Recall}, nil
	default:
		return received{}, errNothingSaid
	}
}

func (l directoryLink) closeSend() error { return l.stream.CloseSend() }

func (l directoryLink) hello(m *edgev1.Hello) error {
	return l.stream.Send(&edgev1.SyncDirectoryRequest{Message: &edgev1.SyncDirectoryRequest_Hello{Hello: m}})
}

func (l directoryLink) ack(m *edgev1.Ack) error {
	return l.stream.Send(&edgev1.SyncDirectoryRequest{Message: &edgev1.SyncDirectoryRequest_Ack{Ack: m}})
}

func (l directoryLink) nack(m *edgev1.Nack) error {
	return l.stream.Send(&edgev1.SyncDirectoryRequest{Message: &edgev1.SyncDirectoryRequest_Nack{Nack: m}})
}

func (l directoryLink) trusted(version uint64) error {
	return l.stream.Send(&edgev1.SyncDirectoryRequest{Message: &edgev1.SyncDirectoryRequest_Trusted{Trusted: &edgev1.Trusted{Version: version}}})
}

func (l directoryLink) show(m *edgev1.Holdings) error {
	return l.stream.Send(&edgev1.SyncDirectoryRequest{Message: &edgev1.SyncDirectoryRequest_Holdings{Holdings: m}})
}
