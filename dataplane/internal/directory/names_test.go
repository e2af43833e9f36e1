package directory

import (
	"fmt"
	"testing"

	directoryv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/directory/v1"
	edgev1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/edge/v1"
)

// called tells who has a name: -1 is nobody.
func called(t *testing.T, d *Directory, name string, want int) {
	t.Helper()
	c, found := d.ConsumerNamed(name)
	if found != (want >= 0) || found && (c.ID != idOf(want) || c.Name != name) {
		t.Errorf("%q is %+v (%v), want consumer %d", name, c, found, want)
	}
}

func TestConsumersAreFoundByTheNameThatTheyHaveNow(t *testing.T) {
	for name, begin := range map[string]func(*testing.T, *Directory, ...*edgev1.EntryChange){
		"by delta":    func(t *testing.T, d *Directory, c ...*edgev1.EntryChange) { t.Helper(); apply(t, d, c...) },
		"by snapshot": func(t *testing.T, d *Directory, c ...*edgev1.EntryChange) { t.Helper(); load(t, d, 1, c...) },
	} {
		t.Run(name, func(t *testing.T) {
			d := New()
			called(t, d, "shop", -1)
			begin(t, d, consumer(t, 1, "shop"), consumer(t, 2, "bank"), apiKey(t, 9, 3))
			called(t, d, "shop", 1)
			called(t, d, "", -1)
			apply(t, d, consumer(t, 1, "bank"), consumer(t, 2, "shop")) // they change names
			called(t, d, "shop", 2)
			called(t, d, "bank", 1)
			apply(t, d, gone(consumer(t, 2, "")), consumer(t, 3, "shop")) // another takes the name of who goes
			called(t, d, "shop", 3)
			apply(t, d, consumerEntry(t, 3, &directoryv1.Consumer{Name: "shop", Suspended: true}))
			called(t, d, "shop", 3)
			apply(t, d, gone(consumer(t, 3, "")), gone(consumer(t, 1, "")))
			called(t, d, "shop", -1)
			called(t, d, "bank", -1)
			if n := namesHeld(d); n != 0 {
				t.Errorf("%d names of nobody are kept", n)
			}
		})
	}
}

func TestEachOfManyConsumersIsFoundByNameAndTakesOneRow(t *testing.T) {
	const n = 20_000
	var all []*edgev1.EntryChange
	for i := range n {
		all = append(all, consumer(t, i, fmt.Sprint("name-", i)))
	}
	d := New()
	load(t, d, 1, all...)
	apply(t, d, consumer(t, 7, "name-7"), consumer(t, 8, "name-8a"), consumer(t, 8, "name-8"))
	for i := range n {
		called(t, d, fmt.Sprint("name-", i), i)
	}
	called(t, d, fmt.Sprint("name-", n), -1)
	if held := namesHeld(d); held != n {
		t.Errorf("%d rows for %d names", held, n)
	}
}

func namesHeld(d *Directory) (n int) {
	p := &d.state.Load().people
	for at := range p.names.rows {
		if b := p.names.rows[at].Load(); b != nil {
			n += len(b.numbers)
		}
	}
	return n
}
