package state

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// witnessFile holds the newest head of the control plane's audit record. It isn't sealed: it holds no secret, and proves itself
// by its signature.
const witnessFile = "audit-head"

// maxWitness bounds it, in bytes.
const maxWitness = 4096

// KeepAuditHead keeps a signed head of the audit record, and returns once it lasts. While the state stands still nothing is kept: the process
// that takes over hears of the next one itself, a second later.
func (s *Store) KeepAuditHead(signed []byte) error {
	if len(signed) > maxWitness {
		return fmt.Errorf("state: an audit head of %d bytes", len(signed))
	}
	s.freeze.placing.Lock()
	defer s.freeze.placing.Unlock()
	if s.Frozen() {
		return nil
	}
	if err := place(s.at, witnessFile, signed); err != nil {
		return fmt.Errorf("state: keep the audit head: %w", err)
	}
	return nil
}

// AuditHead returns what was kept last; nil: nothing.
func (s *Store) AuditHead() ([]byte, error) {
	f, err := s.at.open(witnessFile, false)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("state: read the audit head: %w", err)
	}
	body := make([]byte, maxWitness)
	n, err := f.ReadAt(body, 0)
	if errors.Is(err, io.EOF) {
		err = nil
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("state: read the audit head: %w", err)
	}
	return body[:n], nil
}
