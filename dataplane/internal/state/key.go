package state

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

const (
	keySize = 32
	keyFile = "key"
)

var errKey = errors.New("state: a state key is 32 bytes in base64; make one with: openssl rand -base64 32")

// parseKey reads a key as in SALLYPORT_STATE_KEY.
func parseKey(text string) ([]byte, error) {
	key, err := base64.StdEncoding.Strict().DecodeString(strings.TrimSpace(text))
	if err != nil || len(key) != keySize {
		return nil, errKey // the cause could quote it
	}
	return key, nil
}

// ensureKey returns the key kept beside the data, and makes one at the first start.
func ensureKey(dir string) ([]byte, error) {
	path := filepath.Join(dir, keyFile)
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("state: %s may be read by others (mode %04o): remove the folder, the node fetches its state anew", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	key, err := parseKey(string(text))
	if err != nil {
		return nil, fmt.Errorf("state: %s is damaged: remove the folder, the node fetches its state anew", path)
	}
	return key, nil
}

func makeKey(dir string) ([]byte, error) {
	key := make([]byte, keySize)
	rand.Read(key) // never fails: the runtime ends the process instead
	d := disk{dir}
	text := base64.StdEncoding.EncodeToString(key) + "\n"
	if err := place(d, keyFile, []byte(text)); err != nil {
		return nil, fmt.Errorf("state: keep the key: %w", err)
	}
	return key, nil
}
