package chaos

import (
	"os"
	"testing"

	"github.com/sallyport/sallyport/tests/harness"
)

// product is what all stories share. TestMain sets it, once.
var product *harness.Stack

func TestMain(m *testing.M) {
	os.Exit(harness.Main(m, harness.Config{Edges: 2}, func(s *harness.Stack) { product = s }))
}
