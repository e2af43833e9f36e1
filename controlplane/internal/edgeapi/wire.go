package edgeapi

import (
	"github.com/sallyport/sallyport/controlplane/internal/fleet"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// request is what a node says on either stream.
type request interface {
	GetHello() *edgev1.Hello
	GetAck() *edgev1.Ack
	GetNack() *edgev1.Nack
}

// wire is either stream, so that one loop serves both.
type wire interface {
	lane() edgev1.Lane
	receive() (request, error)
	sendDelta(signed *edgev1.SignedHead, delta *fleet.Delta) error
	sendChunk(chunk *edgev1.SnapshotChunk) error
	sendBeat(signed *edgev1.SignedHead) error
	sendRecall(recall *edgev1.Recall) error
}

// showing is what a node says on its directory's stream beside.
type showing interface {
	GetHoldings() *edgev1.Holdings
}

type configurationWire struct {
	stream edgev1.EdgeService_SyncConfigurationServer
}

func (w configurationWire) lane() edgev1.Lane { return edgev1.Lane_LANE_CONFIGURATION }

func (w configurationWire) receive() (request, error) { return w.stream.Recv() }

func (w configurationWire) sendDelta(signed *edgev1.SignedHead, delta *fleet.Delta) error {
	return w.stream.Send(&edgev1.SyncConfigurationResponse{Message: &edgev1.SyncConfigurationResponse_Delta{
		Delta: &edgev1.ConfigurationDelta{Head: signed, From: delta.From, Changes: delta.Objects},
	}})
}

func (w configurationWire) sendChunk(chunk *edgev1.SnapshotChunk) error {
	return w.stream.Send(&edgev1.SyncConfigurationResponse{Message: &edgev1.SyncConfigurationResponse_Chunk{Chunk: chunk}})
}

func (w configurationWire) sendBeat(signed *edgev1.SignedHead) error {
	return w.stream.Send(&edgev1.SyncConfigurationResponse{Message: &edgev1.SyncConfigurationResponse_Beat{Beat: signed}})
}

// sendRecall is never called: a configuration isn't asked back, since it is what the dump says.
func (w configurationWire) sendRecall(*edgev1.Recall) error { return fleet.ErrProtocol }

type directoryWire struct {
	stream edgev1.EdgeService_SyncDirectoryServer
}

func (w directoryWire) lane() edgev1.Lane { return edgev1.Lane_LANE_DIRECTORY }

func (w directoryWire) receive() (request, error) { return w.stream.Recv() }

func (w directoryWire) sendDelta(signed *edgev1.SignedHead, delta *fleet.Delta) error {
	return w.stream.Send(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Delta{
		Delta: &edgev1.DirectoryDelta{Head: signed, From: delta.From, Changes: delta.Entries},
	}})
}

func (w directoryWire) sendChunk(chunk *edgev1.SnapshotChunk) error {
	return w.stream.Send(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Chunk{Chunk: chunk}})
}

func (w directoryWire) sendBeat(signed *edgev1.SignedHead) error {
	return w.stream.Send(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Beat{Beat: signed}})
}

func (w directoryWire) sendTrust(announced *edgev1.Announcements) error {
	return w.stream.Send(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Trust{Trust: announced}})
}

func (w directoryWire) sendAudit(signed *edgev1.SignedAuditHead) error {
	return w.stream.Send(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Audit{Audit: signed}})
}

func (w directoryWire) sendRecall(recall *edgev1.Recall) error {
	return w.stream.Send(&edgev1.SyncDirectoryResponse{Message: &edgev1.SyncDirectoryResponse_Recall{Recall: recall}})
}
