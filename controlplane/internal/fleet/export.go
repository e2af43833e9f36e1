package fleet

import (
	"context"
	"fmt"
	"io"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/snapshotfile"
)

// Export is what goes into a snapshot file.
type Export struct {
	// Environment and Name are its id and its name.
	Environment, Name string
	// Store and Signer are what nodes get their lanes from.
	Store  LaneStore
	Signer *Signer
	// Key seals the file: it holds peppers and secrets.
	Key snapshotfile.Key
}

// Write writes both lanes of an environment, signed as on the wire, to a snapshot file that nodes can start from.
func (e Export) Write(ctx context.Context, out io.Writer) error {
	at := time.Now()
	// The directory is read last, and so holds whatever the configuration needs of it.
	configuration, err := e.lane(ctx, edgev1.Lane_LANE_CONFIGURATION, configurationSource{e.Store, e.Environment}, at)
	if err != nil {
		return err
	}
	directory, err := e.lane(ctx, edgev1.Lane_LANE_DIRECTORY, directorySource{e.Store, e.Environment}, at)
	if err != nil {
		return err
	}
	file, err := snapshotfile.NewWriter(out, e.Key, &edgev1.SnapshotManifest{
		Environment: e.Environment, EnvironmentName: e.Name, MadeAt: timestamppb.New(at), SigningKeys: []*edgev1.SigningKey{e.Signer.Key()},
		Directory: directory.Signed, Configuration: configuration.Signed,
	})
	if err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	for _, part := range []struct {
		write  func([]byte) error
		chunks [][]byte
	}{{file.Directory, directory.Chunks}, {file.Configuration, configuration.Chunks}} {
		for _, chunk := range part.chunks {
			if err := part.write(chunk); err != nil {
				return fmt.Errorf("write the export: %w", err)
			}
		}
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("write the export: %w", err)
	}
	return nil
}

func (e Export) lane(ctx context.Context, kind edgev1.Lane, source laneSource, at time.Time) (*Snapshot, error) {
	head, chunks, err := buildSnapshot(ctx, source)
	if err != nil {
		return nil, fmt.Errorf("export the %s: %w", laneName(kind), err)
	}
	signed, err := e.Signer.Sign(&edgev1.Head{
		Environment: e.Environment, Epoch: head.Epoch, Lane: kind, Number: head.Number, Digest: head.Digest,
		SequenceNeeded: head.SequenceNeeded, Time: timestamppb.New(at),
	})
	if err != nil {
		return nil, err
	}
	return &Snapshot{Head: head, Signed: signed, Chunks: chunks}, nil
}
