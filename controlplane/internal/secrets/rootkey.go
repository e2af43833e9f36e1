package secrets

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"strings"
)

// RootKeySize is the length of a root key, in bytes.
const RootKeySize = 32

// ErrRootKey is returned for a text that is no root key. It tells nothing of the text.
var ErrRootKey = errors.New("a root key is 32 bytes, in hexadecimal (64 digits) or base64; make one with: openssl rand -base64 32")

// RootKey is the key under which all others are sealed. However it is printed, nothing of it comes out.
type RootKey struct{ bytes [RootKeySize]byte }

// ParseRootKey reads a root key in hexadecimal or base64 (either alphabet, padded or not), as in
// SALLYPORT_ROOT_KEY. Space around it doesn't count.
func ParseRootKey(text string) (RootKey, error) {
	text = strings.TrimSpace(text)
	if len(text) == hex.EncodedLen(RootKeySize) {
		if raw, err := hex.DecodeString(text); err == nil {
			return newRootKey(raw)
		}
	}
	text = strings.TrimRight(text, "=")
	text = strings.NewReplacer("-", "+", "_", "/").Replace(text)
	raw, err := base64.RawStdEncoding.Strict().DecodeString(text)
	if err != nil {
		return RootKey{}, ErrRootKey
	}
	return newRootKey(raw)
}

// ReadRootKey reads a root key from a file: 32 raw bytes, or a text that ParseRootKey takes.
func ReadRootKey(path string) (RootKey, error) {
	raw, err := os.ReadFile(path)
	if err != nil {
		return RootKey{}, fmt.Errorf("read root key: %w", err)
	}
	if len(raw) == RootKeySize {
		return newRootKey(raw)
	}
	key, err := ParseRootKey(string(raw))
	if err != nil {
		return RootKey{}, fmt.Errorf("root key in %s: %w", path, err)
	}
	return key, nil
}

// Format prints that it is a root key and nothing of it, whatever the verb.
func (RootKey) Format(f fmt.State, _ rune) {
	_, _ = f.Write([]byte("secrets.RootKey(masked)")) // fmt.State has no one to tell
}

// MarshalText refuses: a root key is never written anywhere.
func (RootKey) MarshalText() ([]byte, error) {
	return nil, errors.New("secrets: a root key can't be marshalled")
}

func newRootKey(raw []byte) (RootKey, error) {
	if len(raw) != RootKeySize {
		return RootKey{}, ErrRootKey
	}
	return RootKey{bytes: [RootKeySize]byte(raw)}, nil
}
