package websocket

import (
	"errors"
	"testing"

	"github.com/sallyport/sallyport/dataplane/internal/pipeline"
)

// headerOf makes a header of names and values.
func headerOf(pairs ...string) *pipeline.Header {
	h := new(pipeline.Header)
	for i := 0; i < len(pairs); i += 2 {
		h.Add(pairs[i], pairs[i+1])
	}
	return h
}

// key and accept are the example of RFC 6455, section 1.3.
const (
	key    = "dGhlIHNhbXBsZSBub25jZQ=="
	accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
)

func TestAHandshakeIsTakenAsItsSpecificationSays(t *testing.T) {
	for _, tt := range []struct {
		header *pipeline.Header
		want   error
	}{
		{headerOf(keyField, key, VersionField, "13"), nil},
		{headerOf("sec-websocket-key", key, "sec-websocket-version", "13"), nil},
		{headerOf(keyField, key), ErrVersion},
		{headerOf(keyField, key, VersionField, "8"), ErrVersion},
		{headerOf(keyField, key, VersionField, "13", VersionField, "13"), ErrVersion},
		{headerOf(VersionField, "13"), ErrKey},
		{headerOf(VersionField, "13", keyField, key, keyField, key), ErrKey},
		{headerOf(VersionField, "13", keyField, "c2hvcnQ="), ErrKey},
		{headerOf(VersionField, "13", keyField, "dGhlIHNhbXBsZSBub25jZR=="), ErrKey}, // bits behind the end
	} {
		if err := CheckRequest(tt.header); !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.header.Fields(), err, tt.want)
		}
	}
}

func TestAnAnswerIsTakenIfItsClientWould(t *testing.T) {
	asked := headerOf(keyField, key, VersionField, "13", protocolField, "chat, superchat", extensionsField, "permessage-deflate; client_max_window_bits")
	for _, tt := range []struct {
		answer *pipeline.Header
		want   error
	}{
		{headerOf(acceptField, accept), nil},
		{headerOf(acceptField, accept, protocolField, "superchat", extensionsField, "permessage-deflate"), nil},
		{headerOf(), ErrAccept},
		{headerOf(acceptField, "s3pPLMBiTxaQ9kYGzzhZRbK+xOp="), ErrAccept},
		{headerOf(acceptField, accept, acceptField, accept), ErrAccept},
		{headerOf(acceptField, accept, protocolField, "other"), ErrProtocol},
		{headerOf(acceptField, accept, protocolField, "chat, superchat"), ErrProtocol},
		{headerOf(acceptField, accept, extensionsField, "mux"), ErrExtensions},
	} {
		if err := CheckAnswer(asked, tt.answer); !errors.Is(err, tt.want) {
			t.Errorf("%v: %v, want %v", tt.answer.Fields(), err, tt.want)
		}
	}
	if got := Accept(key); got != accept {
		t.Errorf("accept %q, want %q", got, accept)
	}
	if !Extended(headerOf(extensionsField, "x")) || Extended(headerOf()) {
		t.Error("an extension is agreed on by the answer's word")
	}
}
