package conformance

import (
	"os"
	"testing"

	"github.com/sallyport/sallyport/tests/harness"
)

// product is what all tests share. TestMain sets it, once.
var product *harness.Stack

func TestMain(m *testing.M) {
	os.Exit(harness.Main(m, harness.Config{Edges: 1}, func(s *harness.Stack) { product = s }))
}
