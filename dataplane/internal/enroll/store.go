package enroll

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// fileName is the identity's file in the data directory.
const fileName = "identity.json"

// ed25519Size is the size of an Ed25519 public key, in bytes.
const ed25519Size = 32

// record is an identity as it is kept. Binary fields are DER, or raw keys.
type record struct {
	Version         int          `json:"version"`
	Node            string       `json:"node"`
	Environment     string       `json:"environment"`
	EnvironmentName string       `json:"environment_name"`
	Certificates    [][]byte     `json:"certificates"` // leaf first
	Key             []byte       `json:"key"`          // PKCS #8
	Authorities     [][]byte     `json:"authorities"`
	SigningKeys     []signingKey `json:"signing_keys"`
	RetiredKeys     []retiredKey `json:"retired_keys,omitempty"`  // oldest first
	TrustVersion    uint64       `json:"trust_version,omitempty"` // 0: of an early build
	BusIssuers      []string     `json:"bus_issuers,omitempty"`
	BusSeed         []byte       `json:"bus_seed"`
	BusJWT          string       `json:"bus_jwt"`
	BusURLs         []string     `json:"bus_urls"`
}

type signingKey struct {
	ID        string `json:"id"`
	PublicKey []byte `json:"public_key"`
}

// recordVersion is the form of the file. One of another version is refused, not guessed at.
const recordVersion = 1

// ErrNone is returned by Load when the data directory holds no identity.
var ErrNone = errors.New("enroll: the data directory holds no identity")

// Load returns the identity kept in the data directory. One that anybody but its owner may read is
// refused: it must be taken for known.
func Load(dir string) (*Identity, error) {
	p, err := load(dir)
	if err != nil {
		return nil, err
	}
	return newIdentity(p, dir), nil
}

func load(dir string) (*papers, error) {
	path := filepath.Join(dir, fileName)
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, ErrNone
	}
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	defer func() { _ = file.Close() }() // nothing was written
	info, err := file.Stat()
	if err != nil {
		return nil, fmt.Errorf("enroll: %w", err)
	}
	if open := info.Mode().Perm() & 0o077; open != 0 {
		return nil, fmt.Errorf("enroll: %s may be read by others (mode %04o): remove it and enroll with a new join token", path, info.Mode().Perm())
	}
	kept, err := read(file)
	if err != nil {
		return nil, fmt.Errorf("enroll: %s is damaged, remove it and enroll with a new join token: %w", path, err)
	}
	return kept, nil
}

func read(r io.Reader) (*papers, error) {
	decoder := json.NewDecoder(r)
	decoder.DisallowUnknownFields()
	var kept record
	if err := decoder.Decode(&kept); err != nil {
		return nil, errors.New("not the JSON that was written") // the cause could quote a key
	}
	if kept.Version != recordVersion {
		return nil, fmt.Errorf("version %d, this build knows %d", kept.Version, recordVersion)
	}
	return newPapers(kept)
}

// save writes them to the identity's file: whole or not at all, and on the disk when it returns.
func (p *papers) save(dir string) error {
	var body bytes.Buffer
	if err := json.NewEncoder(&body).Encode(p.record); err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("enroll: %w", err)
	}
	if err := replaceFile(dir, fileName, body.Bytes()); err != nil {
		return fmt.Errorf("enroll: keep the identity: %w", err)
	}
	return nil
}

// replaceFile writes beside the file and renames.
func replaceFile(dir, name string, body []byte) (err error) {
	file, err := os.CreateTemp(dir, name+".*") // mode 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, ignoreClosed(file.Close()), os.Remove(file.Name()))
		}
	}()
	if _, err := file.Write(body); err != nil {
		return err
	}
	if err := file.Sync(); err != nil {
		return err
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := os.Rename(file.Name(), filepath.Join(dir, name)); err != nil {
		return err
	}
	return syncDir(dir)
}

func ignoreClosed(err error) error {
	if errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return err
}

// syncDir makes a rename last.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
