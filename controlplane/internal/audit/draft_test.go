package audit

import (
	"context"
	"testing"
)

func TestAChangeThatIsNotedAgainIsThereOnce(t *testing.T) {
	d := new(Draft)
	ctx := WithDraft(context.Background(), d)
	Note(ctx, Change{Action: "update", Collection: "routes", ID: "rt_1", Name: "first try"})
	Note(ctx, Change{Action: "create", Collection: "routes", ID: "rt_2"})
	Note(ctx, Change{Action: "update", Collection: "routes", ID: "rt_1", Name: "second try"})
	changes := d.Changes()
	if len(changes) != 2 || changes[0].Name != "second try" || changes[1].ID != "rt_2" {
		t.Fatalf("got %+v", changes)
	}
}

func TestWhatNobodyRecordsIsNotNoted(t *testing.T) {
	Note(context.Background(), Change{Action: "create"})
	if DraftOf(context.Background()) != nil {
		t.Fatal("there is a draft in an empty context")
	}
}
