package dataplane

import (
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/sallyport/sallyport/dataplane/internal/directory"
	"github.com/sallyport/sallyport/proto/digest"
	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
	"github.com/sallyport/sallyport/proto/id"
	"github.com/sallyport/sallyport/proto/problem"
)

// What was let in by a token ends when the issuer takes its key back, or is trusted no more.
func TestWhoCameInByATokenStaysAsLongAsItsKeyIsGood(t *testing.T) {
	who := id.ID{1}
	d := directory.New()
	entry, err := proto.Marshal(&directoryv1.Entry{Body: &directoryv1.Entry_Consumer{Consumer: &directoryv1.Consumer{Id: who[:], Name: "app"}}})
	if err != nil {
		t.Fatal(err)
	}
	key := digest.KeyOf("consumers", id.Text(id.Consumer, who))
	change, err := d.Prepare([]*edgev1.EntryChange{{Key: key[:], Entry: entry}})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Commit(change, 1); err != nil {
		t.Fatal(err)
	}
	good, stale := true, false
	a := admission{d, func(time.Time) bool { return stale }, func(*directory.Token) bool { return good }}
	by := directory.Bearer{Consumer: who, Token: &directory.Token{Issuer: id.ID{2}}}
	if code, denied := a.Denied(by, time.Now()); denied {
		t.Errorf("let in, and then %s", code)
	}
	good = false
	if code, _ := a.Denied(by, time.Now()); code != problem.CredentialInvalid {
		t.Errorf("whose key is gone: %q", code)
	}
	if code, denied := a.Denied(directory.Bearer{Consumer: who}, time.Now()); denied {
		t.Errorf("who came in by something else: %s", code)
	}
	stale = true
	if code, _ := a.Denied(by, time.Now()); code != problem.ConfigurationStale {
		t.Errorf("on a node that is stale: %q", code)
	}
}
