package publish

import (
	adminv1 "github.com/sallyport/sallyport/proto/gen/go/sallyport/admin/v1"
	"github.com/sallyport/sallyport/proto/resource"
)

// OperationsOf returns the steps of a batch as callers write them.
func OperationsOf(wanted []*adminv1.Operation) ([]Operation, error) {
	operations := make([]Operation, len(wanted))
	for i, op := range wanted {
		operations[i] = Operation{Verb: Verb(op.GetAction()), Collection: op.GetCollection(), Key: op.GetKey(), IfMatch: op.GetIfMatch()}
		if op.GetBody() == nil {
			continue
		}
		body, err := resource.Encode(op.GetBody())
		if err != nil {
			return nil, err
		}
		operations[i].Body = body
	}
	return operations, nil
}
